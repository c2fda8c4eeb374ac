"""The causal temporal band-pass, in continuous time, stepped by each frame's real duration.

A Butterworth band-pass of order n is a cascade of n second-order sections. Each is kept as the two
quantities of a state-variable filter: the band output `v`, and the low-pass output minus the input, `e`:

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

import numpy as np
from numpy.typing import NDArray

from .errors import MagnifyError

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


def design_band_pass(band_hz: tuple[float, float], *, fps: float, order: int) -> BandPass:
    """Design a Butterworth band-pass with gain one and zero phase at the geometric middle of the band.

    Its low edge, where slow head motion leaks in, is at -3 dB to the letter at the nominal rate `fps`. The
    high edge follows from the middle; near half the frame rate it falls a little early.

    Raises MagnifyError when the band is empty or the frame rate too low for it.
    """
    low, high = _check_band(band_hz, fps=fps)
    middle = math.sqrt(low * high)
    # The step's warp is exact at the middle only: place the prototype's low edge so that it lands on `low`.
    edge = math.tan(math.pi * low / fps) / math.tan(math.pi * middle / fps)
    width = 1.0 / edge - edge
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
    gain = 1.0
    for section in sections:
        gain *= abs(_response(section, 1.0))
    turn = 2.0 * math.pi * middle
    sections = [Section(turn * s.centre, s.damping) for s in sections]
    # The cascade passes damping * v from section to section, the last v as it is.
    return BandPass(turn, tuple(sections), sections[-1].damping / gain, 1.0 / low + 1.0 / (high - low))


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
