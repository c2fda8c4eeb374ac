"""The last seconds of the face, ready to be read by time.

The ring is allocated once. What goes in is copied, so that the tracker and the magnifier may reuse their
own memory; what comes out is copied too, so that a clip handed to the classifier's thread does not change
when the ring turns. A pair of crops is 128 KiB: the copies cost some ten microseconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .face import CROP_SIZE


@dataclass(frozen=True, slots=True, eq=False)
class ClipEntry:
    """One moment of the face: `time` in seconds of stream time, both crops uint8 [S, S], the owner's."""

    time: float
    crop: NDArray[np.uint8]
    magnified: NDArray[np.uint8]


class RollingClip:
    """Keep the crops of the last `seconds` of one face, registered and magnified.

    Of a camera that is faster than `fps` only so many moments a second are kept, whatever rate it announces:
    the ring holds `seconds` at any rate, and more at a lower one. `size` is the side of the crops in pixels.
    Used from one thread; what it returns may go to any. Raises ValueError for a duration, a rate or a size
    that is not positive.
    """

    def __init__(self, *, seconds: float = 3.0, fps: float, size: int = CROP_SIZE) -> None:
        for name, value in (("seconds", seconds), ("fps", fps), ("size", size)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}: give a number above 0")
        # One more than the intervals, so that both ends of the span are in.
        capacity = math.ceil(seconds * fps) + 1
        self._times: NDArray[np.float64] = np.zeros(capacity, np.float64)
        self._pictures: NDArray[np.uint8] = np.zeros((capacity, 2, size, size), np.uint8)
        self._step = 1.0 / fps
        self._due = -math.inf
        self._first = 0
        self._count = 0

    def __len__(self) -> int:
        """Count the moments that are held."""
        return self._count

    @property
    def span(self) -> tuple[float, float]:
        """Time of the oldest and of the newest moment, in seconds; raises LookupError when empty."""
        self._require_content()
        return self._time(0), self._time(self._count - 1)

    def append(self, time: float, *, crop: NDArray[np.uint8], magnified: NDArray[np.uint8]) -> None:
        """Add the moment at `time` (seconds), both crops uint8 [S, S]; the oldest goes when the ring is full.

        A moment that comes much sooner than the rate wants is left out.
        Raises ValueError for a time that does not grow: a new epoch begins with `clear()`.
        """
        if self._count and time <= self._time(self._count - 1):
            last = self._time(self._count - 1)
            raise ValueError(f"time {time} s does not follow {last} s: call clear() where a new epoch begins")
        wanted = self._pictures.shape[2:]
        for name, picture in (("crop", crop), ("magnified", magnified)):
            if picture.shape != wanted or picture.dtype != np.uint8:
                raise ValueError(f"{name} is {picture.dtype} {picture.shape}: this clip holds uint8 {wanted}")
        # Half a step early is in time: a clock that trembles must not cost every second moment.
        if time < self._due - 0.5 * self._step:
            return
        self._due = max(self._due, time - 0.5 * self._step) + self._step
        capacity = len(self._times)
        slot = (self._first + self._count) % capacity
        self._times[slot] = time
        self._pictures[slot, 0] = crop
        self._pictures[slot, 1] = magnified
        if self._count < capacity:
            self._count += 1
        else:
            self._first = (self._first + 1) % capacity

    def nearest(self, time: float) -> ClipEntry:
        """Copy the moment nearest to `time` (the earlier of two equally near); LookupError when empty."""
        self._require_content()
        after = bisect_left(range(self._count), time, key=self._time)
        if after == self._count:
            return self._entry(after - 1)
        if after > 0 and time - self._time(after - 1) <= self._time(after) - time:
            return self._entry(after - 1)
        return self._entry(after)

    def between(self, start: float, end: float) -> list[ClipEntry]:
        """Copy the moments from `start` to `end`, both included, oldest first; none if there are none."""
        first = bisect_left(range(self._count), start, key=self._time)
        last = bisect_right(range(self._count), end, key=self._time)
        return [self._entry(index) for index in range(first, last)]

    def clear(self) -> None:
        """Forget all moments: a new face or a new epoch begins."""
        self._due = -math.inf
        self._first = 0
        self._count = 0

    def _time(self, index: int) -> float:
        return float(self._times[(self._first + index) % len(self._times)])

    def _entry(self, index: int) -> ClipEntry:
        slot = (self._first + index) % len(self._times)
        crop, magnified = self._pictures[slot].copy()
        return ClipEntry(float(self._times[slot]), crop, magnified)

    def _require_content(self) -> None:
        if not self._count:
            raise LookupError("the clip is empty: append a moment first")
