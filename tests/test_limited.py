"""`--duration` and `--max-frames`: a source that ends when it was asked to."""

from __future__ import annotations

import math
import threading
import time

import pytest

from magnifyme.stream.errors import SourceError
from magnifyme.stream.limited import LimitedSource
from magnifyme.train.synthetic import SyntheticSource
from stalling import StallingCamera


@pytest.mark.parametrize("count", [0, 5])
def test_a_camera_that_falls_silent_ends_by_the_clock(count: int) -> None:
    """Missed otherwise: `--duration 60` that runs all night because the camera froze."""
    before = threading.active_count()
    start = time.monotonic()
    frames = list(LimitedSource(StallingCamera(count), seconds=0.5))
    assert len(frames) == count
    assert 0.5 <= time.monotonic() - start < 3.0
    assert threading.active_count() == before


@pytest.mark.parametrize("paced", [False, True])
def test_while_frames_come_their_own_time_counts(paced: bool) -> None:
    """Missed otherwise: a second of the stream that has a frame more or less on every run."""
    with SyntheticSource(fps=30.0, paced=paced, size=(64, 48)) as source:
        assert len(list(LimitedSource(source, seconds=1.5))) == 45


def test_so_many_frames_and_no_more() -> None:
    with SyntheticSource(fps=30.0, paced=False, size=(64, 48)) as source:
        assert [frame.sequence for frame in LimitedSource(source, frames=7)] == list(range(7))


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_a_duration_that_cannot_be_is_refused(seconds: float) -> None:
    """Missed otherwise: a run that ends before it began, or never."""
    with pytest.raises(SourceError, match="--duration must be above 0"):
        LimitedSource(StallingCamera(1), seconds=seconds)


def test_what_the_source_tells_is_passed_on() -> None:
    """Missed otherwise: drops and broken connections that no summary shows."""
    camera = StallingCamera(0)
    limited = LimitedSource(camera)
    camera.dropped, camera.last_error, camera.status = 3, "the cable is out", "waiting"
    camera.warnings.append("one frame in two is black")
    assert (limited.dropped, limited.last_error, limited.status) == (3, "the cable is out", "waiting")
    assert limited.warnings == ["one frame in two is black"]
