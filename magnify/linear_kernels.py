"""The compiled loops of the linear engine; `planes` tells how they are written."""

from __future__ import annotations

import numpy as np
from numba import njit

from .formulas import TAPS, UNIT, halve, interpolate, lean, round_and_clip
from .linear_shrinkage import BLOCK, Gate, average_row
from .planes import Bytes, Floats, Geometry, Table, Words
from .pyramid import level_plane, reduce_rows
from .temporal import section_step


@njit(cache=True, nogil=True, fastmath=True)
def expand_row(coarse: Floats, y: int, line: Floats, row: Floats, own: np.float32) -> None:
    """Add to a row y [W] of a plane, weighted with `own`, the level above it, doubled with (1, 3) / 4.

    `line` is scratch of at least w + 2 values.
    """
    height, cells = coarse.shape
    near = coarse[y // 2]
    far = coarse[max(y // 2 - 1, 0)] if y % 2 == 0 else coarse[min(y // 2 + 1, height - 1)]
    body = line[1:]
    for x in range(cells):
        body[x] = lean(near[x], far[x], np.float32(1.0 / 16.0))
    line[0] = body[0]
    body[cells] = body[cells - 1]
    width = row.size
    whole = np.float32(1.0)
    for x in range(width // 2):
        row[2 * x] = own * row[2 * x] + lean(body[x], line[x], whole)
        row[2 * x + 1] = own * row[2 * x + 1] + lean(body[x], line[x + 2], whole)
    if width % 2 == 1:
        row[width - 1] = own * row[width - 1] + lean(body[cells - 1], line[cells - 1], whole)


@njit(cache=True, nogil=True, fastmath=True)
def collapse(
    levels: Floats,
    shapes: Table,
    weights: Floats,
    line: Floats,
) -> None:
    """Fill levels 1.. from level 0 and add them up, weighted, into level 0, ready to be doubled to the base.

    `line` is scratch of at least the width of level 0 plus 4.
    """
    count = len(shapes)
    for k in range(1, count):
        coarse = level_plane(levels, shapes[k])
        reduce_rows(level_plane(levels, shapes[k - 1]), coarse, 0, coarse.shape[0], line)
    top = level_plane(levels, shapes[count - 1])
    for y in range(top.shape[0]):
        row = top[y]
        for x in range(row.size):
            row[x] *= weights[count]
    for k in range(count - 2, -1, -1):
        plane = level_plane(levels, shapes[k])
        coarse = level_plane(levels, shapes[k + 1])
        for y in range(plane.shape[0]):
            expand_row(coarse, y, line, plane[y], weights[k + 1])


@njit(cache=True, nogil=True, fastmath=True)
def base_row(
    luma: Bytes,
    geometry: Geometry,
    base_level: int,
    y: int,
    sums: Words,
    row: Words,
) -> None:
    """Compute row y [w] of the base plane in units of 1/64 grey level; whole numbers, so without rounding."""
    height, width, pitch, _ = geometry
    if base_level == 0:
        source = luma[y * pitch : y * pitch + width]
        for x in range(width):
            row[x] = np.uint16(source[x]) * np.uint16(UNIT)
        return
    ya, yb = max(2 * y - 1, 0) * pitch, 2 * y * pitch
    yc, yd = min(2 * y + 1, height - 1) * pitch, min(2 * y + 2, height - 1) * pitch
    a, b = luma[ya : ya + width], luma[yb : yb + width]
    c, d = luma[yc : yc + width], luma[yd : yd + width]
    body = sums[1:]
    for x in range(width):
        body[x] = halve(np.uint16(a[x]), np.uint16(b[x]), np.uint16(c[x]), np.uint16(d[x]))
    cells = row.size
    sums[0] = body[0]
    body[width] = body[width - 1]
    body[2 * cells] = body[width - 1]
    for x in range(cells):
        row[x] = halve(sums[2 * x], sums[2 * x + 1], sums[2 * x + 2], sums[2 * x + 3])


@njit(cache=True, nogil=True, fastmath=True)
def load(
    luma: Bytes,
    geometry: Geometry,
    base_level: int,
    previous: Words,
    sums: Words,
) -> None:
    """Fill the base plane from a picture, with the first block's scratch."""
    for y in range(previous.shape[0]):
        base_row(luma, geometry, base_level, y, sums[0, 0], previous[y])


@njit(cache=True, nogil=True, fastmath=True)
def rows_in(
    luma: Bytes,
    geometry: Geometry,
    base_level: int,
    gate: Gate,
    state: Floats,
    coefficients: Floats,
    rows: tuple[int, int],
    scratch: Floats,
    sums: Words,
) -> None:
    """Band-pass the base rows rows[0]..rows[1], and average what the gate needs."""
    height, width = gate.previous.shape
    now = sums[1, :width]
    line, passed, changes = scratch[0], scratch[1], scratch[2]
    closes = gate.shares.size > 0
    scale = np.float32(1.0 / UNIT)
    for y in range(rows[0], rows[1]):
        last, older = gate.previous[y], gate.before[y]
        base_row(luma, geometry, base_level, y, sums[0], now)
        if closes:
            if y % BLOCK == 0:
                passed[: width + BLOCK] = np.float32(0.0)
                changes[: width + BLOCK] = np.float32(0.0)
            for x in range(width):
                step = np.float32(now[x]) - np.float32(last[x])
                change = scale * (step - (np.float32(last[x]) - np.float32(older[x])))
                line[x] = scale * step
                changes[x] += change * change
        else:
            for x in range(width):
                line[x] = scale * (np.float32(now[x]) - np.float32(last[x]))
        for x in range(width):
            older[x] = now[x]
        for k in range(state.shape[0]):
            section_step(line, state[k, 0, y], state[k, 1, y], coefficients[k])
        if closes:
            band = state[-1, 0, y]
            for x in range(width):
                passed[x] += band[x] * band[x]
            if y % BLOCK == BLOCK - 1 or y == height - 1:
                average_row(passed, gate.decay, gate.energies[0, y // BLOCK])
                average_row(changes, gate.decay, gate.energies[1, y // BLOCK])


@njit(cache=True, nogil=True, fastmath=True)
def add_row(luma: Bytes, change: Floats, out: Bytes) -> None:
    """Add a row of changes to a row of luma, round and clip."""
    for x in range(luma.size):
        out[x] = round_and_clip(np.float32(luma[x]) + change[x])


@njit(cache=True, nogil=True, fastmath=True)
def change_row(
    band: Floats,
    top: Floats,
    y: int,
    weight: np.float32,
    line: Floats,
    row: Floats,
) -> None:
    """Compute row y [w] of what is added at the base: the weighted band-passed plane and the pyramid."""
    source = band[y]
    for x in range(source.size):
        row[x] = source[x]
    expand_row(top, y, line, row, weight)


@njit(cache=True, nogil=True, fastmath=True)
def rows_out(
    luma: Bytes,
    out: Bytes,
    geometry: Geometry,
    base_level: int,
    band: Floats,
    top: Floats,
    weight: np.float32,
    amplitude: np.float32,
    rows: tuple[int, int],
    scratch: Floats,
) -> None:
    """Write the rows of `out` that the base rows rows[0]..rows[1] cover."""
    height, width, pitch, out_pitch = geometry
    cells = band.shape[1]
    line, wide = scratch[5], scratch[6]
    if base_level == 0:
        for y in range(rows[0], rows[1]):
            change_row(band, top, y, weight, line, wide[:cells])
            for x in range(cells):
                wide[x] *= amplitude
            add_row(luma[y * pitch : y * pitch + width], wide, out[y * out_pitch : y * out_pitch + width])
        return
    last_row = band.shape[0] - 1
    even, odd = scratch[7], scratch[8]
    done = max(rows[0] - 2, 0)
    for y in range(rows[0], rows[1]):
        # A ring of five base rows around y, each made once.
        while done <= min(y + 2, last_row):
            change_row(band, top, done, weight, line, scratch[done % 5, :cells])
            done += 1
        between_rows(
            scratch[max(y - 2, 0) % 5],
            scratch[max(y - 1, 0) % 5],
            scratch[y % 5],
            scratch[min(y + 1, last_row) % 5],
            scratch[min(y + 2, last_row) % 5],
            amplitude,
            even[: cells + 4],
            odd[: cells + 4],
        )
        for row in range(2 * y, min(2 * y + 2, height)):
            between_columns(even if row % 2 == 0 else odd, cells, wide)
            add_row(
                luma[row * pitch : row * pitch + width], wide, out[row * out_pitch : row * out_pitch + width]
            )


@njit(cache=True, nogil=True, fastmath=True)
def between_rows(
    far_up: Floats,
    up: Floats,
    here: Floats,
    down: Floats,
    far_down: Floats,
    amplitude: np.float32,
    even: Floats,
    odd: Floats,
) -> None:
    """Interpolate the two full-size rows that base row `here` covers, times `amplitude`.

    `even` and `odd` [w + 4] come out padded with two repeated cells on either side.
    """
    taps = (amplitude * TAPS[0], amplitude * TAPS[1], amplitude * TAPS[2], amplitude * TAPS[3])
    cells = even.size - 4
    # Slices that start at 0 and plain indices: the compiler vectorises nothing else.
    even_body, odd_body = even[2:], odd[2:]
    for x in range(cells):
        even_body[x] = interpolate(here[x], up[x], down[x], far_up[x], taps)
        odd_body[x] = interpolate(here[x], down[x], up[x], far_down[x], taps)
    even[:2] = even[2]
    even[cells + 2 :] = even[cells + 1]
    odd[:2] = odd[2]
    odd[cells + 2 :] = odd[cells + 1]


@njit(cache=True, nogil=True, fastmath=True)
def between_columns(line: Floats, cells: int, row: Floats) -> None:
    """Interpolate a full-size row [2 w] from a padded line of `cells` cells."""
    far_left, left, here, right, far_right = line, line[1:], line[2:], line[3:], line[4:]
    for x in range(cells):
        row[2 * x] = interpolate(here[x], left[x], right[x], far_left[x], TAPS)
        row[2 * x + 1] = interpolate(here[x], right[x], left[x], far_right[x], TAPS)
