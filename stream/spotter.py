"""When an expression began, peaked and ended, told from the past alone.

Each region's displacement (`motion.py`) is compared with where it has lately been at rest: a trailing
median, whose spread, by the median absolute deviation, sets the threshold. An event begins where any region
leaves rest by more than the threshold and ends where all are back below a share of their peak for a while.
Only then are its times read off, from the displacement along the direction it had at the apex: noise has no
part in that direction on average, which makes it a far cleaner signal than the length of a vector.

While an event lasts, rest is not learned, so that a held expression stays one. Every window is in time, never
in frames. The eyelids are watched apart: a blink is larger than any micro-expression, shakes the skin around
it, and may come in the middle of one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .face import FaceCrop
from .motion import REGIONS, RegionalMotion

Kind = Literal["micro", "macro", "blink"]
Float64Array = NDArray[np.float64]

MICRO_S = 0.5
"""The longest micro-expression, onset to offset; what lasts longer is a macro-expression."""

# Onset and offset are each read to about 20 ms: that error must not turn 500 ms into more.
_MICRO_SLACK_S = 0.03
_EYES = np.array([name.startswith("eye") for name in REGIONS])
# A lid that closes drags what is near it: the share of the lids' motion that is not believed elsewhere.
_LID_SHARE = np.array(
    [{"brow": 0.5, "eye": 0.0, "nose": 0.06, "cheek": 0.06}.get(n.split("_")[0], 0.02) for n in REGIONS]
)
_NEAR_LIDS = _LID_SHARE > 0.05
_FLOOR_PX = 0.08  # Below this, what registration leaves over looks like motion.
_NOISE_FACTOR = 5.0  # The length of a noisy vector passes five sigmas once in 270 000 times.
_SMOOTH_S = 0.04  # Half-width of the triangular mean: at 30 fps nearly none, at 200 fps a third of the noise.
_REST_S = 1.5  # Rest is the median of so much quiet time: three times a micro-expression.
_REST_STEP_S = 0.03  # Rest is sampled at this interval at any rate, so that its cost and memory are the same.
_REST_READ_S = 0.1  # Medians cost more than all else and change slowly: they are taken this often.
_REST_LEAST_S = 0.4  # Enough to tell the noise from.
_RELEASE = 0.3  # Of the peak: below it the expression is going.
_RELEASE_FLOOR = 0.5  # Of the threshold.
_CONFIRM_S = 0.08  # For so long: an expression that twitches on is not over.
_SETTLE_S = 0.4  # What has not come back by then stays: it is the new rest.
_LONGEST_S = 4.0  # An expression held for longer is the face's new neutral.
_PART = 0.4  # A region belongs to an event from this share of the strongest region's.
_EDGE = 0.1  # Share of the apex's displacement at which a rise is visible.
_HIGH = 0.75  # And one well above the noise: the rise between the two tells how far away its start is.
_LOOK_BACK_S = 0.6  # Slower rises look like drift.
_BEFORE_S = 0.2  # The moments just before the onset are the rest that the intensity counts from.
_GAP_S = 0.25  # After a longer hole in time, the face may be another.
# A muscle's field is hardly wider than a patch: its peak is about so many times the patch's mean.
_PEAK_GAIN = 1.35


@dataclass(frozen=True, slots=True)
class Interval:
    """One movement of the face: when it began, peaked and ended, in seconds of stream time.

    `intensity_px` is its largest displacement in pixels of the crop, over `regions`, the parts that moved
    (names of `motion.REGIONS`, strongest first). `kind` is "micro" up to 500 ms, "macro" beyond, and "blink"
    where the lids alone moved.
    """

    onset: float
    apex: float
    offset: float
    intensity_px: float
    kind: Kind
    regions: tuple[str, ...]


class Spotter:
    """Watch one registered face and report its expressions shortly after they have ended.

    Feed every crop with `update`; times grow, by any step. An expression is known about 150 ms after it has
    faded. `motion_px` is the strongest displacement from rest in the newest crop, in pixels of the crop.
    """

    def __init__(self) -> None:
        self._motion = RegionalMotion()
        self.reset()

    @property
    def active(self) -> bool:
        """Whether an expression (not a blink) is under way."""
        return self._face.since is not None

    def reset(self) -> None:
        """Forget everything: another face, or another time."""
        self.motion_px = 0.0
        self._motion.reset()
        self._smoother = _Smoother()
        self._moments: list[_Moment] = []
        self._last_time: float | None = None
        self._found: deque[Interval] = deque()
        self._forget_rest()

    def update(self, crop: FaceCrop, *, time: float) -> Interval | None:
        """Take the crop at `time` (seconds); return what has just been confirmed, if anything."""
        if crop.restarted or (self._last_time is not None and not 0.0 < time - self._last_time <= _GAP_S):
            self.reset()
        self._last_time = time
        motion = self._motion.measure(crop.luma, time=time, quiet=self._quiet)
        if self._rest.ready:
            self.motion_px = float(_lengths(motion.regions - self._rest.centre).max())
        for moment in self._smoother.push(_Moment(time, motion.regions, motion.patches, motion.unexplained)):
            self._remember(moment)
            if self._rest.ready:
                self._follow(moment)
            else:
                self._rest.add(moment)
        return self._found.popleft() if self._found else None

    @property
    def _quiet(self) -> bool:
        return self._face.since is None and self._eyes.since is None

    def _forget_rest(self) -> None:
        self._rest = _Rest()
        self._face = _Channel(~_EYES)
        self._eyes = _Channel(_EYES)
        self._settle_until: float | None = None

    def _remember(self, moment: _Moment) -> None:
        self._moments.append(moment)
        # Cut in batches, so that the cost is nothing; the longest event and its look back are always kept.
        kept = _LONGEST_S + 2.0 * _LOOK_BACK_S
        if moment.time - self._moments[0].time > 2.0 * kept:
            del self._moments[: bisect_left(self._moments, moment.time - kept, key=_time_of)]

    def _follow(self, moment: _Moment) -> None:
        moved = _lengths(moment.regions - self._rest.centre)
        # One step cannot follow a closing lid over ten pixels; how far it went shows in what is unexplained.
        excess = np.maximum(moment.unexplained - self._rest.unexplained, 0.0)
        travelled = np.where(_EYES, np.sqrt(moved**2 + excess), moved)
        drag = _LID_SHARE * float(travelled[_EYES].max())
        ratio = np.maximum(moved - drag, 0.0) / self._rest.threshold
        if self._settle_until is not None:
            if ratio.max() < 1.0:
                self._settle_until = None
            elif moment.time >= self._settle_until:
                self._forget_rest()
            return
        face = self._face.follow(moment.time, ratio=ratio, moved=travelled)
        eyes = self._eyes.follow(moment.time, ratio=ratio, moved=travelled)
        if face is not None and not self._is_shadow(face, of=self._eyes):
            self._found.append(self._read(face))
        if eyes is not None and not self._is_part(eyes, of=self._face):
            self._found.append(self._read(eyes))
        if (face and face.held) or (eyes and eyes.held):
            self._forget_rest()
        elif self._quiet:
            if ratio.max() < 1.0:
                self._rest.add(moment)
            else:
                self._settle_until = moment.time + _SETTLE_S

    @staticmethod
    def _is_shadow(face: _Segment, *, of: _Channel) -> bool:
        """Tell whether what moved on the face is no more than a blink's drag on the skin around the eyes."""
        eyes = of.overlapping(face)
        near = not (face.ratio[~_NEAR_LIDS] >= 1.0).any()
        return near and eyes is not None and face.peak_px < _PART * eyes.peak_px

    @staticmethod
    def _is_part(eyes: _Segment, *, of: _Channel) -> bool:
        """Tell whether the lids moved as a part of an expression."""
        face = of.overlapping(eyes)
        return face is not None and face.peak_px >= _PART * eyes.peak_px

    def _read(self, segment: _Segment) -> Interval:
        """Read the times of a segment off the moments that are remembered."""
        first = bisect_left(self._moments, segment.start - _LOOK_BACK_S, key=_time_of)
        moments = self._moments[first:]
        times = np.array([moment.time for moment in moments])
        moved = np.stack([moment.regions for moment in moments]) - self._rest.centre  # [T, R, 2]
        chosen = segment.ratio >= max(1.0, _PART * float(segment.ratio.max()))
        inside = (times >= segment.start) & (times <= segment.end)
        strength = np.where(inside, (moved[:, chosen] ** 2).sum(axis=(1, 2)), -1.0)
        direction = moved[int(strength.argmax())] * chosen[:, None]  # [R, 2]
        level = np.tensordot(moved, direction, axes=2)
        peak = int(np.where(inside, level, -np.inf).argmax())
        level /= level[peak]
        noise = float(np.sqrt((self._rest.sigma**2 * (direction**2).sum(axis=1)).sum()))
        edge = float(np.clip(3.0 * noise / (direction**2).sum(), _EDGE, 0.4))
        start = int(np.searchsorted(times, segment.start))
        end = int(np.searchsorted(times, segment.end))
        apex = _apex_time(times, level, peak=peak)
        onset = _edge_time(times[: peak + 1][::-1], level[: peak + 1][::-1], edge=edge, after=peak - start)
        offset = _edge_time(times[peak:], level[peak:], edge=edge, after=end - peak)
        onset, offset = min(onset, apex), max(offset, apex)
        kind: Kind = "blink" if _EYES[chosen].all() else "micro"
        if offset - onset > MICRO_S + _MICRO_SLACK_S:
            kind = "macro"
        names = [REGIONS[k] for k in np.argsort(-segment.ratio) if chosen[k]]
        intensity = self._intensity(moments, apex=apex, onset=onset, chosen=chosen)
        return Interval(onset, apex, offset, intensity, kind, tuple(names))

    def _intensity(
        self, moments: list[_Moment], *, apex: float, onset: float, chosen: NDArray[np.bool_]
    ) -> float:
        """Measure the largest displacement of any patch of the `chosen` regions, from rest to apex."""
        # At few frames a second the apex, which is read between them, may have none so near.
        nearest = min(moments, key=lambda m: abs(m.time - apex))
        top = [m.patches for m in moments if abs(m.time - apex) <= _SMOOTH_S] or [nearest.patches]
        rest = [m.patches for m in moments if 0.0 < onset - m.time <= _BEFORE_S] or [moments[0].patches]
        moved = _lengths(np.mean(top, axis=0) - np.mean(rest, axis=0))
        belongs = self._motion.patch_regions[chosen].max(axis=0) >= 0.3
        return _PEAK_GAIN * float((moved * belongs).max())


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """A `Motion` with its time, for the newest crop or smoothed."""

    time: float
    regions: Float64Array
    patches: Float64Array
    unexplained: Float64Array


def _time_of(moment: _Moment) -> float:
    return moment.time


class _Smoother:
    """A triangular mean over time; each moment comes out when all that bear on it have come in."""

    def __init__(self) -> None:
        self._moments: deque[_Moment] = deque()
        self._done = -math.inf

    def push(self, moment: _Moment) -> list[_Moment]:
        self._moments.append(moment)
        smoothed = []
        for middle in self._moments:
            if middle.time > moment.time - _SMOOTH_S:
                break
            if middle.time > self._done:
                smoothed.append(self._mean_around(middle.time))
                self._done = middle.time
        while self._moments[0].time < self._done - _SMOOTH_S:
            self._moments.popleft()
        return smoothed

    def _mean_around(self, time: float) -> _Moment:
        near = [(m, 1.0 - abs(m.time - time) / _SMOOTH_S) for m in self._moments]
        near = [(m, weight) for m, weight in near if weight > 0.0]
        total = sum(weight for _, weight in near)
        regions = sum(weight / total * m.regions for m, weight in near)
        patches = sum(weight / total * m.patches for m, weight in near)
        unexplained = sum(weight / total * m.unexplained for m, weight in near)
        return _Moment(time, np.asarray(regions), np.asarray(patches), np.asarray(unexplained))


class _Rest:
    """Where the regions are when nothing happens, and how much they wander there."""

    def __init__(self) -> None:
        self._samples: deque[_Moment] = deque(maxlen=round(_REST_S / _REST_STEP_S))
        self._next = self._read_at = -math.inf
        self.centre: Float64Array = np.zeros((len(REGIONS), 2))
        self.sigma: Float64Array = np.zeros(len(REGIONS))
        self.unexplained: Float64Array = np.zeros(len(REGIONS))

    @property
    def ready(self) -> bool:
        return len(self._samples) * _REST_STEP_S >= _REST_LEAST_S

    @property
    def threshold(self) -> Float64Array:
        """How far a region must move for an event, in px [R]."""
        return np.maximum(_FLOOR_PX, _NOISE_FACTOR * self.sigma)

    def add(self, moment: _Moment) -> None:
        if moment.time < self._next:
            return
        # A quarter of slack: a clock that trembles must not halve the samples of a 30 fps camera.
        self._next = moment.time + 0.75 * _REST_STEP_S
        self._samples.append(moment)
        if not self.ready or moment.time < self._read_at:
            return
        self._read_at = moment.time + _REST_READ_S
        samples = np.stack([m.regions for m in self._samples])
        self.unexplained = np.median([m.unexplained for m in self._samples], axis=0)
        self.centre = np.median(samples, axis=0)
        spread = 1.4826 * np.median(np.abs(samples - self.centre), axis=0)
        self.sigma = np.sqrt((spread**2).mean(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class _Segment:
    """A stretch in which some regions were away from rest, with the peak of each as a multiple of its
    threshold, and of the strongest in pixels. `held` says that it was cut at the longest duration."""

    start: float
    end: float
    ratio: Float64Array
    peak_px: float
    held: bool = False


class _Channel:
    """Hysteresis over some of the regions."""

    def __init__(self, regions: NDArray[np.bool_]) -> None:
        self._regions = regions
        self._last: _Segment | None = None
        self._begin(None)

    def _begin(self, time: float | None) -> None:
        self.since = time
        self._ratio: Float64Array = np.zeros(len(self._regions))
        self._peak_px = 0.0
        self._below: float | None = None

    def follow(self, time: float, *, ratio: Float64Array, moved: Float64Array) -> _Segment | None:
        """Take the regions' displacement [R], as multiples of the threshold and in px; return what ended."""
        ratio = np.where(self._regions, ratio, 0.0)
        strongest = float(ratio.max())
        if self.since is None:
            if strongest < 1.0:
                return None
            self._begin(time)
        assert self.since is not None
        self._ratio = np.maximum(self._ratio, ratio)
        self._peak_px = max(self._peak_px, float((moved * (ratio >= 1.0)).max()))
        if strongest >= max(_RELEASE_FLOOR, _RELEASE * float(self._ratio.max())):
            self._below = None
        elif self._below is None:
            self._below = time
        held = time - self.since >= _LONGEST_S
        if not held and (self._below is None or time - self._below < _CONFIRM_S):
            return None
        end = time if self._below is None else self._below
        self._last = _Segment(self.since, end, self._ratio, self._peak_px, held)
        self._begin(None)
        return self._last

    def overlapping(self, segment: _Segment) -> _Segment | None:
        """Give this channel's event, under way or last, if it overlaps another channel's segment."""
        if self.since is not None and self.since <= segment.end:
            return _Segment(self.since, segment.end, self._ratio, self._peak_px)
        # A segment ends at a share of its peak: what goes with it may end a little later.
        if self._last is not None and self._last.end + _CONFIRM_S >= segment.start:
            return self._last
        return None


def _lengths(vectors: Float64Array) -> Float64Array:
    return np.asarray(np.hypot(vectors[..., 0], vectors[..., 1]))


def _edge_time(times: Float64Array, level: Float64Array, *, edge: float, after: int) -> float:
    """Find when a movement began (or, given forward from the peak, ended).

    `times` and `level` lead away from the peak, where the level is 1. From sample `after` on the level is
    followed down to `edge`. What lies below is noise; it is filled in by the shape that rises have, half a
    cosine, laid through the edge and three quarters of the peak.
    """
    first = max(0, after - 1)
    low = next((k for k in range(first, len(level)) if level[k] < edge), len(level) - 1)
    high = next(k for k in range(low, -1, -1) if level[k] >= _HIGH or k == 0)
    at_low = _crossing(times, level, k=low, value=edge)
    at_high = _crossing(times, level, k=high + 1, value=_HIGH) if high < low else at_low
    low_phase, high_phase = (math.acos(1.0 - 2.0 * value) / math.pi for value in (edge, _HIGH))
    return at_low + (at_low - at_high) * low_phase / (high_phase - low_phase)


def _crossing(times: Float64Array, level: Float64Array, *, k: int, value: float) -> float:
    """Interpolate when the level passed `value` between samples k - 1 and k."""
    if k == 0 or not level[k] < value <= level[k - 1]:
        return float(times[k])
    share = (level[k - 1] - value) / (level[k - 1] - level[k])
    return float(times[k - 1] + share * (times[k] - times[k - 1]))


def _apex_time(times: Float64Array, level: Float64Array, *, peak: int) -> float:
    """Give the middle of the top: a single maximum would be the noise's choice."""
    first = last = peak
    while first > 0 and level[first - 1] >= 0.93:
        first -= 1
    while last + 1 < len(level) and level[last + 1] >= 0.93:
        last += 1
    weight = level[first : last + 1] - 0.9
    return float((times[first : last + 1] * weight).sum() / weight.sum())
