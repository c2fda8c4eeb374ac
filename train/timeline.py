"""What a made face does and when: expressions and blinks, drawn at random or given."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from .expressions import EXPRESSIONS

Kind = Literal["micro", "macro", "blink", "speech"]

# Nothing but blinks in the first seconds: trackers and baselines settle.
_QUIET_S = 3.0
# From one offset to the next onset.
_GAP_S = (1.2, 2.5)
# The middle 90 % of SAMM and CASME II: whole, and from onset to apex.
_DURATION_S = (0.20, 0.50)
_RISE_MEDIAN_S, _RISE_SPREAD, _RISE_S = 0.150, 0.35, (0.07, 0.25)
_BLINK_S = (0.15, 0.30)
_BLINK_GAP_S = (2.0, 5.0)
# A blink beside an expression is possible in life, but then neither has a truth of its own.
_BLINK_APART_S = 0.3


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """One movement of a made face, in seconds of the stream and pixels of the frame at rest.

    The movement follows raised cosines from `onset` up to `apex`, rests there for `hold` of the way to the
    offset, and is over at `offset`. `label` is the expression ("blink" for a blink). `amplitude_px` is the
    largest displacement of any point of the face at the apex. `action_units` maps numbers of
    `expressions.ACTION_UNITS` to shares; left empty, they are the label's. `asymmetry`, -1 to 1, makes the
    left of the picture move more: at the ends one side moves alone. An event with `parts`, as speech has, is
    moved by them and is but their frame.
    """

    onset: float
    apex: float
    offset: float
    label: str
    kind: Kind = "micro"
    amplitude_px: float = 1.0
    action_units: Mapping[int, float] = field(default_factory=dict)
    asymmetry: float = 0.0
    hold: float = 0.15
    parts: tuple[TrueEvent, ...] = ()

    def __post_init__(self) -> None:
        """Check the order of the times and fill in the action units."""
        if not self.onset < self.apex < self.offset:
            raise ValueError(f"event at {self.onset} s: needs onset < apex < offset")
        if not 0.0 <= self.hold < 1.0:
            raise ValueError(f"event at {self.onset} s: hold is {self.hold:g}; it must be 0 or more, below 1")
        if not self.action_units:
            known = {**EXPRESSIONS, "blink": {45: 1.0}}
            if self.label not in known:
                raise ValueError(
                    f"label {self.label!r} is none of {sorted(known)}; give action_units with it"
                )
            object.__setattr__(self, "action_units", dict(known[self.label]))

    def level(self, time: float) -> float:
        """Tell how far the movement is at `time`: 0 before the onset, 1 at the apex, 0 after the offset."""
        if not self.onset < time < self.offset:
            return 0.0
        if time < self.apex:
            return _raised_cosine((time - self.onset) / (self.apex - self.onset))
        release = self.apex + self.hold * (self.offset - self.apex)
        if time < release:
            return 1.0
        return _raised_cosine((self.offset - time) / (self.offset - release))

    def movements(self) -> tuple[TrueEvent, ...]:
        """Give what moves the face: the event's parts, or the event itself."""
        return self.parts or (self,)


class Timeline:
    """The events of a stream in the order of their onsets, drawn as far ahead as is asked for.

    The same seed gives the same events, however long the stream. `events` given are used instead of random
    micro-expressions; blinks come with either, never within 0.3 s of an expression.
    """

    def __init__(
        self,
        *,
        seed: int,
        seconds: float | None,
        events: Literal["random"] | Sequence[TrueEvent],
        blinks: bool,
        amplitude_px: tuple[float, float],
        blink_px: float,
    ) -> None:
        """Prepare; `seconds` None is endless, otherwise what would not end in time is left out."""
        self._seconds = seconds
        self._known: list[TrueEvent] = []
        self._onsets: list[float] = []
        self._longest_s = 0.0
        self._known_until = 0.0
        rng = np.random.default_rng([seed, 1])
        # A generator of its own: blinks on or off change no expression.
        blink_rng = np.random.default_rng([seed, 2]) if blinks else None
        expressions = (
            _random_expressions(rng, amplitude_px)
            if events == "random"
            else iter(sorted(events, key=lambda event: event.onset))
        )
        self._coming = _with_blinks(expressions, blink_rng, blink_px)

    def until(self, time: float) -> list[TrueEvent]:
        """List the events with an onset up to `time`."""
        return self._known[: self._begun(time)]

    def active(self, time: float) -> list[TrueEvent]:
        """List the events under way at `time`, in time that does not grow with the stream."""
        end = self._begun(time)
        start = bisect_left(self._onsets, time - self._longest_s)
        return [event for event in self._known[start:end] if time < event.offset]

    def _begun(self, time: float) -> int:
        """Draw events until one begins after `time`; count those that begin by then."""
        while self._known_until <= time:
            event = next(self._coming, None)
            if event is None or (self._seconds is not None and event.onset > self._seconds):
                self._known_until = math.inf
                break
            self._known_until = event.onset
            if self._seconds is None or event.offset <= self._seconds:
                self._known.append(event)
                self._onsets.append(event.onset)
                self._longest_s = max(self._longest_s, event.offset - event.onset)
        return bisect_right(self._onsets, time)


def _random_expressions(rng: np.random.Generator, amplitude_px: tuple[float, float]) -> Iterator[TrueEvent]:
    labels = list(EXPRESSIONS)
    onset = _QUIET_S + rng.uniform(0.0, 0.5)
    while True:
        # Every label once before any comes again, so that a short stream shows them all.
        for label in rng.permutation(labels):
            rise = float(np.clip(_RISE_MEDIAN_S * math.exp(rng.normal(0.0, _RISE_SPREAD)), *_RISE_S))
            duration = max(rng.uniform(*_DURATION_S), rise + 0.1)
            action_units = {
                number: s * rng.uniform(0.7, 1.3) for number, s in EXPRESSIONS[str(label)].items()
            }
            yield TrueEvent(
                onset=onset,
                apex=onset + rise,
                offset=onset + duration,
                label=str(label),
                amplitude_px=rng.uniform(*amplitude_px),
                action_units=action_units,
                asymmetry=rng.uniform(-0.2, 0.2),
            )
            onset += duration + rng.uniform(*_GAP_S)


def _with_blinks(
    expressions: Iterator[TrueEvent], rng: np.random.Generator | None, blink_px: float
) -> Iterator[TrueEvent]:
    """Merge blinks into `expressions`, each moved past the expression that it would touch."""
    coming = next(expressions, None)
    if rng is None:
        while coming is not None:
            yield coming
            coming = next(expressions, None)
        return
    blink = _random_blink(rng, rng.uniform(0.8, _BLINK_GAP_S[1]), blink_px)
    busy_until = 0.0
    while True:
        while coming is not None and coming.onset < blink.offset + _BLINK_APART_S:
            busy_until = max(busy_until, coming.offset)
            yield coming
            coming = next(expressions, None)
            late = busy_until + _BLINK_APART_S - blink.onset
            if late > 0.0:
                blink = _shifted(blink, late)
        yield blink
        blink = _random_blink(rng, blink.offset + rng.uniform(*_BLINK_GAP_S), blink_px)


def _random_blink(rng: np.random.Generator, onset: float, blink_px: float) -> TrueEvent:
    duration = rng.uniform(*_BLINK_S)
    # Lids close faster than they open, and not always all the way.
    return TrueEvent(
        onset=onset,
        apex=onset + 0.35 * duration,
        offset=onset + duration,
        label="blink",
        kind="blink",
        amplitude_px=blink_px * rng.uniform(0.8, 1.0),
        asymmetry=rng.uniform(-0.05, 0.05),
    )


def _shifted(event: TrueEvent, seconds: float) -> TrueEvent:
    return replace(
        event, onset=event.onset + seconds, apex=event.apex + seconds, offset=event.offset + seconds
    )


def _raised_cosine(share: float) -> float:
    return 0.5 - 0.5 * math.cos(math.pi * share)
