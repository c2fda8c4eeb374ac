"""Sub-pixel registration of a picture to a reference: where a similarity puts it, to a hundredth of a pixel.

A direct method: inverse-compositional Gauss-Newton (Baker and Matthews 2004) on the pixels themselves. Three
things make it hold what lives:

- each part of the picture has its own gain and offset of light, eliminated from its equations, so that a
  shadow that passes moves nothing;
- pixels that fit badly count less (Huber): glints, hair, a finger;
- no part outvotes the others by its detail, and parts that move against the others count less (Cauchy).

Only numbers about the reference are precomputed. The picture is sampled by an interpolating cubic spline
at float coordinates in every iteration, so nothing rounds the motion.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .warp import sample_cubic, sample_inside

_ITERATIONS = 12
_CONVERGED_PX = 5e-4  # What the next step would still mend is a tenth of that.
_NOTHING_PX = 1e-5  # What float32 alone makes of a picture that stands still.
_HUBER = 1.5  # In standard deviations of the residual.
_LEAST_NOISE = 0.7  # Gray levels: a picture of 8 bits is never better.
_STRAYS_PX = 0.03  # How far a part that rests strays from the whole, as skin does from the skull.
_MOVES_PX = 0.04  # Beyond what noise explains: a part that is off by more moves by itself.
_COUNTS, _UNCERTAIN, _TRUST, _RIGHT, _DOWN = range(5)  # Columns of the table of the parts' votes.
_LEAST_DETAIL = 1e-3  # Squared gray levels: a picture without any gradient tells no motion.


class Template:
    """A reference picture's samples at one fineness, ready for Gauss-Newton steps."""

    def __init__(
        self,
        grid: NDArray[np.float32],
        *,
        labels: NDArray[np.int64],
        weights: NDArray[np.float32],
        counts: NDArray[np.float64],
    ) -> None:
        """Take a picture [h, w] as reference.

        `labels` [h, w] say which part a pixel belongs to, from 0, `weights` [h, w] how much it counts in it,
        `counts` [parts] how much each part counts.
        """
        weights = weights.copy()
        weights[[0, -1], :] = 0.0  # No gradient there.
        weights[:, [0, -1]] = 0.0
        rows, columns = np.nonzero(weights)
        order = np.argsort(labels[rows, columns], kind="stable")
        rows, columns = rows[order], columns[order]
        label = labels[rows, columns]
        count = len(counts)
        self._starts = np.searchsorted(label, np.arange(count + 1))
        height, width = grid.shape
        self._centre = ((width - 1) / 2.0, (height - 1) / 2.0)
        self._radius = max(*self._centre, 0.5)
        # The unknowns: light (offset, gain), then the motion of the picture about its middle, in pixels at
        # its edge: growth, turn, right, down.
        gx = (grid[rows, columns + 1] - grid[rows, columns - 1]) / 2.0
        gy = (grid[rows + 1, columns] - grid[rows - 1, columns]) / 2.0
        u, v = (columns - self._centre[0]) / self._radius, (rows - self._centre[1]) / self._radius
        value = grid[rows, columns]
        for part in range(count):
            inside = slice(self._starts[part], self._starts[part + 1])
            if inside.start < inside.stop:
                value[inside] -= value[inside].mean()
        light = [np.ones_like(value), value / 32.0]
        self._rows = np.stack([*light, gx * u + gy * v, gy * u - gx * v, gx, gy], axis=1).astype(np.float32)
        self._points = np.stack([columns, rows, grid[rows, columns], weights[rows, columns]], axis=1).astype(
            np.float32
        )
        self._counts = counts
        self._systems = np.zeros((count, 6, 7), np.float32)
        self._sums = np.zeros((count, 5))
        self._total = np.zeros((4, 5))
        self._weight = float(self._points[:, 3].sum())
        self.forget()

    def forget(self) -> None:
        """Forget what was learned from the last planes: noise, light, and which parts are to be trusted."""
        self._noise = 3.0
        self._light = np.zeros((len(self._counts), 2), np.float32)
        # What a part is worth carries over from frame to frame, so that a slow pull is noticed early.
        self._votes = np.zeros((len(self._counts), 5))
        self._votes[:, _COUNTS] = self._counts
        self._votes[:, _TRUST] = 1.0

    def solve(
        self, coefficients: NDArray[np.float32], *, warp: NDArray[np.float64]
    ) -> tuple[float, float, float]:
        """Improve `warp` [2, 3], from the reference's pixels to the plane's, in place.

        `coefficients` are those of a plane's spline. Give the share of the plane's variation that the
        reference explains (1 at best), the share of its weight that lies within the plane, and how far the
        parts lie from where the similarity puts them, rms, in pixels: infinite where nothing can be told.
        """
        sums, motion = self._sums, np.zeros(4)
        for _ in range(_ITERATIONS):
            _accumulate(
                coefficients, warp, self._points, self._rows, self._starts, self._light,
                _HUBER * self._noise, self._systems, sums,
            )  # fmt: skip
            weight = sums[:, 0].sum()
            if not weight > 0.0:
                return 0.0, 0.0, np.inf
            # Mean absolute deviation of a normal distribution, made robust by the cut in _accumulate.
            self._noise = max(_LEAST_NOISE, 1.2533 * float(sums[:, 1].sum() / weight))
            if not _consensus(self._systems, self._noise, self._light, self._votes, self._total, motion):
                return 0.0, weight / self._weight, np.inf
            largest = np.abs(motion).max()
            if largest > _NOTHING_PX:
                _move_back(warp, motion, self._centre, self._radius)
            if largest < _CONVERGED_PX:
                break
        weight = sums[:, 0].sum()
        variation = (sums[:, 4] - sums[:, 3] ** 2 / np.maximum(sums[:, 0], 1e-9)).sum()
        # One gray level of variation more, so that a blank picture agrees with nothing.
        agreement = 1.0 - (sums[:, 2].sum() + weight) / (variation + weight)
        trust = self._votes[:, _TRUST]
        residual = np.sqrt((trust * (self._votes[:, _RIGHT:] ** 2).sum(axis=1)).sum() / trust.sum())
        return float(agreement), float(weight / self._weight), float(residual)


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
    flat, cut = coefficients.reshape(-1), np.float32(limit)
    for part in range(starts.shape[0] - 1):
        system = systems[part]
        system[:, :] = 0.0
        offset, gain = light[part, 0], light[part, 1]
        weights = errors = squares = values = value_squares = np.float32(0.0)
        for n in range(starts[part], starts[part + 1]):
            x = m[0, 0] * points[n, 0] + m[0, 1] * points[n, 1] + m[0, 2]
            y = m[1, 0] * points[n, 0] + m[1, 1] * points[n, 1] + m[1, 2]
            if x >= 1.0 and y >= 1.0 and x < right - 1.0 and y < bottom - 1.0:
                difference = sample_inside(flat, coefficients.shape[1], x, y) - points[n, 2]
            elif x < 0.0 or y < 0.0 or x > right or y > bottom:
                continue
            else:
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
            even = votes[part, _COUNTS] / (1.0 + _STRAYS_PX**2 * detail)
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
def _move_back(
    m: NDArray[np.float64], motion: NDArray[np.float64], centre: tuple[float, float], radius: float
) -> None:
    """Compose `m` [2, 3] with the inverse of the motion of the reference, in place."""
    cosine, sine = 1.0 + motion[0] / radius, motion[1] / radius
    square = cosine * cosine + sine * sine
    a, b = cosine / square, -sine / square
    right, down = centre[0] + motion[2], centre[1] + motion[3]
    x = centre[0] - a * right + b * down
    y = centre[1] - b * right - a * down
    for i in range(2):
        c0, c1 = m[i, 0], m[i, 1]
        m[i, 0] = c0 * a + c1 * b
        m[i, 1] = c1 * a - c0 * b
        m[i, 2] += c0 * x + c1 * y
