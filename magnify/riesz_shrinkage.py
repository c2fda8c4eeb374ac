"""What is motion and what is only noise: the Riesz engine magnifies the one.

See `noise`; what strays and takes a course here is the displacement of each place.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .formulas import above_noise
from .noise import NoiseModel
from .planes import Floats
from .riesz_formulas import average


class Shrinkage:
    """State of one stream: on a grid [h, w], averages of what passed and of the steps' changes."""

    def __init__(self, grid: tuple[int, int], *, noise: NoiseModel) -> None:
        self.field = np.zeros((2, *grid), np.float32)
        self.steps = np.zeros((2, *grid), np.float32)
        self.energies = np.zeros((2, *grid), np.float32)
        self.held = np.float32(noise.held)
        self._noise = noise

    @property
    def state_bytes(self) -> int:
        """Bytes held for this stream."""
        return self.field.nbytes + self.steps.nbytes + self.energies.nbytes

    def start(self) -> None:
        """Forget everything."""
        for plane in (self.field, self.steps, self.energies):
            plane.fill(0.0)

    def noise_px(self, state: Floats) -> float:
        """Estimate how far noise alone displaces the picture in `field`, rms of both axes."""
        return self._noise.noise_px(state[:, 0], self.field, self.energies)


@njit(cache=True, nogil=True, fastmath=True)
def average_rows(
    state: Floats, steps: Floats, before: Floats, energies: Floats, decay: np.float32, rows: tuple[int, int]
) -> None:
    """Average rows of the energies of what the temporal filter's last section passed, and of its changes."""
    for y in range(rows[0], rows[1]):
        right, down = steps[0, y], steps[1, y]
        old_right, old_down = before[0, y], before[1, y]
        passed_right, passed_down = state[0, 0, y], state[1, 0, y]
        passed, changes = energies[0, y], energies[1, y]
        for x in range(passed.size):
            dx, dy = right[x] - old_right[x], down[x] - old_down[x]
            changes[x] = average(changes[x], dx, dy, decay)
            old_right[x], old_down[x] = right[x], down[x]
            passed[x] = average(passed[x], passed_right[x], passed_down[x], decay)


@njit(cache=True, nogil=True, fastmath=True)
def shrink_rows(
    state: Floats, energies: Floats, noise: np.float32, field: Floats, rows: tuple[int, int]
) -> None:
    """Pass into rows of `field` [2 axes, h, w] what stands out of the noise by the smoothed energies."""
    for y in range(rows[0], rows[1]):
        passed, changes = energies[0, y], energies[1, y]
        for x in range(passed.size):
            share = above_noise(passed[x], changes[x], noise)
            field[0, y, x] = share * state[0, 0, y, x]
            field[1, y, x] = share * state[1, 0, y, x]
