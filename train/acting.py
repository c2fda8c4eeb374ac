"""What a made person does over minutes: micro- and macro-expressions, blinks, closed eyes and speech.

Durations of micro-expressions are drawn as SAMM's and CASME II's sheets have them. What happens is known
exactly, and is simpler than life: see `long_videos`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .expressions import ACTION_UNITS, LID_TRAVEL
from .timeline import TrueEvent

Share = Mapping[int, float]

MIXTURES: Mapping[str, tuple[Share, ...]] = {
    "happiness": ({12: 1.0}, {6: 0.6, 12: 1.0}, {6: 0.6, 7: 0.5, 12: 1.0}, {7: 0.5, 12: 1.0}),
    "surprise": (
        {1: 1.0, 2: 1.0},
        {5: 1.0},
        {25: 1.0},
        {1: 1.0, 2: 1.0, 25: 0.7},
        {25: 0.7, 26: 1.0},
    ),
    "anger": ({4: 1.0}, {4: 1.0, 7: 0.6}, {4: 1.0, 5: 0.5}, {23: 1.0}, {17: 0.8, 24: 1.0}),
    "disgust": ({9: 1.0}, {10: 1.0}, {4: 0.7, 9: 1.0}, {4: 0.7, 7: 0.6, 10: 1.0}, {9: 1.0, 17: 0.5}),
    "sadness": ({1: 1.0}, {15: 1.0}, {1: 0.9, 4: 0.4}, {15: 1.0, 17: 0.8}),
    "fear": ({1: 1.0, 2: 0.8, 4: 0.6}, {20: 1.0}),
    "contempt": ({14: 1.0}, {12: 1.0}, {10: 0.6, 14: 1.0}),
}
"""What expressions consist of: label, and mixtures of action units, after the objective classes of SAMM and
CASME II (Davison et al. 2018) but for contempt, which is one-sided here."""

MOST_EYES = 0.06
"""How far an action unit can move the skin without folding it, in distances of the eyes."""

# Shares of the clips and their durations in seconds; medians of the rises.
_SHARES = (0.0, 0.05, 0.5, 0.95, 1.0)
_DURATIONS_S = {"samm": (0.18, 0.20, 0.39, 0.50, 0.50), "casme2": (0.17, 0.18, 0.305, 0.50, 0.50)}
_RISE_MEDIAN_S = {"samm": 0.160, "casme2": 0.150}
_RISE_SPREAD, _RISE_S, _RISE_SHARE = 0.35, (0.07, 0.25), 0.7
_HOLD = (0.0, 0.4)
# Ekman: from half a second to four.
_MACRO_MEDIAN_S, _MACRO_SPREAD, _MACRO_S = 1.3, 0.5, (0.6, 4.0)
_MACRO_RISE, _MACRO_HOLD = (0.15, 0.4), (0.1, 0.6)
_QUIET_S = 3.0
_LEAST_GAP_S = 0.8
_BLINK_S, _SHUT_S = (0.12, 0.35), (0.6, 1.6)
# Between blinks most people take two to six seconds, some longer.
_BLINK_GAP_MEDIAN_S, _BLINK_GAP_SPREAD, _BLINK_GAP_S = 3.5, 0.6, (0.6, 15.0)
_SHUT_SHARE = 0.04
_BLINK_APART_S = 0.3
_UTTERANCE_S = (0.8, 6.0)
_SYLLABLES_HZ = (3.0, 6.5)
# How lips and jaw stand for sounds: action units, and how far they go, in eye distances. At more, the skin
# would fold where two sounds meet.
_SOUNDS: tuple[tuple[Share, tuple[float, float]], ...] = (
    ({26: 1.0, 25: 0.4}, (0.05, 0.13)),  # open
    ({20: 1.0, 25: 0.6}, (0.015, 0.04)),  # spread
    ({23: 1.0, 25: 0.4}, (0.015, 0.04)),  # round
    ({24: 1.0}, (0.010, 0.025)),  # pressed
    ({25: 1.0}, (0.015, 0.045)),  # lips apart
    ({17: 1.0}, (0.010, 0.025)),  # lip to teeth
)
_HOW_OFTEN = (0.35, 0.15, 0.15, 0.12, 0.13, 0.10)


@dataclass(frozen=True, slots=True)
class Script:
    """How a person acts; the least and the largest of what varies.

    `micro_px` are the largest displacements of micro-expressions, in frame pixels; `macro_eyes` those of
    macro-expressions, in distances of the eyes: these never fold the skin (`MOST_EYES`).
    `gap_s` is the mean pause between expressions and utterances, of which `macro` and `speech` are the
    shares. `one_sided` is the share of micro-expressions that only one side of the face makes, where their
    muscles are paired. `durations` are those of a data set. Raises ValueError.
    """

    micro_px: tuple[float, float] = (0.2, 1.5)
    macro_eyes: tuple[float, float] = (0.02, 0.05)
    gap_s: float = 4.0
    macro: float = 0.15
    speech: float = 0.2
    blinks: bool = True
    one_sided: float = 0.3
    durations: Literal["samm", "casme2"] = "samm"

    def __post_init__(self) -> None:
        """Check ranges and shares."""
        for name in ("micro_px", "macro_eyes"):
            low, high = getattr(self, name)
            if not 0.0 < low <= high:
                raise ValueError(f"{name} is {low:g} to {high:g}; it must be lowest to highest, above 0")
        if self.macro_eyes[1] > MOST_EYES:
            raise ValueError(f"macro_eyes is up to {self.macro_eyes[1]:g}; it must be at most {MOST_EYES:g}")
        if not self.gap_s > _LEAST_GAP_S:
            raise ValueError(f"gap_s is {self.gap_s:g}; it must be above {_LEAST_GAP_S:g}")
        if not (min(self.macro, self.speech) >= 0.0 and self.macro + self.speech <= 1.0):
            raise ValueError("macro and speech are shares: 0 or more each, together 1 at most")


def act(seed: int, *, seconds: float, unit_px: float, script: Script | None = None) -> list[TrueEvent]:
    """Draw all that happens in `seconds`, in the order of onsets; the same seed gives the same.

    `unit_px` is the distance of the eyes. Expressions and utterances follow one another; blinks come at any
    time, but keep 0.3 s away from micro-expressions, which have no truth of their own beneath a blink.
    """
    script = script or Script()
    check_reach(script, unit_px=unit_px)
    rng = np.random.default_rng([seed, 11])
    events: list[TrueEvent] = []
    onset = _QUIET_S + rng.uniform(0.0, 1.0)
    while True:
        lot = rng.random()
        if lot < script.speech:
            event = utter(rng, onset=onset, unit_px=unit_px)
        elif lot < script.speech + script.macro:
            event = _macro(rng, onset=onset, unit_px=unit_px, script=script)
        else:
            event = express(rng, onset=onset, script=script)
        if event.offset > seconds:
            break
        events.append(event)
        onset = event.offset + _LEAST_GAP_S + rng.exponential(script.gap_s - _LEAST_GAP_S)
    if script.blinks:
        # A generator of its own: blinks on or off change no expression.
        events += _blinks(
            np.random.default_rng([seed, 12]), among=events, seconds=seconds, lid_px=LID_TRAVEL * unit_px
        )
    return sorted(events, key=lambda event: event.onset)


def check_reach(script: Script, *, unit_px: float) -> None:
    """Raise ValueError where a script would fold the skin of a face with eyes `unit_px` apart."""
    if script.micro_px[1] > MOST_EYES * unit_px:
        raise ValueError(
            f"micro_px is up to {script.micro_px[1]:g}; for eyes {unit_px:.0f} px apart it must be at most "
            f"{MOST_EYES * unit_px:.1f}, or the skin folds"
        )


def express(rng: np.random.Generator, *, onset: float, script: Script, label: str | None = None) -> TrueEvent:
    """Draw a micro-expression, of any label unless one is named."""
    label = label or str(rng.choice(list(MIXTURES)))
    duration = float(np.interp(rng.random(), _SHARES, _DURATIONS_S[script.durations]))
    rise = _RISE_MEDIAN_S[script.durations] * math.exp(rng.normal(0.0, _RISE_SPREAD))
    rise = float(np.clip(rise, _RISE_S[0], min(_RISE_S[1], _RISE_SHARE * duration)))
    units = _mixture(rng, label)
    side = float(rng.choice([-1.0, 1.0]))
    can = all(bump.paired for number in units for bump in ACTION_UNITS[number])
    alone = can and (label == "contempt" or rng.random() < script.one_sided)
    return TrueEvent(
        onset=onset,
        apex=onset + rise,
        offset=onset + duration,
        label=label,
        amplitude_px=rng.uniform(*script.micro_px),
        action_units=units,
        asymmetry=side if alone else rng.uniform(-0.2, 0.2),
        hold=rng.uniform(*_HOLD),
    )


def utter(rng: np.random.Generator, *, onset: float, unit_px: float) -> TrueEvent:
    """Draw an utterance: syllables of several shapes, sizes and rates, each an event in its `parts`."""
    end = onset + rng.uniform(*_UTTERANCE_S)
    rate_hz = rng.uniform(*_SYLLABLES_HZ)
    parts: list[TrueEvent] = []
    start = onset
    while not parts or start < end:
        step = rng.uniform(0.7, 1.4) / rate_hz
        # Neighbours run into one another, as sounds do.
        duration = step * rng.uniform(1.1, 1.5)
        units, reach = _SOUNDS[int(rng.choice(len(_SOUNDS), p=_HOW_OFTEN))]
        parts.append(
            TrueEvent(
                onset=start,
                apex=start + duration * rng.uniform(0.35, 0.55),
                offset=start + duration,
                label="speech",
                kind="speech",
                amplitude_px=unit_px * rng.uniform(*reach),
                action_units=units,
                asymmetry=rng.uniform(-0.1, 0.1),
            )
        )
        start += step
    largest = max(parts, key=lambda part: part.amplitude_px)
    units = {number: 1.0 for part in parts for number in part.action_units}
    return TrueEvent(
        onset=onset,
        apex=largest.apex,
        offset=max(part.offset for part in parts),
        label="speech",
        kind="speech",
        amplitude_px=largest.amplitude_px,
        action_units=dict(sorted(units.items())),
        parts=tuple(parts),
    )


def _macro(rng: np.random.Generator, *, onset: float, unit_px: float, script: Script) -> TrueEvent:
    duration = _MACRO_MEDIAN_S * math.exp(rng.normal(0.0, _MACRO_SPREAD))
    duration = float(np.clip(duration, *_MACRO_S))
    label = str(rng.choice(list(MIXTURES)))
    return TrueEvent(
        onset=onset,
        apex=onset + duration * rng.uniform(*_MACRO_RISE),
        offset=onset + duration,
        label=label,
        kind="macro",
        amplitude_px=unit_px * rng.uniform(*script.macro_eyes),
        action_units=_mixture(rng, label),
        asymmetry=rng.uniform(-0.25, 0.25),
        hold=rng.uniform(*_MACRO_HOLD),
    )


def _mixture(rng: np.random.Generator, label: str) -> dict[int, float]:
    mixture = MIXTURES[label][int(rng.integers(len(MIXTURES[label])))]
    return {number: share * rng.uniform(0.8, 1.2) for number, share in mixture.items()}


def _blinks(
    rng: np.random.Generator, *, among: list[TrueEvent], seconds: float, lid_px: float
) -> list[TrueEvent]:
    kept_from = [event for event in among if event.kind == "micro"]
    blinks: list[TrueEvent] = []
    onset = rng.uniform(0.8, 4.0)
    while True:
        shut = rng.random() < _SHUT_SHARE
        duration = rng.uniform(*(_SHUT_S if shut else _BLINK_S))
        for event in kept_from:
            if onset < event.offset + _BLINK_APART_S and event.onset < onset + duration + _BLINK_APART_S:
                onset = event.offset + _BLINK_APART_S
        if onset + duration > seconds:
            return blinks
        close = rng.uniform(0.06, 0.12) if shut else duration * rng.uniform(0.3, 0.4)
        blinks.append(
            TrueEvent(
                onset=onset,
                apex=onset + close,
                offset=onset + duration,
                label="eyes closed" if shut else "blink",
                kind="blink",
                # Lids do not always close all the way.
                amplitude_px=lid_px * (1.0 if shut else rng.uniform(0.7, 1.0)),
                action_units={43 if shut else 45: 1.0},
                asymmetry=0.0 if shut else rng.uniform(-0.05, 0.05),
                hold=0.8 if shut else 0.15,
            )
        )
        gap = _BLINK_GAP_MEDIAN_S * math.exp(rng.normal(0.0, _BLINK_GAP_SPREAD))
        onset += duration + float(np.clip(gap, *_BLINK_GAP_S))
