"""The made stream: does it keep time, tell the truth about itself, and come out the same every time?"""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from magnifyme.train.expressions import EXPRESSIONS, displacement
from magnifyme.train.portrait import PORTRAIT_LANDMARKS
from magnifyme.train.synthetic import SyntheticSource, TrueEvent
from magnifyme.train.timeline import Timeline

Array = NDArray[np.float64]
SIZE = (160, 120)


def small(
    *,
    seconds: float | None = 1.0,
    fps: float = 30.0,
    seed: int = 0,
    paced: bool = False,
    sway: float = 1.0,
    noise: float = 1.0,
) -> SyntheticSource:
    return SyntheticSource(
        seconds=seconds, fps=fps, size=SIZE, seed=seed, paced=paced, sway=sway, noise=noise
    )


# --- a source like any other


@pytest.mark.parametrize("fps", [30.0, 29.97, 100.0])
def test_time_is_the_number_over_the_rate(fps: float) -> None:
    """Windows are in milliseconds of stream time: a time that drifts would stretch them."""
    frames = list(small(fps=fps))
    assert len(frames) == round(fps)
    assert [frame.time for frame in frames] == [number / fps for number in range(len(frames))]
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    assert {frame.epoch for frame in frames} == {0}
    assert all(frame.size == SIZE and frame.luma.dtype == np.uint8 for frame in frames)
    assert all(not frame.luma.flags.writeable for frame in frames)


def test_it_tells_its_state() -> None:
    with small(seconds=0.2) as source:
        assert (source.name, source.live, source.fps) == ("synthetic", False, 30.0)
        assert (source.status, source.reconnects, source.warnings) == ("connecting", 0, [])
        next(iter(source))
        assert source.status == "live"
        list(source)
        assert source.status == "ended"
    assert source.status == "ended"


def test_frames_have_colour() -> None:
    """The detector and the screen want colours; a gray stream would look broken."""
    bgr = small().frame(0).bgr()
    assert bgr.shape == (120, 160, 3)
    skin = bgr[50:70, 75:95].reshape(-1, 3).mean(axis=0)
    assert skin[2] > skin[1] > skin[0]


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Benchmarks compare versions of the program, not draws of chance."""
    first = [frame.luma.tobytes() for frame in small(seed=3)]
    again = [frame.luma.tobytes() for frame in small(seed=3)]
    other = [frame.luma.tobytes() for frame in small(seed=4)]
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))
    assert small(seed=3).frame(17).luma.tobytes() == first[17]


def test_the_clock_paces_a_live_stream() -> None:
    """A live stream that came too fast would hide that the program cannot keep up."""
    source = small(seconds=0.5, fps=20.0, paced=True)
    assert source.live
    arrivals = np.array([frame.arrival for frame in source])
    # Never early; late is the machine's affair, so only a wide bound.
    assert (arrivals - arrivals[0] - np.arange(10) / 20.0).min() > -0.002
    assert arrivals[-1] - arrivals[0] < 2.0


def test_a_late_reader_loses_nothing() -> None:
    """A paced file must not skip: truth would be skipped with it."""
    numbers = []
    for frame in small(seconds=0.3, fps=50.0, paced=True):
        time.sleep(0.03)
        numbers.append(frame.sequence)
    assert numbers == list(range(15))


@pytest.mark.parametrize("paced", [True, False])
def test_stop_ends_an_endless_stream_from_another_thread(paced: bool) -> None:
    """Ctrl-C must work within half a second, also while a slow stream waits for its next frame."""
    source = small(seconds=None, fps=0.5 if paced else 30.0, paced=paced)
    frames = iter(source)
    next(frames)
    timer = threading.Timer(0.1, source.stop)
    timer.start()
    started = time.monotonic()
    for _ in frames:
        pass
    timer.join()
    assert time.monotonic() - started < 0.6
    assert source.status == "stopped"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fps": 0.0}, "fps is 0.0; it must be above 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"seconds": 0.0}, "seconds is 0.0; it must be above 0, or None for an endless stream"),
        ({"amplitude_px": (1.0, 0.5)}, r"amplitude_px is \(1.0, 0.5\)"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SyntheticSource(**arguments)  # type: ignore[arg-type]


# --- the truth about events


def timeline(*, seed: int, seconds: float | None = 60.0, blinks: bool = True) -> Timeline:
    return Timeline(
        seed=seed,
        seconds=seconds,
        events="random",
        blinks=blinks,
        amplitude_px=(0.5, 1.2),
        blink_px=15.0,
    )


@pytest.mark.parametrize("seed", range(5))
def test_events_are_like_those_of_the_data_sets(seed: int) -> None:
    """A spotter tuned on other durations than SAMM's and CASME II's would miss those of people."""
    events = timeline(seed=seed, seconds=600.0).until(600.0)
    micro = [event for event in events if event.kind == "micro"]
    blinks = [event for event in events if event.kind == "blink"]
    assert micro[0].onset >= 3.0
    durations = np.array([event.offset - event.onset for event in micro])
    rises = np.array([event.apex - event.onset for event in micro])
    assert durations.min() >= 0.17
    assert durations.max() <= 0.5
    assert 0.3 < np.median(durations) < 0.4
    assert rises.min() > 0.0699
    assert rises.max() < 0.2501
    assert 0.13 < np.median(rises) < 0.17
    gaps = [after.onset - before.offset for before, after in itertools.pairwise(micro)]
    assert 1.2 <= min(gaps) <= max(gaps) <= 2.5
    assert {event.label for event in micro[:5]} == set(EXPRESSIONS)
    assert all(0.5 <= event.amplitude_px <= 1.2 for event in micro)
    assert 60 < len(blinks) < 250
    for blink in blinks:
        assert 0.15 <= blink.offset - blink.onset <= 0.301
        assert all(blink.onset > e.offset + 0.29 or blink.offset < e.onset - 0.29 for e in micro)
    onsets = [event.onset for event in events]
    assert onsets == sorted(onsets)


def test_a_longer_stream_begins_as_a_shorter_one() -> None:
    """The endless stream's truth must be the same story, told as far as it has been seen."""
    endless = timeline(seed=1, seconds=None)
    early = endless.until(10.0)
    assert [*early] == [event for event in timeline(seed=1).until(60.0) if event.onset <= 10.0]
    assert endless.until(60.0)[: len(early)] == early
    without = timeline(seed=1, blinks=False).until(60.0)
    assert without == [event for event in timeline(seed=1).until(60.0) if event.kind == "micro"]


def test_truth_holds_whole_events_only() -> None:
    """An event cut by the end cannot be found, and must not count as missed."""
    for seed in range(10):
        source = small(seconds=8.0, seed=seed)
        assert source.truth
        assert all(event.offset <= 8.0 for event in source.truth)


def test_truth_of_an_endless_stream_is_what_has_begun() -> None:
    source = small(seconds=None, fps=2.0)
    assert source.truth == []
    for frame in itertools.islice(source, 20):
        assert all(event.onset <= frame.time for event in source.truth)
    assert any(event.kind == "micro" for event in source.truth)


def test_active_finds_long_events_among_short_ones() -> None:
    long = TrueEvent(1.0, 2.0, 9.0, "happiness", kind="macro")
    short = [TrueEvent(3.0 + k, 3.1 + k, 3.3 + k, "anger") for k in range(4)]
    known = Timeline(
        seed=0, seconds=None, events=[*short, long], blinks=False, amplitude_px=(1, 1), blink_px=1.0
    )
    assert known.active(0.5) == []
    assert known.active(8.9) == [long]
    assert known.active(4.05) == [long, short[1]]
    assert known.active(9.0) == []


def test_an_event_checks_itself() -> None:
    with pytest.raises(ValueError, match="needs onset < apex < offset"):
        TrueEvent(1.0, 1.0, 1.2, "anger")
    with pytest.raises(ValueError, match="'joy' is none of"):
        TrueEvent(1.0, 1.1, 1.2, "joy")
    assert TrueEvent(1.0, 1.1, 1.2, "joy", action_units={12: 1.0}).action_units == {12: 1.0}


# --- the truth against the pictures


def window(source: SyntheticSource) -> Array:
    x, y = np.round(source.face.centre).astype(int)
    reach = int(0.85 * source.face.unit_px)
    grid = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    return np.stack([grid[1].ravel(), grid[0].ravel()], axis=1).astype(np.float64)


@pytest.mark.parametrize("label", ["happiness", "anger"])
def test_the_movement_is_seen_when_the_truth_says(label: str) -> None:
    """Measure onset, apex and offset in the pictures: a spotter is judged by these times."""
    event = TrueEvent(0.1, 0.26, 0.5, label, amplitude_px=1.5)
    source = SyntheticSource(
        seconds=0.7,
        fps=100.0,
        size=(320, 240),
        paced=False,
        events=[event],
        sway=0.0,
        noise=0.0,
        blinks=False,
        light=0.0,
    )
    assert source.truth == [event]
    points = window(source)[::3]
    x, y = points.T
    field = displacement(points, bumps=source.bumps(event.apex))
    assert np.hypot(field[:, 0], field[:, 1]).max() == pytest.approx(1.5, abs=0.02)
    spline = spline_filter(source.frame(0).luma.astype(np.float64), order=5)

    def drawn(level: float) -> Array:
        there = points - level * field
        return np.asarray(map_coordinates(spline, there[:, ::-1].T, order=5, prefilter=False), np.float64)

    levels = np.zeros(70)
    for number in range(70):
        picture = source.frame(number).luma[y.astype(int), x.astype(int)]
        level = 0.5
        for _ in range(5):
            slope = (drawn(level + 0.05) - drawn(level - 0.05)) / 0.1
            level += float(slope @ (picture - drawn(level)) / (slope @ slope))
        levels[number] = level
    times = np.arange(70) / 100.0
    assert np.abs(levels - [event.level(at) for at in times]).max() < 0.03
    moving = np.flatnonzero(levels > 0.03) / 100.0
    assert moving[0] == pytest.approx(event.onset, abs=0.035)
    assert moving[-1] == pytest.approx(event.offset, abs=0.035)
    assert times[np.argmax(levels > 0.98)] == pytest.approx(event.apex, abs=0.025)


def test_the_head_moves_as_the_truth_says() -> None:
    """Follow the swaying head by least squares on noisy pictures; the truth must be what is found."""
    source = SyntheticSource(
        seconds=6.0, size=(320, 240), paced=False, events=[], sway=1.5, noise=1.0, blinks=False
    )
    points = window(source)
    x, y = points.T
    rest = SyntheticSource(
        seconds=1.0, size=(320, 240), paced=False, events=[], sway=0.0, noise=0.0, blinks=False, light=0.0
    ).frame(0)
    reference = rest.luma[y.astype(int), x.astype(int)].astype(np.float64)
    worst = 0.0
    travelled = []
    for number in (0, 40, 80, 120, 179):
        frame = source.frame(number)
        spline = spline_filter(frame.luma.astype(np.float64), order=5)
        pose = source.pose(frame.time)

        def drawn(off: Array, pose: Array = pose, spline: Array = spline) -> Array:
            there = points @ pose[:, :2].T + pose[:, 2] + off
            return np.asarray(map_coordinates(spline, there[:, ::-1].T, order=5, prefilter=False), np.float64)

        off = np.zeros(2)
        for _ in range(5):
            steps = ((drawn(off + d) - drawn(off - d)) / 0.2 for d in np.eye(2) * 0.1)
            system = np.column_stack([*steps, drawn(off), np.ones(len(points))])
            solution = np.linalg.lstsq(system, reference, rcond=None)[0]
            # Brightness drifts: its gain and offset are found along with the place.
            off = off + solution[:2] / max(solution[2], 0.5)
        worst = max(worst, float(np.abs(off).max()))
        travelled.append(source.locate(source.face.landmarks, at=frame.time) - source.face.landmarks)
    assert worst < 0.02
    assert np.ptp(np.array(travelled), axis=0).max() > 0.5


def test_the_head_matrix_starts_from_the_portrait() -> None:
    """Trackers are judged on marks in the portrait: the matrix must put them where the face is drawn."""
    source = small()
    for at in (0.0, 0.7):
        matrix = source.head_matrix(at)
        there = PORTRAIT_LANDMARKS @ matrix[:, :2].T + matrix[:, 2]
        assert there == pytest.approx(source.locate(source.face.landmarks, at=at, expression=False))


def test_sway_is_that_of_a_sitting_person() -> None:
    """Sway far too large or small would make the tracker's task another one."""
    source = SyntheticSource(size=(640, 480), paced=False, seed=2)
    still = SyntheticSource(size=(640, 480), paced=False, seed=2, sway=0.0)
    at = np.arange(0.0, 60.0, 1 / 30)
    path = np.array([source.locate(source.face.landmarks[2:3], at=t, expression=False)[0] for t in at])
    assert 0.8 < path.std(axis=0).max() < 4.0
    assert np.abs(np.diff(path, axis=0)).max() < 0.6
    rolls = np.array([np.arctan2(source.pose(t)[1, 0], source.pose(t)[0, 0]) for t in at])
    assert 0.3 < np.degrees(np.abs(rolls).max()) < 2.5
    assert still.pose(12.3) == pytest.approx(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))


def test_blinks_come_with_given_events() -> None:
    event = TrueEvent(1.0, 1.1, 1.3, "surprise")
    source = SyntheticSource(seconds=30.0, size=SIZE, paced=False, events=[event])
    kinds = [e.kind for e in source.truth]
    assert kinds.count("micro") == 1
    assert kinds.count("blink") >= 5
    eye = source.face.landmarks[0]
    blink = next(e for e in source.truth if e.kind == "blink")
    lid = displacement(eye + source.face.unit_px * np.array([0.0, 0.03]), bumps=source.bumps(blink.apex))
    assert lid[1] > 0.1 * source.face.unit_px
