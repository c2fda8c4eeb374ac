"""How motion is magnified, as one value that commands and workers pass on."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from magnifyme.magnify import Magnifier
from magnifyme.magnify.magnifier import Device, Method
from magnifyme.magnify.temporal import Temporal
from magnifyme.models.recipe import Recipe

# Of a frame's time, so much may go into magnifying what is shown: as much again goes into the face and the
# events, and a machine has other work.
_SHARE = 0.25
_TRIALS = 8


@dataclass(frozen=True, slots=True)
class Magnification:
    """How motion is magnified: see `Magnifier`.

    `method` may also be "auto": riesz where the machine keeps up with the stream, else linear; `settled`
    finds out which.
    """

    factor: float = 10.0
    band_hz: tuple[float, float] = (1.0, 5.0)
    method: str = "linear"
    device: str = "cpu"
    stabilize: bool = False
    temporal: str = "butterworth"
    denoise: bool = True

    @classmethod
    def learned(cls, recipe: Recipe, *, device: str = "cpu") -> Magnification:
        """Give what a classifier was trained on."""
        return cls(recipe.factor, recipe.band_hz, recipe.method, device, denoise=False)

    def carried_by(self, fps: float) -> bool:
        """Tell whether `fps` frames a second are enough for the band."""
        return fps > 2.0 * self.band_hz[1]

    def settled(self, *, fps: float, size: tuple[int, int]) -> Magnification:
        """Of method "auto" make "riesz" or "linear", by trying how fast this machine is.

        Frames are of `size` (width, height), `fps` a second. Raises MagnifyError as `magnifier` does.
        """
        if self.method != "auto":
            return self
        fast_enough = _seconds_a_frame(self.magnifier(fps), size=size) <= _SHARE / fps
        return replace(self, method="riesz" if fast_enough else "linear")

    def magnifier(self, fps: float) -> Magnifier:
        """Make the magnifier for a stream of about `fps` frames a second, or raise MagnifyError.

        An "auto" that nobody settled is riesz.
        """
        return Magnifier(
            fps=fps,
            factor=self.factor,
            band_hz=self.band_hz,
            # What a user typed: the magnifier itself refuses other words.
            method=cast("Method", "riesz" if self.method == "auto" else self.method),
            device=cast("Device", self.device),
            stabilize=self.stabilize,
            temporal=cast("Temporal", self.temporal),
            denoise=self.denoise,
        )


def _seconds_a_frame(magnifier: Magnifier, *, size: tuple[int, int]) -> float:
    """Measure the best of a few frames; the first two compile or load the kernels."""
    rng = np.random.default_rng(0)
    scene = rng.integers(90, 166, size[::-1], dtype=np.uint8)
    best = math.inf
    for _ in range(_TRIALS):
        frame = scene + rng.integers(0, 8, scene.shape, dtype=np.uint8)
        start = time.perf_counter()
        magnifier(frame)
        best = min(best, time.perf_counter() - start)
    return best
