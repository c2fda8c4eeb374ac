"""How motion is magnified, as one value that commands and workers pass on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from magnifyme.magnify import Magnifier
from magnifyme.magnify.magnifier import Device, Method
from magnifyme.magnify.temporal import Temporal


@dataclass(frozen=True, slots=True)
class Magnification:
    """How motion is magnified: see `Magnifier`."""

    factor: float = 10.0
    band_hz: tuple[float, float] = (1.0, 5.0)
    method: str = "linear"
    device: str = "cpu"
    stabilize: bool = False
    temporal: str = "butterworth"

    def carried_by(self, fps: float) -> bool:
        """Tell whether `fps` frames a second are enough for the band."""
        return fps > 2.0 * self.band_hz[1]

    def magnifier(self, fps: float) -> Magnifier:
        """Make the magnifier for a stream of about `fps` frames a second, or raise MagnifyError."""
        return Magnifier(
            fps=fps,
            factor=self.factor,
            band_hz=self.band_hz,
            # What a user typed: the magnifier itself refuses other words.
            method=cast("Method", self.method),
            device=cast("Device", self.device),
            stabilize=self.stabilize,
            temporal=cast("Temporal", self.temporal),
        )
