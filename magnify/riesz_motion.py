"""From two frames' octaves to one displacement field: phase differences, pooled, solved and band-passed."""

from __future__ import annotations

import numpy as np
from numba import njit

from .planes import Floats, repeat_edges
from .riesz_formulas import SMOOTH, bend, slope, solve, stiffness, turned, weigh_13
from .temporal import section_step


@njit(cache=True, nogil=True, fastmath=True)
def compare_rows(
    before: Floats,
    now: Floats,
    shift: int,
    weights: Floats,
    cells: Floats,
    rows: tuple[int, int],
    scratch: Floats,
) -> None:
    """Add the phase evidence of rows of one level's bands [h, w] to the grid's five sums [5, h', w'].

    With L a band, its Riesz pair (L_x, L_y) up to the pair's response, primes for the frame before, and A the
    amplitude, the quaternion product of the two frames' Riesz triples has the imaginary part
    A^2 sin(phase difference) (cos, sin of the orientation); sums 0 and 1 hold it. Sums 2 to 4 hold what a
    displacement of one pixel gives, A^2 w^2 times the orientation's outer product, as the product of one
    frame with the other, so that noise, which the two do not share, adds nothing to it.

    Both are computed from the frames' sum and difference, of which the latter is exactly nothing in a
    picture that stands still. A cell is 2^shift pixels wide.
    """
    height, width = now.shape
    last = height - 1
    motion, stiff = np.float32(0.5) * weights[0], np.float32(0.25) * weights[1]
    s, sy, syy = scratch[0], scratch[1], scratch[2]
    d, dy, dyy = scratch[3], scratch[4], scratch[5]
    s_body, sy_body, syy_body = s[2:], sy[2:], syy[2:]
    d_body, dy_body, dyy_body = d[2:], dy[2:], dyy[2:]
    j1, j2, t11, t12, t22 = scratch[6], scratch[7], scratch[8], scratch[9], scratch[10]
    for y in range(rows[0], rows[1]):
        up1, down1, up2, down2 = max(y - 1, 0), min(y + 1, last), max(y - 2, 0), min(y + 2, last)
        a0, a1, a2, a3, a4 = now[y], now[up1], now[up2], now[down1], now[down2]
        b0, b1, b2, b3, b4 = before[y], before[up1], before[up2], before[down1], before[down2]
        for x in range(width):
            sum0, sum1, sum2 = a0[x] + b0[x], a1[x] + b1[x], a2[x] + b2[x]
            sum3, sum4 = a3[x] + b3[x], a4[x] + b4[x]
            s_body[x] = sum0
            sy_body[x] = slope(sum2, sum1, sum3, sum4)
            syy_body[x] = bend(sum0, sum1 + sum3, sum2 + sum4)
            dif0, dif1, dif2 = a0[x] - b0[x], a1[x] - b1[x], a2[x] - b2[x]
            dif3, dif4 = a3[x] - b3[x], a4[x] - b4[x]
            d_body[x] = dif0
            dy_body[x] = slope(dif2, dif1, dif3, dif4)
            dyy_body[x] = bend(dif0, dif1 + dif3, dif2 + dif4)
        repeat_edges(s, 2, width)
        repeat_edges(sy, 2, width)
        repeat_edges(d, 2, width)
        repeat_edges(dy, 2, width)
        for x in range(width):
            sv, dv = s[x + 2], d[x + 2]
            sx, dx = slope(s[x], s[x + 1], s[x + 3], s[x + 4]), slope(d[x], d[x + 1], d[x + 3], d[x + 4])
            sxx = bend(sv, s[x + 1] + s[x + 3], s[x] + s[x + 4])
            dxx = bend(dv, d[x + 1] + d[x + 3], d[x] + d[x + 4])
            sxy = slope(sy[x], sy[x + 1], sy[x + 3], sy[x + 4])
            dxy = slope(dy[x], dy[x + 1], dy[x + 3], dy[x + 4])
            sv1, dv1 = sy[x + 2], dy[x + 2]
            j1[x] = motion * turned(sv, sx, dv, dx)
            j2[x] = motion * turned(sv, sv1, dv, dv1)
            t11[x] = stiff * stiffness(sv, sx, sx, sxx, dv, dx, dx, dxx)
            t12[x] = stiff * stiffness(sv, sx, sv1, sxy, dv, dx, dv1, dxy)
            t22[x] = stiff * stiffness(sv, sv1, sv1, syy[x + 2], dv, dv1, dv1, dyy[x + 2])
        for c in range(5):
            _add_row(scratch[6 + c], width, y, shift, cells[c])


@njit(cache=True, nogil=True, fastmath=True)
def _add_row(line: Floats, width: int, y: int, shift: int, cells: Floats) -> None:
    """Add a row of pixels of a level to the cells [h, w] that lie there; a cell is 2^shift pixels wide."""
    if shift == 0:
        target = cells[y]
        for x in range(width):
            target[x] += line[x]
    elif shift == 1:
        line[width] = np.float32(0.0)
        target = cells[y // 2]
        for x in range(target.size):
            target[x] += line[2 * x] + line[2 * x + 1]
    elif shift == 2:
        line[width : width + 3] = np.float32(0.0)
        target = cells[y // 4]
        for x in range(target.size):
            pair = line[4 * x] + line[4 * x + 1]
            target[x] += pair + (line[4 * x + 2] + line[4 * x + 3])
    else:
        for row in range(2 * y, min(2 * y + 2, cells.shape[0])):
            target = cells[row]
            for x in range(target.size):
                target[x] += line[x // 2]


@njit(cache=True, nogil=True, fastmath=True)
def smooth_rows(cells: Floats, out: Floats, rows: tuple[int, int], line: Floats) -> None:
    """Smooth rows rows[0]..rows[1] of a plane of sums [h, w] with the Gaussian."""
    height, width = cells.shape
    last = height - 1
    body = line[6:]
    for y in range(rows[0], rows[1]):
        here = cells[y]
        u1, v1 = cells[max(y - 1, 0)], cells[min(y + 1, last)]
        u2, v2 = cells[max(y - 2, 0)], cells[min(y + 2, last)]
        u3, v3 = cells[max(y - 3, 0)], cells[min(y + 3, last)]
        u4, v4 = cells[max(y - 4, 0)], cells[min(y + 4, last)]
        u5, v5 = cells[max(y - 5, 0)], cells[min(y + 5, last)]
        u6, v6 = cells[max(y - 6, 0)], cells[min(y + 6, last)]
        for x in range(width):
            one, two, three = u1[x] + v1[x], u2[x] + v2[x], u3[x] + v3[x]
            four, five, six = u4[x] + v4[x], u5[x] + v5[x], u6[x] + v6[x]
            body[x] = weigh_13(here[x], one, two, three, four, five, six, SMOOTH)
        repeat_edges(line, 6, width)
        target = out[y]
        for x in range(width):
            one, two, three = line[x + 5] + line[x + 7], line[x + 4] + line[x + 8], line[x + 3] + line[x + 9]
            four, five, six = line[x + 2] + line[x + 10], line[x + 1] + line[x + 11], line[x] + line[x + 12]
            target[x] = weigh_13(line[x + 6], one, two, three, four, five, six, SMOOTH)


@njit(cache=True, nogil=True, fastmath=True)
def follow_rows(
    sums: Floats,
    state: Floats,
    coefficients: Floats,
    steps: Floats,
    rows: tuple[int, int],
    scratch: Floats,
) -> None:
    """Solve rows of the smoothed sums [5, h, w] for the displacement since the last frame, and band-pass it.

    `steps` takes it as it is, `state` [order, 2 axes, 2, h, w], the temporal filter's, what passes of it:
    `state[-1, :, 0]`.
    """
    width = sums.shape[2]
    right, down = scratch[0, :width], scratch[1, :width]
    for y in range(rows[0], rows[1]):
        _solve_row(sums, y, right, down)
        steps[0, y] = right
        steps[1, y] = down
        for k in range(state.shape[0]):
            section_step(right, state[k, 0, 0, y], state[k, 0, 1, y], coefficients[k])
            section_step(down, state[k, 1, 0, y], state[k, 1, 1, y], coefficients[k])


@njit(cache=True, nogil=True, fastmath=True)
def _solve_row(sums: Floats, y: int, right: Floats, down: Floats) -> None:
    """Solve row y of the smoothed sums [5, h, w] for the displacement since the last frame, in pixels."""
    j1, j2, t11, t12, t22 = sums[0, y], sums[1, y], sums[2, y], sums[3, y], sums[4, y]
    for x in range(j1.size):
        right[x], down[x] = solve(j1[x], j2[x], t11[x], t12[x], t22[x])
