"""Sub-pixel exact resampling of one picture plane.

OpenCV's `warpAffine` and `remap` round source coordinates to 1/32 px. At a factor of 50 that rounding
alone would show as a pixel of false motion, so what is magnified is resampled here: interpolating cubic
B-splines (Unser, Aldroubi and Eden 1993), whose coordinates are float.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .formulas import cubic_weights

# The pole of the cubic B-spline's recursive prefilter (Unser et al. 1993, eq. 2.5), and its gain.
_POLE = math.sqrt(3.0) - 2.0
_GAIN = (1.0 - _POLE) * (1.0 - 1.0 / _POLE)
# |pole|**12 < 2e-7: the mirrored start-up sum is exact to float32 after that many samples.
_HORIZON = 12


def spline_coefficients(
    plane: NDArray[np.uint8] | NDArray[np.float32], *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Compute the cubic B-spline coefficients of a plane [H, W], mirrored at its edges, float32 [H, W]."""
    coefficients = np.empty(plane.shape, np.float32) if out is None else out
    np.copyto(coefficients, plane)
    _prefilter_rows(coefficients)
    _prefilter_columns(coefficients)
    return coefficients


def warp_affine(
    coefficients: NDArray[np.float32],
    *,
    matrix: NDArray[np.float64],
    out: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Resample a plane into `out` [h, w] uint8 and return it.

    `coefficients` come from `spline_coefficients`. `matrix` [2, 3] takes a pixel (x, y) of `out` to the
    position in the plane that it shows. What lies outside repeats the plane's edge.
    """
    _warp_affine(coefficients, np.ascontiguousarray(matrix, dtype=np.float64), out)
    return out


def sample_affine(
    coefficients: NDArray[np.float32],
    *,
    matrix: NDArray[np.float64],
    out: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Resample a plane as `warp_affine` does, into `out` [h, w] float32, neither rounded nor clipped."""
    _sample_affine(coefficients, np.ascontiguousarray(matrix, dtype=np.float64), out)
    return out


def invert_affine(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert an affine map [2, 3]."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], axis=1)


@njit(cache=True, nogil=True, fastmath=True)
def sample_cubic(coefficients: NDArray[np.float32], x: float, y: float) -> np.float32:
    """Sample the spline at (x, y) in pixels; positions outside are clamped to the plane's edge."""
    height, width = coefficients.shape
    x = min(max(x, 0.0), width - 1.0)
    y = min(max(y, 0.0), height - 1.0)
    column = int(x)
    row = int(y)
    t = np.float32(x - column)
    u = np.float32(y - row)
    wx0, wx1, wx2, wx3 = cubic_weights(t)
    wy0, wy1, wy2, wy3 = cubic_weights(u)
    # Mirror about the outermost samples, as the prefilter does.
    c0 = column - 1 if column > 0 else min(1, width - 1)
    c2 = column + 1 if column + 1 < width else max(width - 2, 0)
    c3 = column + 2 if column + 2 < width else max(2 * width - 4 - column, 0)
    r0 = row - 1 if row > 0 else min(1, height - 1)
    r2 = row + 1 if row + 1 < height else max(height - 2, 0)
    r3 = row + 2 if row + 2 < height else max(2 * height - 4 - row, 0)
    a, b, c, d = coefficients[r0], coefficients[row], coefficients[r2], coefficients[r3]
    value: np.float32 = (
        wy0 * (wx0 * a[c0] + wx1 * a[column] + wx2 * a[c2] + wx3 * a[c3])
        + wy1 * (wx0 * b[c0] + wx1 * b[column] + wx2 * b[c2] + wx3 * b[c3])
        + wy2 * (wx0 * c[c0] + wx1 * c[column] + wx2 * c[c2] + wx3 * c[c3])
        + wy3 * (wx0 * d[c0] + wx1 * d[column] + wx2 * d[c2] + wx3 * d[c3])
    )
    return value


@njit(cache=True, nogil=True, fastmath=True)
def sample_inside(flat: NDArray[np.float32], width: int, x: float, y: float) -> np.float32:
    """Sample the spline as `sample_cubic` does, from a plane laid out flat, where no edge is near.

    x and y are at least 1 and at most the last sample's less 2. Without edges it is half as much work.
    """
    # 32 bits wide, so that four samples are made at once.
    column, row = np.int32(x), np.int32(y)
    wx0, wx1, wx2, wx3 = cubic_weights(np.float32(x - column))
    wy0, wy1, wy2, wy3 = cubic_weights(np.float32(y - row))
    a = np.int64((row - 1) * np.int32(width) + column - 1)
    b = a + width
    c = b + width
    d = c + width
    value: np.float32 = (
        wy0 * (wx0 * flat[a] + wx1 * flat[a + 1] + wx2 * flat[a + 2] + wx3 * flat[a + 3])
        + wy1 * (wx0 * flat[b] + wx1 * flat[b + 1] + wx2 * flat[b + 2] + wx3 * flat[b + 3])
        + wy2 * (wx0 * flat[c] + wx1 * flat[c + 1] + wx2 * flat[c + 2] + wx3 * flat[c + 3])
        + wy3 * (wx0 * flat[d] + wx1 * flat[d + 1] + wx2 * flat[d + 2] + wx3 * flat[d + 3])
    )
    return value


@njit(cache=True, nogil=True, fastmath=True)
def _row_inside(shape: tuple[int, int], m: NDArray[np.float64], row: int, count: int) -> bool:
    """Tell whether a row of `count` samples keeps away from the plane's edges."""
    x, y = m[0, 1] * row + m[0, 2], m[1, 1] * row + m[1, 2]
    right, down = m[0, 0] * (count - 1), m[1, 0] * (count - 1)
    across = min(x, x + right) >= 1.0 and max(x, x + right) < shape[1] - 2.0
    return bool(across and min(y, y + down) >= 1.0 and max(y, y + down) < shape[0] - 2.0)


@njit(cache=True, nogil=True, fastmath=True)
def _sample_affine(
    coefficients: NDArray[np.float32], m: NDArray[np.float64], out: NDArray[np.float32]
) -> None:
    flat, width = coefficients.reshape(-1), coefficients.shape[1]
    for row in range(out.shape[0]):
        x0, y0 = m[0, 1] * row + m[0, 2], m[1, 1] * row + m[1, 2]
        if _row_inside(coefficients.shape, m, row, out.shape[1]):
            for column in range(out.shape[1]):
                x, y = x0 + m[0, 0] * column, y0 + m[1, 0] * column
                out[row, column] = sample_inside(flat, width, x, y)
        else:
            for column in range(out.shape[1]):
                x, y = x0 + m[0, 0] * column, y0 + m[1, 0] * column
                out[row, column] = sample_cubic(coefficients, x, y)


@njit(cache=True, nogil=True, fastmath=True)
def _warp_affine(coefficients: NDArray[np.float32], m: NDArray[np.float64], out: NDArray[np.uint8]) -> None:
    half, top = np.float32(0.5), np.float32(255.0)
    flat, width = coefficients.reshape(-1), coefficients.shape[1]
    for row in range(out.shape[0]):
        x0, y0 = m[0, 1] * row + m[0, 2], m[1, 1] * row + m[1, 2]
        if _row_inside(coefficients.shape, m, row, out.shape[1]):
            for column in range(out.shape[1]):
                x, y = x0 + m[0, 0] * column, y0 + m[1, 0] * column
                value = sample_inside(flat, width, x, y) + half
                out[row, column] = np.uint8(min(max(value, np.float32(0.0)), top))
        else:
            for column in range(out.shape[1]):
                x, y = x0 + m[0, 0] * column, y0 + m[1, 0] * column
                value = sample_cubic(coefficients, x, y) + half
                out[row, column] = np.uint8(min(max(value, np.float32(0.0)), top))


@njit(cache=True, nogil=True, fastmath=True)
def _mirrored(k: int, size: int) -> int:
    """Give the sample that stands at k >= 0 when `size` > 1 samples are mirrored about the outermost ones."""
    k %= 2 * size - 2
    return min(k, 2 * size - 2 - k)


@njit(cache=True, nogil=True, fastmath=True)
def _prefilter_rows(c: NDArray[np.float32]) -> None:
    height, width = c.shape
    if width < 2:
        return
    pole, gain = np.float32(_POLE), np.float32(_GAIN)
    for row in range(height):
        line = c[row]
        total, power = line[0], pole
        for k in range(1, _HORIZON):
            total += power * line[_mirrored(k, width)]
            power *= pole
        line[0] = total
        for k in range(1, width):
            line[k] += pole * line[k - 1]
        # Unser et al. 1993, eq. 2.10: the anti-causal start of a mirrored signal.
        line[width - 1] = pole / (pole * pole - np.float32(1.0)) * (line[width - 1] + pole * line[width - 2])
        for k in range(width - 2, -1, -1):
            line[k] = pole * (line[k + 1] - line[k])
        for k in range(width):
            line[k] *= gain


@njit(cache=True, nogil=True, fastmath=True)
def _prefilter_columns(c: NDArray[np.float32]) -> None:
    height, width = c.shape
    if height < 2:
        return
    pole, gain = np.float32(_POLE), np.float32(_GAIN)
    for x in range(width):
        total, power = c[0, x], pole
        for k in range(1, _HORIZON):
            total += power * c[_mirrored(k, height), x]
            power *= pole
        c[0, x] = total
    for k in range(1, height):
        for x in range(width):
            c[k, x] += pole * c[k - 1, x]
    last = height - 1
    start = pole / (pole * pole - np.float32(1.0))
    for x in range(width):
        c[last, x] = start * (c[last, x] + pole * c[last - 1, x])
    for k in range(last - 1, -1, -1):
        for x in range(width):
            c[k, x] = pole * (c[k + 1, x] - c[k, x])
    for k in range(height):
        for x in range(width):
            c[k, x] *= gain
