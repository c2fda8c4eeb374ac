"""What a temporal filter makes of noise: how both engines tell motion from it.

Noise makes each frame's brightness, or displacement, stray by itself; motion within the band is a course. Of
noise e, new in each frame, the steps e(t) - e(t - 1) change by e(t) - 2 e(t - 1) + e(t - 2) from frame to
frame: six times its variance. Of a course within the band, steps change by next to nothing. So the steps'
changes tell how much noise there is, at each place, whatever it comes from, and the temporal filter's noise
share how much of it has passed:

    ratio = variance of what passed / (share * variance of the steps' changes / 6)

is one for noise. For a sine of frequency f it is 3 gain^2 / (share * 8 sin(pi f dt)^4), a hundred and more
where frames are frequent; where they are not, motion cannot be told from noise that way, and nothing is
shrunk. Motion clearly above the noise passes as it is: a smaller factor for all would cost gain everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .formulas import MOTION_RATIO
from .planes import Floats
from .temporal import BandPass

_AVERAGE_SECONDS = 0.5
# Motion at the band's high edge must stand out by so much more, or nothing is shrunk.
_CLEAR = 1.5


@dataclass(frozen=True)
class NoiseModel:
    """What a temporal filter makes of noise, at a frame every `dt` seconds.

    `share` is the variance of what passes over that of the steps' changes; what is shrunk is what does not
    stand out of `held` times the latter. `bend` is the steps' changes of motion in the middle of the band.
    """

    share: float
    held: float
    bend: float

    def unheld(self) -> NoiseModel:
        """Give the model of an engine that holds nothing back."""
        return replace(self, held=0.0)

    def noise_px(self, passed: Floats, field: Floats, energies: Floats) -> float:
        """Estimate how far noise alone displaces what is in `field`, rms of both axes.

        `passed` and `field` [2 axes, ...] are what the temporal filter and the shrinkage let pass at each
        place, `energies` [2, ...] the averages there.
        """
        share = np.hypot(*field) / np.maximum(np.hypot(*passed), 1e-12)
        # Motion in the middle of the band changes the steps too, a little.
        changes = np.maximum(energies[1] - self.bend * energies[0], 0.0)
        return float(np.sqrt(np.mean(share**2 * self.share * changes)))


def model_noise(band_pass: BandPass, *, dt: float, high_hz: float) -> NoiseModel:
    """Compute what a filter makes of noise; `high_hz` is the high edge of its band."""
    share = band_pass.noise_share(dt=dt)
    # The high edge of a Butterworth band-pass is at half the power.
    clear = 1.5 / (share * 8.0 * math.sin(math.pi * high_hz * dt) ** 4)
    noise = share / 6.0 / band_pass.gain**2
    bend = band_pass.gain**2 * (2.0 * math.sin(band_pass.middle * dt / 2.0)) ** 4
    return NoiseModel(noise, noise if clear > _CLEAR * MOTION_RATIO else 0.0, bend)


def decay_of(dt: float) -> float:
    """Compute the share of a frame in the averages, `dt` seconds after the last one."""
    return 1.0 - math.exp(-dt / _AVERAGE_SECONDS)
