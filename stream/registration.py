"""Sub-pixel registration of a face to a reference picture of the same face.

What is registered are the face's rigid parts, in the coordinates of the crop; how, `magnify.registration`
tells. Each part has its own light and its own vote, and is trusted less when skin that a muscle pulls moves
it against the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.registration import Template
from magnifyme.magnify.similarity import apply, compose, scale_of
from magnifyme.magnify.warp import sample_affine, spline_coefficients

from .face import CANONICAL_LANDMARKS
from .rigid_face import rigid_parts, whole_face

GRID = 128
"""Side of the grid of samples in the crop. What it samples should be smoothed to its step: pixels between
its points are then averaged, not skipped, which about halves the jitter that noise makes. Twice the side
would cost four times as much."""

_COARSE = 4  # The search for a large motion runs on every fourth sample of a smoothed grid.
_LARGEST_STEP = 0.3  # Share of the grid: a coarse search that went further has found nothing.


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where the face lies.

    `warp` [2, 3] takes crop pixels to pixels of the plane. `agreement` is the share of the picture's
    variation on the rigid parts that the reference explains, 1 at best. `visible` is the share of the rigid
    parts that lies within the plane. `residual` is how far the parts lie from where the similarity puts
    them, rms, in crop pixels.
    """

    warp: NDArray[np.float64]
    agreement: float
    visible: float
    residual: float


class Reference:
    """One look of a face, and the registration of later planes to it."""

    def __init__(
        self,
        coefficients: NDArray[np.float32],
        *,
        warp: NDArray[np.float64],
        crop_size: int,
        landmarks: NDArray[np.float64] = CANONICAL_LANDMARKS,
    ) -> None:
        """Remember the face that `warp` [2, 3], from crop pixels, finds in a plane's spline coefficients.

        `landmarks` [5, 2] are where the face has them in the crop, as shares of its side.
        """
        # Sample i of the grid stands in the middle of its cell of the crop.
        cell = crop_size / GRID
        middle = (cell - 1.0) / 2.0
        self._to_crop = np.array([[cell, 0.0, middle], [0.0, cell, middle]])
        self._to_grid = np.array([[1.0, 0.0, -middle], [0.0, 1.0, -middle]]) / cell
        grid = np.empty((GRID, GRID), np.float32)
        sample_affine(coefficients, matrix=compose(warp, inner=self._to_crop), out=grid)
        labels, weights, counts = rigid_parts(GRID, landmarks=landmarks)
        self._fine = Template(grid, labels=labels, weights=weights, counts=counts)
        smooth = _shrink(grid)
        size = smooth.shape[0]
        one = np.zeros((size, size), np.int64)
        self._coarse = Template(smooth, labels=one, weights=whole_face(size), counts=np.ones(1))

    def forget(self) -> None:
        """Forget what the last planes taught: they showed something else."""
        self._fine.forget()
        self._coarse.forget()

    def align(self, coefficients: NDArray[np.float32], *, guess: NDArray[np.float64]) -> Alignment:
        """Find the face in a plane's spline coefficients, near where `guess` [2, 3] puts the crop."""
        warp = compose(guess, inner=self._to_crop)
        grid = np.empty((GRID, GRID), np.float32)
        sample_affine(coefficients, matrix=warp, out=grid)
        smooth = spline_coefficients(_shrink(grid))
        step = np.eye(2, 3)
        self._coarse.solve(smooth, warp=step)
        corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]) * (smooth.shape[0] - 1)
        if np.abs(apply(step, points=corners) - corners).max() <= _LARGEST_STEP * smooth.shape[0]:
            step[:, 2] *= _COARSE
            warp = compose(warp, inner=step)
        agreement, visible, residual = self._fine.solve(coefficients, warp=warp)
        cell = scale_of(self._to_crop)
        return Alignment(compose(warp, inner=self._to_grid), agreement, visible, residual * cell)


def _shrink(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.pyrDown(cv2.pyrDown(grid)), np.float32)
