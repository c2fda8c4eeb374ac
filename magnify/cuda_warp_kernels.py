"""The CUDA kernels that end the Riesz engine's frame: two launches, for all streams at once.

fit_spline   luma -> the cubic spline's coefficients
move         each pixel read from where the displacement field says
"""

from __future__ import annotations

import math
from typing import Any

from numba import cuda, float32, int32

from . import riesz_formulas
from .cuda_functions import (
    REACH,
    between,
    clamp,
    cubic_weights,
    interpolate,
    lean_of,
    on_device,
    round_and_clip,
    weigh_column,
    weigh_row,
)

# Coefficients that a block makes.
SPLINE_ROWS, SPLINE_COLUMNS = 32, 64

_TILE = (SPLINE_ROWS + 2 * REACH, SPLINE_COLUMNS + 2 * REACH)
_LINES = (SPLINE_ROWS, _TILE[1])

_displaced = on_device(riesz_formulas.displaced.py_func)


@on_device
def _read_row(source: Any, stream: int, y: int, a: int, b: int, c: int, d: int, weights: Any) -> Any:
    """Interpolate between columns a to d of a row of coefficients."""
    row = source[stream, clamp(y, source.shape[1])]
    return interpolate(row[a], row[b], row[c], row[d], weights)


@cuda.jit(fastmath=True)
def fit_spline(luma: Any, geometry: Any, source: Any) -> None:
    """Compute the spline's coefficients, six more on every side than luma has pixels; a block a tile of them.

    `source` is [streams, height + 12, width + 12]; blocks [x, y, stream].
    """
    tile = cuda.shared.array(_TILE, float32)
    lines = cuda.shared.array(_LINES, float32)
    stream, thread, threads = cuda.blockIdx.z, cuda.threadIdx.x, cuda.blockDim.x
    top, left = cuda.blockIdx.y * SPLINE_ROWS, cuda.blockIdx.x * SPLINE_COLUMNS
    for i in range(thread, _TILE[0] * _TILE[1], threads):
        row, column = i // _TILE[1], i % _TILE[1]
        y, x = clamp(top - 2 * REACH + row, geometry[0]), clamp(left - 2 * REACH + column, geometry[1])
        tile[row, column] = float32(luma[stream * geometry[3] + y * geometry[2] + x])
    cuda.syncthreads()
    for i in range(thread, _LINES[0] * _LINES[1], threads):
        row, column = i // _LINES[1], i % _LINES[1]
        lines[row, column] = weigh_column(tile, row, column, riesz_formulas.SPLINE)
    cuda.syncthreads()
    for i in range(thread, SPLINE_ROWS * SPLINE_COLUMNS, threads):
        row, column = i // SPLINE_COLUMNS, i % SPLINE_COLUMNS
        y, x = top + row, left + column
        if y < source.shape[1] and x < source.shape[2]:
            source[stream, y, x] = weigh_row(lines, row, column, riesz_formulas.SPLINE)


@cuda.jit(fastmath=True)
def move(source: Any, field: Any, grid: Any, amplitude: Any, out: Any, out_geometry: Any) -> None:
    """Read pixels from where `amplitude` times the field says; a thread a pixel, blocks [x, y, stream]."""
    (x, y), stream = cuda.grid(2), cuda.blockIdx.z
    height, width, pitch, plane = out_geometry
    if y >= height or x >= width:
        return
    # The cell that covers the pixel, and the one on the pixel's side of it, both ways.
    row, beside = y // 4, clamp(y // 4 + 2 * (y % 4 // 2) - 1, grid[0])
    column, aside = x // 4, clamp(x // 4 + 2 * (x % 4 // 2) - 1, grid[1])
    near, far = row * grid[1], beside * grid[1]
    down_share, right_share = lean_of(y % 4), lean_of(x % 4)
    right = between(
        _displaced(field[stream, 0, near + column], field[stream, 0, far + column], down_share, amplitude),
        _displaced(field[stream, 0, near + aside], field[stream, 0, far + aside], down_share, amplitude),
        right_share,
    )
    down = between(
        _displaced(field[stream, 1, near + column], field[stream, 1, far + column], down_share, amplitude),
        _displaced(field[stream, 1, near + aside], field[stream, 1, far + aside], down_share, amplitude),
        right_share,
    )
    whole_right, whole_down = int32(math.floor(right)), int32(math.floor(down))
    across = cubic_weights(right - float32(whole_right))
    # Beyond the six that `fit_spline` adds, coefficients repeat.
    first, left = y + whole_down + REACH - 1, x + whole_right + REACH - 1
    a, b = clamp(left, source.shape[2]), clamp(left + 1, source.shape[2])
    c, d = clamp(left + 2, source.shape[2]), clamp(left + 3, source.shape[2])
    value = interpolate(
        _read_row(source, stream, first, a, b, c, d, across),
        _read_row(source, stream, first + 1, a, b, c, d, across),
        _read_row(source, stream, first + 2, a, b, c, d, across),
        _read_row(source, stream, first + 3, a, b, c, d, across),
        cubic_weights(down - float32(whole_down)),
    )
    out[stream * plane + y * pitch + x] = round_and_clip(value)
