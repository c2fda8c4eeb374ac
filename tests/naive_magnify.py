"""A slow, obvious magnifier in float64: the oracle of `test_magnifier.py`.

Nothing here is shared with the engine. The temporal filter is SciPy's analogue Butterworth band-pass as one
state-space system, stepped by dense linear algebra; the pyramid's levels are made one by one with matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

Floats = NDArray[np.float64]

LINEAR_TAPS = {0.5: 3 / 4, 1.5: 1 / 4}
WIDE_TAPS = {0.5: 65 / 64, 1.5: 19 / 64, 2.5: -13 / 64, 3.5: -7 / 64}


def band_pass(
    planes: Floats, *, times: Sequence[float], band_hz: tuple[float, float], fps: float, order: int
) -> Floats:
    """Filter planes [T, ...] in time by the trapezoidal rule over frames at `times`, from rest."""
    low, high = band_hz
    middle = 2 * math.pi * math.sqrt(low * high)
    edge = middle * math.tan(math.pi * low / fps) / math.tan(middle / fps / 2)
    b, a = signal.butter(order, [edge, middle**2 / edge], "bandpass", analog=True)
    A, B, C, D = signal.tf2ss(b, a)
    x = planes.reshape(len(planes), 1, -1) - planes[0].reshape(1, 1, -1)
    state = np.zeros((len(A), x.shape[2]))
    identity = np.eye(len(A))
    out = [np.zeros(x.shape[2])]
    for k in range(1, len(x)):
        h = math.tan(min(middle * (times[k] - times[k - 1]) / 2, 0.45 * math.pi)) / middle
        right = (identity + h * A) @ state + h * B @ (x[k - 1] + x[k])
        state = np.linalg.solve(identity - h * A, right)
        out.append((C @ state + D @ x[k])[0])
    return np.array(out).reshape(planes.shape)


def halving(n: int) -> Floats:
    """Make the matrix [ceil(n / 2), n] of the filter (1, 3, 3, 1) / 8, edges repeated."""
    matrix = np.zeros(((n + 1) // 2, n))
    for cell in range(len(matrix)):
        for offset, tap in zip((-1, 0, 1, 2), (1, 3, 3, 1), strict=True):
            matrix[cell, min(max(2 * cell + offset, 0), n - 1)] += tap / 8
    return matrix


def doubling(n: int, taps: dict[float, float]) -> Floats:
    """Make the matrix [n, ceil(n / 2)] of an interpolator given by each distance's tap, edges repeated."""
    cells = (n + 1) // 2
    matrix = np.zeros((n, cells))
    for x in range(n):
        for cell in range(-4, cells + 4):
            matrix[x, min(max(cell, 0), cells - 1)] += taps.get(abs(2 * cell + 0.5 - x), 0.0)
    return matrix


def reduce(plane: Floats) -> Floats:
    """Halve a plane."""
    return halving(plane.shape[0]) @ plane @ halving(plane.shape[1]).T


def expand(plane: Floats, shape: tuple[int, int], taps: dict[float, float]) -> Floats:
    """Double a plane to `shape`."""
    return doubling(shape[0], taps) @ plane @ doubling(shape[1], taps).T


def weigh_octaves(plane: Floats, *, factor: float, base_level: int, cutoff: float) -> Floats:
    """Split a plane into Laplacian levels, weigh each, drop the coarsest remainder, and add up."""
    gaussian = [plane]
    while len(gaussian) == 1 or min(gaussian[-1].shape) >= 8:
        gaussian.append(reduce(gaussian[-1]))
    total = np.zeros_like(gaussian[-1])
    for level in range(len(gaussian) - 2, -1, -1):
        shape = gaussian[level].shape
        octave = gaussian[level] - expand(gaussian[level + 1], (shape[0], shape[1]), LINEAR_TAPS)
        wavelength = math.sqrt(8) * 2 ** (level + base_level)
        bearable = (1 + factor) * wavelength / cutoff - 1 if cutoff > wavelength else factor
        total = expand(total, (shape[0], shape[1]), LINEAR_TAPS) + octave * max(bearable, 0.0) / factor
    return total


def passing_shares(base: Floats, passed: Floats, *, times: Sequence[float], noise: float) -> Floats:
    """Compute how much of what passed stands out of the noise, [T, ...]: 0 up to 1.3 times it, 1 from 2.2.

    What passed and how much steps change are squared, summed over blocks of four by four cells, averaged
    over half a second, smoothed over neighbouring blocks, compared, and interpolated.
    """
    height, width = base.shape[1:]
    rows, columns = -(-height // 4), -(-width // 4)
    down, right = interpolation(height), interpolation(width)
    power = change = np.zeros((rows, columns))
    last = older = base[0]
    shares = [np.zeros((height, width))]
    for k in range(1, len(base)):
        seconds = times[k] - times[k - 1]
        decay = 1 - math.exp(-seconds / 0.5)
        power = power + decay * (block_sums(passed[k] ** 2) - power)
        change = change + decay * (block_sums((base[k] - 2 * last + older) ** 2) - change)
        older, last = (last if seconds > 0 else older), base[k]
        kernel = np.outer([1, 2, 1], [1, 2, 1])
        smooth = [ndimage.correlate(plane, kernel, mode="nearest") for plane in (power, change)]
        ratio = smooth[0] / np.maximum(noise * smooth[1], 1e-30)
        shares.append(down @ np.clip((ratio - 1.3) / 0.9, 0, 1) @ right.T)
    return np.array(shares)


def block_sums(plane: Floats) -> Floats:
    """Sum blocks of four by four."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % 4), (0, -width % 4)))
    sums: Floats = padded.reshape(padded.shape[0] // 4, 4, -1, 4).sum(axis=(1, 3))
    return sums


def interpolation(n: int) -> Floats:
    """Make the matrix [n, ceil(n / 4)] that interpolates linearly between the middles of blocks of four."""
    blocks = -(-n // 4)
    places = (np.arange(n) - 1.5) / 4
    return np.array([np.interp(places, np.arange(blocks), unit) for unit in np.eye(blocks)]).T


def magnify(
    frames: NDArray[np.uint8],
    *,
    fps: float,
    factor: float,
    band_hz: tuple[float, float],
    times: Sequence[float] | None = None,
    base_level: int = 1,
    cutoff: float = 0.0,
    order: int = 1,
    noise: float = 0.0,
) -> Floats:
    """Magnify a clip [T, H, W], clipped to 0..255 but not rounded.

    `noise` is what passes of noise over how much steps change; what does not stand out is held back.
    """
    planes = frames.astype(np.float64)
    base = planes if base_level == 0 else np.array([reduce(plane) for plane in planes])
    if times is None:
        times = [k / fps for k in range(len(frames))]
    passed = band_pass(base, times=times, band_hz=band_hz, fps=fps, order=order)
    if noise > 0:
        passed = passed * passing_shares(base, passed, times=times, noise=noise)
    out = []
    for plane, band in zip(planes, passed, strict=True):
        change = weigh_octaves(band, factor=factor, base_level=base_level, cutoff=cutoff)
        if base_level == 1:
            change = expand(change, (plane.shape[0], plane.shape[1]), WIDE_TAPS)
        out.append(np.clip(plane + factor * change, 0, 255))
    return np.array(out)
