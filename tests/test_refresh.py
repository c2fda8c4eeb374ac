"""Key frames are known by what they do to the picture, and nothing that a face does is taken for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.models.face_detector import HaarCascade
from magnifyme.stream.face_tracker import FaceTracker
from magnifyme.stream.frame import Frame
from magnifyme.stream.refresh import Refresh
from magnifyme.train.spot_bench import Encoding
from magnifyme.train.synthetic import SyntheticSource

FPS = 30.0


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """Draw four seconds with an expression and blinks."""
    return list(SyntheticSource(seconds=4.0, fps=FPS, seed=2, paced=False))


def refreshed(frames: list[Frame]) -> Iterator[tuple[float, bool]]:
    tracker, refresh = FaceTracker(HaarCascade()), Refresh()
    for frame in frames:
        (crop,) = tracker.update(frame)
        yield frame.time, refresh.seen(crop.luma, time=frame.time)


def repeated(frames: list[Frame], times: int) -> list[Frame]:
    """Show every so many-th frame so many times, as a slow camera does that promised `FPS`."""
    return [replace(frames[k - k % times], time=frame.time) for k, frame in enumerate(frames)]


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("encoding", [Encoding(), *(Encoding(crf=crf, key_s=10.0) for crf in (10, 23))])
def test_nothing_is_refreshed_in_a_stream_without_key_frames(
    frames: list[Frame], encoding: Encoding, times: int
) -> None:
    """Blinks, expressions and the sensor's noise would be left out of the search for what they are.

    A new frame after repeats would be, too: at half the rate, every single one. The encoder's repeats differ
    a little from each other.
    """
    assert not any(seen for _, seen in refreshed(list(encoding.code(repeated(frames, times), fps=FPS))))


@pytest.mark.parametrize(
    ("encoding", "times"), [(Encoding(mbit_s=2.0), 1), (Encoding(crf=23), 1), (Encoding(crf=23), 2)]
)
def test_every_key_frame_is_seen(frames: list[Frame], encoding: Encoding, times: int) -> None:
    coded = encoding.code(repeated(frames, times), fps=FPS)
    seen = [time for time, flag in refreshed(list(coded)) if flag]
    assert {1.0, 2.0, 3.0} <= {round(time, 3) for time in seen}
    assert len(seen) < 0.2 * len(frames)


def test_a_lens_that_is_covered_or_a_frozen_picture_is_none() -> None:
    """Changes of nothing have no usual size; neither is the first frame after them one."""
    refresh = Refresh()
    black: NDArray[np.uint8] = np.zeros((256, 256), np.uint8)
    assert not any(refresh.seen(black, time=k / FPS) for k in range(40))
