"""What is motion and what is only noise: the Riesz engine magnifies the one.

See `noise`; what strays and takes a course here is the displacement of each place.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .formulas import above_noise
from .noise import NoiseModel, decay_of
from .planes import Floats
from .riesz_formulas import average
from .riesz_motion import smooth


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
