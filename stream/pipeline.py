"""The way of one frame: track, magnify, remember, spot. One thread, no clock, no queue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magnifyme.models.face_detector import FaceDetector

from .clip import RollingClip
from .face import FaceCrop
from .face_tracker import FaceTracker
from .frame import Frame
from .magnification import Magnification
from .spotter import Interval, Spotter
from .statistics import Statistics

# After so much stream time the real rate is known well enough to say that it is too low.
_RATE_SECONDS = 2.0
# The longest expression is held for four seconds, began up to 0.6 s before it was noticed, and is reported
# up to 0.2 s after it is over: its onset must still be there.
_CLIP_SECONDS = 5.0
# No faster camera shows more of an expression, and the memory (40 MB) is the same for all.
_CLIP_FPS = 60.0
# How far from the marked onset or apex a remembered crop may lie and still stand for it.
_NEAREST_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """An interval that ended, the face's number, and what the classifier reads of it: the magnified crops
    uint8 [S, S] at onset and apex, None if there was none."""

    interval: Interval
    track: int
    onset: NDArray[np.uint8] | None
    apex: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one frame brought: the face, its magnified crop [S, S], the motion now, intervals that ended."""

    face: FaceCrop | None
    magnified: NDArray[np.uint8] | None
    motion_px: float
    active: bool
    marked: tuple[Marked, ...]


class FacePipeline:
    """Everything between a frame and a marked interval, as a state machine: `step` it frame by frame, and
    `finish` it at the end of the stream.

    `shown` is the magnification that people look at, `learned` the one that the classifier was trained on;
    where they differ the crop is magnified twice, so that what the classifier reads never depends on what
    somebody likes to see. `clip` holds the crops and their `learned` magnification. `fps` is the rate that
    was promised, and after two seconds the one that the stream really has.
    """

    def __init__(
        self,
        detector: FaceDetector,
        *,
        fps: float,
        shown: Magnification,
        learned: Magnification | None = None,
        statistics: Statistics | None = None,
    ) -> None:
        self.tracker = FaceTracker(detector)
        self.spotter = Spotter()
        self.clip = RollingClip(seconds=_CLIP_SECONDS, fps=_CLIP_FPS)
        self.fps = fps
        self._settings = shown
        self._shown = shown.magnifier(fps)
        self._learned = None if learned is None or learned == shown else learned.magnifier(fps)
        self._statistics = statistics or Statistics()
        self._track = 0
        self._first: Frame | None = None
        self._rate_known = False

    @property
    def warm(self) -> bool:
        """Whether the temporal filter has settled since the face was found."""
        return self._shown.warm

    def step(self, frame: Frame) -> Step:
        """Take the next frame of the stream; raise MagnifyError if the camera is too slow for the band."""
        statistics = self._statistics
        self._check_rate(frame)
        with statistics.stage("track"):
            face = self.tracker.update(frame)
        ended = self.finish() if face is None or face.restarted else ()
        if face is None:
            return Step(None, None, 0.0, False, ended)
        if face.restarted:
            self._restart()
        self._track = face.track_id
        with statistics.stage("magnify"):
            magnified = self._shown(face.luma, time=frame.time)
            learned = magnified if self._learned is None else self._learned(face.luma, time=frame.time)
        with statistics.stage("spot"):
            self.clip.append(frame.time, crop=face.luma, magnified=learned)
            found = self._mark(self.spotter.update(face, time=frame.time))
        return Step(face, magnified, self.spotter.motion_px, self.spotter.active, ended + found)

    def finish(self) -> tuple[Marked, ...]:
        """Give the expression that the end of the stream cut short, as far as it can be told."""
        return self._mark(self.spotter.finish())

    def _mark(self, intervals: list[Interval]) -> tuple[Marked, ...]:
        return tuple(
            Marked(found, self._track, self._remembered(found.onset), self._remembered(found.apex))
            for found in intervals
        )

    def _remembered(self, moment: float) -> NDArray[np.uint8] | None:
        entry = self.clip.nearest(moment)
        return entry.magnified if abs(entry.time - moment) <= _NEAREST_S else None

    def _restart(self) -> None:
        self._shown.reset()
        if self._learned is not None:
            self._learned.reset()
        self.clip.clear()

    def _check_rate(self, frame: Frame) -> None:
        """Hold the real rate against the band: what a camera announces is often not what it gives."""
        if self._rate_known:
            return
        if self._first is None or self._first.epoch != frame.epoch:
            self._first = frame
            return
        seconds = frame.time - self._first.time
        if seconds >= _RATE_SECONDS:
            self._rate_known = True
            self.fps = (frame.sequence - self._first.sequence) / seconds
            self._settings.magnifier(self.fps)
