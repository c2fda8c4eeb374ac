"""What is motion and what is only noise: the linear engine magnifies the one.

As in `riesz_shrinkage`, with brightness in place of displacement: the noise of each place is told by how much
the steps from frame to frame change, and what has passed the temporal filter is held against the filter's
share of it. Both are summed over blocks of base cells and averaged over half a second, and the share of what
passed that is magnified is interpolated between the blocks.
"""

from __future__ import annotations

from numba import njit

from .planes import Floats, repeat_edges
from .riesz_formulas import above_noise, between, lean_of

# Base cells along a block's side, as many as `lean_of` knows: 8 px where the base is of half size.
BLOCK = 4


@njit(cache=True, nogil=True, fastmath=True)
def average_row(squares: Floats, decay: float, energies: Floats) -> None:
    """Step a row of blocks' averages [w'] by sums of squares over the block's rows, [4 w']."""
    for x in range(energies.size):
        left, right = squares[4 * x] + squares[4 * x + 1], squares[4 * x + 2] + squares[4 * x + 3]
        energies[x] += decay * (left + right - energies[x])


@njit(cache=True, nogil=True, fastmath=True)
def find_shares(energies: Floats, noise: float, shares: Floats, scratch: Floats) -> None:
    """Compute for each block how much of what passed is magnified, `shares` [h', w'], from 0 to 1.

    `energies` [2, h', w'] are the averages of what passed and of the steps' changes, `noise` the filter's
    share of the latter; both are smoothed with (1, 2, 1).
    """
    rows, columns = shares.shape
    passed, changes = scratch[0], scratch[1]
    for y in range(rows):
        up, down = max(y - 1, 0), min(y + 1, rows - 1)
        for plane, line in ((energies[0], passed), (energies[1], changes)):
            here, above, below, body = plane[y], plane[up], plane[down], line[1:]
            for x in range(columns):
                body[x] = here[x] + here[x] + (above[x] + below[x])
            repeat_edges(line, 1, columns)
        row = shares[y]
        for x in range(columns):
            power = passed[x + 1] + passed[x + 1] + (passed[x] + passed[x + 2])
            change = changes[x + 1] + changes[x + 1] + (changes[x] + changes[x + 2])
            row[x] = above_noise(power, change, noise)


@njit(cache=True, nogil=True, fastmath=True)
def shrink_rows(band: Floats, shares: Floats, rows: tuple[int, int], line: Floats, shown: Floats) -> None:
    """Multiply rows of what passed, [h, w], with its shares."""
    width, last = band.shape[1], shares.shape[0] - 1
    columns = shares.shape[1]
    body = line[1:]
    for y in range(rows[0], rows[1]):
        block = y // BLOCK
        far = max(block - 1, 0) if y % BLOCK < 2 else min(block + 1, last)
        near_row, far_row, lean = shares[block], shares[far], lean_of(y % BLOCK)
        for x in range(columns):
            body[x] = between(near_row[x], far_row[x], lean)
        repeat_edges(line, 1, columns)
        source, target = band[y], shown[y]
        outer, inner = lean_of(0), lean_of(1)
        left, right = line, line[2:]
        for x in range(width // BLOCK):
            target[4 * x] = between(body[x], left[x], outer) * source[4 * x]
            target[4 * x + 1] = between(body[x], left[x], inner) * source[4 * x + 1]
            target[4 * x + 2] = between(body[x], right[x], inner) * source[4 * x + 2]
            target[4 * x + 3] = between(body[x], right[x], outer) * source[4 * x + 3]
        for x in range(width // BLOCK * BLOCK, width):
            beside = left[x // BLOCK] if x % BLOCK < 2 else right[x // BLOCK]
            target[x] = between(body[x // BLOCK], beside, lean_of(x % BLOCK)) * source[x]
