"""The rolling clip: an expression is classified from the very frames that showed it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.stream.clip import RollingClip


def _picture(value: int, *, size: int) -> NDArray[np.uint8]:
    return np.full((size, size), value % 251, np.uint8)


def _fill(clip: RollingClip, times: NDArray[np.float64], *, size: int) -> None:
    for k, time in enumerate(times):
        clip.append(float(time), crop=_picture(k, size=size), magnified=_picture(k + 7, size=size))


@pytest.mark.parametrize("size", [1, 7, 32])
@pytest.mark.parametrize("appended", [1, 2, 5, 10, 11, 12, 21, 22, 23, 55, 137])
def test_every_moment_is_found_at_any_turn_of_the_ring(
    size: int, appended: int, rng: np.random.Generator
) -> None:
    """Otherwise the classifier would see the onset of another second."""
    clip = RollingClip(seconds=1.0, fps=10.0, size=size)
    times = np.cumsum(rng.uniform(0.1, 0.3, appended))
    _fill(clip, times, size=size)
    kept = np.arange(max(0, appended - 11), appended)
    assert len(clip) == len(kept)
    assert clip.span == (times[kept[0]], times[-1])
    for asked in rng.uniform(times[0] - 1.0, times[-1] + 1.0, 60):
        best = kept[np.argmin(np.abs(times[kept] - asked))]
        entry = clip.nearest(float(asked))
        assert entry.time == times[best]
        assert np.array_equal(entry.crop, _picture(int(best), size=size))
        assert np.array_equal(entry.magnified, _picture(int(best) + 7, size=size))
    for _ in range(30):
        start, end = np.sort(rng.uniform(times[0] - 0.5, times[-1] + 0.5, 2))
        inside = [k for k in kept if start <= times[k] <= end]
        found = clip.between(float(start), float(end))
        assert [entry.time for entry in found] == [times[k] for k in inside]
        assert [int(entry.crop[0, 0]) for entry in found] == [int(k) % 251 for k in inside]


@pytest.mark.parametrize("fps", [7.0, 25.0, 30.0, 59.0, 60.0, 61.0, 100.0, 200.0, 1000.0])
def test_the_last_seconds_are_there_whatever_the_camera_does(fps: float, rng: np.random.Generator) -> None:
    """A camera that is faster than it says must not push the onset out of memory: no label without it."""
    clip = RollingClip(seconds=5.0, fps=60.0, size=2)
    times = np.arange(0.0, 12.0, 1.0 / fps) + rng.uniform(-0.2, 0.2) / fps
    _fill(clip, times, size=2)
    first, last = clip.span
    assert last - first >= 4.95
    assert last >= times[-1] - 1 / 60
    gaps = np.diff([entry.time for entry in clip.between(first, last)])
    assert gaps.max() <= 1.01 * max(1 / fps, 1 / 60 + 1 / fps)


def test_a_clock_that_trembles_costs_no_moment(rng: np.random.Generator) -> None:
    clip = RollingClip(seconds=5.0, fps=60.0, size=2)
    times = np.arange(0.0, 5.0, 1 / 60) + rng.uniform(-0.4, 0.4, 300) / 60
    _fill(clip, times, size=2)
    assert len(clip) == 300


def test_the_ends_of_a_span_are_included_and_ties_take_the_earlier() -> None:
    clip = RollingClip(seconds=1.0, fps=4.0, size=2)
    _fill(clip, np.array([0.0, 0.25, 0.5, 0.75]), size=2)
    assert [entry.time for entry in clip.between(0.25, 0.75)] == [0.25, 0.5, 0.75]
    assert clip.nearest(0.375).time == 0.25
    assert clip.between(0.3, 0.4) == []
    assert clip.between(0.75, 0.25) == []


def test_what_was_handed_out_does_not_change_when_the_ring_turns() -> None:
    """The classifier reads on another thread while the stream goes on."""
    clip = RollingClip(seconds=0.2, fps=10.0, size=4)
    _fill(clip, np.array([0.0, 0.1, 0.2]), size=4)
    entry = clip.nearest(0.0)
    before = entry.crop.copy()
    _fill(clip, np.arange(0.3, 2.0, 0.1), size=4)
    assert np.array_equal(entry.crop, before)


def test_what_was_handed_in_may_be_reused() -> None:
    """The magnifier writes every frame into the same memory."""
    clip = RollingClip(seconds=1.0, fps=10.0, size=4)
    memory = _picture(3, size=4)
    clip.append(0.0, crop=memory, magnified=memory)
    memory[:] = 99
    assert clip.nearest(0.0).crop.max() == 3
    assert clip.nearest(0.0).magnified.max() == 3


def test_a_strided_read_only_crop_is_taken() -> None:
    clip = RollingClip(seconds=1.0, fps=10.0, size=4)
    wide = np.arange(32, dtype=np.uint8).reshape(4, 8)
    wide.flags.writeable = False
    clip.append(0.0, crop=wide[:, 1:5], magnified=wide[:, ::2])
    assert np.array_equal(clip.nearest(0.0).crop, wide[:, 1:5])
    assert np.array_equal(clip.nearest(0.0).magnified, wide[:, ::2])


def test_clear_begins_anew_even_with_earlier_times() -> None:
    """A reconnected camera counts from zero again."""
    clip = RollingClip(seconds=0.5, fps=10.0, size=3)
    _fill(clip, np.arange(5.0, 7.0, 0.1), size=3)
    clip.clear()
    assert len(clip) == 0
    assert clip.between(0.0, 100.0) == []
    with pytest.raises(LookupError, match="empty"):
        clip.nearest(6.0)
    with pytest.raises(LookupError, match="empty"):
        _ = clip.span
    _fill(clip, np.array([0.0, 0.1]), size=3)
    assert clip.nearest(50.0).time == 0.1


def test_wrong_input_is_named() -> None:
    clip = RollingClip(seconds=0.5, fps=10.0, size=3)
    good = _picture(1, size=3)
    clip.append(1.0, crop=good, magnified=good)
    for time in (1.0, 0.5):
        with pytest.raises(ValueError, match="clear"):
            clip.append(time, crop=good, magnified=good)
    with pytest.raises(ValueError, match=r"crop .*\(3, 3\)"):
        clip.append(2.0, crop=_picture(1, size=4), magnified=good)
    with pytest.raises(ValueError, match="magnified is float32"):
        clip.append(2.0, crop=good, magnified=good.astype(np.float32))
    assert len(clip) == 1
    for seconds, fps in ((0.0, 30.0), (1.0, float("nan"))):
        with pytest.raises(ValueError, match="above 0"):
            RollingClip(seconds=seconds, fps=fps)
