"""A slow, obvious Riesz magnifier in float64: the oracle of `test_riesz.py`.

Nothing here is shared with the engine: SciPy's filters over whole planes, NumPy's solver pixel by pixel, the
analogue Butterworth band-pass of `naive_magnify`, and SciPy's spline interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, map_coordinates

from naive_magnify import Floats, band_pass, reduce

FIRST = np.array([0.19871813, -0.80671743, 0.0, 0.80671743, -0.19871813])
SECOND = np.array([-0.14801863, 1.5406925, -2.78534774, 1.5406925, -0.14801863])
FINE = np.array([1, 2, 1]) / 4
COARSE = np.array([1, 8, 28, 56, 70, 56, 28, 8, 1]) / 256


def along(plane: Floats, taps: Floats, axis: int) -> Floats:
    """Filter along an axis, edges repeated."""
    result: Floats = correlate1d(plane, taps, axis=axis, mode="nearest")
    return result


def band(plane: Floats) -> Floats:
    """Take an octave out of a plane: its fine blur less its coarse one."""
    return along(along(plane, FINE, 0), FINE, 1) - along(along(plane, COARSE, 0), COARSE, 1)


def evidence(now: Floats, before: Floats) -> Floats:
    """Compute the five products of two frames' bands: [5, h, w]."""
    ax, ay, bx, by = (
        along(now, FIRST, 1),
        along(now, FIRST, 0),
        along(before, FIRST, 1),
        along(before, FIRST, 0),
    )
    axx, ayy, axy = along(now, SECOND, 1), along(now, SECOND, 0), along(ay, FIRST, 1)
    bxx, byy, bxy = along(before, SECOND, 1), along(before, SECOND, 0), along(by, FIRST, 1)
    return np.array(
        [
            now * bx - before * ax,
            now * by - before * ay,
            ax * bx - (now * bxx + before * axx) / 2,
            (ax * by + ay * bx) / 2 - (now * bxy + before * axy) / 2,
            ay * by - (now * byy + before * ayy) / 2,
        ]
    )


def on_grid(products: Floats, shape: tuple[int, int], level: int) -> Floats:
    """Bring a level's products to the cells of 4 by 4 px: means of finer ones, repeats of coarser ones."""
    height, width = shape
    if level >= 2:
        repeated = np.repeat(np.repeat(products, 2 ** (level - 2), 1), 2 ** (level - 2), 2)
        return repeated[:, :height, :width]
    span = 2 ** (2 - level)
    padded = np.zeros((5, height * span, width * span))
    padded[:, : products.shape[1], : products.shape[2]] = products
    means: Floats = padded.reshape(5, height, span, width, span).mean((2, 4))
    return means


def displacement(now: Floats, before: Floats, *, base_level: int) -> Floats:
    """Estimate how far each cell moved since the frame before: [2, h, w], x first, in pixels."""
    total = np.zeros(())
    grid = reduce(reduce(now)).shape
    for level in range(4):
        if level >= base_level:
            products = evidence(band(now), band(before))
            products[:2] *= 2.0**-level
            products[2:] *= 4.0**-level
            total = total + on_grid(products, (grid[0], grid[1]), level)
        now, before = reduce(now), reduce(before)
    taps = np.exp(-(np.arange(-6, 7) ** 2) / 8.0)
    smooth = along(along(total, taps / taps.sum(), 1), taps / taps.sum(), 2)
    field = np.zeros((2, *grid))
    for y, x in np.ndindex(grid[0], grid[1]):
        j1, j2, a, b, c = smooth[:, y, x]
        floor = 0.1 + 0.0015 * (a + c)
        a, c = max(a + floor, 1e-3), max(c + floor, 1e-3)
        det = max(a * c - b * b, 0.01 * a * c)
        field[:, y, x] = -np.array([c * j1 - b * j2, a * j2 - b * j1]) / det
    return np.clip(field, -4, 4)


def warp(plane: Floats, field: Floats) -> Floats:
    """Move a plane by a displacement given at the centres of cells of 4 by 4 px, at most 24 px."""
    ys, xs = np.mgrid[: plane.shape[0], : plane.shape[1]].astype(np.float64)
    at = [(ys - 1.5) / 4, (xs - 1.5) / 4]
    dx, dy = (np.clip(map_coordinates(f, at, order=1, mode="nearest"), -24, 24) for f in field)
    moved: Floats = map_coordinates(plane, [ys - dy, xs - dx], order=3, mode="nearest")
    return moved


def above_noise(
    course: Floats,
    passed: Floats,
    *,
    times: Sequence[float],
    band_hz: tuple[float, float],
    fps: float,
    order: int,
) -> Floats:
    """Compute how far each cell's motion stands out of its noise: shares [T, h, w], 0 to 1."""
    blip = np.zeros((round(8 * fps), 1))
    blip[1] = 1.0
    even = [k / fps for k in range(len(blip))]
    share = (band_pass(blip, times=even, band_hz=band_hz, fps=fps, order=order) ** 2).sum()
    if 1.5 / (share * 8 * np.sin(np.pi * band_hz[1] / fps) ** 4) < 1.5 * 2.2:
        return np.ones((len(course), *course.shape[2:]))
    taps = np.exp(-(np.arange(-6, 7) ** 2) / 8.0)
    taps /= taps.sum()
    motion, changes = np.zeros(course.shape[2:]), np.zeros(course.shape[2:])
    shares = [np.ones(course.shape[2:])]
    still = np.concatenate([course[:1], course])
    for k in range(1, len(course)):
        decay = 1 - np.exp(-(times[k] - times[k - 1]) / 0.5)
        motion = motion + decay * ((passed[k] ** 2).sum(0) - motion)
        bend = still[k + 1] - 2 * still[k] + still[k - 1]
        changes = changes + decay * ((bend**2).sum(0) - changes)
        signal, noise = (along(along(plane, taps, 0), taps, 1) for plane in (motion, changes))
        ratio = signal / np.maximum(noise * share / 6, 1e-15)
        shares.append(np.clip((ratio - 1.3) / (2.2 - 1.3), 0, 1))
    return np.array(shares)


def magnify(
    frames: NDArray[np.uint8],
    *,
    fps: float,
    factor: float,
    band_hz: tuple[float, float],
    times: Sequence[float] | None = None,
    base_level: int = 1,
    order: int = 1,
) -> Floats:
    """Magnify a clip [T, H, W], clipped to 0..255 but not rounded."""
    planes = frames.astype(np.float64)
    steps = [displacement(a, b, base_level=base_level) for a, b in zip(planes[1:], planes[:-1], strict=True)]
    course = np.cumsum([np.zeros_like(steps[0]), *steps], 0)
    if times is None:
        times = [k / fps for k in range(len(frames))]
    passed = band_pass(course, times=times, band_hz=band_hz, fps=fps, order=order)
    shares = above_noise(course, passed, times=times, band_hz=band_hz, fps=fps, order=order)
    fields = factor * shares[:, None] * passed
    moved = [warp(plane, field) for plane, field in zip(planes, fields, strict=True)]
    return np.clip(np.array(moved), 0, 255)
