"""The part of a frame around a face, ready to be sampled at float coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.warp import invert_affine, spline_coefficients, warp_affine

from .similarity import apply, compose

_MARGIN = 0.12  # What is kept around the crop, as a share of its size: room for the motion of a frame.
_LEAST_MARGIN_PX = 16  # More than the spline's start-up at the edge reaches.
_REDUCE = 1.5  # Frame pixels per crop pixel from which the frame is smoothed and thinned first.


@dataclass(frozen=True, slots=True)
class FacePlane:
    """Spline coefficients of a part of a frame.

    `coefficients` is float32 [h, w]. `to_plane` [2, 3] takes frame pixels to its pixels: a shift, and a
    division by a whole number where the face is larger than its crop. `size` is the frame's, width and
    height.
    """

    coefficients: NDArray[np.float32]
    to_plane: NDArray[np.float64]
    size: tuple[int, int]

    def warp(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the map from crop pixels to pixels of the plane for a map from frame to crop pixels."""
        return compose(self.to_plane, inner=invert_affine(matrix))

    def matrix(self, warp: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the map from frame to crop pixels for a map from crop pixels to pixels of the plane."""
        return compose(invert_affine(warp), inner=self.to_plane)

    def crop(self, matrix: NDArray[np.float64], *, size: int) -> NDArray[np.uint8]:
        """Sample the crop uint8 [size, size] that `matrix` [2, 3], from frame to crop pixels, describes."""
        out = np.empty((size, size), np.uint8)
        return warp_affine(self.coefficients, matrix=self.warp(matrix), out=out)

    def holds(self, matrix: NDArray[np.float64], *, size: int) -> bool:
        """Tell whether the crop lies in the plane as far as it lies in the frame."""
        left, top, right, bottom = crop_bounds(matrix, size=size)
        width, height = self.size
        low = apply(self.to_plane, points=np.array([[max(left, 0.0), max(top, 0.0)]]))[0]
        high = apply(self.to_plane, points=np.array([[min(right, width - 1.0), min(bottom, height - 1.0)]]))[
            0
        ]
        rows, columns = self.coefficients.shape
        return bool(low.min() >= -1.0 and high[0] <= columns and high[1] <= rows)


def reduction_for(matrix: NDArray[np.float64], *, before: int = 1) -> int:
    """Give by which whole number a frame is thinned for crops of `matrix` [2, 3], frame to crop pixels.

    Thinning changes the crop's sharpness, so the number in use `before` is kept as long as it will do.
    """
    scale = math.sqrt(abs(np.linalg.det(invert_affine(matrix)[:, :2])))
    if 0.6 < scale / before < 1.8:
        return before
    return max(1, round(scale)) if scale > _REDUCE else 1


def cut_face(
    luma: NDArray[np.uint8], *, matrix: NDArray[np.float64], size: int, reduction: int = 1
) -> FacePlane | None:
    """Cut the surroundings of a crop out of a frame's luma [H, W]; None where they do not meet.

    `matrix` [2, 3] takes frame pixels to pixels of the crop, whose side is `size`.
    """
    height, width = luma.shape
    left, top, right, bottom = crop_bounds(matrix, size=size)
    margin = max(_LEAST_MARGIN_PX * reduction, _MARGIN * (right - left))
    # Whole steps of the thinning, so that the same frame pixels are kept however the face moves.
    x0 = max(0, math.floor((left - margin) / reduction) * reduction)
    y0 = max(0, math.floor((top - margin) / reduction) * reduction)
    x1, y1 = min(width, math.ceil(right + margin) + 1), min(height, math.ceil(bottom + margin) + 1)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    part = luma[y0:y1, x0:x1]
    shift = np.array([[1.0, 0.0, -x0], [0.0, 1.0, -y0]]) / reduction
    if reduction == 1:
        return FacePlane(spline_coefficients(part), shift, (width, height))
    # A Gaussian of half a step leaves little above the new Nyquist frequency and does not move the picture.
    smooth = np.asarray(cv2.GaussianBlur(part.astype(np.float32), (0, 0), 0.5 * reduction), np.float32)
    return FacePlane(spline_coefficients(smooth[::reduction, ::reduction]), shift, (width, height))


def crop_bounds(matrix: NDArray[np.float64], *, size: int) -> tuple[float, float, float, float]:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * (size - 1)
    inside = apply(invert_affine(matrix), points=corners)
    (left, top), (right, bottom) = inside.min(axis=0), inside.max(axis=0)
    return float(left), float(top), float(right), float(bottom)
