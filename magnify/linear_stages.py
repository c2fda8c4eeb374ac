"""A frame of the linear engine in stages, each spread over parts of the rows; see `parts`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from .linear_kernels import collapse, rows_in, rows_out
from .linear_shrinkage import BLOCK, Gate, find_shares, shrink_rows
from .parts import part_rows
from .planes import Bytes, Floats, Geometry, Table, Words
from .pyramid import level_plane, reduce_rows

STAGES = 6


class Step(NamedTuple):
    """What the stages read and write besides the gate.

    `state` [order, 2, h, w] and `coefficients` are the temporal filter's; `levels` takes the pyramid's
    planes of `shapes` below the base, `weights` [levels + 1] are theirs. `scratch` [parts, 9, n] and `sums`
    [parts, 2, n] are each part's own.
    """

    base_level: int
    state: Floats
    coefficients: Floats
    levels: Floats
    shapes: Table
    weights: Floats
    amplitude: np.float32
    scratch: Floats
    sums: Words


# Types and error model are the same from either caller, for all that this calls too: so is the machine code.
# A parallel caller's own error model is another, and its index unsigned.
@njit(cache=True, nogil=True, fastmath=True, error_model="python")
def run_part(
    part: int,
    parts: int,
    stages: tuple[int, int],
    luma: Bytes,
    out: Bytes,
    geometry: Geometry,
    gate: Gate,
    s: Step,
) -> None:
    """Do one part of the stages from stages[0] to stages[1]; the last one writes rows of `out`."""
    lines = s.scratch[part]
    held = gate.shares.size > 0
    passed = s.state[-1, 0]
    band = gate.shown if held else passed
    rows = part_rows(passed.shape[0], part, parts, BLOCK)
    top = level_plane(s.levels, s.shapes[0])
    for stage in range(stages[0], stages[1]):
        if stage == 0:
            rows_in(luma, geometry, s.base_level, gate, s.state, s.coefficients, rows, lines, s.sums[part])
        elif stage == 1:
            find_shares(gate, part_rows(gate.shares.shape[0], part, parts, 1), lines)
        elif stage == 2:
            if held:
                shrink_rows(passed, gate, rows, lines[0])
        elif stage == 3:
            halves = part_rows(top.shape[0], part, parts, 1)
            reduce_rows(band, top, halves[0], halves[1], lines[0])
        elif stage == 4:
            if part == 0:
                collapse(s.levels, s.shapes, s.weights, lines[0])
        else:
            rows_out(luma, out, geometry, s.base_level, band, top, s.weights[0], s.amplitude, rows, lines)


@njit(cache=True, nogil=True, fastmath=True, parallel=True)
def run_parallel(
    parts: int,
    stages: int,
    luma: Bytes,
    out: Bytes,
    geometry: Geometry,
    gate: Gate,
    step: Step,
) -> None:
    """Do a frame's first `stages`, each in so many parts on as many threads."""
    for stage in range(stages):
        for part in prange(parts):
            run_part(np.int64(part), parts, (stage, stage + 1), luma, out, geometry, gate, step)  # type: ignore[arg-type]
