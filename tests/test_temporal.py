"""The filters in time: what they let pass, at any frame rate, and what they are blind to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lsim

from magnifyme.magnify import Magnifier, MagnifyError, magnify_frames
from magnifyme.magnify.magnifier import Method
from magnifyme.magnify.temporal import TEMPORALS, Temporal, design_band_pass, section_step
from test_riesz import Texture, as_luma

BAND = (2.0, 5.0)
MIDDLE_HZ = math.sqrt(10.0)


def passed(temporal: Temporal, signal: NDArray[Any], times: NDArray[Any], *, fps: float) -> NDArray[Any]:
    """Filter a signal given at `times`."""
    design = design_band_pass(BAND, fps=fps, temporal=temporal)
    state = np.zeros((len(design.sections), 2, 1), np.float32)
    result = [0.0]
    for change, dt in zip(np.diff(signal), np.diff(times), strict=True):
        line = np.array([change], np.float32)
        for (v, e), coefficients in zip(state, design.coefficients(dt=float(dt)), strict=True):
            section_step(line, v, e, coefficients)
        result.append(design.gain * float(state[-1, 0, 0]))
    return np.array(result)


@pytest.mark.parametrize("fps", [15.0, 30.0, 200.0])
@pytest.mark.parametrize("temporal", TEMPORALS)
def test_the_middle_of_the_band_passes_as_it_is_at_any_rate(temporal: Temporal, fps: float) -> None:
    """x10 is x10 without delay, whichever filter, and whether frames come evenly or not."""
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.choice([1.0, 1.0, 1.0, 2.0], int(6 * fps))) / fps
    signal = np.sin(2 * np.pi * MIDDLE_HZ * times)
    late = times > 2.5
    result = passed(temporal, signal, times, fps=fps)
    assert np.abs(result - signal)[late].max() < 0.02 + 0.15 * (fps < 20)


@pytest.mark.parametrize(
    ("temporal", "numerator", "denominator"),
    [
        ("acceleration", [4.0, 0.0, 0.0], np.poly([-1.0] * 4)),
        # The difference of two low-passes with their corners at the band's edges, gain one in the middle.
        ("iir", [(2.0 + 5.0) / MIDDLE_HZ, 0.0], np.poly([-2.0 / MIDDLE_HZ, -5.0 / MIDDLE_HZ])),
    ],
)
def test_the_filters_are_what_they_are_called(
    temporal: Temporal, numerator: list[float], denominator: NDArray[Any]
) -> None:
    """Compared with SciPy's simulation of the analogue filter, on a twitch sampled finely."""
    times = np.arange(0, 3, 1 / 1000)
    twitch = np.exp(-(((times - 1.0) / 0.1) ** 2))
    turn = 2 * np.pi * MIDDLE_HZ
    # The system in units of the middle frequency, where its gain is one.
    _, truth, _ = lsim((numerator, denominator), twitch, times * turn)
    assert np.abs(passed(temporal, twitch, times, fps=1000.0) - truth).max() < 0.01


def test_acceleration_is_blind_to_constant_speed() -> None:
    """A head that drifts is not to be magnified; one section of a band-pass magnifies its speed."""
    times = np.arange(150) / 30.0
    drift = 8.0 * times
    assert abs(passed("acceleration", drift, times, fps=30.0)[-30:]).max() < 0.01
    assert abs(passed("butterworth", drift, times, fps=30.0)[-30:]).max() > 0.2


@pytest.mark.parametrize("method", ["linear", "riesz"])
@pytest.mark.parametrize("temporal", TEMPORALS)
def test_both_engines_take_every_filter(method: Method, temporal: Temporal) -> None:
    """The picture moves by what was asked, and a clip equals its frames, to the bit."""
    texture = Texture(2, size=96)
    xs = 0.03 * np.sin(2 * np.pi * MIDDLE_HZ * np.arange(75) / 30)
    frames = np.array([as_luma(texture.shifted(x), sigma=0.5, seed=k) for k, x in enumerate(xs)])
    magnifier = Magnifier(fps=30, factor=10, band_hz=BAND, method=method, temporal=temporal)
    out = np.array([magnifier(frame) for frame in frames])
    batch = magnify_frames(frames, fps=30, factor=10, band_hz=BAND, method=method, temporal=temporal)
    np.testing.assert_array_equal(out, batch)
    moved = [texture.displacement(o, near=(11 * x, 0.0))[0] for o, x in zip(out[45:], xs[45:], strict=True)]
    gain = float(np.dot(moved, xs[45:]) / np.dot(xs[45:], xs[45:]))
    # linear leaves the finest detail as it is, which this measure sees.
    assert gain == pytest.approx(11, rel=0.06 if method == "riesz" else 0.35)


def test_what_a_filter_has_not_is_told() -> None:
    with pytest.raises(MagnifyError, match="'acceleration'"):
        Magnifier(fps=30, temporal="fourier")  # type: ignore[arg-type]
    with pytest.raises(MagnifyError, match="order is 2"):
        Magnifier(fps=30, temporal="iir", order=2)
