"""A stream in, observations out: the stages of `pipeline.py` on their threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magnifyme.models.classifier import Classifier, Prediction, demo_model_path
from magnifyme.models.face_detector import FaceDetector, open_detector

from .closing import Closing
from .compose import place_back
from .events import Event, EventStore
from .face import CROP_SIZE, FaceCrop
from .face_watch import Marked, WatchedFace
from .frame import Frame
from .handoff import Handoff
from .magnification import Magnification
from .pipeline import FacePipeline, Region, Step
from .quality import ADVICE
from .recorder import Recorder
from .source import Source, open_source
from .statistics import Statistics

# Frames that may wait for processing: at 30 fps a fifth of a second, enough for a detection and a burst.
_WAITING_FRAMES = 6
# A live consumer gets the newest observation; a file's may fall this far behind the worker.
_WAITING_OBSERVATIONS = 4
# The video encoder works in bursts (key frames), and each waiting picture holds about a megabyte.
_WAITING_RECORDINGS = 30
# Expressions are seconds apart and a classification takes a third of a second at most.
_WAITING_INTERVALS = 16
_TOO_SLOW_FOR_RIESZ = (
    "this machine is too slow to magnify with riesz: linear shows the motion, which suits small factors only"
)
_LARGE_FRAME = (1920, 1080)
# A flaw that passes sooner is not worth a word.
_FLAW_S = 1.0
# A rise lasts about 150 ms: below this rate it is less than three pictures.
_SLOW_FPS = 20.0
# Until a source without a nominal rate has shown its own.
ASSUMED_FPS = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What is known after one frame.

    `faces` are those that are followed, in the order in which they were found. `events` are those that became
    known since the last observation. `latency_ms` is the time since the frame's arrival. `whole` is the
    whole frame's luma magnified, uint8 [H, W], where that is wanted.
    """

    frame: Frame
    faces: tuple[WatchedFace, ...]
    events: tuple[Event, ...]
    latency_ms: float
    whole: NDArray[np.uint8] | None = None

    @property
    def face(self) -> FaceCrop | None:
        """The first face, None while there is none."""
        return self.faces[0].face if self.faces else None

    @property
    def magnified(self) -> NDArray[np.uint8] | None:
        """The first face's crop magnified, uint8 [S, S], None while there is none."""
        return self.faces[0].magnified if self.faces else None

    @property
    def motion_px(self) -> float:
        """The strongest regional motion of any face now, in pixels of its crop."""
        return max((watched.motion_px for watched in self.faces), default=0.0)

    @property
    def active(self) -> bool:
        """Whether an expression is under way on any face."""
        return any(watched.active for watched in self.faces)

    def magnified_luma(self) -> NDArray[np.uint8]:
        """Give the frame's luma [H, W] with what is magnified in it: the faces, or all of it.

        Without a face it is the luma itself.
        """
        if self.whole is not None:
            return self.whole
        luma = self.frame.luma
        for watched in self.faces:
            out = None if luma is self.frame.luma else luma
            luma = place_back(luma, crop=watched.face, magnified=watched.magnified, out=out)
        return luma


class Monitor(Closing):
    """Watch a stream: `for observation in Monitor("rtsp://…"): …`.

    `source` is a `Source`, or what `open_source` takes. `magnification` is what is shown, by default riesz
    where this machine keeps up with it, which it tries first; the classifier gets what it was trained on.
    `region` is what is shown magnified: the "face" or the whole "frame". At most `faces` are followed, the
    largest first. `classifier` names expressions, by default the demo model of the package. `detector` finds
    faces, by default the best that can be had. Events are added to `events` as they become known, pictures
    are written to `recorder`; the monitor closes neither.
    `learned` is the magnification that the classifier gets, None where the stream is too slow for it.
    `warnings` are for people, one line each; more may come while it runs.

    A file loses nothing: reading waits for processing, processing for the consumer. A live stream never
    waits: the consumer gets the newest observation, and the events of those it missed with it.

    Raises SourceError, ModelError and MagnifyError at once where the input is bad; what goes wrong in a
    thread is raised where the observations are read.
    """

    def __init__(
        self,
        source: Source | str | int | Path,
        *,
        magnification: Magnification | None = None,
        region: Region = "face",
        faces: int = 1,
        classifier: Classifier | None = None,
        detector: FaceDetector | None = None,
        events: EventStore | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.classifier = classifier or Classifier(demo_model_path())
        self.statistics = Statistics()
        self._warnings: list[str] = []
        self.detector = detector or open_detector(notice=self._warnings.append)
        # Last, so that nothing else can go wrong behind a camera that is open.
        self._opened: Source | None = None
        if isinstance(source, str | int | Path):
            source = self._opened = open_source(source)
        self.source = source
        fps = source.fps or ASSUMED_FPS
        self._threads: list[threading.Thread] = []
        try:
            wanted = magnification or Magnification(method="auto")
            # A frame's size is known when the first one comes; full HD is what most cameras send at most.
            size = (CROP_SIZE, CROP_SIZE) if region == "face" else _LARGE_FRAME
            self.magnification = wanted.settled(fps=fps, size=size)
            if wanted.method == "auto" and self.magnification.method == "linear":
                self._warnings.append(_TOO_SLOW_FOR_RIESZ)
            learned = Magnification.learned(self.classifier.recipe, device=self.magnification.device)
            self.learned = learned if learned.carried_by(fps) else None
            self.pipeline = FacePipeline(
                self.detector,
                fps=fps,
                shown=self.magnification,
                learned=self.learned,
                region=region,
                faces=faces,
                background=source.live,
                statistics=self.statistics,
            )
        except BaseException:
            self._close_unread()
            raise
        self._store = events
        self._recorder = recorder
        self._frames: Handoff[Frame] = Handoff(_WAITING_FRAMES)
        self._observations: Handoff[Observation] = Handoff(1 if self.source.live else _WAITING_OBSERVATIONS)
        self._recordings: Handoff[Observation] = Handoff(_WAITING_RECORDINGS)
        self._intervals: Handoff[Marked] = Handoff(_WAITING_INTERVALS)
        self._found: list[Event] = []
        self._found_lock = threading.Lock()
        self._last: Observation | None = None
        self._flaws: dict[str, float] = {}
        self._error: BaseException | None = None
        self._run_start = ""

    @property
    def names(self) -> bool:
        """Whether the stream is fast enough for what the classifier was trained on."""
        return self.learned is not None and self.learned.carried_by(self.pipeline.fps)

    @property
    def warnings(self) -> list[str]:
        """What people should know by now."""
        unnamed = (
            f"the model needs more than {2 * self.classifier.recipe.band_hz[1]:g} frames a second to name "
            "expressions: events stay unnamed"
        )
        slow = (
            f"camera too slow: at {self.pipeline.fps:.0f} frames a second short expressions are missed; 30 "
            "or more are needed"
        )
        told = [unnamed] if not self.names else [slow] if self.pipeline.fps < _SLOW_FPS else []
        return [*self._warnings, *self.source.warnings, *told]

    def __iter__(self) -> Iterator[Observation]:
        """Run until the source ends or `stop` is called; everything read by then is still delivered."""
        return (observation for observation in self.ticking() if observation is not None)

    def ticking(self, *, every_s: float | None = None) -> Iterator[Observation | None]:
        """Run as the loop over the monitor does, and give None whenever nothing came for `every_s` seconds.

        A camera that stalls gives no observations: who has a clock, a window or a user to serve gets on.
        """
        if self._threads:
            raise RuntimeError("a Monitor runs once: make a new one to watch again")
        self.statistics.started = time.monotonic()
        self._run_start = _time_of_day()
        for work in (self._read, self._process, self._classify, self._record):
            thread = threading.Thread(target=self._guarded, args=(work,), name=f"magnifyme{work.__name__}")
            self._threads.append(thread)
            thread.start()
        try:
            for observation in self._observations.ticking(every_s=every_s):
                yield None if observation is None else self._deliver(observation)
        finally:
            self.close()
        rest = self._take_events()
        if rest and self._last is not None:
            # The last expression was named after the last frame: that frame is delivered again with it.
            latency_ms = (time.monotonic() - self._last.frame.arrival) * 1e3
            yield replace(self._last, events=rest, latency_ms=latency_ms)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the stream; observations go on until everything read has been delivered. From any thread."""
        self.source.stop()

    def close(self) -> None:
        """Stop, let the threads finish what was read, and wait for them."""
        self.source.stop()
        self._observations.abandon()
        for thread in self._threads:
            thread.join()
        self._close_unread()
        self.statistics.ended = self.statistics.ended or time.monotonic()

    def _close_unread(self) -> None:
        """Close the source that the constructor opened; the reading thread, if there is one, has done so."""
        if self._opened is not None and not self._threads:
            self._opened.close()

    def _deliver(self, observation: Observation) -> Observation:
        latency_ms = (time.monotonic() - observation.frame.arrival) * 1e3
        self.statistics.latency.add(latency_ms)
        return replace(observation, latency_ms=latency_ms)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again where the observations are read
            self._error = self._error or error
            self.source.stop()
            self._frames.abandon()
            self._recordings.abandon()
            if work == self._classify:  # otherwise what is marked is still named and stored
                self._intervals.abandon()
            self._observations.close()

    def _read(self) -> None:
        live, dropped = self.source.live, self.source.dropped
        try:
            for frame in self.source:
                self.statistics.read += 1
                # What was dropped before anybody asked for frames is no loss.
                self.statistics.dropped_at_source = self.source.dropped - dropped
                if not live:
                    self._frames.put(frame)
                elif self._frames.put_newest(frame) is not None:
                    self.statistics.dropped_before += 1
        finally:
            self.source.close()
            self._frames.close()

    def _process(self) -> None:
        try:
            for frame in self._frames:
                step = self.pipeline.step(frame)
                self.statistics.count_processed()
                self.statistics.with_face += bool(step.faces)
                self._note_flaws(step, time=frame.time)
                self._mark(step.marked)
                self._hand_out(Observation(frame, step.faces, self._take_events(), 0.0, step.whole))
            self._mark(self.pipeline.finish())
        finally:
            self.pipeline.close()
            self._intervals.close()
            self._recordings.close()
            # The classifier may still be at work on the last interval.
            self._observations.close()

    def _note_flaws(self, step: Step, *, time: float) -> None:
        """Warn once of what keeps a face from being watched, if it lasts."""
        flaws = {watched.face.quality.flaw for watched in step.faces}
        self._flaws = {flaw: self._flaws.get(flaw, time) for flaw in flaws if flaw is not None}
        for flaw, since in self._flaws.items():
            warning = f"{flaw}: {ADVICE[flaw]}; nothing is spotted meanwhile"
            if time - since >= _FLAW_S and warning not in self._warnings:
                self._warnings.append(warning)

    def _hand_out(self, observation: Observation) -> None:
        if self._recorder is not None:
            if not self.source.live:
                self._recordings.put(observation)
            elif self._recordings.put_newest(observation) is not None:
                self.statistics.unrecorded += 1
        self._last = observation
        if not self.source.live:
            self._observations.put(observation)
            return
        missed = self._observations.put_newest(observation)
        if missed is not None:
            self.statistics.dropped_behind += 1
            with self._found_lock:
                self._found[:0] = missed.events

    def _mark(self, ended: tuple[Marked, ...]) -> None:
        for marked in ended:
            if self.source.live:
                self._intervals.put(marked)
            else:
                # A file's events belong to the frame that brought them, run after run.
                self._name(marked)

    def _classify(self) -> None:
        for marked in self._intervals:
            self._name(marked)

    def _name(self, marked: Marked) -> None:
        interval = marked.interval
        prediction: Prediction | None = None
        if interval.kind != "blink" and self.names and marked.onset is not None and marked.apex is not None:
            with self.statistics.stage("classify"):
                prediction = self.classifier.classify(marked.onset, apex=marked.apex)
        event = Event(
            stream=self.source.name,
            track=marked.track,
            onset=interval.onset,
            apex=interval.apex,
            offset=interval.offset,
            kind=interval.kind,
            label=prediction.label if prediction else None,
            probabilities=prediction.probabilities if prediction else {},
            intensity_px=interval.intensity_px,
            model_id=self.classifier.model_id,
            made_faces=self.classifier.recipe.made_faces,
            wall_time=_time_of_day(),
            run_start=self._run_start,
            motion={region: list(way) for region, way in zip(interval.regions, interval.motion, strict=True)},
            action_units=list(interval.action_units),
            confidence=interval.confidence,
        )
        if self._store is not None:
            self._store.add(event)
        self.statistics.events[event.kind] += 1
        self.statistics.named += event.label is not None
        with self._found_lock:
            self._found.append(event)

    def _take_events(self) -> tuple[Event, ...]:
        with self._found_lock:
            events = tuple(self._found)
            self._found.clear()
        return events

    def _record(self) -> None:
        for observation in self._recordings:
            if self._recorder is not None:
                with self.statistics.stage("record"):
                    self._recorder.write(observation.frame, magnified=observation.magnified_luma())


def _time_of_day() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
