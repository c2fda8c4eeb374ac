"""The CUDA kernels of the linear engine: five launches a frame, for any number of streams at once.

    filter_base    luma -> half size -> band-pass; the last section's v is the result; averages of blocks
    gate_base      what passed -> what of it stands out of the noise
    halve_twice    what is shown -> levels 1 and 2, through shared memory
    sum_coarse     levels 3.. made, weighted and added up by one block a stream (0.4 % of the pixels at 1080p)
    add_change     levels 2, 1 and the base added up in shared memory -> full size -> luma, clipped

The formulas are those of the CPU's loops (`formulas.py`). Levels are counted from the base, which is level 0;
the table `shapes` (offset, height, width) begins with level 1 and has at least three rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda, float32

from . import formulas
from .cuda_functions import (
    DECAY,
    KEEP,
    above_noise,
    between,
    clamp,
    coefficients,
    halve,
    halved_luma,
    halved_tile,
    interpolate,
    lean,
    lean_of,
    on_device,
    pass_section,
    place,
    pool,
    round_and_clip,
)
from .linear_shrinkage import BLOCK

# Cells of the level that a block makes: of level 2, and of the base. The latter are multiples of 4.
HALVE_ROWS, HALVE_COLUMNS = 8, 16
TILE_ROWS, TILE_COLUMNS = 16, 32
# Rows and columns about the tile that the interpolator, and the level below, reach into.
_HALO = 2

_FINE = (2 * HALVE_ROWS + 2, 2 * HALVE_COLUMNS + 2)
_TILE_BLOCKS = (TILE_ROWS // BLOCK, TILE_COLUMNS // BLOCK)
_TILE_SHARES = (_TILE_BLOCKS[0] + 2, _TILE_BLOCKS[1] + 2)
_TILE_0 = (TILE_ROWS + 2 * _HALO, TILE_COLUMNS + 2 * _HALO)
_TILE_1 = (TILE_ROWS // 2 + 2 * _HALO, TILE_COLUMNS // 2 + 2 * _HALO)
_TILE_2 = (TILE_ROWS // 4 + 2 * _HALO, TILE_COLUMNS // 4 + 2 * _HALO)


@on_device
def _halved(plane: Any, offset: int, height: int, width: int, y: int, x: int) -> Any:
    """Compute cell (y, x) of the level above a plane [height, width] that starts at `offset`."""
    a, b = offset + clamp(2 * y - 1, height) * width, offset + 2 * y * width
    c, d = offset + clamp(2 * y + 1, height) * width, offset + clamp(2 * y + 2, height) * width
    xa, xb, xc, xd = clamp(2 * x - 1, width), 2 * x, clamp(2 * x + 1, width), clamp(2 * x + 2, width)
    return float32(1.0 / 64.0) * halve(
        halve(plane[a + xa], plane[b + xa], plane[c + xa], plane[d + xa]),
        halve(plane[a + xb], plane[b + xb], plane[c + xb], plane[d + xb]),
        halve(plane[a + xc], plane[b + xc], plane[c + xc], plane[d + xc]),
        halve(plane[a + xd], plane[b + xd], plane[c + xd], plane[d + xd]),
    )


@on_device
def _doubled(near: Any, far_row: Any, far_column: Any, far_both: Any) -> Any:
    """Compute a cell from the four of the level above that lie about it."""
    share = float32(1.0 / 16.0)
    return lean(lean(near, far_row, share), lean(far_column, far_both, share), float32(1.0))


@on_device
def _expanded(plane: Any, offset: int, height: int, width: int, y: int, x: int) -> Any:
    """Compute cell (y, x) of a level from the level above it, [height, width] at `offset`."""
    near, far = offset + y // 2 * width, offset + clamp(y // 2 + 2 * (y % 2) - 1, height) * width
    column, beside = x // 2, clamp(x // 2 + 2 * (x % 2) - 1, width)
    return _doubled(plane[near + column], plane[far + column], plane[near + beside], plane[far + beside])


@on_device
def _expanded_tile(tile: Any, y: int, x: int, top: int, left: int) -> Any:
    """Compute cell (y, x) of a level from a tile of the level above whose first cell is (top, left)."""
    near, far = y // 2 - top, y // 2 + 2 * (y % 2) - 1 - top
    column, beside = x // 2 - left, x // 2 + 2 * (x % 2) - 1 - left
    return _doubled(tile[near, column], tile[far, column], tile[near, beside], tile[far, beside])


@on_device
def _between_rows(tile: Any, row: int, column: int, side: int, amplitude: Any) -> Any:
    """Interpolate at the full-size row on that `side` (-1 above, 1 below) of a row of cells."""
    return amplitude * interpolate(
        tile[row, column],
        tile[row + side, column],
        tile[row - side, column],
        tile[row + 2 * side, column],
        formulas.TAPS,
    )


@cuda.jit(fastmath=True)
def filter_base(
    luma: Any,
    geometry: Any,
    base_level: int,
    base: Any,
    previous: Any,
    state: Any,
    energies: Any,
    steps: Any,
) -> None:
    """Make the base [streams, 2, h w] of luma and band-pass it; a block a tile of it, blocks [x, y, stream].

    `geometry` is height, width, and the distances between rows and between streams of `luma`; `base` is h, w.
    `previous` is the last frame's base and that of the one before it. `energies` [streams, 2, h' w'] are the
    averages of what passed and of the steps' changes, of blocks of cells.
    """
    passed = cuda.shared.array((TILE_ROWS, TILE_COLUMNS), float32)
    changed = cuda.shared.array((TILE_ROWS, TILE_COLUMNS), float32)
    stream, thread, threads = cuda.blockIdx.z, cuda.threadIdx.x, cuda.blockDim.x
    top, left = cuda.blockIdx.y * TILE_ROWS, cuda.blockIdx.x * TILE_COLUMNS
    keep, decay = steps[stream, 0, KEEP], steps[stream, 0, DECAY]
    i = thread
    while i < TILE_ROWS * TILE_COLUMNS:
        row, column = place(i, TILE_COLUMNS)
        i += threads
        y, x = top + row, left + column
        # What lies outside of the picture is nothing to its blocks.
        passed[row, column] = changed[row, column] = float32(0.0)
        if y >= base[0] or x >= base[1]:
            continue
        cell = y * base[1] + x
        if base_level == 0:
            now = float32(luma[stream * geometry[3] + y * geometry[2] + x]) * float32(formulas.UNIT)
        else:
            now = halved_luma(luma, geometry, stream, y, x)
        last, older = float32(previous[stream, 0, cell]), float32(previous[stream, 1, cell])
        step = keep * float32(1.0 / formulas.UNIT) * (now - last)
        turn = step - keep * float32(1.0 / formulas.UNIT) * (last - older)
        previous[stream, 0, cell] = np.uint16(now)
        # A frame of the same time is no step that the next one's could have changed from.
        if decay > float32(0.0):
            previous[stream, 1, cell] = np.uint16(last)
        elif keep == float32(0.0):
            previous[stream, 1, cell] = np.uint16(now)
        for k in range(steps.shape[1]):
            v, e, step = pass_section(
                keep * state[stream, k, 0, cell],
                keep * state[stream, k, 1, cell],
                step,
                coefficients(steps, stream, k),
            )
            state[stream, k, 0, cell] = v
            state[stream, k, 1, cell] = e
        band = state[stream, steps.shape[1] - 1, 0, cell]
        passed[row, column], changed[row, column] = band * band, turn * turn
    cuda.syncthreads()
    rows, columns = (base[0] + BLOCK - 1) // BLOCK, (base[1] + BLOCK - 1) // BLOCK
    i = thread
    while i < _TILE_BLOCKS[0] * _TILE_BLOCKS[1]:
        row, column = place(i, _TILE_BLOCKS[1])
        i += threads
        y, x = top // BLOCK + row, left // BLOCK + column
        if y >= rows or x >= columns:
            continue
        power = change = float32(0.0)
        for a in range(row * BLOCK, (row + 1) * BLOCK):
            for b in range(column * BLOCK, (column + 1) * BLOCK):
                power += passed[a, b]
                change += changed[a, b]
        own = energies[stream]
        at = y * columns + x
        own[0, at] = keep * own[0, at] + decay * (power - keep * own[0, at])
        own[1, at] = keep * own[1, at] + decay * (change - keep * own[1, at])


@on_device
def _pooled(plane: Any, rows: int, columns: int, y: int, x: int) -> Any:
    """Smooth the blocks' averages [rows columns] at block (y, x)."""
    here, above, below = y * columns, clamp(y - 1, rows) * columns, clamp(y + 1, rows) * columns
    left, right = clamp(x - 1, columns), clamp(x + 1, columns)
    return pool(
        pool(plane[here + x], plane[above + x], plane[below + x]),
        pool(plane[here + left], plane[above + left], plane[below + left]),
        pool(plane[here + right], plane[above + right], plane[below + right]),
    )


@cuda.jit(fastmath=True)
def gate_base(base: Any, state: Any, energies: Any, noise: Any, shown: Any) -> None:
    """Let pass what stands out of the noise, into `shown` [streams, h w]; blocks as of `filter_base`."""
    shares = cuda.shared.array(_TILE_SHARES, float32)
    stream, thread, threads = cuda.blockIdx.z, cuda.threadIdx.x, cuda.blockDim.x
    top, left = cuda.blockIdx.y * TILE_ROWS, cuda.blockIdx.x * TILE_COLUMNS
    rows, columns = (base[0] + BLOCK - 1) // BLOCK, (base[1] + BLOCK - 1) // BLOCK
    i = thread
    while i < _TILE_SHARES[0] * _TILE_SHARES[1]:
        row, column = place(i, _TILE_SHARES[1])
        i += threads
        y, x = clamp(top // BLOCK - 1 + row, rows), clamp(left // BLOCK - 1 + column, columns)
        power = _pooled(energies[stream, 0], rows, columns, y, x)
        shares[row, column] = above_noise(power, _pooled(energies[stream, 1], rows, columns, y, x), noise)
    cuda.syncthreads()
    i = thread
    while i < TILE_ROWS * TILE_COLUMNS:
        row, column = place(i, TILE_COLUMNS)
        i += threads
        y, x = top + row, left + column
        if y >= base[0] or x >= base[1]:
            continue
        # The block that covers the cell, and the one on the cell's side of it, both ways.
        near, far = row // BLOCK + 1, row // BLOCK + 2 * (row % BLOCK // 2)
        beside, aside = column // BLOCK + 1, column // BLOCK + 2 * (column % BLOCK // 2)
        lean_down = lean_of(row % BLOCK)
        share = between(
            between(shares[near, beside], shares[far, beside], lean_down),
            between(shares[near, aside], shares[far, aside], lean_down),
            lean_of(column % BLOCK),
        )
        cell = y * base[1] + x
        shown[stream, cell] = share * state[stream, state.shape[1] - 1, 0, cell]


@cuda.jit(fastmath=True)
def halve_twice(shown: Any, base: Any, levels: Any, shapes: Any) -> None:
    """Make levels 1 and 2 of what is shown; a block a tile of level 2, blocks [x, y, stream]."""
    fine = cuda.shared.array(_FINE, float32)
    stream = cuda.blockIdx.z
    band, level = shown[stream], levels[stream]
    offset_1, height_1, width_1 = shapes[0, 0], shapes[0, 1], shapes[0, 2]
    offset_2, height_2, width_2 = shapes[1, 0], shapes[1, 1], shapes[1, 2]
    top, left = cuda.blockIdx.y * HALVE_ROWS, cuda.blockIdx.x * HALVE_COLUMNS
    i = cuda.threadIdx.x
    while i < _FINE[0] * _FINE[1]:
        row, column = place(i, _FINE[1])
        i += cuda.blockDim.x
        y, x = 2 * top - 1 + row, 2 * left - 1 + column
        value = _halved(band, 0, base[0], base[1], clamp(y, height_1), clamp(x, width_1))
        fine[row, column] = value
        inside = 1 <= row <= 2 * HALVE_ROWS and 1 <= column <= 2 * HALVE_COLUMNS
        if inside and y < height_1 and x < width_1:
            level[offset_1 + y * width_1 + x] = value
    cuda.syncthreads()
    i = cuda.threadIdx.x
    while i < HALVE_ROWS * HALVE_COLUMNS:
        row, column = place(i, HALVE_COLUMNS)
        i += cuda.blockDim.x
        y, x = top + row, left + column
        if y < height_2 and x < width_2:
            level[offset_2 + y * width_2 + x] = halved_tile(fine, 2 * row, 2 * column)


@cuda.jit(fastmath=True)
def sum_coarse(levels: Any, shapes: Any, weights: Any) -> None:
    """Make levels 3.. from level 2 and add them up, weighted, into level 3; one block a stream."""
    level, count = levels[cuda.blockIdx.x], shapes.shape[0]
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    for k in range(2, count):
        offset, height, width = shapes[k, 0], shapes[k, 1], shapes[k, 2]
        # The coarsest level is weighted as it is made.
        own = weights[count] if k == count - 1 else float32(1.0)
        i = thread
        while i < height * width:
            level[offset + i] = own * _halved(
                level, shapes[k - 1, 0], shapes[k - 1, 1], shapes[k - 1, 2], i // width, i % width
            )
            i += threads
        cuda.syncthreads()
    for k in range(count - 2, 1, -1):
        offset, height, width = shapes[k, 0], shapes[k, 1], shapes[k, 2]
        i = thread
        while i < height * width:
            level[offset + i] = weights[k + 1] * level[offset + i] + _expanded(
                level, shapes[k + 1, 0], shapes[k + 1, 1], shapes[k + 1, 2], i // width, i % width
            )
            i += threads
        cuda.syncthreads()


@cuda.jit(fastmath=True)
def add_change(
    luma: Any,
    out: Any,
    geometry: Any,
    out_geometry: Any,
    base_level: int,
    base: Any,
    shown: Any,
    levels: Any,
    shapes: Any,
    weights: Any,
    amplitude: Any,
) -> None:
    """Add base and pyramid to luma; a block a tile of the base, blocks [x, y, stream].

    Each tile of a level has two cells about it, repeated at the edge, for the next finer one to reach into.
    """
    tile_2 = cuda.shared.array(_TILE_2, float32)
    tile_1 = cuda.shared.array(_TILE_1, float32)
    tile_0 = cuda.shared.array(_TILE_0, float32)
    stream, thread, threads = cuda.blockIdx.z, cuda.threadIdx.x, cuda.blockDim.x
    band, level = shown[stream], levels[stream]
    top, left = cuda.blockIdx.y * TILE_ROWS, cuda.blockIdx.x * TILE_COLUMNS
    i = thread
    while i < _TILE_2[0] * _TILE_2[1]:
        row, column = place(i, _TILE_2[1])
        i += threads
        y, x = clamp(top // 4 - _HALO + row, shapes[1, 1]), clamp(left // 4 - _HALO + column, shapes[1, 2])
        tile_2[row, column] = weights[2] * level[shapes[1, 0] + y * shapes[1, 2] + x] + _expanded(
            level, shapes[2, 0], shapes[2, 1], shapes[2, 2], y, x
        )
    cuda.syncthreads()
    i = thread
    while i < _TILE_1[0] * _TILE_1[1]:
        row, column = place(i, _TILE_1[1])
        i += threads
        y, x = clamp(top // 2 - _HALO + row, shapes[0, 1]), clamp(left // 2 - _HALO + column, shapes[0, 2])
        tile_1[row, column] = weights[1] * level[shapes[0, 0] + y * shapes[0, 2] + x] + _expanded_tile(
            tile_2, y, x, top // 4 - _HALO, left // 4 - _HALO
        )
    cuda.syncthreads()
    i = thread
    while i < _TILE_0[0] * _TILE_0[1]:
        row, column = place(i, _TILE_0[1])
        i += threads
        y, x = clamp(top - _HALO + row, base[0]), clamp(left - _HALO + column, base[1])
        tile_0[row, column] = weights[0] * band[y * base[1] + x] + _expanded_tile(
            tile_1, y, x, top // 2 - _HALO, left // 2 - _HALO
        )
    cuda.syncthreads()
    height, width, pitch, plane = geometry
    i = thread
    while i < TILE_ROWS * TILE_COLUMNS:
        row, column = place(i, TILE_COLUMNS)
        i += threads
        y, x = top + row, left + column
        if y >= base[0] or x >= base[1]:
            continue
        if base_level == 0:
            at, to = stream * plane + y * pitch + x, stream * out_geometry[3] + y * out_geometry[2] + x
            out[to] = round_and_clip(float32(luma[at]) + amplitude * tile_0[row + _HALO, column + _HALO])
            continue
        for odd in range(min(2, height - 2 * y)):
            line, side = row + _HALO, 2 * odd - 1
            a = _between_rows(tile_0, line, column, side, amplitude)
            b = _between_rows(tile_0, line, column + 1, side, amplitude)
            c = _between_rows(tile_0, line, column + 2, side, amplitude)
            d = _between_rows(tile_0, line, column + 3, side, amplitude)
            e = _between_rows(tile_0, line, column + 4, side, amplitude)
            at = stream * plane + (2 * y + odd) * pitch + 2 * x
            to = stream * out_geometry[3] + (2 * y + odd) * out_geometry[2] + 2 * x
            out[to] = round_and_clip(float32(luma[at]) + interpolate(c, b, d, a, formulas.TAPS))
            if 2 * x + 1 < width:
                out[to + 1] = round_and_clip(float32(luma[at + 1]) + interpolate(c, d, b, e, formulas.TAPS))
