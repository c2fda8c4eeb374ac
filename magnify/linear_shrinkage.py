"""What is motion and what is only noise: the linear engine magnifies the one.

See `noise`; what strays or takes a course here is the brightness of each place. The changes of its steps, and
what has passed the temporal filter, are summed over blocks of base cells and averaged over half a second; the
share of what passed that is magnified is interpolated between the blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from .formulas import above_noise, between, lean_of, pool
from .planes import Floats, Words, repeat_edges

# Base cells along a block's side, as many as `lean_of` knows: 8 px where the base is of half size.
BLOCK = 4


class Gate(NamedTuple):
    """What the loops need to let pass what is motion; without `shares`, [0, 0], everything passes.

    `previous` and `before` [h, w] are the base planes of the last frame and of the one before it; the latter
    is written over with the present one, and may be `previous` where everything passes. `energies`
    [2, h', w'] are the blocks' averages of what passed and of the steps' changes, `shares` [h', w'] what
    follows from them, `shown` [h, w] what passed times its share. `decay` is a frame's share in the averages,
    `noise` the filter's share of the changes.
    """

    previous: Words
    before: Words
    energies: Floats
    shares: Floats
    shown: Floats
    decay: np.float32
    noise: np.float32


@njit(cache=True, nogil=True, fastmath=True)
def average_row(squares: Floats, decay: np.float32, energies: Floats) -> None:
    """Step a row of blocks' averages [w'] by sums of squares over the block's rows, [4 w']."""
    for x in range(energies.size):
        left, right = squares[4 * x] + squares[4 * x + 1], squares[4 * x + 2] + squares[4 * x + 3]
        energies[x] += decay * (left + right - energies[x])


@njit(cache=True, nogil=True, fastmath=True)
def find_shares(gate: Gate, rows: tuple[int, int], scratch: Floats) -> None:
    """Compute for rows of blocks how much of what passed is magnified, from theirs and their neighbours'."""
    height, columns = gate.shares.shape
    for y in range(rows[0], rows[1]):
        for k in range(2):
            plane, body = gate.energies[k], scratch[k, 1:]
            here, above, below = plane[y], plane[max(y - 1, 0)], plane[min(y + 1, height - 1)]
            for x in range(columns):
                body[x] = pool(here[x], above[x], below[x])
            repeat_edges(scratch[k], 1, columns)
        passed, changes, row = scratch[0], scratch[1], gate.shares[y]
        for x in range(columns):
            power = pool(passed[x + 1], passed[x], passed[x + 2])
            change = pool(changes[x + 1], changes[x], changes[x + 2])
            row[x] = above_noise(power, change, gate.noise)


@njit(cache=True, nogil=True, fastmath=True)
def shrink_rows(band: Floats, gate: Gate, rows: tuple[int, int], line: Floats) -> None:
    """Multiply rows of what passed, [h, w], with its shares, interpolated between the blocks."""
    width, columns, last = band.shape[1], gate.shares.shape[1], gate.shares.shape[0] - 1
    left, body, right = line, line[1:], line[2:]
    outer, inner = lean_of(0), lean_of(1)
    for y in range(rows[0], rows[1]):
        block = y // BLOCK
        far = max(block - 1, 0) if y % BLOCK < 2 else min(block + 1, last)
        near_row, far_row, lean = gate.shares[block], gate.shares[far], lean_of(y % BLOCK)
        for x in range(columns):
            body[x] = between(near_row[x], far_row[x], lean)
        repeat_edges(line, 1, columns)
        source, target = band[y], gate.shown[y]
        for x in range(width // BLOCK):
            target[4 * x] = between(body[x], left[x], outer) * source[4 * x]
            target[4 * x + 1] = between(body[x], left[x], inner) * source[4 * x + 1]
            target[4 * x + 2] = between(body[x], right[x], inner) * source[4 * x + 2]
            target[4 * x + 3] = between(body[x], right[x], outer) * source[4 * x + 3]
        for x in range(width // BLOCK * BLOCK, width):
            beside = left[x // BLOCK] if x % BLOCK < 2 else right[x // BLOCK]
            target[x] = between(body[x // BLOCK], beside, lean_of(x % BLOCK)) * source[x]
