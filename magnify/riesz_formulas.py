"""The Riesz engine's formulas, plain functions of numbers: the CPU's loops and CUDA's kernels share them.

`formulas` has those that the linear engine uses too, and says what Numba's cache does not notice.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .formulas import Number

# The displacement is computed on cells of 4 by 4 px.
GRID_LEVEL = 2
# The coarsest octave that is looked at: wavelengths of 32 to 128 px.
LAST_LEVEL = 3
# No pixel is moved further.
LIMIT_PX = 24

# The octave's band: binomials of 3 and of 9 taps; their difference passes wavelengths of 4 to 16 px.
_FINE = (np.float32(1 / 2), np.float32(1 / 4))
_COARSE = tuple(np.float32(tap / 256) for tap in (70, 56, 28, 8, 1))
# First and second derivative, five taps each, fitted to w and -w^2 over the band (0 to 2 radians a pixel):
# the three-tap pair's response falls short by a tenth in the middle of it.
_D1, _D2 = np.float32(0.80671743), np.float32(-0.19871813)
_S0, _S1, _S2 = np.float32(-2.78534774), np.float32(1.5406925), np.float32(-0.14801863)
# Gaussian of sigma 2 cells, radius 6.
SMOOTH = tuple(
    np.float32(tap)
    for tap in (0.19967563, 0.17621312, 0.12110939, 0.06482519, 0.02702316, 0.00877313, 0.00221819)
)
# The cubic B-spline's inverse filter, sqrt(3) (sqrt(3) - 2)^|n|, cut at radius 6 and brought back to a sum
# of 1: a picture that stands still comes back within 0.2 grey levels at worst, and so, rounded, as it was.
# Unlike the exact recursive filter of `warp`, it vectorises along rows and needs no start-up.
_POLE = 3.0**0.5 - 2.0
_SUM = 1.0 + 2.0 * (_POLE + _POLE**2 + _POLE**3 + _POLE**4 + _POLE**5 + _POLE**6)
SPLINE = tuple(np.float32(_POLE**n / _SUM) for n in range(7))
# Squared slope, in grey levels a pixel, below which a displacement is pulled to zero.
_FLOOR = 0.1
_RELATIVE_FLOOR = 0.003
# No motion from one frame to the next is larger in what is to be magnified; a cut of the scene would be.
_MAX_STEP_PX = 4.0


@njit(cache=True, nogil=True, fastmath=True)
def blur_3(here: Number, beside: Number) -> Number:
    """Blur finely: `beside` is the sum of the two neighbours."""
    return _FINE[0] * here + _FINE[1] * beside


@njit(cache=True, nogil=True, fastmath=True)
def blur_9(here: Number, one: Number, two: Number, three: Number, four: Number) -> Number:
    """Blur coarsely: `one` to `four` are the sums of the two samples that far away."""
    return _COARSE[0] * here + _COARSE[1] * one + (_COARSE[2] * two + _COARSE[3] * three + _COARSE[4] * four)


@njit(cache=True, nogil=True, fastmath=True)
def weigh_13(
    here: Number,
    one: Number,
    two: Number,
    three: Number,
    four: Number,
    five: Number,
    six: Number,
    taps: tuple[Number, ...],
) -> Number:
    """Filter symmetrically: `one` to `six` are the sums of the two samples that far away."""
    near = taps[0] * here + taps[1] * one + taps[2] * two + taps[3] * three
    return near + (taps[4] * four + taps[5] * five + taps[6] * six)


@njit(cache=True, nogil=True, fastmath=True)
def slope(two_before: Number, before: Number, after: Number, two_after: Number) -> Number:
    """Compute the first derivative from four samples about a place."""
    return _D1 * (after - before) + _D2 * (two_after - two_before)


@njit(cache=True, nogil=True, fastmath=True)
def bend(here: Number, one: Number, two: Number) -> Number:
    """Compute the second derivative: `one` and `two` are the sums of the two samples that far away."""
    return _S0 * here + _S1 * one + _S2 * two


@njit(cache=True, nogil=True, fastmath=True)
def turned(s: Number, s_slope: Number, d: Number, d_slope: Number) -> Number:
    """Compute twice one part of A^2 sin(phase difference) from two frames' sum `s` and difference `d`."""
    return d * s_slope - s * d_slope


@njit(cache=True, nogil=True, fastmath=True)
def stiffness(
    s: Number,
    s_slope: Number,
    s_other: Number,
    s_bend: Number,
    d: Number,
    d_slope: Number,
    d_other: Number,
    d_bend: Number,
) -> Number:
    """Compute four times what a displacement of one pixel along an axis gives along this or the other."""
    return (s_slope * s_other - s * s_bend) - (d_slope * d_other - d * d_bend)


@njit(cache=True, nogil=True, fastmath=True)
def solve(j1: Number, j2: Number, t11: Number, t12: Number, t22: Number) -> tuple[Number, Number]:
    """Solve a cell's smoothed sums for the displacement to the right and down since the last frame, px."""
    tiny, limit = np.float32(1e-3), np.float32(_MAX_STEP_PX)
    floor = np.float32(_FLOOR) + np.float32(0.5 * _RELATIVE_FLOOR) * (t11 + t22)
    a, b, c = max(t11 + floor, tiny), t12, max(t22 + floor, tiny)
    scale = np.float32(1.0) / max(a * c - b * b, np.float32(0.01) * a * c)
    right = min(max(scale * (b * j2 - c * j1), -limit), limit)
    down = min(max(scale * (b * j1 - a * j2), -limit), limit)
    return right, down


@njit(cache=True, nogil=True, fastmath=True)
def average(old: Number, right: Number, down: Number, decay: Number) -> Number:
    """Step the running average of a displacement's square."""
    return old + decay * (right * right + down * down - old)


@njit(cache=True, nogil=True, fastmath=True)
def displaced(near: Number, far: Number, share: Number, amplitude: Number) -> Number:
    """Compute `amplitude` times what lies between two cells, `share` of it the far one's, limited."""
    own, its, limit = amplitude * (np.float32(1.0) - share), amplitude * share, np.float32(LIMIT_PX)
    return min(max(own * near + its * far, -limit), limit)
