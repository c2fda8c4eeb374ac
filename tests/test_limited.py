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


@pytest.mark.parametrize(("count", "seconds"), [(0, 0.3), (5, 0.3), (5, 2.0)])
def test_a_camera_that_falls_silent_ends_by_the_clock(count: int, seconds: float) -> None:
    """Missed otherwise: `--duration 60` that runs all night because the camera froze."""
    before = threading.active_count()
    start = time.monotonic()
    frames = list(LimitedSource(StallingCamera(count), seconds=seconds))
    assert len(frames) == count
    assert seconds <= time.monotonic() - start < seconds + 2.5
    assert threading.active_count() == before


def test_while_frames_come_their_own_time_counts() -> None:
    """Missed otherwise: a minute of the stream that is shorter on a slow line, other frames on every run."""
    camera = StallingCamera(100, pace_s=0.05)
    assert len(list(LimitedSource(camera, seconds=0.5))) == 25
    with SyntheticSource(fps=30.0, paced=False, size=(64, 48)) as source:
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
