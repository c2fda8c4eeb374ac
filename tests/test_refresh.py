"""Key frames are known by what they do to the picture, and nothing that a face does is taken for one."""

from __future__ import annotations

from collections.abc import Iterator

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
        crop = tracker.update(frame)
        assert crop is not None
        yield frame.time, refresh.seen(crop.luma, time=frame.time)


def test_nothing_is_refreshed_in_a_clean_stream(frames: list[Frame]) -> None:
    """Blinks, expressions and the sensor's noise would be left out of the search for what they are."""
    assert not any(seen for _, seen in refreshed(frames))


@pytest.mark.parametrize("encoding", [Encoding(mbit_s=2.0), Encoding(crf=23)])
def test_every_key_frame_is_seen(frames: list[Frame], encoding: Encoding) -> None:
    seen = [time for time, flag in refreshed(list(encoding.code(frames, fps=FPS))) if flag]
    assert {1.0, 2.0, 3.0} <= {round(time, 3) for time in seen}
    assert len(seen) < 0.2 * len(frames)


def test_a_lens_that_is_covered_or_a_frozen_picture_is_none() -> None:
    """Changes of nothing have no usual size; neither is the first frame after them one."""
    refresh = Refresh()
    black: NDArray[np.uint8] = np.zeros((256, 256), np.uint8)
    assert not any(refresh.seen(black, time=k / FPS) for k in range(40))
