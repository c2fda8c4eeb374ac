"""The compiled loops of the stabilizer: hold a picture still, take what magnification changed back to it."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .planes import Bytes, Floats, Geometry
from .riesz_formulas import LIMIT_PX
from .riesz_warp import cells_to_row
from .spline import read_row, round_row

# What lies so near the picture's edge shows the engine's own edge, not motion.
_EDGE_PX = 4.0
# How long a place must have been seen for its motion to be told from its coming into view; then it fades in.
_UNSEEN_SECONDS, _FADE_SECONDS = 0.25, 0.5


@njit(cache=True, nogil=True, fastmath=True)
def hold(
    source: Floats, pose: NDArray[np.float64], held: Bytes, scratch: Floats, whole: NDArray[np.int32]
) -> None:
    """Renew the still picture [H, W] from a spline's coefficients, as far as the frame shows it.

    `pose` [2, 3] takes its pixels to the frame's. What the frame does not show stays as it was last seen:
    where nothing is seen, nothing moves.
    """
    height, width = held.shape
    row, xs, ys = scratch[0, :width], scratch[1, :width], scratch[2, :width]
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for y in range(height):
        _displace(pose, y, height, xs, ys)
        seen = scratch[3, :width]
        for x in range(width):
            at_x, at_y = np.float32(x) + xs[x], np.float32(y) + ys[x]
            inside = at_x >= np.float32(0.0) and at_x <= right
            inside = inside and at_y >= np.float32(0.0) and at_y <= bottom
            seen[x] = np.float32(1.0) if inside else np.float32(0.0)
        read_row(source, y, xs, ys, whole, row)
        target = held[y]
        for x in range(width):
            row[x] = row[x] if seen[x] > np.float32(0.0) else np.float32(target[x])
        round_row(row, target)


@njit(cache=True, nogil=True, fastmath=True)
def note_seen(
    pose: NDArray[np.float64], shape: tuple[int, int], dt: float, seen: Floats, weights: Floats
) -> None:
    """Count for how many seconds each cell [h, w] of 4 by 4 px has been in view, and weigh it by that."""
    right, bottom = shape[1] - 1.0 - _EDGE_PX, shape[0] - 1.0 - _EDGE_PX
    for j in range(seen.shape[0]):
        for i in range(seen.shape[1]):
            cx, cy = 4.0 * i + 1.5, 4.0 * j + 1.5
            x = pose[0, 0] * cx + pose[0, 1] * cy + pose[0, 2]
            y = pose[1, 0] * cx + pose[1, 1] * cy + pose[1, 2]
            inside = _EDGE_PX <= x <= right and _EDGE_PX <= y <= bottom
            seen[j, i] = seen[j, i] + np.float32(dt) if inside else np.float32(0.0)
            share = (seen[j, i] - np.float32(_UNSEEN_SECONDS)) / np.float32(_FADE_SECONDS)
            weights[j, i] = min(max(share, np.float32(0.0)), np.float32(1.0))


@njit(cache=True, nogil=True, fastmath=True)
def difference(magnified: Bytes, held: Bytes, weights: Floats, out: Floats, scratch: Floats) -> None:
    """Compute what magnification changed in the still picture, weighted cell by cell: float32 [H, W]."""
    height, width = held.shape
    line, weight = scratch[0], scratch[1]
    for y in range(height):
        cells_to_row(weights, y, np.float32(1.0), line, weight)
        a, b, row = magnified[y], held[y], out[y]
        for x in range(width):
            row[x] = weight[x] * (np.float32(a[x]) - np.float32(b[x]))


@njit(cache=True, nogil=True, fastmath=True)
def put_back(
    source: Floats,
    own: NDArray[np.float64],
    change: Floats,
    still: NDArray[np.float64],
    out: Bytes,
    geometry: Geometry,
    scratch: Floats,
    whole: NDArray[np.int32],
) -> None:
    """Write `out`: the frame as `own` moves it, and the change that belongs to the still picture.

    `source` and `change` are coefficients of splines; `own` and `still` [2, 3] take pixels of `out` to those
    of the frame and of the still picture.
    """
    height, width, out_pitch = geometry[0], geometry[1], geometry[3]
    row, added, xs, ys = scratch[0, :width], scratch[3, :width], scratch[1, :width], scratch[2, :width]
    for y in range(height):
        _displace(own, y, height, xs, ys)
        read_row(source, y, xs, ys, whole, row)
        _displace(still, y, height, xs, ys)
        read_row(change, y, xs, ys, whole, added)
        for x in range(width):
            row[x] += added[x]
        round_row(row, out[y * out_pitch : y * out_pitch + width])


@njit(cache=True, nogil=True, fastmath=True)
def _displace(m: NDArray[np.float64], y: int, height: int, xs: Floats, ys: Floats) -> None:
    """Compute by how much `m` [2, 3] moves the pixels of row y, but not out of the spline's room."""
    # Displacements, not positions: float32 holds a small number to a millionth of a pixel.
    growth, turn = np.float32(m[0, 0] - 1.0), np.float32(m[1, 0])
    right, down = np.float32(m[0, 1] * y + m[0, 2]), np.float32((m[1, 1] - 1.0) * y + m[1, 2])
    room = np.float32(LIMIT_PX)
    left, end = -room, np.float32(xs.size - 1) + room
    top, bottom = -room - np.float32(y), np.float32(height - 1 - y) + room
    for x in range(xs.size):
        at = np.float32(x)
        xs[x] = min(max(growth * at + right, left - at), end - at)
        ys[x] = min(max(turn * at + down, top), bottom)
