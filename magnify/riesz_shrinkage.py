"""What is motion and what is only noise: the Riesz engine magnifies the one.

Noise makes the displacement of each frame stray by itself, motion within the band is a course. Of noise e,
new in each frame, the steps e(t) - e(t - 1) change by e(t) - 2 e(t - 1) + e(t - 2) from frame to frame: six
times its variance. Of a course within the band, steps change by next to nothing. So the steps' changes tell
how much noise there is, at each place, whatever it comes from, and the temporal filter's noise share how much
of it has passed:

    ratio = variance of what passed / (share * variance of the steps' changes / 6)

is one for noise. For a sine of frequency f it is 3 gain^2 / (share * 8 sin(pi f dt)^4), a hundred and more
where frames are frequent; where they are not, motion cannot be told from noise that way, and nothing is
shrunk. Motion clearly above the noise passes as it is: a smaller factor for all would cost gain everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from .planes import Floats
from .riesz_formulas import MOTION_RATIO, above_noise, average
from .riesz_motion import smooth
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


class Shrinkage:
    """State of one stream: on a grid [h, w], averages of what passed and of the steps' changes."""

    def __init__(self, grid: tuple[int, int], *, noise: NoiseModel) -> None:
        self.field = np.zeros((2, *grid), np.float32)
        self._before = np.zeros((2, *grid), np.float32)
        self._energies = np.zeros((2, *grid), np.float32)
        self._noise = noise

    @property
    def state_bytes(self) -> int:
        """Bytes held for this stream."""
        return self.field.nbytes + self._before.nbytes + self._energies.nbytes

    def start(self) -> None:
        """Forget everything."""
        for plane in (self.field, self._before, self._energies):
            plane.fill(0.0)

    def step(self, state: Floats, cells: Floats, line: Floats, *, dt: float) -> None:
        """Make `field` [2 axes, h, w] of what the temporal filter's last section, `state`, let pass.

        `cells` holds the displacements since the last frame in its first two planes; it is used up.
        """
        if dt == 0.0:
            # A frame given again, or two of one time: no step that the next one's could have changed from.
            return
        decay, held = np.float32(decay_of(dt)), np.float32(self._noise.held)
        shrink(state, cells, self._before, self._energies, decay, held, self.field, line)

    def noise_px(self, state: Floats) -> float:
        """Estimate how far noise alone displaces the picture in `field`, rms of both axes."""
        return self._noise.noise_px(state[:, 0], self.field, self._energies)


@njit(cache=True, nogil=True, fastmath=True)
def shrink(
    state: Floats,
    cells: Floats,
    before: Floats,
    energies: Floats,
    decay: np.float32,
    noise: np.float32,
    field: Floats,
    line: Floats,
) -> None:
    """Average the energies over time and space, and pass what stands out of the noise; see `Shrinkage`."""
    for y in range(field.shape[1]):
        right, down = cells[0, 0, y], cells[0, 1, y]
        old_right, old_down = before[0, y], before[1, y]
        passed_right, passed_down = state[0, 0, y], state[1, 0, y]
        passed, changes = energies[0, y], energies[1, y]
        for x in range(passed.size):
            dx, dy = right[x] - old_right[x], down[x] - old_down[x]
            changes[x] = average(changes[x], dx, dy, decay)
            old_right[x], old_down[x] = right[x], down[x]
            passed[x] = average(passed[x], passed_right[x], passed_down[x], decay)
    smooth(energies[0], cells[1, 0], line)
    smooth(energies[1], cells[1, 1], line)
    for y in range(field.shape[1]):
        passed, changes = cells[1, 0, y], cells[1, 1, y]
        for x in range(passed.size):
            share = above_noise(passed[x], changes[x], noise)
            field[0, y, x] = share * state[0, 0, y, x]
            field[1, y, x] = share * state[1, 0, y, x]
