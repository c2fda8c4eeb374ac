"""The whole way, from frames to events: what a user of `Monitor` relies on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from magnifyme.cli.warm import warm_up
from magnifyme.magnify import MagnifyError
from magnifyme.models.classifier import Classifier, Prediction
from magnifyme.models.errors import ModelError
from magnifyme.models.face_detector import HaarCascade
from magnifyme.stream import monitor as monitor_module
from magnifyme.stream.errors import StoreError
from magnifyme.stream.events import Event, open_store, read_events
from magnifyme.stream.frame import Frame
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.monitor import Monitor
from magnifyme.stream.recorder import Recorder
from magnifyme.train.score import match
from magnifyme.train.synthetic import SyntheticSource, TrueEvent
from stalling import StallingCamera

# Expressions that are put into the made streams below: 0.8 px, half a second apart at least.
PUT_IN = [
    TrueEvent(onset=3.0, apex=3.16, offset=3.40, label="happiness", amplitude_px=1.0),
    TrueEvent(onset=4.4, apex=4.55, offset=4.80, label="surprise", amplitude_px=1.0),
]


def made(*, seconds: float = 6.0, paced: bool = False, fps: float = 30.0, seed: int = 5) -> SyntheticSource:
    """Make a stream with two known expressions."""
    return SyntheticSource(seconds=seconds, fps=fps, seed=seed, paced=paced, events=PUT_IN, blinks=False)


class Recorded:
    """Frames that are there already, as a file (waits) or as a live stream (does not)."""

    fps: float | None = 30.0
    last_error: str | None = None
    reconnects = 0
    dropped = 0
    damaged = 0
    status = "live"

    def __init__(self, frames: list[Frame], *, live: bool = False, fail_at: int | None = None) -> None:
        self.name = "recorded"
        self.warnings: list[str] = []
        self.live = live
        self._frames = frames
        self._fail_at = fail_at
        self._stopped = threading.Event()
        self.closed = False

    def __iter__(self) -> Iterator[Frame]:
        start = time.monotonic()
        for count, frame in enumerate(self._frames):
            if self._stopped.is_set():
                return
            if count == self._fail_at:
                raise OSError("the cable is out")
            if self.live:
                self._stopped.wait(max(0.0, start + frame.time - time.monotonic()))
            yield Frame(
                frame.luma, frame.time, frame.sequence, frame.epoch, time.monotonic(), False, frame.picture
            )

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """Compile before anything is live, as the program does: a live stream does not wait for it."""
    with Monitor(StallingCamera(5), detector=HaarCascade()) as monitor:
        warm_up(monitor)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """Draw the made stream once."""
    return list(made())


def test_what_is_put_in_comes_out(frames: list[Frame], tmp_path: Path) -> None:
    """Expressions on a moving, noisy face are found in time and stored; a file loses no frame."""
    with open_store(tmp_path / "events.db") as store:
        monitor = Monitor(Recorded(frames), detector=HaarCascade(), events=store)
        observations = list(monitor)
    assert [observation.frame.sequence for observation in observations] == list(range(len(frames)))
    events = [event for observation in observations for event in observation.events]
    assert events == read_events(tmp_path / "events.db")
    found = [event for event in events if event.kind != "blink"]
    assert len(match(found, true=PUT_IN)) == len(PUT_IN) == len(found)
    for event in found:
        assert event.label in monitor.classifier.recipe.labels
        assert sum(event.probabilities.values()) == pytest.approx(1.0, abs=1e-4)
        assert event.made_faces
        assert event.model_id == monitor.classifier.model_id


def test_the_last_expression_of_a_film_is_stored(frames: list[Frame], tmp_path: Path) -> None:
    """Research clips end with the expression: no frame comes after it to confirm it."""
    last = PUT_IN[-1]
    film = [frame for frame in frames if frame.time <= last.offset + 0.02]
    with open_store(tmp_path / "events.db") as store:
        monitor = Monitor(Recorded(film), detector=HaarCascade(), events=store)
        delivered = [event for observation in monitor for event in observation.events]
    assert read_events(tmp_path / "events.db") == delivered
    ((found, _),) = match(delivered, true=[last])
    assert delivered[found].label in monitor.classifier.recipe.labels
    assert monitor.statistics.events["micro"] == len(PUT_IN)


def test_an_expression_just_before_a_cut_is_told_with_its_label(frames: list[Frame]) -> None:
    """The next shot must neither swallow it nor lend it its pictures."""
    last = PUT_IN[-1]
    cut = [frame for frame in frames if frame.time <= last.offset + 0.05]
    second = [replace(frame, epoch=1, sequence=len(cut) + k) for k, frame in enumerate(frames[:30])]
    monitor = Monitor(Recorded(cut + second), detector=HaarCascade())
    observations = list(monitor)
    (told,) = [seen for seen in observations if match(seen.events, true=[last])]
    assert told.frame.epoch == 1
    assert told.face is not None
    assert (told.events[0].label is not None, told.events[0].track) == (True, told.face.track_id - 1)


def test_a_file_gives_the_same_events_every_time(frames: list[Frame], tmp_path: Path) -> None:
    """Threads must not make a result depend on chance; and two runs in one store can be told apart."""

    def run() -> list[tuple[int, str | None, float, float]]:
        with open_store(tmp_path / "events.db") as store:
            return [
                (observation.frame.sequence, event.label, event.onset, event.intensity_px)
                for observation in Monitor(Recorded(frames), detector=HaarCascade(), events=store)
                for event in observation.events
            ]

    first = run()
    assert first
    assert first == run()
    stored = read_events(tmp_path / "events.db")
    starts = [event.run_start for event in stored]
    half = len(first)
    assert starts == [starts[0]] * half + [starts[half]] * half
    assert starts[0] < starts[half]


def test_what_is_shown_does_not_change_what_is_named(frames: list[Frame]) -> None:
    """Looking at ×25 must not feed the classifier pictures that it was not trained on."""

    def probabilities(factor: float) -> list[dict[str, float]]:
        monitor = Monitor(
            Recorded(frames), magnification=Magnification(factor=factor), detector=HaarCascade()
        )
        return [event.probabilities for seen in monitor for event in seen.events]

    assert probabilities(25.0) == probabilities(10.0)


def test_a_slow_consumer_of_a_live_stream_misses_frames_but_no_event(frames: list[Frame]) -> None:
    """Latency stays bounded: the newest frame wins, drops are counted, events come all the same."""
    monitor = Monitor(Recorded(frames, live=True), detector=HaarCascade())
    events: list[Event] = []
    latencies = []
    for observation in monitor:
        events += observation.events
        latencies.append(observation.latency_ms)
        time.sleep(0.12)
    statistics = monitor.statistics
    assert len(match([event for event in events if event.kind != "blink"], true=PUT_IN)) == len(PUT_IN)
    assert statistics.dropped_behind > len(frames) / 2
    assert statistics.read == statistics.processed + statistics.dropped_before
    assert sorted(latencies)[len(latencies) // 2] < 250.0


def test_leaving_the_loop_ends_every_thread(frames: list[Frame]) -> None:
    """A program that breaks out of the loop must be able to end."""
    source = Recorded(frames)
    before = threading.active_count()
    for count, _ in enumerate(Monitor(source, detector=HaarCascade())):
        if count == 5:
            break
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before
    assert source.closed


def test_stop_delivers_what_was_read(frames: list[Frame]) -> None:
    """Ctrl-C drains the queues: every frame that was read is processed and delivered."""
    monitor = Monitor(Recorded(frames), detector=HaarCascade())
    seen = 0
    for observation in monitor:
        seen += 1
        if observation.frame.sequence == 40:
            monitor.stop()
    assert seen == monitor.statistics.read == monitor.statistics.processed
    assert 40 < seen < len(frames)


@pytest.mark.parametrize("live", [False, True])
def test_an_error_in_the_source_reaches_the_reader(frames: list[Frame], live: bool) -> None:
    """A cable that is pulled must not look like the end of the stream."""
    source = Recorded(frames[:60], live=live, fail_at=30)
    with pytest.raises(OSError, match="the cable is out"):
        list(Monitor(source, detector=HaarCascade()))
    assert source.closed


def test_a_camera_that_is_slower_than_it_says_is_told() -> None:
    """A camera that announces 30 frames a second and gives 8 cannot carry a band up to 5 Hz."""
    source = made(fps=8.0, seconds=4.0)
    source.fps = 30.0
    with pytest.raises(MagnifyError, match="8"):
        list(Monitor(source, detector=HaarCascade()))


SLOW_BAND = Magnification(band_hz=(0.5, 2.0))


@pytest.mark.parametrize("announced", [8.0, 30.0])
def test_a_camera_too_slow_for_the_model_only_is_watched_unnamed(announced: float) -> None:
    """The user's own band fits 8 frames a second: motion is found; what the model never saw gets no name."""
    source = made(fps=8.0, seconds=7.0)
    source.fps = announced
    monitor = Monitor(source, magnification=SLOW_BAND, detector=HaarCascade())
    events = [event for seen in monitor for event in seen.events]
    assert events
    assert [event.label for event in events] == [None] * len(events)
    assert monitor.statistics.named == 0
    (warning,) = monitor.warnings
    assert "more than 10 frames a second" in warning
    assert "unnamed" in warning


def test_a_fast_camera_is_named_without_a_warning(frames: list[Frame]) -> None:
    """The test above must not pass because nothing is ever named."""
    monitor = Monitor(Recorded(frames), magnification=SLOW_BAND, detector=HaarCascade())
    events = [event for seen in monitor for event in seen.events]
    assert monitor.statistics.named == sum(event.label is not None for event in events) > 0
    assert monitor.warnings == []


def test_while_a_camera_stalls_the_consumer_gets_on() -> None:
    """Missed otherwise: a status, a window and a clock that stand still with the camera."""
    monitor = Monitor(StallingCamera(5), detector=HaarCascade())
    ticks = 0
    start = time.monotonic()
    for observation in monitor.ticking(every_s=0.05):
        ticks = ticks + 1 if observation is None else 0
        if ticks == 10:
            assert monitor.statistics.silent_s > 0.4
            monitor.stop()
    assert monitor.statistics.processed == 5
    assert ticks >= 10
    assert time.monotonic() - start < 5.0


def test_warnings_and_drops_of_the_source_are_told_while_it_runs() -> None:
    """Missed otherwise: a file that breaks off in the middle, a reader that cannot keep up, in silence."""
    camera = StallingCamera(5)
    camera.dropped = 100  # while the kernels were loaded: nobody had asked for frames yet
    monitor = Monitor(camera, detector=HaarCascade())
    for observation in monitor.ticking(every_s=0.05):
        if observation is None:
            monitor.stop()
        elif observation.frame.sequence == 2:
            assert monitor.statistics.dropped_at_source == 0
            camera.dropped += 3
            camera.warnings.append("breaks off")
    assert monitor.statistics.dropped_at_source == 3
    assert monitor.warnings == ["breaks off"]


def test_a_source_that_the_monitor_opened_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missed otherwise: a camera that stays on, and busy for others, after a bad option."""
    opened: list[StallingCamera] = []

    def open_source(_: object) -> StallingCamera:
        opened.append(StallingCamera(5))
        return opened[-1]

    monkeypatch.setattr(monitor_module, "open_source", open_source)
    with pytest.raises(MagnifyError, match="factor"):
        Monitor("camera", magnification=Magnification(factor=-1.0), detector=HaarCascade())
    with Monitor("camera", detector=HaarCascade()):
        pass
    assert [camera.closed for camera in opened] == [True, True]

    def open_detector(**_: object) -> None:
        raise ModelError("spoilt")

    monkeypatch.setattr(monitor_module, "open_detector", open_detector)
    with pytest.raises(ModelError):
        Monitor("camera")
    assert len(opened) == 2, "a bad model is found before the camera is opened"


def test_a_source_that_was_given_is_left_to_its_owner() -> None:
    """Missed otherwise: a source closed behind the back of who opened it and never watched it."""
    camera = StallingCamera(5)
    Monitor(camera, detector=HaarCascade()).close()
    assert not camera.closed


def test_a_full_disk_costs_the_video_and_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen before the recording failed is still named, stored and told."""

    class FullDisk:
        def write(self, frame: Frame, **_: object) -> None:
            if frame.time > 5.1:
                raise StoreError("no space left")

    classify = Classifier.classify

    def slowly(self: Classifier, onset: Any, *, apex: Any) -> Prediction:
        time.sleep(2.0)
        return classify(self, onset, apex=apex)

    monkeypatch.setattr(Classifier, "classify", slowly)
    told: list[Event] = []
    with open_store(tmp_path / "events.db") as store:
        monitor = Monitor(
            made(paced=True), detector=HaarCascade(), events=store, recorder=cast("Recorder", FullDisk())
        )
        with pytest.raises(StoreError, match="no space left"):
            told.extend(event for observation in monitor for event in observation.events)
    assert read_events(tmp_path / "events.db") == told
    assert len(match(told, true=PUT_IN)) == 2


def test_a_monitor_runs_once(frames: list[Frame]) -> None:
    """Its source is used up; a second loop over it would be silently empty."""
    monitor = Monitor(Recorded(frames[:3]), detector=HaarCascade())
    assert len(list(monitor)) == 3
    with pytest.raises(RuntimeError, match="runs once"):
        next(iter(monitor))


def test_two_faces_are_watched_at_once() -> None:
    """Each face has its own clip and events, and both are larger in the picture that is shown."""
    left, right = (list(made(seed=seed)) for seed in (5, 6))

    def side_by_side(one: Frame, other: Frame) -> Frame:
        return replace(one, luma=np.hstack([one.luma, other.luma]), picture=None)

    frames = list(map(side_by_side, left, right))
    monitor = Monitor(Recorded(frames), faces=2, detector=HaarCascade())
    observations = list(monitor)
    events = [event for observation in observations for event in observation.events]
    for track in (1, 2):
        own = [event for event in events if event.track == track and event.kind != "blink"]
        assert len(match(own, true=PUT_IN)) == len(PUT_IN) == len(own)
    last = observations[-1]
    assert [watched.face.track_id for watched in last.faces] == [1, 2]
    changed = last.magnified_luma() != last.frame.luma
    assert changed[:, :640].any()
    assert changed[:, 640:].any()


def test_a_region_is_what_is_shown_and_not_what_is_named(frames: list[Frame]) -> None:
    """`--region frame` shows the background move, too; `--region face` leaves it alone, to the bit."""
    wall = np.hypot(*np.meshgrid(np.arange(640.0), np.arange(480.0)))
    flicker = [replace(frame, luma=frame.luma.copy(), picture=None) for frame in frames[:160]]
    for number, frame in enumerate(flicker):
        frame.luma[:60, :60] = (128 + 60 * np.sin(wall[:60, :60] / 6.0 + 0.05 * np.sin(number / 2.0))).round()
    named, strayed = {}, {}
    for region in ("face", "frame"):
        monitor = Monitor(Recorded(flicker), region=region, detector=HaarCascade())
        seen = list(monitor)
        named[region] = [(event.label, event.onset) for each in seen for event in each.events]
        change = seen[-1].magnified_luma().astype(int) - seen[-1].frame.luma
        strayed[region] = (np.abs(change[:50, :50]).max() > 2, np.abs(change[200:300, 280:360]).max() > 2)
    assert named["face"] == named["frame"] != []
    assert strayed == {"face": (False, True), "frame": (True, True)}
    with pytest.raises(MagnifyError, match="region is 'head'"):
        Monitor(Recorded(frames), region="head", detector=HaarCascade())  # type: ignore[arg-type]
