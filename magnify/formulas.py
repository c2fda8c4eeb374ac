"""The formulas of both engines, plain functions of numbers: the CPU's loops and CUDA's kernels share them.

Numba's cache on disk notices a change only in the caller's own file: after an edit, delete `__pycache__`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Number = np.float32

# The base plane is kept in 1/64 grey levels: what the filter (1, 3, 3, 1) both ways gives, exact in 16 bits.
UNIT = 64
# The interpolator from half to full size: eight taps symmetric about a cell, of which each pixel meets four.
TAPS = (np.float32(65 / 64), np.float32(19 / 64), np.float32(-13 / 64), np.float32(-7 / 64))
# Where motion has ended the states die away until they are so small that processors slow down tenfold
# (subnormal numbers). What is below a trillionth of a grey level, or of a pixel, is nothing.
_NOTHING = np.float32(1e-12)
# Ratios up to the first are noise, from the second on motion: averages over so many seconds and cells stray
# by a tenth or two.
_NOISE_RATIO, MOTION_RATIO = 1.3, 2.2


@njit(cache=True, nogil=True, fastmath=True)
def pass_section(
    v: Number, e: Number, change: Number, coefficients: tuple[Number, Number, Number, Number, Number]
) -> tuple[Number, Number, Number]:
    """Step one section by its input's increment; return its states v and e and the increment it passes on."""
    cv, ce, cd, g, q = coefficients
    now = cv * v + ce * e + cd * change
    error = e - change + g * (v + now)
    alive = abs(now) + abs(error) > _NOTHING
    now = now if alive else np.float32(0.0)
    error = error if alive else np.float32(0.0)
    return now, error, q * (now - v)


@njit(cache=True, nogil=True, fastmath=True)
def halve(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Weigh four neighbours with (1, 3, 3, 1); whole numbers stay whole."""
    inner = b + c
    return (a + d) + (inner + inner + inner)


@njit(cache=True, nogil=True, fastmath=True)
def lean(near: Number, far: Number, share: Number) -> Number:
    """Weigh the two cells about a point of the doubled grid with (3, 1), times `share`."""
    return np.float32(3.0) * share * near + share * far


@njit(cache=True, nogil=True, fastmath=True)
def interpolate(
    here: Number, near: Number, away: Number, far: Number, taps: tuple[Number, Number, Number, Number]
) -> Number:
    """Weigh four samples; with TAPS a pixel's cell, the ones beside it on its side and away, one beyond."""
    return taps[0] * here + taps[1] * near + taps[2] * away + taps[3] * far


@njit(cache=True, nogil=True, fastmath=True)
def cubic_weights(t: Number) -> tuple[Number, Number, Number, Number]:
    """Give the cubic B-spline's four weights at t, 0 to 1, between the second and the third sample."""
    sixth, half = np.float32(1 / 6), np.float32(0.5)
    two_thirds, unit = np.float32(2 / 3), np.float32(1.0)
    u = unit - t
    inner = two_thirds - half * t * t * (unit + u), two_thirds - half * u * u * (unit + t)
    return sixth * u * u * u, inner[0], inner[1], sixth * t * t * t


@njit(cache=True, nogil=True, fastmath=True)
def round_and_clip(value: Number) -> np.uint8:
    """Bring a value to grey levels."""
    return np.uint8(np.int32(min(max(value + np.float32(0.5), np.float32(0.0)), np.float32(255.0))))


@njit(cache=True, nogil=True, fastmath=True)
def above_noise(passed: Number, changes: Number, noise: Number) -> Number:
    """Compute the share, 0 to 1, of what passed that stands out of `noise` times the steps' changes."""
    low, width = np.float32(_NOISE_RATIO) * noise, np.float32(MOTION_RATIO - _NOISE_RATIO) * noise
    # Nothing over nothing is nothing: a picture that stands still.
    over = (passed - low * changes) / (width * changes + np.float32(1e-20))
    return min(max(over, np.float32(0.0)), np.float32(1.0))


@njit(cache=True, nogil=True, fastmath=True)
def lean_of(phase: int) -> Number:
    """Compute how much of a place, row or column 0 to 3 of its cell, is the neighbouring cell's."""
    return np.float32(abs(2 * phase - 3)) * np.float32(0.125)


@njit(cache=True, nogil=True, fastmath=True)
def between(near: Number, far: Number, share: Number) -> Number:
    """Compute what lies between two cells, `share` of it the far one's."""
    return near + share * (far - near)


@njit(cache=True, nogil=True, fastmath=True)
def pool(here: Number, before: Number, after: Number) -> Number:
    """Weigh a place and its two neighbours with (2, 1, 1)."""
    return here + here + (before + after)
