"""Sub-pixel registration of a face to a reference picture of the same face.

A direct method: inverse-compositional Gauss-Newton (Baker and Matthews 2004) over a similarity, in the
coordinates of the crop, on the pixels of the face's rigid parts. Three things make it hold a living face:

- each part has its own gain and offset of light, eliminated from its equations, so that a shadow that
  passes moves nothing;
- pixels that fit badly count less (Huber): glints, hair, a finger;
- no part outvotes the others by its detail, and parts that move against the others count less (Cauchy):
  skin that a muscle pulls.

Only numbers about the reference are precomputed. The picture is sampled by an interpolating cubic spline
at float coordinates in every iteration, so nothing rounds the motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from magnifyme.magnify.warp import sample_cubic, spline_coefficients

from .rigid_face import rigid_parts, whole_face
from .similarity import apply, compose, scale_of

GRID = 128
"""Side of the grid of samples in the crop. What it samples should be smoothed to its step: pixels between
its points are then averaged, not skipped, which about halves the jitter that noise makes. Twice the side
would cost four times as much."""

_COARSE = 4  # The search for a large motion runs on every fourth sample of a smoothed grid.
_ITERATIONS = 12
_CONVERGED_PX = 5e-4  # In grid pixels: a twentieth of the jitter that is promised.
_HUBER = 1.5  # In standard deviations of the residual.
_LEAST_NOISE = 0.7  # Gray levels: a picture of 8 bits is never better.
_SKIN_PX = 0.03  # In grid pixels: how far the skin of a resting face strays from the skull.
_MOVES_PX = 0.04  # In grid pixels, beyond what noise explains: a part that is off by more moves by itself.
_COUNTS, _UNCERTAIN, _TRUST, _RIGHT, _DOWN = range(5)  # Columns of the table of the parts' votes.
_LEAST_DETAIL = 1e-3  # Squared gray levels: a picture without any gradient tells no motion.
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
        self, coefficients: NDArray[np.float32], *, warp: NDArray[np.float64], crop_size: int
    ) -> None:
        """Remember the face that `warp` [2, 3], from crop pixels, finds in a plane's spline coefficients."""
        # Sample i of the grid stands in the middle of its cell of the crop.
        cell = crop_size / GRID
        middle = (cell - 1.0) / 2.0
        self._to_crop = np.array([[cell, 0.0, middle], [0.0, cell, middle]])
        self._to_grid = np.array([[1.0, 0.0, -middle], [0.0, 1.0, -middle]]) / cell
        grid = np.empty((GRID, GRID), np.float32)
        _sample_grid(coefficients, compose(warp, inner=self._to_crop), grid)
        labels, weights, counts = rigid_parts(GRID)
        self._fine = _Level(grid, labels=labels, weights=weights, counts=counts)
        smooth = _shrink(grid)
        size = smooth.shape[0]
        one = np.zeros((size, size), np.int64)
        self._coarse = _Level(smooth, labels=one, weights=whole_face(size), counts=np.ones(1))

    def align(self, coefficients: NDArray[np.float32], *, guess: NDArray[np.float64]) -> Alignment:
        """Find the face in a plane's spline coefficients, near where `guess` [2, 3] puts the crop."""
        warp = compose(guess, inner=self._to_crop)
        grid = np.empty((GRID, GRID), np.float32)
        _sample_grid(coefficients, warp, grid)
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


class _Level:
    """The reference's samples at one fineness, ready for Gauss-Newton steps."""

    def __init__(
        self,
        grid: NDArray[np.float32],
        *,
        labels: NDArray[np.int64],
        weights: NDArray[np.float32],
        counts: NDArray[np.float64],
    ) -> None:
        weights = weights.copy()
        weights[[0, -1], :] = 0.0  # No gradient there.
        weights[:, [0, -1]] = 0.0
        rows, columns = np.nonzero(weights)
        order = np.argsort(labels[rows, columns], kind="stable")
        rows, columns = rows[order], columns[order]
        label = labels[rows, columns]
        count = len(counts)
        self._starts = np.searchsorted(label, np.arange(count + 1))
        self._middle = (grid.shape[0] - 1) / 2.0
        # The unknowns: light (offset, gain), then the motion of the face about the middle of the grid, in
        # pixels at its edge: growth, turn, right, down.
        gx = (grid[rows, columns + 1] - grid[rows, columns - 1]) / 2.0
        gy = (grid[rows + 1, columns] - grid[rows - 1, columns]) / 2.0
        u, v = columns / self._middle - 1.0, rows / self._middle - 1.0
        value = grid[rows, columns]
        for part in range(count):
            inside = slice(self._starts[part], self._starts[part + 1])
            value[inside] -= value[inside].mean()
        light = [np.ones_like(value), value / 32.0]
        self._rows = np.stack([*light, gx * u + gy * v, gy * u - gx * v, gx, gy], axis=1).astype(np.float32)
        self._points = np.stack([columns, rows, grid[rows, columns], weights[rows, columns]], axis=1).astype(
            np.float32
        )
        self._light = np.zeros((count, 2), np.float32)
        self._systems = np.zeros((count, 6, 7), np.float32)
        self._sums = np.zeros((count, 5))
        # What a part is worth carries over from frame to frame, so that a slow pull is noticed early.
        self._votes = np.zeros((count, 5))
        self._votes[:, _COUNTS] = counts
        self._votes[:, _TRUST] = 1.0
        self._total = np.zeros((4, 5))
        self._noise = 3.0
        self._weight = float(self._points[:, 3].sum())

    def solve(
        self, coefficients: NDArray[np.float32], *, warp: NDArray[np.float64]
    ) -> tuple[float, float, float]:
        """Improve `warp` [2, 3], from the grid to the plane, in place; give agreement, visible, residual."""
        sums, motion = self._sums, np.zeros(4)
        for _ in range(_ITERATIONS):
            _accumulate(
                coefficients, warp, self._points, self._rows, self._starts, self._light,
                _HUBER * self._noise, self._systems, sums,
            )  # fmt: skip
            weight = sums[:, 0].sum()
            if weight <= 0.0:
                return 0.0, 0.0, np.inf
            # Mean absolute deviation of a normal distribution, made robust by the cut in _accumulate.
            self._noise = max(_LEAST_NOISE, 1.2533 * float(sums[:, 1].sum() / weight))
            if not _consensus(self._systems, self._noise, self._light, self._votes, self._total, motion):
                return 0.0, weight / self._weight, np.inf
            _move_back(warp, motion, self._middle)
            if np.abs(motion).max() < _CONVERGED_PX:
                break
        weight = sums[:, 0].sum()
        variation = (sums[:, 4] - sums[:, 3] ** 2 / np.maximum(sums[:, 0], 1e-9)).sum()
        # One gray level of variation more, so that a blank picture agrees with nothing.
        agreement = 1.0 - (sums[:, 2].sum() + weight) / (variation + weight)
        trust = self._votes[:, _TRUST]
        residual = np.sqrt((trust * (self._votes[:, _RIGHT:] ** 2).sum(axis=1)).sum() / trust.sum())
        return float(agreement), float(weight / self._weight), float(residual)


def _shrink(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.pyrDown(cv2.pyrDown(grid)), np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _sample_grid(coefficients: NDArray[np.float32], m: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            x = m[0, 0] * column + m[0, 1] * row + m[0, 2]
            y = m[1, 0] * column + m[1, 1] * row + m[1, 2]
            out[row, column] = sample_cubic(coefficients, x, y)


@njit(cache=True, nogil=True, fastmath=True)
def _accumulate(
    coefficients: NDArray[np.float32],
    m: NDArray[np.float64],
    points: NDArray[np.float32],
    rows: NDArray[np.float32],
    starts: NDArray[np.int64],
    light: NDArray[np.float32],
    limit: float,
    systems: NDArray[np.float32],
    sums: NDArray[np.float64],
) -> None:
    """Build the normal equations [6, 7] of each part, lower triangle and right side.

    `sums` [parts, 5] gets per part: weight, absolute and squared error, value and squared value.
    """
    right, bottom = coefficients.shape[1] - 1.0, coefficients.shape[0] - 1.0
    cut = np.float32(limit)
    for part in range(starts.shape[0] - 1):
        system = systems[part]
        system[:, :] = 0.0
        offset, gain = light[part, 0], light[part, 1]
        weights = errors = squares = values = value_squares = np.float32(0.0)
        for n in range(starts[part], starts[part + 1]):
            x = m[0, 0] * points[n, 0] + m[0, 1] * points[n, 1] + m[0, 2]
            y = m[1, 0] * points[n, 0] + m[1, 1] * points[n, 1] + m[1, 2]
            if x < 0.0 or y < 0.0 or x > right or y > bottom:
                continue
            difference = sample_cubic(coefficients, x, y) - points[n, 2]
            error = abs(difference - offset - gain * rows[n, 1])
            weight = points[n, 3]
            weights += weight
            errors += weight * min(error, np.float32(2.0) * cut)
            squares += weight * error * error
            value = difference + points[n, 2] - np.float32(128.0)
            values += weight * value
            value_squares += weight * value * value
            if error > cut:
                weight *= cut / error
            for i in range(6):
                weighted = weight * rows[n, i]
                for j in range(i + 1):
                    system[i, j] += weighted * rows[n, j]
                system[i, 6] += weighted * difference
        sums[part, 0] = weights
        sums[part, 1] = errors
        sums[part, 2] = squares
        sums[part, 3] = values
        sums[part, 4] = value_squares


@njit(cache=True, nogil=True)
def _consensus(
    systems: NDArray[np.float32],
    noise: float,
    light: NDArray[np.float32],
    votes: NDArray[np.float64],
    total: NDArray[np.float64],
    motion: NDArray[np.float64],
) -> bool:
    """Solve for the motion [4] that the parts agree on; False where nothing can be told.

    `systems` [parts, 6, 7] are used up. `light` [parts, 2] and `votes` [parts, 5] are renewed; `total`
    [4, 5] is scratch.
    """
    parts = systems.shape[0]
    for part in range(parts):
        system = systems[part]
        _eliminate(system, 2)
        if parts > 1:
            detail = 0.5 * (system[4, 4] + system[5, 5]) / noise**2
            votes[part, _UNCERTAIN] = 2.0 / (detail + 1e-3)
            even = votes[part, _COUNTS] / (1.0 + _SKIN_PX**2 * detail)
            for i in range(2, 6):
                for j in range(2, i + 1):
                    system[i, j] *= even
                system[i, 6] *= even
    for _ in range(2 if parts > 1 else 1):
        total[:, :] = 0.0
        for part in range(parts):
            for i in range(4):
                for j in range(i + 1):
                    total[i, j] += votes[part, _TRUST] * systems[part, 2 + i, 2 + j]
                total[i, 4] += votes[part, _TRUST] * systems[part, 2 + i, 6]
        for i in range(4):
            if not total[i, i] > _LEAST_DETAIL:
                return False
        _eliminate(total, 4)
        for i in range(3, -1, -1):
            motion[i] = total[i, 4]
            for j in range(i + 1, 4):
                motion[i] -= total[j, i] * motion[j]
        if parts > 1:
            for part in range(parts):
                _judge(systems[part], motion, votes[part])
    for part in range(parts):
        system = systems[part]
        gain, offset = system[1, 6], system[0, 6]
        for i in range(4):
            gain -= system[2 + i, 1] * motion[i]
            offset -= system[2 + i, 0] * motion[i]
        light[part, 0] = offset - system[1, 0] * gain
        light[part, 1] = gain
    return True


@njit(cache=True, nogil=True)
def _eliminate(system: NDArray[np.float64], count: int) -> None:
    """Eliminate the first `count` unknowns of symmetric equations [n, n + 1] kept as a lower triangle.

    What is left is their Schur complement. The right side of each eliminated row, and the column below its
    pivot, are divided by the pivot, ready for substitution.
    """
    size = system.shape[0]
    for k in range(count):
        pivot = system[k, k] + 1e-6
        for i in range(k + 1, size):
            factor = system[i, k] / pivot
            for j in range(k + 1, i + 1):
                system[i, j] -= factor * system[j, k]
            system[i, size] -= factor * system[k, size]
        for i in range(k + 1, size):
            system[i, k] /= pivot
        system[k, size] /= pivot


@njit(cache=True, nogil=True)
def _judge(system: NDArray[np.float32], motion: NDArray[np.float64], vote: NDArray[np.float64]) -> None:
    """Find how far a part lies from where `motion` puts it, and how far to trust it therefore."""
    right, down = system[4, 6], system[5, 6]
    for i in range(4):
        right -= motion[i] * (system[4, 2 + i] if i <= 2 else system[5, 4])
        down -= motion[i] * system[5, 2 + i]
    # A smooth part says little about itself: it is drawn towards the others.
    xx, yx, yy = system[4, 4] + 1.0, system[5, 4], system[5, 5] + 1.0
    determinant = xx * yy - yx * yx
    vote[_RIGHT] = (yy * right - yx * down) / determinant
    vote[_DOWN] = (xx * down - yx * right) / determinant
    off = vote[_RIGHT] ** 2 + vote[_DOWN] ** 2
    vote[_TRUST] = 1.0 / (1.0 + off / (_MOVES_PX**2 + vote[_UNCERTAIN]))


@njit(cache=True, nogil=True)
def _move_back(m: NDArray[np.float64], motion: NDArray[np.float64], middle: float) -> None:
    """Compose `m` [2, 3] with the inverse of the motion of the reference, in place."""
    cosine, sine = 1.0 + motion[0] / middle, motion[1] / middle
    square = cosine * cosine + sine * sine
    a, b = cosine / square, -sine / square
    x = middle - a * (middle + motion[2]) + b * (middle + motion[3])
    y = middle - b * (middle + motion[2]) - a * (middle + motion[3])
    for i in range(2):
        c0, c1 = m[i, 0], m[i, 1]
        m[i, 0] = c0 * a + c1 * b
        m[i, 1] = c1 * a - c0 * b
        m[i, 2] += c0 * x + c1 * y
