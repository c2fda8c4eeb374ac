"""Where a face is at rest, and how far it strays from there when nothing happens.

Both are told from the past alone. Rest is the median of the last quiet second and a half. How far a region
strays is learned over a longer time and from all of it but what is beyond the threshold itself: compression
makes skin creep for a quarter of a second and jump back, so that a short window sees too little of it, and a
window that leaves out whatever was taken for an expression never learns that it was none.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .motion import REGIONS

Float64Array = NDArray[np.float64]

SMOOTH_S = 0.04
"""Half-width of the triangular mean: at 30 fps nearly none, at 200 fps a third of the noise."""

EYES = np.array([name.startswith("eye") for name in REGIONS])
"""Which regions are the lids', bool [len(REGIONS)]."""

_STEP_S = 0.03  # Time is sampled at this interval at any rate, so that cost and memory are the same.
_READ_S = 0.1  # Medians cost more than all else and change slowly: they are taken this often.
_REST_S = 1.5  # Rest is the median of so much quiet time: three times a micro-expression.
_REST_LEAST_S = 0.4
_NOISE_S = 10.0  # Some forty of the waves that compression makes, and a few expressions.
_NOISE_LEAST_S = 0.6
_LEAST_SHARE = 2.0 / 3.0  # Of the samples of that time: a camera that starts leaves some out.
# The length of a vector with a standard deviation of one in each direction: its median.
_MEDIAN_LENGTH = 1.1774


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A `Motion` with its time, for the newest crop or smoothed. `refreshed` says that the encoder drew the
    picture anew just then."""

    time: float
    regions: Float64Array
    patches: Float64Array
    unexplained: Float64Array
    refreshed: bool = False


class Smoother:
    """A triangular mean over time; each moment comes out when all that bear on it have come in.

    What lies beyond a refresh has no part in it: a jump stays one.
    """

    def __init__(self) -> None:
        self._moments: deque[Moment] = deque()
        self._done = -math.inf

    def push(self, moment: Moment) -> list[Moment]:
        """Take the next moment and give those, smoothed, that are complete."""
        self._moments.append(moment)
        return self._smooth_until(moment.time - SMOOTH_S)

    def finish(self) -> list[Moment]:
        """Give the moments that would have waited for more."""
        return self._smooth_until(math.inf)

    def _smooth_until(self, time: float) -> list[Moment]:
        waiting = [k for k, moment in enumerate(self._moments) if self._done < moment.time <= time]
        smoothed = [self._mean_around(k) for k in waiting]
        if smoothed:
            self._done = smoothed[-1].time
        while self._moments and self._moments[0].time < self._done - SMOOTH_S:
            self._moments.popleft()
        return smoothed

    def _mean_around(self, middle: int) -> Moment:
        moments = self._moments
        here = moments[middle]
        near = [(here, 1.0)]
        for step in (-1, 1):
            k = middle
            while 0 <= k + step < len(moments) and not moments[max(k, k + step)].refreshed:
                k += step
                weight = 1.0 - abs(moments[k].time - here.time) / SMOOTH_S
                if weight <= 0.0:
                    break
                near.append((moments[k], weight))
        total = sum(weight for _, weight in near)
        regions = sum(weight / total * m.regions for m, weight in near)
        patches = sum(weight / total * m.patches for m, weight in near)
        unexplained = sum(weight / total * m.unexplained for m, weight in near)
        return Moment(
            here.time, np.asarray(regions), np.asarray(patches), np.asarray(unexplained), here.refreshed
        )


class Rest:
    """Where the regions are when nothing happens: `centre` [R, 2] in px and `unexplained` [R] in px²."""

    def __init__(self) -> None:
        self._samples: deque[Moment] = deque(maxlen=round(_REST_S / _STEP_S))
        self._pace = _Pace(least_s=_REST_LEAST_S)
        self.centre: Float64Array = np.zeros((len(REGIONS), 2))
        self.unexplained: Float64Array = np.zeros(len(REGIONS))

    @property
    def ready(self) -> bool:
        """Whether enough has been seen to tell."""
        return self._pace.enough

    def add(self, moment: Moment) -> None:
        """Learn from a quiet moment."""
        if self._pace.skips(moment.time):
            return
        self._samples.append(moment)
        if self.ready and self._pace.reads(moment.time):
            self.unexplained = np.median([m.unexplained for m in self._samples], axis=0)
            self.centre = np.median([m.regions for m in self._samples], axis=0)


class Noise:
    """How far the regions stray from rest: `sigma` [R], the standard deviation in each direction, in px."""

    def __init__(self) -> None:
        self._samples: deque[Float64Array] = deque(maxlen=round(_NOISE_S / _STEP_S))
        self._pace = _Pace(least_s=_NOISE_LEAST_S)
        self.sigma: Float64Array = np.zeros(len(REGIONS))

    @property
    def ready(self) -> bool:
        """Whether enough has been seen to tell."""
        return self._pace.enough

    def add(self, time: float, *, moved: Float64Array) -> None:
        """Learn how far each region [R] is from rest at `time`, in px; NaN where it is no noise."""
        if self._pace.skips(time):
            return
        self._samples.append(moved)
        if self.ready and self._pace.reads(time):
            # NaN is sorted to the end. What has been NaN for all of the time keeps what it had.
            samples = np.sort(self._samples, axis=0)
            known = np.isfinite(samples).sum(axis=0)
            median = samples[known // 2, np.arange(len(REGIONS))]
            sigma = np.where(known > 0, median / _MEDIAN_LENGTH, self.sigma)
            # A region that happened to lie still for a while will not do so for good.
            self.sigma = np.maximum(sigma, np.median(sigma[~EYES]))


class _Pace:
    """Says when to take a sample, when to evaluate the samples, and if they span `least_s` well enough."""

    def __init__(self, *, least_s: float) -> None:
        self.enough = False
        self._least_s = least_s
        self._taken = 0
        self._first = 0.0
        self._next = self._read_at = -math.inf

    def skips(self, time: float) -> bool:
        if time < self._next:
            return True
        # A quarter of slack: a clock that trembles must not halve the samples of a 30 fps camera.
        self._next = time + 0.75 * _STEP_S
        if self._taken == 0:
            self._first = time
        self._taken += 1
        # Half a step more: a clock that trembles decides nothing.
        lasted = time - self._first >= self._least_s + 0.5 * _STEP_S
        self.enough = lasted and self._taken * _STEP_S >= _LEAST_SHARE * self._least_s
        return False

    def reads(self, time: float) -> bool:
        if time < self._read_at:
            return False
        self._read_at = time + _READ_S
        return True
