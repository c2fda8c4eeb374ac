"""Long made videos to judge spotters by: hard in the ways that real ones are, as far as they can be made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .acting import Script
from .looks import Looks
from .shortcomings import Shortcomings
from .synthetic import SyntheticSource
from .timeline import TrueEvent

# What varies from video to video: least and most.
_SWAY, _TURN_DEG, _NOISE, _LIGHT = (0.8, 1.6), (0.0, 7.0), (0.5, 2.5), (0.5, 2.0)
_FLICKER, _FLICKERS, _GLASSES, _TONED = (0.005, 0.03), 0.5, 0.3, 0.6
_LATE, _DROPPED = (0.0, 0.05), (0.0, 0.01)


def long_videos(
    seed: int,
    *,
    count: int,
    seconds: float = 120.0,
    fps: float = 30.0,
    size: tuple[int, int] = (640, 480),
    script: Script | None = None,
    looks: Looks | None = None,
) -> Iterator[tuple[SyntheticSource, list[TrueEvent]]]:
    """Yield `count` videos of `seconds`, each of another person, with all that happens in them.

    Events are micro- and macro-expressions, blinks, closed eyes and speech (`script`). Head sway and turning,
    light drift, lamps that flicker, sensor noise, late and lost frames, skin tone and glasses vary from video
    to video; `looks` says what they all share. Compression is the caller's. The same seed gives the same
    bytes: tune on some seeds, and report others.

    Where they are simpler than life: the skin slides over a flat picture, without wrinkles, bulges or
    shadows, and a mouth that opens shows no inside. The muscles of an expression begin and end together,
    along a raised cosine; a real one hesitates, and runs into the next. The eyes do not look about. Head,
    hair and glasses turn as one body, not further than 7 degrees, and no nod goes with speech.
    Micro-expressions stand apart from speech and blinks. Light changes as a whole or by rows, and casts no
    shadow that moves. All people are relatives of one portrait, or of the one in `looks`. So a score on these
    videos is an upper bound for the kinds of trouble that they hold, and no accuracy on people.
    """
    looks = looks or Looks()
    for number in range(count):
        rng = np.random.default_rng([seed, number, 13])
        identity = int(rng.integers(1, 1_000_000))
        toned, tone, wears = rng.random() < _TONED, float(rng.random()), rng.random() < _GLASSES
        flickers = rng.random() < _FLICKERS
        mine = replace(
            looks,
            skin=tone if toned and looks.skin is None else looks.skin,
            glasses=bool(wears) or looks.glasses,
        )
        source = SyntheticSource(
            seconds=seconds,
            fps=fps,
            size=size,
            seed=int(rng.integers(1 << 31)),
            paced=False,
            events=script or Script(),
            identity=identity,
            looks=mine,
            sway=rng.uniform(*_SWAY),
            turn_deg=rng.uniform(*_TURN_DEG),
            noise=rng.uniform(*_NOISE),
            light=rng.uniform(*_LIGHT),
            shortcomings=Shortcomings(
                flicker=rng.uniform(*_FLICKER) if flickers else 0.0,
                mains_hz=float(rng.choice([50.0, 60.0])) * (1.0 + rng.normal(0.0, 4e-4)),
                late=rng.uniform(*_LATE),
                dropped=rng.uniform(*_DROPPED),
            ),
        )
        yield source, source.truth
