"""A stretch of time in which a part of the face is away from rest: hysteresis that knows its way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

LONGEST_S = 4.0
"""An expression held for longer is the face's new neutral."""

PART = 0.4
"""A region belongs to an excursion from this share of the strongest region's."""

CONFIRM_S = 0.08
"""An excursion is over when it has been so for so long: an expression that twitches on is not."""

_RELEASE = 0.3  # Of the way out to the peak: below it the expression is going.
_RELEASE_FLOOR = 0.5  # Of the threshold.


@dataclass(frozen=True, slots=True, eq=False)
class Excursion:
    """When some regions were away from rest, in seconds, with the peak of each as a multiple of its threshold
    [R], and of the strongest in pixels. `held` says that it was cut at the longest duration."""

    start: float
    end: float
    ratio: Float64Array
    peak_px: float
    held: bool = False


class Watch:
    """Find the excursions of some of the regions (bool [R])."""

    def __init__(self, regions: NDArray[np.bool_]) -> None:
        self._regions = regions
        self._last: Excursion | None = None
        self._begin(None)

    def _begin(self, time: float | None) -> None:
        self.since = time
        self._ratio: Float64Array = np.zeros(len(self._regions))
        self._way: Float64Array = np.zeros((len(self._regions), 2))
        self._strongest = 0.0
        self._peak_px = 0.0
        self._below: float | None = None

    def follow(
        self, time: float, *, ratio: Float64Array, away: Float64Array, moved: Float64Array
    ) -> Excursion | None:
        """Take where the regions are and return what ended.

        `ratio` [R] is how far they moved in multiples of their thresholds, `away` [R, 2] where they are from
        rest in the same unit, `moved` [R] how far in px.
        """
        ratio = np.where(self._regions, ratio, 0.0)
        strongest = float(ratio.max())
        if self.since is None:
            if strongest < 1.0:
                return None
            self._begin(time)
        assert self.since is not None
        if strongest > self._strongest:
            self._strongest = strongest
            self._way = away * (ratio >= PART * strongest)[:, None]
        self._ratio = np.maximum(self._ratio, ratio)
        self._peak_px = max(self._peak_px, float((moved * (ratio >= 1.0)).max()))
        # Along the way out noise has hardly a part: the length of a vector never comes back to zero.
        level = float((away * self._way).sum() / (self._way**2).sum())
        if strongest >= 1.0 or level >= max(_RELEASE, _RELEASE_FLOOR / self._strongest):
            self._below = None
        elif self._below is None:
            self._below = time
        held = time - self.since >= LONGEST_S
        if not held and (self._below is None or time - self._below < CONFIRM_S):
            return None
        return self._end(time, held=held)

    def finish(self, time: float, *, least_s: float) -> Excursion | None:
        """End what is under way at `time`, if it has begun to end or has lasted for `least_s`."""
        if self.since is None or (self._below is None and time - self.since < least_s):
            return None
        return self._end(time, held=False)

    def overlapping(self, other: Excursion) -> Excursion | None:
        """Give this watch's excursion, under way or last, if it overlaps another watch's."""
        if self.since is not None and self.since <= other.end:
            return Excursion(self.since, other.end, self._ratio, self._peak_px)
        # An excursion ends at a share of its peak: what goes with it may end a little later.
        if self._last is not None and self._last.end + CONFIRM_S >= other.start:
            return self._last
        return None

    def _end(self, time: float, *, held: bool) -> Excursion:
        assert self.since is not None
        end = time if self._below is None else self._below
        self._last = Excursion(self.since, end, self._ratio, self._peak_px, held)
        self._begin(None)
        return self._last
