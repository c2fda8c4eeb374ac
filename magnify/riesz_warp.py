"""From a displacement field to a moved picture: a cubic spline through the picture, read where it says."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .formulas import between, lean_of
from .planes import Bytes, Floats, Geometry, repeat_edges
from .riesz_formulas import displaced
from .spline import read_row, round_row


@njit(cache=True, nogil=True, fastmath=True)
def move_rows(
    source: Floats,
    field: Floats,
    amplitude: np.float32,
    out: Bytes,
    geometry: Geometry,
    rows: tuple[int, int],
    scratch: Floats,
    whole: NDArray[np.int32],
) -> None:
    """Write rows rows[0]..rows[1] of `out`: each pixel moved by `amplitude` times the displacement there.

    `source` holds the picture's spline, `field` [2 axes, h, w] the displacements of cells of 4 by 4 px; a
    pixel comes from where the displacement at its own place says. `scratch` and `whole` take rows.
    """
    width, out_pitch = geometry[1], geometry[3]
    line, xs, ys = scratch[0], scratch[1], scratch[2]
    for y in range(rows[0], rows[1]):
        cells_to_row(field[0], y, -amplitude, line, xs)
        cells_to_row(field[1], y, -amplitude, line, ys)
        read_row(source, y, xs[:width], ys[:width], whole, line[:width])
        round_row(line, out[y * out_pitch : y * out_pitch + width])


@njit(cache=True, nogil=True, fastmath=True)
def cells_to_row(plane: Floats, y: int, amplitude: np.float32, line: Floats, out: Floats) -> None:
    """Interpolate a plane [h, w] of cells of 4 by 4 px to row y of pixels, times `amplitude`.

    No value is larger than `LIMIT_PX`. `out` has room for whole cells.
    """
    height, width = plane.shape
    # Cell q covers rows 4 q .. 4 q + 3: its centre lies at 4 q + 1.5.
    cell, phase = y // 4, y % 4
    other = max(cell - 1, 0) if phase < 2 else min(cell + 1, height - 1)
    near, far, share = plane[cell], plane[other], lean_of(phase)
    body = line[1:]
    for x in range(width):
        body[x] = displaced(near[x], far[x], share, amplitude)
    repeat_edges(line, 1, width)
    outer, inner = lean_of(0), lean_of(1)
    for x in range(width):
        left, here, right = line[x], line[x + 1], line[x + 2]
        out[4 * x] = between(here, left, outer)
        out[4 * x + 1] = between(here, left, inner)
        out[4 * x + 2] = between(here, right, inner)
        out[4 * x + 3] = between(here, right, outer)
