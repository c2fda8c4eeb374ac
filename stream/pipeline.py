"""The way of one frame: track, magnify, remember, spot. One thread, no clock, no queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify import MagnifyError
from magnifyme.models.face_detector import FaceDetector

from .face_track import BRIDGED_S
from .face_tracker import FaceTracker
from .face_watch import FaceWatch, Marked, WatchedFace
from .frame import Frame
from .magnification import Magnification
from .statistics import Statistics

Region = Literal["face", "frame"]
REGIONS = get_args(Region)
# After so much stream time the real rate is known well enough to say that it is too low.
_RATE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one frame brought: the faces in it, and the intervals that ended.

    `whole` is the whole frame's luma magnified, uint8 [H, W], where that is wanted.
    """

    faces: tuple[WatchedFace, ...]
    marked: tuple[Marked, ...]
    whole: NDArray[np.uint8] | None = None


class FacePipeline:
    """Everything between a frame and a marked interval, as a state machine: `step` it frame by frame.

    `finish` it at the end of the stream, and `close` it.

    `shown` is the magnification that people look at, `learned` the one that the classifier was trained on;
    where they differ the crops are magnified twice, so that what the classifier reads never depends on what
    somebody likes to see. With `region` "frame" the whole picture is magnified as well, for the eye only: the
    spotter and the classifier read the faces. At most `faces` are followed. In the `background` no frame
    waits for a detection, and the result depends on when they are done. `fps` is the rate that was promised,
    and after two seconds the one that the stream really has.
    """

    def __init__(
        self,
        detector: FaceDetector,
        *,
        fps: float,
        shown: Magnification,
        learned: Magnification | None = None,
        region: Region = "face",
        faces: int = 1,
        background: bool = False,
        statistics: Statistics | None = None,
    ) -> None:
        if region not in REGIONS:
            raise MagnifyError(f"region is {region!r}; give {' or '.join(REGIONS)}")
        self._whole = shown.magnifier(fps) if region == "frame" else None
        self.tracker = FaceTracker(detector, faces=faces, background=background)
        self.fps = fps
        self._shown = shown
        self._learned = None if learned == shown else learned
        self._statistics = statistics or Statistics()
        self._watches: dict[int, FaceWatch] = {}
        # Magnifiers, spotter and the memory of the last seconds go from a face that is gone to the next.
        self._idle = [self._new_watch()]
        self._epoch = 0
        self._first: Frame | None = None
        self._rate_known = False

    def step(self, frame: Frame) -> Step:
        """Take the next frame of the stream; raise MagnifyError if the camera is too slow for the band."""
        self._check_rate(frame)
        with self._statistics.stage("track"):
            crops = self.tracker.update(frame)
        marked = self._end_absent({crop.track_id for crop in crops}, time=frame.time)
        seen = []
        for crop in crops:
            if crop.track_id not in self._watches:
                self._watches[crop.track_id] = self._idle.pop() if self._idle else self._new_watch()
            watched, ended = self._watches[crop.track_id].take(crop, time=frame.time)
            seen.append(watched)
            marked += ended
        return Step(tuple(seen), marked, self._magnify_whole(frame))

    def finish(self) -> tuple[Marked, ...]:
        """Give the expressions that the end of the stream cut short, as far as they can be told."""
        return self._end_absent(set(), time=None)

    def close(self) -> None:
        """End the detector's thread."""
        self.tracker.close()

    def _magnify_whole(self, frame: Frame) -> NDArray[np.uint8] | None:
        if self._whole is None:
            return None
        if self.tracker.change != "none" or frame.epoch != self._epoch:
            self._whole.reset()
        self._epoch = frame.epoch
        with self._statistics.stage("magnify"):
            return self._whole(frame.luma, time=frame.time)

    def _end_absent(self, there: set[int], *, time: float | None) -> tuple[Marked, ...]:
        """End the watch over faces that are gone; one that is away for a moment is waited for."""
        marked: tuple[Marked, ...] = ()
        for track, watch in list(self._watches.items()):
            if track in there or (time is not None and 0.0 <= time - watch.time <= BRIDGED_S):
                continue
            marked += watch.finish()
            self._idle.append(self._watches.pop(track))
        return marked

    def _new_watch(self) -> FaceWatch:
        return FaceWatch(fps=self.fps, shown=self._shown, learned=self._learned, statistics=self._statistics)

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
            self._shown.magnifier(self.fps)
