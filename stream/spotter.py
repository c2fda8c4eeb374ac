"""When an expression began, peaked and ended, told from the past alone.

Each region's displacement (`motion.py`) is compared with where it has lately been at rest, and with how far
it strays from there (`rest.py`). An event begins where any region leaves rest by more than that and ends
where all are back below a share of their peak for a while (`excursion.py`). Only then are its times read off,
from the displacement along the direction it had at the apex: noise has no part in that direction on average,
which makes it a far cleaner signal than the length of a vector.

While an event lasts, rest is not learned, so that a held expression stays one. Every window is in time, never
in frames. The eyelids are watched apart: a blink is larger than any micro-expression, shakes the skin around
it, and may come in the middle of one. What jumps when the encoder draws the picture anew (`refresh.py`) is
none of the face's.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .action_units import action_units
from .excursion import LONGEST_S, PART, Excursion, Watch
from .face import FaceCrop
from .motion import REGIONS, RegionalMotion
from .refresh import Refresh
from .rest import EYES, SMOOTH_S, Moment, Noise, Rest, Smoother

Kind = Literal["micro", "macro", "blink"]
Float64Array = NDArray[np.float64]

MICRO_S = 0.5
"""The longest micro-expression, onset to offset; what lasts longer is a macro-expression."""

# Onset and offset are each read to about 20 ms: that error must not turn 500 ms into more.
_MICRO_SLACK_S = 0.03
# A lid that closes drags what is near it: the share of the lids' motion that is not believed elsewhere.
_LID_SHARE = np.array(
    [{"brow": 0.5, "eye": 0.0, "nose": 0.06, "cheek": 0.06}.get(n.split("_")[0], 0.02) for n in REGIONS]
)
_NEAR_LIDS = _LID_SHARE > 0.05
# The mouth speaks where it alone moves, and opens further than this: made jaws go 2.3 px then, and in words
# mostly 3 and more. One that moves on so soon after speaks, too.
_MOUTH = np.array([n.split("_")[0] in ("mouth", "upper", "lower", "chin", "cheek") for n in REGIONS])
_OPENS = np.array([n in ("lower_lip", "chin") for n in REGIONS])
_OPEN_PX = 1.25
_SYLLABLES_S = 0.3
_SUREST = 0.97  # Forty true ones in a row promise no more.
_FLOOR_PX = 0.08  # Below this, what registration leaves over looks like motion.
# In standard deviations: of compressed streams the length of the noise passes five once a minute.
_NOISE_FACTOR = 6.0
_SHUT_PX = 0.5  # Before the noise is known: open lids mostly stay below 0.25 px at 1 Mbit/s, shut ones go 2.
# The fastest expressions rise in 70 ms and fall in 100; what is over sooner is a flaw of a few frames.
_SHORTEST_S = 0.12
_ABRUPT = 0.5  # Of the peak, within one frame: skin at its fastest does that only at 25 fps or less.
_SETTLE_S = 0.4  # What has not come back by then stays: it is the new rest.
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
    (names of `motion.REGIONS`, strongest first). `kind` is "micro" up to 500 ms, "macro" beyond and where the
    mouth moves as it does in speech, and "blink" where the lids alone moved, for however long. `motion` is
    where each of `regions` was at the apex, from rest: (x, y) in pixels of the crop, to the right and down,
    the mean over the region. Of lids it tells the way and little of the distance. `confidence`, 0 to 1, is
    how many of those that stood out of the noise as much were true, on made streams from clean to strongly
    compressed: on real faces nobody has measured it. None for a blink.
    """

    onset: float
    apex: float
    offset: float
    intensity_px: float
    kind: Kind
    regions: tuple[str, ...]
    motion: tuple[tuple[float, float], ...] = ()
    confidence: float | None = None

    @property
    def action_units(self) -> tuple[int, ...]:
        """Numbers of the action units that it may be, likeliest first: see `action_units.py`."""
        return action_units(self.regions, motion=self.motion)


class Spotter:
    """Watch one registered face and report its expressions shortly after they have ended.

    Feed every crop with `update`; times grow, by any step. An expression is known about 150 ms after it has
    faded. `displacement` float64 [len(REGIONS), 2] is how far each region is from rest in the newest crop, in
    pixels of the crop, NaN until rest is known; `motion_px` is the length of the largest, 0 until then.
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
        self.displacement: Float64Array = np.full((len(REGIONS), 2), np.nan)
        self.motion_px = 0.0
        self._motion.reset()
        self._refresh = Refresh()
        self._smoother = Smoother()
        self._noise = Noise()
        self._moments: list[Moment] = []
        self._last_time: float | None = None
        self._spoke_until = -math.inf
        self._forget_rest()

    def update(self, crop: FaceCrop, *, time: float) -> list[Interval]:
        """Take the crop at `time` (seconds); return what has just been confirmed.

        A hole in time ends what was under way, as `finish` does.
        """
        found: list[Interval] = []
        if self._last_time is not None and not 0.0 < time - self._last_time <= _GAP_S:
            found = self.finish()
        elif crop.restarted:
            self.reset()
        self._last_time = time
        motion = self._motion.measure(crop.luma, time=time, quiet=self._quiet)
        refreshed = self._refresh.seen(crop.luma, time=time)
        if self._rest.ready:
            self.displacement = motion.regions - self._rest.centre
            self.motion_px = float(_lengths(self.displacement).max())
        moment = Moment(time, motion.regions, motion.patches, motion.unexplained, refreshed)
        for smoothed in self._smoother.push(moment):
            found += self._take(smoothed)
        return found

    def finish(self) -> list[Interval]:
        """Give what the end of the stream, or the loss of the face, leaves over, and forget everything.

        An expression that has begun to go is reported: how it ended can be told. One that is still held is
        reported only if it is a macro-expression already; its offset is then the last moment that was seen.
        Whether a shorter one would have become micro or macro nobody can know: it is not reported.
        """
        found: list[Interval] = []
        for moment in self._smoother.finish():
            found += self._take(moment)
        if self._moments:
            end, least_s = self._moments[-1].time, MICRO_S + _MICRO_SLACK_S
            found += self._judge(
                face=self._face.finish(end, least_s=least_s), eyes=self._eyes.finish(end, least_s=least_s)
            )
        self.reset()
        return found

    @property
    def _quiet(self) -> bool:
        return self._face.since is None and self._eyes.since is None and not self._shut

    def _forget_rest(self) -> None:
        self._rest = Rest()
        self._face = Watch(~EYES)
        self._eyes = Watch(EYES)
        self._settle_until: float | None = None
        self._shut = False

    def _take(self, moment: Moment) -> list[Interval]:
        """Take the next smoothed moment."""
        self._moments.append(moment)
        # Cut in batches, so that the cost is nothing; the longest event and its look back are always kept.
        kept = LONGEST_S + 2.0 * _LOOK_BACK_S
        if moment.time - self._moments[0].time > 2.0 * kept:
            del self._moments[: bisect_left(self._moments, moment.time - kept, key=_time_of)]
        if not self._rest.ready:
            self._rest.add(moment)
            return []
        away = moment.regions - self._rest.centre
        moved = _lengths(away)
        # A reference made of shut lids would make a blink of open ones, which never ends.
        self._shut = not self._noise.ready and self._travelled(moment)[EYES].max() >= _SHUT_PX
        if not self._noise.ready:
            self._noise.add(moment.time, moved=moved)
            self._rest.add(moment)
            return []
        return self._follow(moment, away=away, moved=moved)

    def _follow(self, moment: Moment, *, away: Float64Array, moved: Float64Array) -> list[Interval]:
        travelled = np.where(EYES, self._travelled(moment), moved)
        drag = _LID_SHARE * float(travelled[EYES].max())
        threshold = np.maximum(_FLOOR_PX, _NOISE_FACTOR * self._noise.sigma)
        ratio = np.maximum(moved - drag, 0.0) / threshold
        self._noise.add(moment.time, moved=np.where(ratio < 1.0, moved, np.nan))
        if self._settle_until is not None:
            if ratio.max() < 1.0:
                self._settle_until = None
            elif moment.time >= self._settle_until:
                self._forget_rest()
            return []
        # The direction in which a lid seems to go is chance: only how far counts.
        vectors = np.where(EYES[:, None], ratio[:, None] * (1.0, 0.0), away / threshold[:, None])
        face = self._face.follow(moment.time, ratio=ratio, away=vectors, moved=travelled)
        eyes = self._eyes.follow(moment.time, ratio=ratio, away=vectors, moved=travelled)
        found = self._judge(face=face, eyes=eyes)
        if (face and face.held) or (eyes and eyes.held):
            self._forget_rest()
        elif self._quiet:
            if ratio.max() < 1.0:
                self._rest.add(moment)
            else:
                self._settle_until = moment.time + _SETTLE_S
        return found

    def _travelled(self, moment: Moment) -> Float64Array:
        """Tell how far the regions [R] are from rest, also if that is too far for `RegionalMotion`.

        One step cannot follow a closing lid over ten pixels: how far it went shows in what is unexplained.
        """
        excess = np.maximum(moment.unexplained - self._rest.unexplained, 0.0)
        return np.sqrt(_lengths(moment.regions - self._rest.centre) ** 2 + excess)

    def _judge(self, *, face: Excursion | None, eyes: Excursion | None) -> list[Interval]:
        """Say what the excursions that have just ended are worth."""
        read = []
        if face is not None and not self._is_shadow(face, of=self._eyes):
            read.append(self._read(face))
        if eyes is not None and not self._is_part(eyes, of=self._face):
            read.append(self._read(eyes))
        return [interval for interval in read if interval is not None]

    @staticmethod
    def _is_shadow(face: Excursion, *, of: Watch) -> bool:
        """Tell whether what moved on the face is no more than a blink's drag on the skin around the eyes."""
        eyes = of.overlapping(face)
        near = not (face.ratio[~_NEAR_LIDS] >= 1.0).any()
        return near and eyes is not None and face.peak_px < PART * eyes.peak_px

    @staticmethod
    def _is_part(eyes: Excursion, *, of: Watch) -> bool:
        """Tell whether the lids moved as a part of an expression."""
        face = of.overlapping(eyes)
        return face is not None and face.peak_px >= PART * eyes.peak_px

    def _read(self, excursion: Excursion) -> Interval | None:
        """Read the times of an excursion off the moments that are remembered; None if it is no movement."""
        first = bisect_left(self._moments, excursion.start - _LOOK_BACK_S, key=_time_of)
        moments = self._moments[first:]
        times = np.array([moment.time for moment in moments])
        away = np.stack([moment.regions for moment in moments]) - self._rest.centre  # [T, R, 2]
        chosen = excursion.ratio >= max(1.0, PART * float(excursion.ratio.max()))
        inside = (times >= excursion.start) & (times <= excursion.end)
        strength = np.where(inside, (away[:, chosen] ** 2).sum(axis=(1, 2)), -1.0)
        direction = away[int(strength.argmax())] * chosen[:, None]  # [R, 2]
        level = np.tensordot(away, direction, axes=2)
        peak = int(np.where(inside, level, -np.inf).argmax())
        level /= level[peak]
        noise = float(np.sqrt((self._noise.sigma**2 * (direction**2).sum(axis=1)).sum()))
        edge = float(np.clip(3.0 * noise / (direction**2).sum(), _EDGE, 0.4))
        start = int(np.searchsorted(times, excursion.start))
        end = int(np.searchsorted(times, excursion.end))
        apex = _apex_time(times, level, peak=peak)
        onset = _edge_time(times[: peak + 1][::-1], level[: peak + 1][::-1], edge=edge, after=peak - start)
        offset = _edge_time(times[peak:], level[peak:], edge=edge, after=end - peak)
        # What was not seen is not told.
        onset = max(min(onset, apex), float(times[0]))
        offset = min(max(offset, apex), float(times[-1]))
        kind: Kind = "micro" if offset - onset <= MICRO_S + _MICRO_SLACK_S else "macro"
        if EYES[chosen].all():
            kind = "blink"
        elif _MOUTH[chosen].all():
            kind = self._mouth_kind(moments, kind=kind, chosen=chosen, onset=onset, offset=offset)
        strongest_first = [k for k in np.argsort(-excursion.ratio) if chosen[k]]
        regions, patches = _from_rest_to_apex(moments, onset=onset, apex=apex)
        belongs = self._motion.patch_regions[chosen].max(axis=0) >= 0.3
        intensity = _PEAK_GAIN * float((_lengths(patches) * belongs).max())
        # Lids are as fast as a key frame, and far too large to be taken for one.
        if kind != "blink" and (
            intensity < _FLOOR_PX
            or offset - onset < _SHORTEST_S
            or _jumps(moments, level=level, onset=onset, offset=offset)
        ):
            return None
        return Interval(
            onset,
            apex,
            offset,
            intensity,
            kind,
            tuple(REGIONS[k] for k in strongest_first),
            tuple((float(regions[k, 0]), float(regions[k, 1])) for k in strongest_first),
            None if kind == "blink" else _confidence(float(excursion.ratio.max())),
        )

    def _mouth_kind(
        self, moments: list[Moment], *, kind: Kind, chosen: NDArray[np.bool_], onset: float, offset: float
    ) -> Kind:
        """Call it macro where a mouth that moves alone speaks, and remember until when it spoke."""
        inside = [moment for moment in moments if onset <= moment.time <= offset]
        wide = any(self._travelled(moment)[_OPENS].max() >= _OPEN_PX for moment in inside)
        if wide or onset - self._spoke_until <= _SYLLABLES_S:
            kind = "macro"
        if kind == "macro" and _OPENS[chosen].any():
            self._spoke_until = offset
        return kind


def _time_of(moment: Moment) -> float:
    return moment.time


def _lengths(vectors: Float64Array) -> Float64Array:
    return np.asarray(np.hypot(vectors[..., 0], vectors[..., 1]))


def _confidence(margin: float) -> float:
    """Give the precision at a peak of `margin` times the threshold.

    Of 71 found (seeds below 100) true were 6 of 9 from 1, 11 of 12 from 1.25 and from 1.5, 38 of 38 from 2.
    """
    return min(1.0 - 0.5 * math.exp((1.0 - margin) / 0.35), _SUREST)


def _from_rest_to_apex(
    moments: list[Moment], *, onset: float, apex: float
) -> tuple[Float64Array, Float64Array]:
    """Measure how far regions [R, 2] and patches [P, 2] went from just before the onset to the apex."""
    # At few frames a second the apex, which is read between them, may have none so near.
    nearest = min(moments, key=lambda m: abs(m.time - apex))
    top = [m for m in moments if abs(m.time - apex) <= SMOOTH_S] or [nearest]
    rest = [m for m in moments if 0.0 < onset - m.time <= _BEFORE_S] or [moments[0]]
    regions = np.mean([m.regions for m in top], axis=0) - np.mean([m.regions for m in rest], axis=0)
    patches = np.mean([m.patches for m in top], axis=0) - np.mean([m.patches for m in rest], axis=0)
    return regions, patches


def _jumps(moments: list[Moment], *, level: Float64Array, onset: float, offset: float) -> bool:
    """Tell whether the level [T] jumps where the encoder drew the picture anew."""
    steps = np.abs(np.diff(level, prepend=level[0]))
    return any(
        moment.refreshed and step >= _ABRUPT and onset <= moment.time <= offset + SMOOTH_S
        for moment, step in zip(moments, steps, strict=True)
    )


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
