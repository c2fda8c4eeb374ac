"""The part of a frame around a face, ready to be sampled at float coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.similarity import apply, compose, scale_of
from magnifyme.magnify.warp import invert_affine, spline_coefficients, warp_affine

# What is kept around the crop: more than the spline's start-up at the edge reaches.
_LEAST_MARGIN_PX = 16
# Frame pixels per sample from which the frame is smoothed and thinned first.
_REDUCE = 1.5
# A whole number in use is kept while a sample takes this many thinned pixels.
_KEPT = (0.6, 1.8)


@dataclass(frozen=True, slots=True)
class FacePlane:
    """Spline coefficients of a part of a frame.

    `coefficients` is float32 [h, w]. `to_plane` [2, 3] takes frame pixels to its pixels: a shift, and a
    division by a whole number where the frame is finer than what is sampled from it.
    """

    coefficients: NDArray[np.float32]
    to_plane: NDArray[np.float64]

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


def reduction_for(matrix: NDArray[np.float64], *, step: float = 1.0, before: int | None = None) -> int:
    """Give by which whole number to thin a frame that is sampled every `step` pixels of a crop.

    `matrix` [2, 3] takes frame pixels to crop pixels. Thinning changes the sharpness of what is sampled, so
    the number in use `before` is kept as long as it will do.
    """
    spacing = step / scale_of(matrix)
    if before is not None and _KEPT[0] < spacing / before < _KEPT[1]:
        return before
    return max(1, round(spacing)) if spacing > _REDUCE else 1


def cut_face(
    luma: NDArray[np.uint8],
    *,
    matrix: NDArray[np.float64],
    size: int,
    reduction: int = 1,
    room: float = 0.0,
) -> FacePlane | None:
    """Cut the surroundings of a crop out of a frame's luma [H, W]; None where they do not meet.

    `matrix` [2, 3] takes frame pixels to pixels of the crop, whose side is `size`. `reduction` is by which
    whole number the frame is thinned. `room` is what to keep around the crop, as a share of its size.
    """
    height, width = luma.shape
    left, top, right, bottom = crop_bounds(matrix, size=size)
    margin = max(_LEAST_MARGIN_PX * reduction, room * (right - left))
    # Whole steps of the thinning, so that the same frame pixels are kept however the face moves.
    x0 = max(0, math.floor((left - margin) / reduction) * reduction)
    y0 = max(0, math.floor((top - margin) / reduction) * reduction)
    x1, y1 = min(width, math.ceil(right + margin) + 1), min(height, math.ceil(bottom + margin) + 1)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    part = luma[y0:y1, x0:x1]
    shift = np.array([[1.0, 0.0, -x0], [0.0, 1.0, -y0]]) / reduction
    if reduction == 1:
        return FacePlane(spline_coefficients(part), shift)
    # A Gaussian of half a step, three deviations wide, leaves little above the new Nyquist frequency and does
    # not move the picture.
    kernel = cv2.getGaussianKernel(2 * math.ceil(1.5 * reduction) + 1, 0.5 * reduction)
    smooth = np.asarray(cv2.sepFilter2D(part, cv2.CV_32F, kernel, kernel), np.float32)
    return FacePlane(spline_coefficients(smooth[::reduction, ::reduction]), shift)


def crop_bounds(matrix: NDArray[np.float64], *, size: int) -> tuple[float, float, float, float]:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * (size - 1)
    inside = apply(invert_affine(matrix), points=corners)
    (left, top), (right, bottom) = inside.min(axis=0), inside.max(axis=0)
    return float(left), float(top), float(right), float(bottom)
