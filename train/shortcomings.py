"""What a made camera does to its stream beside noise: it beats with the mains, is late, and loses frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A late frame is late by up to this share of the time between two: order stays.
_LATEST = 0.8


@dataclass(frozen=True, slots=True)
class Shortcomings:
    """How a camera falls short; the default is one that does not.

    `flicker` is how much of the lamps' light comes and goes, twice in each period of the mains (`mains_hz`).
    Rows are read one after the other, over `readout_s`, so that dark and light bands cross the picture, at
    the beat of mains and camera. `late` is the share of frames that are taken later than they should be:
    their times say so. `dropped` is the share that is lost. Raises ValueError.
    """

    flicker: float = 0.0
    mains_hz: float = 50.0
    readout_s: float = 0.012
    late: float = 0.0
    dropped: float = 0.0

    def __post_init__(self) -> None:
        """Check that shares are shares."""
        for name, most in (("flicker", 1.0), ("late", 1.0), ("dropped", 0.9)):
            value = getattr(self, name)
            if not 0.0 <= value <= most:
                raise ValueError(f"{name} is {value:g}; it must be 0 to {most:g}")
        if not self.mains_hz > 0.0 or not self.readout_s >= 0.0:
            raise ValueError("mains_hz must be above 0, readout_s 0 or more")

    def light(self, at: float, *, rows: int) -> NDArray[np.float64] | float:
        """Tell the light that falls on each row [H] of a frame begun at time `at`; 1 on average."""
        if not self.flicker:
            return 1.0
        times = at + self.readout_s * np.arange(rows) / rows
        wave: NDArray[np.float64] = 1.0 + self.flicker * np.cos(2.0 * math.tau * self.mains_hz * times)
        return wave

    def delay_s(self, number: int, *, seed: int, frame_s: float) -> float:
        """Tell how much later than due frame `number` is taken."""
        if not self.late:
            return 0.0
        lots = np.random.default_rng([seed, 7, number]).random(2)
        return float(lots[1] * _LATEST * frame_s) if lots[0] < self.late else 0.0

    def loses(self, number: int, *, seed: int) -> bool:
        """Tell whether frame `number` is lost; the first never is."""
        return bool(
            self.dropped and number and np.random.default_rng([seed, 8, number]).random() < self.dropped
        )
