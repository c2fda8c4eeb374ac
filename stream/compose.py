"""Put the magnified face back into its place in the frame."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from .face import FaceCrop
from .face_plane import crop_bounds

_FEATHER = 0.12  # Share of the crop over which the magnified face fades in from each edge.


def place_back(
    frame_luma: NDArray[np.uint8],
    *,
    crop: FaceCrop,
    magnified: NDArray[np.uint8],
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Give `frame_luma` [H, W] with the face of `crop` replaced by the magnified one [S, S].

    Only what magnification changed is carried back: the frame plus the difference between `magnified` and
    the crop, unwarped and faded towards the crop's edges. Where they are equal, and outside of the crop,
    the frame stays as it is, bit for bit. `out` uint8 [H, W] is written and returned if given; it may be
    `frame_luma` itself. Raises ValueError if the sizes do not fit.
    """
    if magnified.shape != crop.luma.shape:
        raise ValueError(
            f"magnified is {magnified.shape}; it must have the shape of the crop, {crop.luma.shape}"
        )
    if out is None:
        out = np.empty(frame_luma.shape, np.uint8)
    elif out.shape != frame_luma.shape:
        raise ValueError(f"out is {out.shape}; it must have the shape of the frame, {frame_luma.shape}")
    if out is not frame_luma:
        np.copyto(out, frame_luma)
    size = magnified.shape[0]
    left, top, right, bottom = crop_bounds(crop.matrix, size=size)
    height, width = out.shape
    x0, y0 = max(0, math.floor(left)), max(0, math.floor(top))
    x1, y1 = min(width, math.ceil(right) + 1), min(height, math.ceil(bottom) + 1)
    if x0 >= x1 or y0 >= y1:
        return out
    change = np.empty((size, size), np.float32)
    _faded_change(crop.luma, magnified, _feather(size), change)
    # Crop pixels per frame pixel: several of them make one, so they are averaged first.
    span = round(math.hypot(float(crop.matrix[0, 0]), float(crop.matrix[1, 0])))
    if span > 1:
        # An odd window does not shift the picture.
        side = span + 1 - span % 2
        change = np.asarray(cv2.blur(change, (side, side), borderType=cv2.BORDER_CONSTANT), np.float32)
    _add_change(change, np.ascontiguousarray(crop.matrix, np.float64), (x0, y0), out[y0:y1, x0:x1])
    return out


def _feather(size: int) -> NDArray[np.float32]:
    """Give the weight of each row and column [size]: 0 at the edges, 1 inside, smooth between."""
    place = np.linspace(0.0, 1.0, size)
    ramp = np.minimum(np.minimum(place, 1.0 - place) / _FEATHER, 1.0)
    return np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _faded_change(
    crop: NDArray[np.uint8],
    magnified: NDArray[np.uint8],
    feather: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            change = np.float32(magnified[row, column]) - np.float32(crop[row, column])
            out[row, column] = change * feather[row] * feather[column]


@njit(cache=True, nogil=True, fastmath=True)
def _add_change(
    change: NDArray[np.float32], m: NDArray[np.float64], origin: tuple[int, int], out: NDArray[np.uint8]
) -> None:
    """Add the change, sampled bilinearly, to the part of the frame that starts at `origin` (x, y)."""
    size = change.shape[0]
    last = size - 1.0
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            frame_x, frame_y = column + origin[0], row + origin[1]
            x = m[0, 0] * frame_x + m[0, 1] * frame_y + m[0, 2]
            y = m[1, 0] * frame_x + m[1, 1] * frame_y + m[1, 2]
            if x < 0.0 or y < 0.0 or x > last or y > last:
                continue
            i, j = min(int(x), size - 2), min(int(y), size - 2)
            t, u = np.float32(x - i), np.float32(y - j)
            upper = change[j, i] + t * (change[j, i + 1] - change[j, i])
            lower = change[j + 1, i] + t * (change[j + 1, i + 1] - change[j + 1, i])
            value = np.float32(out[row, column]) + upper + u * (lower - upper) + np.float32(0.5)
            out[row, column] = np.uint8(min(max(value, np.float32(0.0)), np.float32(255.0)))
