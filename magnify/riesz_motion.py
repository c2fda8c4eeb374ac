"""From two frames' octaves to one displacement field: phase differences, pooled, solved and band-passed."""

from __future__ import annotations

import numpy as np
from numba import njit

from .planes import Floats, Table, repeat_edges
from .pyramid import level_plane
from .temporal import section_step

# The displacement is computed on cells of 4 by 4 px.
GRID_LEVEL = 2
# First and second derivative, five taps each, fitted to w and -w^2 over the band (0 to 2 radians a pixel):
# the three-tap pair's response falls short by a tenth in the middle of it.
_D1, _D2 = 0.80671743, -0.19871813
_S0, _S1, _S2 = -2.78534774, 1.5406925, -0.14801863
# Gaussian of sigma 2 cells, radius 6.
_SMOOTH = (0.19967563, 0.17621312, 0.12110939, 0.06482519, 0.02702316, 0.00877313, 0.00221819)
# Squared slope, in grey levels a pixel, below which a displacement is pulled to zero.
_FLOOR = 0.1
_RELATIVE_FLOOR = 0.003
# No motion from one frame to the next is larger in what is to be magnified; a cut of the scene would be.
_MAX_STEP_PX = 4.0


@njit(cache=True, nogil=True, fastmath=True)
def follow(
    before: Floats,
    now: Floats,
    bands_at: Table,
    weights: Floats,
    cells: Floats,
    state: Floats,
    coefficients: Floats,
    scratch: Floats,
) -> None:
    """Step the band-passed displacement by what moved from one frame's bands to the next one's.

    `weights` [levels, 2] are each level's for motion and stiffness, `cells` [2, 5, h, w] takes the sums,
    `state` [order, 2 axes, 2, h, w] is the temporal filter's: the displacement ends in `state[-1, :, 0]`, and
    that since the last frame in the first two of the sums.
    """
    raw, sums = cells[0], cells[1]
    raw[:] = np.float32(0.0)
    finest = GRID_LEVEL + len(bands_at) - 4
    for k in range(len(bands_at)):
        a, b = level_plane(before, bands_at[k]), level_plane(now, bands_at[k])
        _compare(a, b, finest - k, weights[k], raw, scratch)
    for c in range(5):
        smooth(raw[c], sums[c], scratch[0])
    _move(sums, state, coefficients, raw, scratch)


@njit(cache=True, nogil=True, fastmath=True)
def _compare(
    before: Floats, now: Floats, shift: int, weights: Floats, cells: Floats, scratch: Floats
) -> None:
    """Add the phase evidence of one level's bands [h, w] to the grid's five sums [5, h', w'].

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
    d1, d2 = np.float32(_D1), np.float32(_D2)
    s0, s1, s2 = np.float32(_S0), np.float32(_S1), np.float32(_S2)
    half, quarter = np.float32(0.5), np.float32(0.25)
    motion, stiffness = half * weights[0], quarter * weights[1]
    s, sy, syy = scratch[0], scratch[1], scratch[2]
    d, dy, dyy = scratch[3], scratch[4], scratch[5]
    s_body, sy_body, syy_body = s[2:], sy[2:], syy[2:]
    d_body, dy_body, dyy_body = d[2:], dy[2:], dyy[2:]
    j1, j2, t11, t12, t22 = scratch[6], scratch[7], scratch[8], scratch[9], scratch[10]
    for y in range(height):
        up1, down1, up2, down2 = max(y - 1, 0), min(y + 1, last), max(y - 2, 0), min(y + 2, last)
        a0, a1, a2, a3, a4 = now[y], now[up1], now[up2], now[down1], now[down2]
        b0, b1, b2, b3, b4 = before[y], before[up1], before[up2], before[down1], before[down2]
        for x in range(width):
            sum0, sum1, sum2 = a0[x] + b0[x], a1[x] + b1[x], a2[x] + b2[x]
            sum3, sum4 = a3[x] + b3[x], a4[x] + b4[x]
            s_body[x] = sum0
            sy_body[x] = d1 * (sum3 - sum1) + d2 * (sum4 - sum2)
            syy_body[x] = s0 * sum0 + s1 * (sum1 + sum3) + s2 * (sum2 + sum4)
            dif0, dif1, dif2 = a0[x] - b0[x], a1[x] - b1[x], a2[x] - b2[x]
            dif3, dif4 = a3[x] - b3[x], a4[x] - b4[x]
            d_body[x] = dif0
            dy_body[x] = d1 * (dif3 - dif1) + d2 * (dif4 - dif2)
            dyy_body[x] = s0 * dif0 + s1 * (dif1 + dif3) + s2 * (dif2 + dif4)
        repeat_edges(s, 2, width)
        repeat_edges(sy, 2, width)
        repeat_edges(d, 2, width)
        repeat_edges(dy, 2, width)
        for x in range(width):
            sv, dv = s[x + 2], d[x + 2]
            sx = d1 * (s[x + 3] - s[x + 1]) + d2 * (s[x + 4] - s[x])
            dx = d1 * (d[x + 3] - d[x + 1]) + d2 * (d[x + 4] - d[x])
            sxx = s0 * sv + s1 * (s[x + 1] + s[x + 3]) + s2 * (s[x] + s[x + 4])
            dxx = s0 * dv + s1 * (d[x + 1] + d[x + 3]) + s2 * (d[x] + d[x + 4])
            sxy = d1 * (sy[x + 3] - sy[x + 1]) + d2 * (sy[x + 4] - sy[x])
            dxy = d1 * (dy[x + 3] - dy[x + 1]) + d2 * (dy[x + 4] - dy[x])
            sv1, dv1 = sy[x + 2], dy[x + 2]
            j1[x] = motion * (dv * sx - sv * dx)
            j2[x] = motion * (dv * sv1 - sv * dv1)
            t11[x] = stiffness * ((sx * sx - sv * sxx) - (dx * dx - dv * dxx))
            t12[x] = stiffness * ((sx * sv1 - sv * sxy) - (dx * dv1 - dv * dxy))
            t22[x] = stiffness * ((sv1 * sv1 - sv * syy[x + 2]) - (dv1 * dv1 - dv * dyy[x + 2]))
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
def smooth(cells: Floats, out: Floats, line: Floats) -> None:
    """Smooth a plane of sums [h, w] with the Gaussian."""
    height, width = cells.shape
    last = height - 1
    g0, g1, g2 = np.float32(_SMOOTH[0]), np.float32(_SMOOTH[1]), np.float32(_SMOOTH[2])
    g3, g4 = np.float32(_SMOOTH[3]), np.float32(_SMOOTH[4])
    g5, g6 = np.float32(_SMOOTH[5]), np.float32(_SMOOTH[6])
    body = line[6:]
    for y in range(height):
        here = cells[y]
        u1, v1 = cells[max(y - 1, 0)], cells[min(y + 1, last)]
        u2, v2 = cells[max(y - 2, 0)], cells[min(y + 2, last)]
        u3, v3 = cells[max(y - 3, 0)], cells[min(y + 3, last)]
        u4, v4 = cells[max(y - 4, 0)], cells[min(y + 4, last)]
        u5, v5 = cells[max(y - 5, 0)], cells[min(y + 5, last)]
        u6, v6 = cells[max(y - 6, 0)], cells[min(y + 6, last)]
        for x in range(width):
            near = g0 * here[x] + g1 * (u1[x] + v1[x]) + g2 * (u2[x] + v2[x]) + g3 * (u3[x] + v3[x])
            body[x] = near + (g4 * (u4[x] + v4[x]) + g5 * (u5[x] + v5[x]) + g6 * (u6[x] + v6[x]))
        repeat_edges(line, 6, width)
        target = out[y]
        for x in range(width):
            near = g0 * line[x + 6] + g1 * (line[x + 5] + line[x + 7]) + g2 * (line[x + 4] + line[x + 8])
            far = g4 * (line[x + 2] + line[x + 10]) + g5 * (line[x + 1] + line[x + 11])
            target[x] = near + g3 * (line[x + 3] + line[x + 9]) + (far + g6 * (line[x] + line[x + 12]))


@njit(cache=True, nogil=True, fastmath=True)
def _move(sums: Floats, state: Floats, coefficients: Floats, steps: Floats, scratch: Floats) -> None:
    """Solve the smoothed sums [5, h, w] for the displacement since the last frame, and band-pass it."""
    width = sums.shape[2]
    right, down = scratch[0, :width], scratch[1, :width]
    for y in range(sums.shape[1]):
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
    tiny, limit = np.float32(1e-3), np.float32(_MAX_STEP_PX)
    for x in range(j1.size):
        floor = np.float32(_FLOOR) + np.float32(0.5 * _RELATIVE_FLOOR) * (t11[x] + t22[x])
        a, b, c = max(t11[x] + floor, tiny), t12[x], max(t22[x] + floor, tiny)
        scale = np.float32(1.0) / max(a * c - b * b, np.float32(0.01) * a * c)
        right[x] = min(max(scale * (b * j2[x] - c * j1[x]), -limit), limit)
        down[x] = min(max(scale * (b * j1[x] - a * j2[x]), -limit), limit)
