"""A frame of the Riesz engine in stages, each spread over parts of the rows; see `parts`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from .parts import part_rows
from .planes import Bytes, Floats, Geometry, Table
from .pyramid import level_plane, reduce_rows
from .riesz_bands import band_rows
from .riesz_formulas import GRID_LEVEL, LAST_LEVEL
from .riesz_motion import compare_rows, follow_rows, smooth_rows
from .riesz_shrinkage import average_rows, shrink_rows
from .riesz_warp import move_rows
from .spline import fit_spline, load

# The stages by which a picture's bands are there, and all of them.
ANALYSIS = LAST_LEVEL + 2
STAGES = ANALYSIS + 5


class Step(NamedTuple):
    """What the stages read and write.

    `picture` [H, W] takes luma, `planes` its reductions, which lie where `planes_at` tells, `now` the bands
    of the coarsest of them, which lie where `bands_at` tells, and so did the last frame's in `before`; if
    there are as many bands as reductions and one more, the finest is the picture's own. `weights` [levels, 2]
    are each level's for motion and stiffness, `cells` [2, 5, h, w] takes sums, `state` [order, 2 axes, 2, h,
    w] and `coefficients` are the temporal filter's.

    `steps` and `energies` [2, h, w] are what the `Shrinkage` remembers, `decay` and `noise` its shares,
    `field` [2 axes, h, w] what it lets pass. Unless time passed (`anew`) it stays as it was. The field
    displaces pixels by `amplitude`, as `source`, the picture's spline, shows them. `scratch` [parts, 11, n]
    and `whole` [parts, 2, W] are each part's own.
    """

    picture: Floats
    planes: Floats
    planes_at: Table
    before: Floats
    now: Floats
    bands_at: Table
    weights: Floats
    cells: Floats
    state: Floats
    coefficients: Floats
    steps: Floats
    energies: Floats
    field: Floats
    decay: np.float32
    noise: np.float32
    anew: bool
    amplitude: np.float32
    source: Floats
    scratch: Floats
    whole: NDArray[np.int32]


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
    s: Step,
) -> None:
    """Do one part of the stages from stages[0] to stages[1]; the last one writes rows of `out`."""
    lines = s.scratch[part]
    raw, sums, last = s.cells[0], s.cells[1], s.state[-1]
    cell_rows = part_rows(raw.shape[1], part, parts, 2)
    for stage in range(stages[0], stages[1]):
        if stage == 0:
            load(luma, geometry, s.picture, part_rows(geometry[0], part, parts, 1))
        elif stage <= LAST_LEVEL:
            coarse = level_plane(s.planes, s.planes_at[stage - 1])
            fine = s.picture if stage == 1 else level_plane(s.planes, s.planes_at[stage - 2])
            rows = part_rows(coarse.shape[0], part, parts, 1)
            reduce_rows(fine, coarse, rows[0], rows[1], lines[0])
        elif stage == ANALYSIS - 1:
            skipped = len(s.planes_at) - len(s.bands_at)
            for k in range(len(s.bands_at)):
                plane = s.picture if skipped + k < 0 else level_plane(s.planes, s.planes_at[skipped + k])
                rows = part_rows(plane.shape[0], part, parts, 1)
                band_rows(plane, level_plane(s.now, s.bands_at[k]), rows, lines)
        elif stage == ANALYSIS:
            raw[:, cell_rows[0] : cell_rows[1]] = np.float32(0.0)
            finest = GRID_LEVEL - LAST_LEVEL - 1 + len(s.bands_at)
            for k in range(len(s.bands_at)):
                before, now = level_plane(s.before, s.bands_at[k]), level_plane(s.now, s.bands_at[k])
                # Whole pairs of rows of cells: two rows of the coarsest level's pixels lie in no other part.
                rows = part_rows(now.shape[0], part, parts, 2 ** (finest - k + 1))
                compare_rows(before, now, finest - k, s.weights[k], raw, rows, lines)
        elif stage == ANALYSIS + 1:
            for c in range(5):
                smooth_rows(raw[c], sums[c], cell_rows, lines[0])
        elif stage == ANALYSIS + 2:
            follow_rows(sums, s.state, s.coefficients, raw, cell_rows, lines)
            if s.anew:
                average_rows(last, raw, s.steps, s.energies, s.decay, cell_rows)
        elif stage == ANALYSIS + 3:
            if s.anew:
                smooth_rows(s.energies[0], sums[0], cell_rows, lines[0])
                smooth_rows(s.energies[1], sums[1], cell_rows, lines[0])
                shrink_rows(last, sums, s.noise, s.field, cell_rows)
            fit_spline(s.picture, s.source, part, parts, lines[0])
        else:
            rows = part_rows(geometry[0], part, parts, 1)
            move_rows(s.source, s.field, s.amplitude, out, geometry, rows, lines, s.whole[part])


@njit(cache=True, nogil=True, fastmath=True, parallel=True)
def run_parallel(
    parts: int,
    stages: int,
    luma: Bytes,
    out: Bytes,
    geometry: Geometry,
    step: Step,
) -> None:
    """Do a frame's first `stages`, each in so many parts on as many threads."""
    for stage in range(stages):
        for part in prange(parts):
            run_part(np.int64(part), parts, (stage, stage + 1), luma, out, geometry, step)  # type: ignore[arg-type]
