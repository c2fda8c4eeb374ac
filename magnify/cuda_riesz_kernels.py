"""The CUDA kernels of the Riesz engine up to the displacement: four launches, all streams at once.

    halve_thrice   luma -> levels 1, 2 and 3, through shared memory
    compare        each level's band, kept for the next frame, and its phase evidence against the last one's
    follow         evidence smoothed and solved -> displacement, band-passed; energies of motion and noise
    hold_back      energies smoothed -> what of the displacement stands out of the noise: the field

The other two are in `cuda_warp_kernels`. The formulas are those of the CPU's loops (`riesz_formulas.py`). A
block makes a tile of pixels or cells and reads as far about it as the filters reach, edges repeated. `steps`
has two columns more than the linear engine's: a frame's share in the averages, and which of two sets of bands
it makes.
"""

from __future__ import annotations

from typing import Any

from numba import cuda, float32, int32

from . import riesz_formulas
from .cuda_functions import (
    DECAY,
    KEEP,
    REACH,
    STEP_COLUMNS,
    above_noise,
    clamp,
    coefficients,
    halved_luma,
    halved_tile,
    on_device,
    pass_section,
    place,
    weigh_column,
    weigh_row,
)

WHICH = STEP_COLUMNS
RIESZ_STEP_COLUMNS = STEP_COLUMNS + 1

# What a block makes: pixels of level 3, of a level's band, cells of the grid.
HALVE_ROWS, HALVE_COLUMNS = 4, 16
_BAND_ROW_BITS, _BAND_COLUMN_BITS = 4, 5
BAND_ROWS, BAND_COLUMNS = 1 << _BAND_ROW_BITS, 1 << _BAND_COLUMN_BITS
CELL_ROWS, CELL_COLUMNS = 8, 32
# How far the coarse blur and the derivatives reach.
_BLUR, _DERIVE = 4, 2

# Columns of the levels' table: where the level lies among the planes (-1: it is the picture itself) and among
# the bands, its size, by how many octaves it is finer or coarser than the grid of cells, where its sums lie
# and their size (a coarser level's are of its own), the first of its tiles and how many are side by side.
PLANE, BAND, HEIGHT, WIDTH, FINER, COARSER, SUMS, SUM_HEIGHT, SUM_WIDTH, FIRST, ACROSS = range(11)

_HALVES_1 = (4 * HALVE_ROWS + 6, 4 * HALVE_COLUMNS + 6)
_HALVES_2 = (2 * HALVE_ROWS + 2, 2 * HALVE_COLUMNS + 2)
_PLANE_TILE = (BAND_ROWS + 2 * (_BLUR + _DERIVE), BAND_COLUMNS + 2 * (_BLUR + _DERIVE))
_BAND_TILE = (BAND_ROWS + 2 * _DERIVE, BAND_COLUMNS + 2 * _DERIVE)
_BAND_LINES = (2, _BAND_TILE[0], _PLANE_TILE[1])
_PRODUCTS = (5, BAND_ROWS, BAND_COLUMNS)
_CELL_TILE = (CELL_ROWS + 2 * REACH, CELL_COLUMNS + 2 * REACH)
_CELL_LINES = (CELL_ROWS, _CELL_TILE[1])
_CELL_SUMS = (5, CELL_ROWS, CELL_COLUMNS)

_blur_3 = on_device(riesz_formulas.blur_3.py_func)
_blur_9 = on_device(riesz_formulas.blur_9.py_func)
_slope = on_device(riesz_formulas.slope.py_func)
_bend = on_device(riesz_formulas.bend.py_func)
_turned = on_device(riesz_formulas.turned.py_func)
_stiffness = on_device(riesz_formulas.stiffness.py_func)
_solve = on_device(riesz_formulas.solve.py_func)
_average = on_device(riesz_formulas.average.py_func)


@on_device
def _smooth_columns(tile: Any, lines: Any) -> None:
    """Smooth a tile of cells downwards into lines; all threads of the block take part, before and after."""
    cuda.syncthreads()
    i = cuda.threadIdx.x
    while i < _CELL_LINES[0] * _CELL_LINES[1]:
        row, column = place(i, _CELL_LINES[1])
        i += cuda.blockDim.x
        lines[row, column] = weigh_column(tile, row, column, riesz_formulas.SMOOTH)
    cuda.syncthreads()


@on_device
def _blur_column(tile: Any, lines: Any, y: int, row: int, column: int) -> None:
    """Blur a plane's tile downwards about its row y, finely and coarsely, into a row of the lines."""
    here, one = tile[y, column], tile[y - 1, column] + tile[y + 1, column]
    two, three = tile[y - 2, column] + tile[y + 2, column], tile[y - 3, column] + tile[y + 3, column]
    lines[0, row, column] = _blur_3(here, one)
    lines[1, row, column] = _blur_9(here, one, two, three, tile[y - 4, column] + tile[y + 4, column])


@on_device
def _blur_row(lines: Any, row: int, x: int) -> Any:
    """Compute the band at column x of the blurred lines: fine less coarse."""
    coarse = lines[1, row]
    one, two = coarse[x - 1] + coarse[x + 1], coarse[x - 2] + coarse[x + 2]
    three, four = coarse[x - 3] + coarse[x + 3], coarse[x - 4] + coarse[x + 4]
    fine = _blur_3(lines[0, row, x], lines[0, row, x - 1] + lines[0, row, x + 1])
    return fine - _blur_9(coarse[x], one, two, three, four)


@on_device
def _evidence(added: Any, apart: Any, lines: Any, row: int, column: int, products: Any) -> None:
    """Compute the five products at a pixel of a block's tile; see `riesz_motion._compare`.

    The two frames' bands `added` and `apart`, their difference, have two pixels about the tile; `lines` hold
    their slopes downwards.
    """
    y, x = row + _DERIVE, column + _DERIVE
    s, d, s_down, d_down = added[y], apart[y], lines[0, row], lines[1, row]
    sv, dv, sy, dy = s[x], d[x], s_down[x], d_down[x]
    sx, dx = _slope(s[x - 2], s[x - 1], s[x + 1], s[x + 2]), _slope(d[x - 2], d[x - 1], d[x + 1], d[x + 2])
    sxx = _bend(sv, s[x - 1] + s[x + 1], s[x - 2] + s[x + 2])
    dxx = _bend(dv, d[x - 1] + d[x + 1], d[x - 2] + d[x + 2])
    syy = _bend(sv, added[y - 1, x] + added[y + 1, x], added[y - 2, x] + added[y + 2, x])
    dyy = _bend(dv, apart[y - 1, x] + apart[y + 1, x], apart[y - 2, x] + apart[y + 2, x])
    sxy = _slope(s_down[x - 2], s_down[x - 1], s_down[x + 1], s_down[x + 2])
    dxy = _slope(d_down[x - 2], d_down[x - 1], d_down[x + 1], d_down[x + 2])
    products[0, row, column] = _turned(sv, sx, dv, dx)
    products[1, row, column] = _turned(sv, sy, dv, dy)
    products[2, row, column] = _stiffness(sv, sx, sx, sxx, dv, dx, dx, dxx)
    products[3, row, column] = _stiffness(sv, sx, sy, sxy, dv, dx, dy, dxy)
    products[4, row, column] = _stiffness(sv, sy, sy, syy, dv, dy, dy, dyy)


@on_device
def _band_pass(state: Any, steps: Any, stream: int, cell: int, right: Any, down: Any) -> tuple[Any, Any]:
    """Step a cell's temporal filter by a displacement, and return what of both axes has passed."""
    keep = steps[stream, 0, KEEP]
    passed_right, passed_down = float32(0.0), float32(0.0)
    for k in range(steps.shape[1]):
        row, own = coefficients(steps, stream, k), state[stream, k]
        passed_right, error, right = pass_section(keep * own[0, 0, cell], keep * own[0, 1, cell], right, row)
        own[0, 0, cell] = passed_right
        own[0, 1, cell] = error
        passed_down, error, down = pass_section(keep * own[1, 0, cell], keep * own[1, 1, cell], down, row)
        own[1, 0, cell] = passed_down
        own[1, 1, cell] = error
    return passed_right, passed_down


@cuda.jit(fastmath=True)
def halve_thrice(luma: Any, geometry: Any, planes: Any, shapes: Any) -> None:
    """Make levels 1, 2 and 3 of luma; a block a tile of level 3, blocks [x, y, stream].

    `geometry` is height, width, and the distances between rows and between streams of `luma`; `shapes` holds
    offset in `planes`, height and width of each level.
    """
    tile_1 = cuda.shared.array(_HALVES_1, float32)
    tile_2 = cuda.shared.array(_HALVES_2, float32)
    stream, thread, threads = cuda.blockIdx.z, cuda.threadIdx.x, cuda.blockDim.x
    plane = planes[stream]
    top, left = cuda.blockIdx.y * HALVE_ROWS, cuda.blockIdx.x * HALVE_COLUMNS
    i = thread
    while i < _HALVES_1[0] * _HALVES_1[1]:
        row, column = place(i, _HALVES_1[1])
        i += threads
        y, x = 4 * top - 3 + row, 4 * left - 3 + column
        value = float32(1.0 / 64.0) * halved_luma(
            luma, geometry, stream, clamp(y, shapes[0, 1]), clamp(x, shapes[0, 2])
        )
        tile_1[row, column] = value
        inside = 3 <= row < _HALVES_1[0] - 3 and 3 <= column < _HALVES_1[1] - 3
        if inside and y < shapes[0, 1] and x < shapes[0, 2]:
            plane[shapes[0, 0] + y * shapes[0, 2] + x] = value
    cuda.syncthreads()
    i = thread
    while i < _HALVES_2[0] * _HALVES_2[1]:
        row, column = place(i, _HALVES_2[1])
        i += threads
        y, x = 2 * top - 1 + row, 2 * left - 1 + column
        at_y, at_x = clamp(y, shapes[1, 1]), clamp(x, shapes[1, 2])
        value = halved_tile(tile_1, 2 * at_y + 2 - 4 * top, 2 * at_x + 2 - 4 * left)
        tile_2[row, column] = value
        inside = 1 <= row < _HALVES_2[0] - 1 and 1 <= column < _HALVES_2[1] - 1
        if inside and y < shapes[1, 1] and x < shapes[1, 2]:
            plane[shapes[1, 0] + y * shapes[1, 2] + x] = value
    cuda.syncthreads()
    i = thread
    while i < HALVE_ROWS * HALVE_COLUMNS:
        row, column = place(i, HALVE_COLUMNS)
        i += threads
        y, x = top + row, left + column
        if y < shapes[2, 1] and x < shapes[2, 2]:
            plane[shapes[2, 0] + y * shapes[2, 2] + x] = halved_tile(tile_2, 2 * row, 2 * column)


@cuda.jit(fastmath=True)
def compare(
    luma: Any, geometry: Any, planes: Any, bands: Any, steps: Any, table: Any, weights: Any, sums: Any
) -> None:
    """Make every level's band and compare it with the last frame's; a block a tile, blocks [tile, stream].

    `bands` [streams, 2, ...] are this frame's and the last one's, `weights` [levels, 2] each level's for
    motion and stiffness, `sums` takes the evidence, of each level by itself.
    """
    tile = cuda.shared.array(_PLANE_TILE, float32)
    lines = cuda.shared.array(_BAND_LINES, float32)
    added = cuda.shared.array(_BAND_TILE, float32)
    apart = cuda.shared.array(_BAND_TILE, float32)
    products = cuda.shared.array(_PRODUCTS, float32)
    stream, thread, threads = cuda.blockIdx.y, cuda.threadIdx.x, cuda.blockDim.x
    level = 0
    while level + 1 < table.shape[0] and cuda.blockIdx.x >= table[level + 1, FIRST]:
        level += 1
    height, width, finer = table[level, HEIGHT], table[level, WIDTH], table[level, FINER]
    plane_at, band_at = table[level, PLANE], table[level, BAND]
    number, across = cuda.blockIdx.x - table[level, FIRST], table[level, ACROSS]
    top, left = place(number, across)
    top, left = top * BAND_ROWS, left * BAND_COLUMNS
    which = int32(steps[stream, 0, WHICH])
    band, before = bands[stream, which], bands[stream, 1 - which]
    reach = _BLUR + _DERIVE
    i = thread
    while i < _PLANE_TILE[0] * _PLANE_TILE[1]:
        row, column = place(i, _PLANE_TILE[1])
        i += threads
        y, x = clamp(top - reach + row, height), clamp(left - reach + column, width)
        if plane_at < 0:
            tile[row, column] = float32(luma[stream * geometry[3] + y * geometry[2] + x])
        else:
            tile[row, column] = planes[stream, plane_at + y * width + x]
    cuda.syncthreads()
    i = thread
    while i < _BAND_LINES[1] * _BAND_LINES[2]:
        row, column = place(i, _BAND_LINES[2])
        i += threads
        _blur_column(tile, lines, clamp(top - _DERIVE + row, height) - top + reach, row, column)
    cuda.syncthreads()
    i = thread
    while i < _BAND_TILE[0] * _BAND_TILE[1]:
        row, column = place(i, _BAND_TILE[1])
        i += threads
        y, x = top - _DERIVE + row, left - _DERIVE + column
        at_x = clamp(x, width)
        cell = band_at + clamp(y, height) * width + at_x
        now, then = _blur_row(lines, row, at_x - left + reach), before[cell]
        added[row, column] = now + then
        apart[row, column] = now - then
        inside = _DERIVE <= row < BAND_ROWS + _DERIVE and _DERIVE <= column < BAND_COLUMNS + _DERIVE
        if inside and y < height and x < width:
            band[cell] = now
    cuda.syncthreads()
    i = thread
    while i < BAND_ROWS * _BAND_TILE[1]:
        row, x = place(i, _BAND_TILE[1])
        i += threads
        lines[0, row, x] = _slope(added[row, x], added[row + 1, x], added[row + 3, x], added[row + 4, x])
        lines[1, row, x] = _slope(apart[row, x], apart[row + 1, x], apart[row + 3, x], apart[row + 4, x])
    cuda.syncthreads()
    i = thread
    while i < BAND_ROWS * BAND_COLUMNS:
        row, column = place(i, BAND_COLUMNS)
        i += threads
        _evidence(added, apart, lines, row, column, products)
    cuda.syncthreads()
    # Cells are powers of two: shifts, because divisions by what only the table knows take long.
    row_bits, column_bits = _BAND_ROW_BITS - finer, _BAND_COLUMN_BITS - finer
    sum_height, sum_width = table[level, SUM_HEIGHT], table[level, SUM_WIDTH]
    i = thread
    while i < 5 << row_bits + column_bits:
        row, column = i >> column_bits & (1 << row_bits) - 1, i & (1 << column_bits) - 1
        c = i >> row_bits + column_bits
        i += threads
        y, x = (top >> finer) + row, (left >> finer) + column
        if y >= sum_height or x >= sum_width:
            continue
        total = float32(0.0)
        for k in range(1 << 2 * finer):
            a, b = (row << finer) + (k >> finer), (column << finer) + (k & (1 << finer) - 1)
            if top + a < height and left + b < width:
                total += products[c, a, b]
        share = float32(0.5) * weights[level, 0] if c < 2 else float32(0.25) * weights[level, 1]
        sums[stream, table[level, SUMS] + (c * sum_height + y) * sum_width + x] = share * total


@cuda.jit(fastmath=True)
def follow(sums: Any, table: Any, grid: Any, state: Any, memory: Any, steps: Any) -> None:
    """Smooth the evidence, solve it for the displacement, band-pass that; a block a tile of cells.

    `grid` is (h, w); `state` [streams, order, 2 axes, 2, h w] is the temporal filter's; `memory` [streams, 4,
    h w] is the last displacement, right and down, and the averages of what passed and of the steps' changes.
    Blocks [x, y, stream].
    """
    tile = cuda.shared.array(_CELL_TILE, float32)
    lines = cuda.shared.array(_CELL_LINES, float32)
    smooth = cuda.shared.array(_CELL_SUMS, float32)
    stream, thread, threads = cuda.blockIdx.z, cuda.threadIdx.x, cuda.blockDim.x
    top, left = cuda.blockIdx.y * CELL_ROWS, cuda.blockIdx.x * CELL_COLUMNS
    for c in range(5):
        for level in range(table.shape[0]):
            width, coarser = table[level, SUM_WIDTH], table[level, COARSER]
            first = table[level, SUMS] + c * table[level, SUM_HEIGHT] * width
            i = thread
            while i < _CELL_TILE[0] * _CELL_TILE[1]:
                row, column = place(i, _CELL_TILE[1])
                i += threads
                y, x = clamp(top - REACH + row, grid[0]), clamp(left - REACH + column, grid[1])
                total = tile[row, column] if level > 0 else float32(0.0)
                tile[row, column] = total + sums[stream, first + (y >> coarser) * width + (x >> coarser)]
        _smooth_columns(tile, lines)
        i = thread
        while i < CELL_ROWS * CELL_COLUMNS:
            row, column = place(i, CELL_COLUMNS)
            i += threads
            smooth[c, row, column] = weigh_row(lines, row, column, riesz_formulas.SMOOTH)
    keep, decay = steps[stream, 0, KEEP], steps[stream, 0, DECAY]
    i = thread
    while i < CELL_ROWS * CELL_COLUMNS:
        row, column = place(i, CELL_COLUMNS)
        i += threads
        y, x = top + row, left + column
        if y >= grid[0] or x >= grid[1]:
            continue
        cell = y * grid[1] + x
        right, down = _solve(
            smooth[0, row, column],
            smooth[1, row, column],
            smooth[2, row, column],
            smooth[3, row, column],
            smooth[4, row, column],
        )
        right, down = keep * right, keep * down
        passed_right, passed_down = _band_pass(state, steps, stream, cell, right, down)
        own = memory[stream]
        old_right, old_down = keep * own[0, cell], keep * own[1, cell]
        own[2, cell] = _average(keep * own[2, cell], passed_right, passed_down, decay)
        own[3, cell] = _average(keep * own[3, cell], right - old_right, down - old_down, decay)
        # A frame of the same time is no step that the next one's could have changed from.
        own[0, cell] = right if decay > float32(0.0) else old_right
        own[1, cell] = down if decay > float32(0.0) else old_down


@cuda.jit(fastmath=True)
def hold_back(state: Any, memory: Any, grid: Any, noise: Any, field: Any) -> None:
    """Let pass what stands out of the noise, into `field` [streams, 2 axes, h w]; blocks as of `follow`."""
    tile = cuda.shared.array(_CELL_TILE, float32)
    lines = cuda.shared.array(_CELL_LINES, float32)
    motion = cuda.shared.array((CELL_ROWS, CELL_COLUMNS), float32)
    stream, thread, threads = cuda.blockIdx.z, cuda.threadIdx.x, cuda.blockDim.x
    top, left = cuda.blockIdx.y * CELL_ROWS, cuda.blockIdx.x * CELL_COLUMNS
    passed = state[stream, state.shape[1] - 1]
    for c in range(2):
        i = thread
        while i < _CELL_TILE[0] * _CELL_TILE[1]:
            row, column = place(i, _CELL_TILE[1])
            i += threads
            y, x = clamp(top - REACH + row, grid[0]), clamp(left - REACH + column, grid[1])
            tile[row, column] = memory[stream, 2 + c, y * grid[1] + x]
        _smooth_columns(tile, lines)
        i = thread
        while i < CELL_ROWS * CELL_COLUMNS:
            row, column = place(i, CELL_COLUMNS)
            i += threads
            smooth = weigh_row(lines, row, column, riesz_formulas.SMOOTH)
            if c == 0:
                motion[row, column] = smooth
                continue
            y, x = top + row, left + column
            if y < grid[0] and x < grid[1]:
                share = above_noise(motion[row, column], smooth, noise)
                field[stream, 0, y * grid[1] + x] = share * passed[0, 0, y * grid[1] + x]
                field[stream, 1, y * grid[1] + x] = share * passed[1, 0, y * grid[1] + x]
