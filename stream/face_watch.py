"""What is done with one face that is followed: magnify, remember, spot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .clip import RollingClip
from .face import FaceCrop
from .magnification import Magnification
from .motion import REGIONS
from .spotter import Interval, Spotter
from .statistics import Statistics

# The longest expression is held for four seconds, began up to 0.6 s before it was noticed, and is reported
# up to 0.2 s after it is over: its onset must still be there.
_CLIP_SECONDS = 5.0
# No faster camera shows more of an expression, and the memory (40 MB) is the same for all.
_CLIP_FPS = 60.0
# How far from the marked onset or apex a remembered crop may lie and still stand for it.
_NEAREST_S = 0.1
_UNKNOWN = np.full((len(REGIONS), 2), np.nan, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """An interval that ended, the face's number, and what the classifier reads of it: the magnified crops
    uint8 [S, S] at onset and apex, None if there was none."""

    interval: Interval
    track: int
    onset: NDArray[np.uint8] | None
    apex: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True, eq=False)
class WatchedFace:
    """One face in one frame: its crop, the crop magnified (uint8 [S, S]), and how it moves.

    `motion_px` is the strongest regional motion now, in pixels of the crop; `active` says that an expression
    is under way. `displacement` float32 [len(REGIONS), 2] is how far each region is from rest, in pixels of
    the crop, NaN where that is not known.
    """

    face: FaceCrop
    magnified: NDArray[np.uint8]
    motion_px: float
    active: bool
    displacement: NDArray[np.float32]


class FaceWatch:
    """Watches one face after another, one at a time: `take` it crop by crop, and `finish` when it is gone.

    `shown` is the magnification that people look at, `learned` the one that the classifier was trained on,
    None where the two are the same.
    """

    def __init__(
        self, *, fps: float, shown: Magnification, learned: Magnification | None, statistics: Statistics
    ) -> None:
        self.track = 0
        self.time = 0.0
        self._shown = shown.magnifier(fps)
        self._learned = None if learned is None else learned.magnifier(fps)
        self._clip = RollingClip(seconds=_CLIP_SECONDS, fps=_CLIP_FPS)
        self._spotter = Spotter()
        self._statistics = statistics

    def take(self, face: FaceCrop, *, time: float) -> tuple[WatchedFace, tuple[Marked, ...]]:
        """Take the face's next crop; give what is seen, and the intervals that ended."""
        ended = self.finish() if face.restarted else ()
        if face.restarted:
            self._shown.reset()
            if self._learned is not None:
                self._learned.reset()
            self._clip.clear()
        self.track, self.time = face.track_id, time
        with self._statistics.stage("magnify"):
            magnified = self._shown(face.luma, time=time)
            learned = magnified if self._learned is None else self._learned(face.luma, time=time)
        with self._statistics.stage("spot"):
            self._clip.append(time, crop=face.luma, magnified=learned)
            # What cannot be seen is not guessed at: to the spotter such moments are a hole in time.
            if face.quality.flaw is not None:
                return WatchedFace(face, magnified, 0.0, False, _UNKNOWN), ended
            ended += self._mark(self._spotter.update(face, time=time))
        spotter = self._spotter
        moved = spotter.displacement.astype(np.float32)
        return WatchedFace(face, magnified, spotter.motion_px, spotter.active, moved), ended

    def finish(self) -> tuple[Marked, ...]:
        """Give the expression that the end of the stream or of the track cut short, as far as it is known."""
        return self._mark(self._spotter.finish())

    def _mark(self, intervals: list[Interval]) -> tuple[Marked, ...]:
        return tuple(
            Marked(found, self.track, self._remembered(found.onset), self._remembered(found.apex))
            for found in intervals
        )

    def _remembered(self, moment: float) -> NDArray[np.uint8] | None:
        entry = self._clip.nearest(moment)
        return entry.magnified if abs(entry.time - moment) <= _NEAREST_S else None
