"""The causal temporal filters, in continuous time, stepped by each frame's real duration.

All are cascades of second-order sections that have gain one and zero phase at the middle of the band:

    butterworth   a band-pass of order n, n sections: flat within the band
    iir           the difference of two first-order low-passes, as Wu et al. 2012 have it: one section, broad
    acceleration  s^2 / (s + w)^4, two critically damped sections: blind to motion of constant speed, without
                  ringing. Zhang et al. 2017 take the second derivative of a Gaussian, which looks as far
                  ahead as back; this is its causal counterpart, the only s^2 / (s + w)^n with its peak where
                  its phase is zero. The band tells its middle only.

Each section is kept as the two quantities of a state-variable filter: the band output `v`, and the low-pass
output minus the input, `e`:

    v' = w (-q v - e)        e' = w v - input'

Both are zero on a still picture, whatever its brightness, so float32 holds small motion on a bright
picture exactly, and a still picture gives exactly zero. The trapezoidal rule steps them from one frame
to the next, and only the step's length enters: frames may come late or be missing, the states stay valid.

The rule's step is warped at the middle of the band, h = tan(w_m dt / 2) / w_m instead of dt / 2: that makes
it exact for a sinusoid of the middle frequency at *any* step, so that gain one and zero phase at the middle
hold for drifting, jittering and frame-dropping streams too.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .errors import MagnifyError
from .formulas import pass_section
from .planes import Floats

Temporal = Literal["butterworth", "acceleration", "iir"]
TEMPORALS: tuple[Temporal, ...] = get_args(Temporal)

# One step may turn the middle of the band by this much at most (a half turn cannot be told from none).
_MAX_HALF_STEP = 0.45 * math.pi
# A band edge this close to half the frame rate cannot be met by any filter.
_MIN_RATE_RATIO = 2.0


@dataclass(frozen=True)
class Section:
    """One second-order section: centre in radians a second, damping q (1 / Q), without unit."""

    centre: float
    damping: float


@dataclass(frozen=True)
class BandPass:
    """A designed band-pass: its sections, and what its last `v` is multiplied by to have gain one."""

    middle: float  # radians a second
    sections: tuple[Section, ...]
    gain: float
    warm_seconds: float

    def coefficients(self, *, dt: float) -> NDArray[np.float32]:
        """Compute the sections' coefficients for a step of `dt` seconds: float32 [order, 5].

        A row is what `section_step` takes: the factors of v, e and the input's increment, the step, and
        the factor from this section's v to the next one's input.
        """
        step = math.tan(min(self.middle * dt / 2.0, _MAX_HALF_STEP)) / self.middle
        table = np.empty((len(self.sections), 5), np.float32)
        for row, section in zip(table, self.sections, strict=True):
            g = step * section.centre
            gq = g * section.damping
            scale = 1.0 / (1.0 + gq + g * g)
            row[:] = (1.0 - gq - g * g) * scale, -2.0 * g * scale, g * scale, g, section.damping
        return table

    def noise_share(self, *, dt: float) -> float:
        """Compute how much of the variance of white noise passes, at a frame every `dt` seconds."""
        state = np.zeros((len(self.sections), 2, 1), np.float32)
        table = self.coefficients(dt=dt)
        passed = 0.0
        # A single frame that differs, and then nothing, until it has died away.
        for change in (1.0, -1.0, *([0.0] * round(4.0 * self.warm_seconds / dt))):
            line = np.full(1, change, np.float32)
            for (v, e), coefficients in zip(state, table, strict=True):
                section_step(line, v, e, coefficients)
            passed += float(state[-1, 0, 0]) ** 2
        return self.gain**2 * passed


def design_band_pass(
    band_hz: tuple[float, float], *, fps: float, order: int = 1, temporal: Temporal = "butterworth"
) -> BandPass:
    """Design a filter with gain one and zero phase at the geometric middle of the band.

    A Butterworth band-pass is of `order` sections; its low edge, where slow head motion leaks in, is at
    -3 dB to the letter at the nominal rate `fps`. The high edge follows from the middle; near half the frame
    rate it falls a little early.

    Raises MagnifyError when the band is empty or the frame rate too low for it, and for an order of a filter
    that has none.
    """
    low, high = _check_band(band_hz, fps=fps)
    if temporal not in TEMPORALS:
        raise MagnifyError(f"temporal is {temporal!r}; this version has {', '.join(map(repr, TEMPORALS))}")
    if order != 1 and temporal != "butterworth":
        raise MagnifyError(f"order is {order}; temporal {temporal!r} has no order, leave it at 1")
    middle = math.sqrt(low * high)
    if temporal == "acceleration":
        sections = [Section(1.0, 2.0), Section(1.0, 2.0)]
    elif temporal == "iir":
        sections = [Section(1.0, (low + high) / middle)]
    else:
        # The step's warp is exact at the middle only: place the low edge so that it lands on `low`.
        edge = math.tan(math.pi * low / fps) / math.tan(math.pi * middle / fps)
        sections = _butterworth(1.0 / edge - edge, order=order)
    gain = 1.0
    for section in sections:
        gain *= abs(_response(section, 1.0))
    turn = 2.0 * math.pi * middle
    sections = [Section(turn * s.centre, s.damping) for s in sections]
    # The cascade passes damping * v from section to section, the last v as it is.
    return BandPass(turn, tuple(sections), sections[-1].damping / gain, 1.0 / low + 1.0 / (high - low))


def _butterworth(width: float, *, order: int) -> list[Section]:
    """Give the sections of a band-pass about 1 with a band of `width`."""
    sections = []
    for k in range(order):
        # Poles of the Butterworth low-pass; those below the real axis would give the same sections again.
        pole = cmath.exp(1j * math.pi * (2 * k + 1 + order) / (2 * order))
        if pole.imag < -1e-12:
            continue
        # The low-pass to band-pass map s -> (s^2 + 1) / (width s) makes two poles of each.
        half = pole * width / 2.0
        root = cmath.sqrt(half * half - 1.0)
        if abs(pole.imag) < 1e-12:
            sections.append(Section(1.0, width))
            continue
        sections.extend(Section(abs(s), -2.0 * s.real / abs(s)) for s in (half + root, half - root))
    return sections


def _response(section: Section, frequency: float) -> complex:
    s = 1j * frequency
    numerator = section.damping * section.centre * s
    return numerator / (s * s + numerator + section.centre**2)


def _check_band(band_hz: tuple[float, float], *, fps: float) -> tuple[float, float]:
    if not (math.isfinite(fps) and fps > 0.0):
        raise MagnifyError(f"fps is {fps}; give the camera's frames a second, a number above 0")
    try:
        low, high = (float(edge) for edge in band_hz)
    except (TypeError, ValueError):
        raise MagnifyError(f"band_hz is {band_hz!r}; give two numbers, for example (1.0, 5.0)") from None
    if not (math.isfinite(low) and math.isfinite(high)):
        raise MagnifyError(f"band {low:g}-{high:g} Hz is none; give two finite numbers, for example 1 and 5")
    if low <= 0.0:
        raise MagnifyError(
            f"band {low:g}-{high:g} Hz begins at 0 or below, which holds what does not move; give a low edge "
            "above 0, for example 0.5"
        )
    if high <= low:
        raise MagnifyError(
            f"band {low:g}-{high:g} Hz is empty; give the low edge first and a higher one after it, for "
            "example 1 and 5"
        )
    if high * _MIN_RATE_RATIO >= fps:
        raise MagnifyError(
            f"band {low:g}-{high:g} Hz needs a camera of more than {high * _MIN_RATE_RATIO:g} frames "
            f"a second, this one gives {fps:g}; lower the band's high edge below {fps / _MIN_RATE_RATIO:g} Hz"
        )
    return low, high


@njit(cache=True, nogil=True, fastmath=True)
def section_step(line: Floats, v: Floats, e: Floats, coefficients: Floats) -> None:
    """Step one section over a row [w].

    `line` (at least w values) holds the increments of the section's input since the last frame and is
    overwritten with those of its output; `v` and `e` are its states. Only differences travel on.
    """
    cv, ce, cd, g, q = coefficients
    for i in range(v.size):
        v[i], e[i], line[i] = pass_section(v[i], e[i], line[i], (cv, ce, cd, g, q))
