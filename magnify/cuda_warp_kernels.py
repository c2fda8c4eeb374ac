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
    place,
    round_and_clip,
    weigh_column,
    weigh_row,
)

# What a block makes: coefficients, pixels.
SPLINE_ROWS, SPLINE_COLUMNS = 32, 64
MOVE_ROWS, MOVE_COLUMNS = 8, 32

_TILE = (SPLINE_ROWS + 2 * REACH, SPLINE_COLUMNS + 2 * REACH)
_LINES = (SPLINE_ROWS, _TILE[1])

_displaced = on_device(riesz_formulas.displaced.py_func)


@on_device
def _motion(field: Any, grid: Any, amplitude: Any, y: int, x: int) -> Any:
    """Interpolate one axis of the field, cells [h w], at a pixel, times `amplitude`."""
    # The cell that covers the pixel, and the one on the pixel's side of it, both ways.
    near, far = y // 4 * grid[1], clamp(y // 4 + 2 * (y % 4 // 2) - 1, grid[0]) * grid[1]
    column, aside = x // 4, clamp(x // 4 + 2 * (x % 4 // 2) - 1, grid[1])
    share = lean_of(y % 4)
    return between(
        _displaced(field[near + column], field[far + column], share, amplitude),
        _displaced(field[near + aside], field[far + aside], share, amplitude),
        lean_of(x % 4),
    )


@on_device
def _read_row(source: Any, y: int, x: int, weights: Any) -> Any:
    """Interpolate four coefficients of row y, the first at column x."""
    row, width = source[clamp(y, source.shape[0])], source.shape[1]
    a, b, c, d = clamp(x, width), clamp(x + 1, width), clamp(x + 2, width), clamp(x + 3, width)
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
    i = thread
    while i < _TILE[0] * _TILE[1]:
        row, column = place(i, _TILE[1])
        i += threads
        y, x = clamp(top - 2 * REACH + row, geometry[0]), clamp(left - 2 * REACH + column, geometry[1])
        tile[row, column] = float32(luma[stream * geometry[3] + y * geometry[2] + x])
    cuda.syncthreads()
    i = thread
    while i < _LINES[0] * _LINES[1]:
        row, column = place(i, _LINES[1])
        i += threads
        lines[row, column] = weigh_column(tile, row, column, riesz_formulas.SPLINE)
    cuda.syncthreads()
    i = thread
    while i < SPLINE_ROWS * SPLINE_COLUMNS:
        row, column = place(i, SPLINE_COLUMNS)
        i += threads
        y, x = top + row, left + column
        if y < source.shape[1] and x < source.shape[2]:
            source[stream, y, x] = weigh_row(lines, row, column, riesz_formulas.SPLINE)


@cuda.jit(fastmath=True)
def move(source: Any, field: Any, grid: Any, amplitude: Any, out: Any, out_geometry: Any) -> None:
    """Read pixels from where `amplitude` times the field says; a block a tile, blocks [x, y, stream]."""
    stream = cuda.blockIdx.z
    first_y, first_x = cuda.blockIdx.y * MOVE_ROWS, cuda.blockIdx.x * MOVE_COLUMNS
    i = cuda.threadIdx.x
    while i < MOVE_ROWS * MOVE_COLUMNS:
        row, column = place(i, MOVE_COLUMNS)
        i += cuda.blockDim.x
        y, x = first_y + row, first_x + column
        if y >= out_geometry[0] or x >= out_geometry[1]:
            continue
        right = _motion(field[stream, 0], grid, amplitude, y, x)
        down = _motion(field[stream, 1], grid, amplitude, y, x)
        whole_right, whole_down = int32(math.floor(right)), int32(math.floor(down))
        across = cubic_weights(right - float32(whole_right))
        # Beyond the six that `fit_spline` adds, coefficients repeat.
        top, left = y + whole_down + REACH - 1, x + whole_right + REACH - 1
        value = interpolate(
            _read_row(source[stream], top, left, across),
            _read_row(source[stream], top + 1, left, across),
            _read_row(source[stream], top + 2, left, across),
            _read_row(source[stream], top + 3, left, across),
            cubic_weights(down - float32(whole_down)),
        )
        out[stream * out_geometry[3] + y * out_geometry[2] + x] = round_and_clip(value)
