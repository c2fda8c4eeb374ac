"""What runs before the stream does: a live one would lose its first seconds to compilation."""

from __future__ import annotations

import time
from typing import Any

import pytest

from magnifyme.cli.warm import warm_up
from magnifyme.magnify import Magnifier
from magnifyme.models.face_detector import HaarCascade
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.monitor import Monitor
from stalling import StallingCamera


def test_what_is_shown_and_what_is_learned_from_are_both_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missed otherwise: ten seconds of standstill at the first face, while the other engine compiles."""
    used: list[tuple[str, float]] = []

    def magnify(self: Magnifier, luma: Any, **_: Any) -> Any:
        used.append((self._method, self._factor))
        return luma

    monkeypatch.setattr(Magnifier, "__call__", magnify)
    with Monitor(
        StallingCamera(5), magnification=Magnification(25.0, method="riesz"), detector=HaarCascade()
    ) as monitor:
        warm_up(monitor)
    assert set(used) == {("riesz", 25.0), ("linear", 10.0)}


def test_fast_cameras_may_have_high_bands() -> None:
    """Missed otherwise: a band of 5 to 40 Hz at 200 frames a second, refused as too high for 30."""
    camera = StallingCamera(5)
    camera.fps = 200.0
    with Monitor(camera, magnification=Magnification(band_hz=(5.0, 40.0)), detector=HaarCascade()) as monitor:
        warm_up(monitor)


@pytest.mark.parametrize(("seconds", "method"), [(0.001, "riesz"), (0.02, "linear")])
def test_riesz_shows_the_motion_where_the_machine_keeps_up(
    monkeypatch: pytest.MonkeyPatch, seconds: float, method: str
) -> None:
    """Missed otherwise: a camera on a small computer whose pictures come ever later, or a fast one's that
    are worse than they need be."""

    def magnify(self: Magnifier, luma: Any, **_: Any) -> Any:
        time.sleep(seconds)
        return luma

    monkeypatch.setattr(Magnifier, "__call__", magnify)
    with Monitor(StallingCamera(5), detector=HaarCascade()) as monitor:
        assert monitor.magnification.method == method
        told = [warning for warning in monitor.warnings if "too slow" in warning]
        assert len(told) == (method == "linear")
        # Who named an engine gets it.
    named = Magnification(method="riesz")
    with Monitor(StallingCamera(5), magnification=named, detector=HaarCascade()) as monitor:
        assert monitor.magnification == named
