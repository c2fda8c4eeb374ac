"""The compiled loops of the Riesz engine.

They stand in one file because Numba's cache on disk notices a change only in the caller's own file. They own
no memory, trust their input and keep to float32. Planes lie in flat buffers, a row of a table of int64 says
where: offset of the first pixel, height, width, distance between rows. Loops run from 0 over slices with
plain indices; other forms are not vectorised.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Table = NDArray[np.int64]
# Height, width, and the distances in memory between rows of luma and between rows of out.
Geometry = tuple[int, int, int, int]

# The displacement is computed on cells of 4 by 4 px.
GRID_LEVEL = 2
# What is magnified moves by this many pixels at most; the spline is kept with so much edge around it.
LIMIT_PX = 24
MARGIN = LIMIT_PX + 3
# The octave's band: binomials of 3 and of 9 taps; their difference passes wavelengths of 4 to 16 px.
_FINE0, _FINE1 = 1 / 2, 1 / 4
_COARSE0, _COARSE1, _COARSE2, _COARSE3, _COARSE4 = 70 / 256, 56 / 256, 28 / 256, 8 / 256, 1 / 256
# First and second derivative, five taps each, fitted to w and -w^2 over the band (0 to 2 radians a pixel):
# the three-tap pair's response falls short by a tenth in the middle of it.
_D1, _D2 = 0.80671743, -0.19871813
_S0, _S1, _S2 = -2.78534774, 1.5406925, -0.14801863
# Gaussian of sigma 2 cells, radius 6.
_SMOOTH = (0.19967563, 0.17621312, 0.12110939, 0.06482519, 0.02702316, 0.00877313, 0.00221819)
# The cubic B-spline's inverse filter, sqrt(3) (sqrt(3) - 2)^|n|, cut at radius 6 and brought back to a sum
# of 1: a picture that stands still comes back within 0.2 grey levels at worst, and so, rounded, as it was.
_POLE = 3.0**0.5 - 2.0
_SUM = 1.0 + 2.0 * (_POLE + _POLE**2 + _POLE**3 + _POLE**4 + _POLE**5 + _POLE**6)
_SPLINE = (
    1.0 / _SUM,
    _POLE / _SUM,
    _POLE**2 / _SUM,
    _POLE**3 / _SUM,
    _POLE**4 / _SUM,
    _POLE**5 / _SUM,
    _POLE**6 / _SUM,
)
# Squared slope, in grey levels a pixel, below which a displacement is pulled to zero.
_FLOOR = 0.3
_RELATIVE_FLOOR = 0.003
# No motion from one frame to the next is larger in what is to be magnified; a cut of the scene would be.
_MAX_STEP_PX = 4.0
# Pixels that are interpolated together where their sources lie side by side.
_BLOCK = 32
# What is below a trillionth of a pixel is nothing: subnormal numbers slow processors down tenfold.
_NOTHING = np.float32(1e-12)


@njit(cache=True, nogil=True, fastmath=True)
def load_rows(luma: Bytes, geometry: Geometry, picture: Floats, rows: tuple[int, int]) -> None:
    """Copy rows of luma as float32 into the picture [H * W]."""
    width, luma_pitch = geometry[1], geometry[2]
    for y in range(rows[0], rows[1]):
        line = luma[y * luma_pitch : y * luma_pitch + width]
        target = picture[y * width : (y + 1) * width]
        for x in range(width):
            target[x] = np.float32(line[x])


@njit(cache=True, nogil=True, fastmath=True)
def spline_rows(
    picture: Floats, geometry: Geometry, source: Floats, rows: tuple[int, int], line: Floats
) -> None:
    """Compute rows, -6 to H + 5, of the coefficients of the cubic B-spline through the picture.

    The picture goes on with its edge pixels `MARGIN` pixels outwards; the coefficients take six to settle.
    """
    height, width = geometry[0], geometry[1]
    pitch, last = width + 2 * MARGIN, height - 1
    p0, p1, p2 = np.float32(_SPLINE[0]), np.float32(_SPLINE[1]), np.float32(_SPLINE[2])
    p3, p4, p5 = np.float32(_SPLINE[3]), np.float32(_SPLINE[4]), np.float32(_SPLINE[5])
    p6 = np.float32(_SPLINE[6])
    above = line[12:]
    for y in range(rows[0], rows[1]):
        o = min(max(y, 0), last) * width
        o1, q1 = min(max(y - 1, 0), last) * width, max(min(y + 1, last), 0) * width
        o2, q2 = min(max(y - 2, 0), last) * width, max(min(y + 2, last), 0) * width
        o3, q3 = min(max(y - 3, 0), last) * width, max(min(y + 3, last), 0) * width
        o4, q4 = min(max(y - 4, 0), last) * width, max(min(y + 4, last), 0) * width
        o5, q5 = min(max(y - 5, 0), last) * width, max(min(y + 5, last), 0) * width
        o6, q6 = min(max(y - 6, 0), last) * width, max(min(y + 6, last), 0) * width
        here = picture[o : o + width]
        u1, v1 = picture[o1 : o1 + width], picture[q1 : q1 + width]
        u2, v2 = picture[o2 : o2 + width], picture[q2 : q2 + width]
        u3, v3 = picture[o3 : o3 + width], picture[q3 : q3 + width]
        u4, v4 = picture[o4 : o4 + width], picture[q4 : q4 + width]
        u5, v5 = picture[o5 : o5 + width], picture[q5 : q5 + width]
        u6, v6 = picture[o6 : o6 + width], picture[q6 : q6 + width]
        for x in range(width):
            near = p0 * here[x] + p1 * (u1[x] + v1[x]) + p2 * (u2[x] + v2[x]) + p3 * (u3[x] + v3[x])
            above[x] = near + (p4 * (u4[x] + v4[x]) + p5 * (u5[x] + v5[x]) + p6 * (u6[x] + v6[x]))
        _spread_edges(line, 12, width)
        start = (y + MARGIN) * pitch
        full = source[start : start + pitch]
        body = full[MARGIN - 6 :]
        for x in range(width + 12):
            near = p0 * line[x + 6] + p1 * (line[x + 5] + line[x + 7]) + p2 * (line[x + 4] + line[x + 8])
            far = p4 * (line[x + 2] + line[x + 10]) + p5 * (line[x + 1] + line[x + 11])
            body[x] = near + p3 * (line[x + 3] + line[x + 9]) + (far + p6 * (line[x] + line[x + 12]))
        full[: MARGIN - 6] = body[0]
        full[MARGIN + width + 6 :] = body[width + 11]
        if y == -6:
            for k in range(MARGIN - 6):
                source[k * pitch : (k + 1) * pitch] = full
        if y == last + 6:
            for k in range(height + MARGIN + 6, height + 2 * MARGIN):
                source[k * pitch : (k + 1) * pitch] = full


@njit(cache=True, nogil=True, fastmath=True)
def halve_rows(
    planes: Floats, fine: Table, halved: Floats, coarse: Table, rows: tuple[int, int], line: Floats
) -> None:
    """Halve a plane with the filter (1, 3, 3, 1) / 8 both ways into rows of the next one."""
    offset, height, width, pitch = fine
    to, _, cells, to_pitch = coarse
    for y in range(rows[0], rows[1]):
        oa, ob = offset + max(2 * y - 1, 0) * pitch, offset + 2 * y * pitch
        oc = offset + min(2 * y + 1, height - 1) * pitch
        od = offset + min(2 * y + 2, height - 1) * pitch
        a, b = planes[oa : oa + width], planes[ob : ob + width]
        c, d = planes[oc : oc + width], planes[od : od + width]
        body = line[1:]
        for x in range(width):
            body[x] = (a[x] + d[x]) + np.float32(3.0) * (b[x] + c[x])
        line[0] = body[0]
        body[width] = body[width - 1]
        body[2 * cells] = body[width - 1]
        out = halved[to + y * to_pitch : to + y * to_pitch + cells]
        for x in range(cells):
            outer = line[2 * x] + line[2 * x + 3]
            out[x] = np.float32(1 / 64) * (outer + np.float32(3.0) * (line[2 * x + 1] + line[2 * x + 2]))


@njit(cache=True, nogil=True, fastmath=True)
def _spread_edges(line: Floats, reach: int, width: int) -> None:
    """Repeat the first and the last of `width` values, which start at `reach`, `reach` times outwards."""
    line[:reach] = line[reach]
    line[reach + width : 2 * reach + width] = line[reach + width - 1]


@njit(cache=True, nogil=True, fastmath=True)
def band_rows(
    planes: Floats, level: Table, band: Floats, target: Table, rows: tuple[int, int], scratch: Floats
) -> None:
    """Compute rows of a level's band: its fine blur less its coarse one. `scratch` is two lines, w + 8."""
    offset, height, width, pitch = level
    to, _, _, to_pitch = target
    f0, f1 = np.float32(_FINE0), np.float32(_FINE1)
    c0, c1, c2 = np.float32(_COARSE0), np.float32(_COARSE1), np.float32(_COARSE2)
    c3, c4 = np.float32(_COARSE3), np.float32(_COARSE4)
    fine, coarse = scratch[0], scratch[1]
    fine_body, coarse_body = fine[4:], coarse[4:]
    last = height - 1
    for y in range(rows[0], rows[1]):
        o = offset + y * pitch
        o1, p1 = offset + max(y - 1, 0) * pitch, offset + min(y + 1, last) * pitch
        o2, p2 = offset + max(y - 2, 0) * pitch, offset + min(y + 2, last) * pitch
        o3, p3 = offset + max(y - 3, 0) * pitch, offset + min(y + 3, last) * pitch
        o4, p4 = offset + max(y - 4, 0) * pitch, offset + min(y + 4, last) * pitch
        here = planes[o : o + width]
        up1, down1 = planes[o1 : o1 + width], planes[p1 : p1 + width]
        up2, down2 = planes[o2 : o2 + width], planes[p2 : p2 + width]
        up3, down3 = planes[o3 : o3 + width], planes[p3 : p3 + width]
        up4, down4 = planes[o4 : o4 + width], planes[p4 : p4 + width]
        for x in range(width):
            near = up1[x] + down1[x]
            fine_body[x] = f0 * here[x] + f1 * near
            far = c2 * (up2[x] + down2[x]) + c3 * (up3[x] + down3[x]) + c4 * (up4[x] + down4[x])
            coarse_body[x] = c0 * here[x] + c1 * near + far
        _spread_edges(fine, 4, width)
        _spread_edges(coarse, 4, width)
        out = band[to + y * to_pitch : to + y * to_pitch + width]
        for x in range(width):
            detail = f0 * fine[x + 4] + f1 * (fine[x + 3] + fine[x + 5])
            near = c0 * coarse[x + 4] + c1 * (coarse[x + 3] + coarse[x + 5])
            far = c2 * (coarse[x + 2] + coarse[x + 6]) + c3 * (coarse[x + 1] + coarse[x + 7])
            out[x] = detail - (near + far + c4 * (coarse[x] + coarse[x + 8]))


@njit(cache=True, nogil=True, fastmath=True)
def product_rows(
    before: Floats,
    now: Floats,
    level: Table,
    shift: int,
    weights: tuple[np.float32, np.float32],
    cells: Floats,
    rows: tuple[int, int],
    scratch: Floats,
) -> None:
    """Add the phase evidence of rows of one level to the grid's five sums [5, h, w].

    With L a band, its Riesz pair (L_x, L_y) up to the pair's response, primes for the frame before, and A the
    amplitude, the quaternion product of the two frames' Riesz triples has the imaginary part
    A^2 sin(phase difference) (cos, sin of the orientation); sums 0 and 1 hold it. Sums 2 to 4 hold what a
    displacement of one pixel gives, A^2 w^2 times the orientation's outer product, as the product of one
    frame with the other, so that noise, which the two do not share, adds nothing to it.
    """
    offset, height, width, pitch = level
    last = height - 1
    d1, d2 = np.float32(_D1), np.float32(_D2)
    s0, s1, s2 = np.float32(_S0), np.float32(_S1), np.float32(_S2)
    half, quarter = np.float32(0.5), np.float32(0.25)
    motion, stiffness = weights
    s, sy, syy = scratch[0], scratch[1], scratch[2]
    d, dy, dyy = scratch[3], scratch[4], scratch[5]
    s_body, sy_body, syy_body = s[2:], sy[2:], syy[2:]
    d_body, dy_body, dyy_body = d[2:], dy[2:], dyy[2:]
    for y in range(rows[0], rows[1]):
        o = offset + y * pitch
        o1, p1 = offset + max(y - 1, 0) * pitch, offset + min(y + 1, last) * pitch
        o2, p2 = offset + max(y - 2, 0) * pitch, offset + min(y + 2, last) * pitch
        a0, b0 = now[o : o + width], before[o : o + width]
        a1, b1 = now[o1 : o1 + width], before[o1 : o1 + width]
        a2, b2 = now[o2 : o2 + width], before[o2 : o2 + width]
        a3, b3 = now[p1 : p1 + width], before[p1 : p1 + width]
        a4, b4 = now[p2 : p2 + width], before[p2 : p2 + width]
        for x in range(width):
            sum0, sum1, sum2 = a0[x] + b0[x], a1[x] + b1[x], a2[x] + b2[x]
            sum3, sum4 = a3[x] + b3[x], a4[x] + b4[x]
            s_body[x] = sum0
            sy_body[x] = d1 * (sum3 - sum1) + d2 * (sum4 - sum2)
            syy_body[x] = s0 * sum0 + s1 * (sum1 + sum3) + s2 * (sum2 + sum4)
            # Differences first: a picture that stands still gives exactly nothing.
            dif0, dif1, dif2 = a0[x] - b0[x], a1[x] - b1[x], a2[x] - b2[x]
            dif3, dif4 = a3[x] - b3[x], a4[x] - b4[x]
            d_body[x] = dif0
            dy_body[x] = d1 * (dif3 - dif1) + d2 * (dif4 - dif2)
            dyy_body[x] = s0 * dif0 + s1 * (dif1 + dif3) + s2 * (dif2 + dif4)
        _spread_edges(s, 2, width)
        _spread_edges(sy, 2, width)
        _spread_edges(d, 2, width)
        _spread_edges(dy, 2, width)
        j1, j2, t11, t12, t22 = scratch[6], scratch[7], scratch[8], scratch[9], scratch[10]
        for x in range(width):
            sv, dv = s[x + 2], d[x + 2]
            sx = d1 * (s[x + 3] - s[x + 1]) + d2 * (s[x + 4] - s[x])
            dx = d1 * (d[x + 3] - d[x + 1]) + d2 * (d[x + 4] - d[x])
            sxx = s0 * sv + s1 * (s[x + 1] + s[x + 3]) + s2 * (s[x] + s[x + 4])
            dxx = s0 * dv + s1 * (d[x + 1] + d[x + 3]) + s2 * (d[x] + d[x + 4])
            sxy = d1 * (sy[x + 3] - sy[x + 1]) + d2 * (sy[x + 4] - sy[x])
            dxy = d1 * (dy[x + 3] - dy[x + 1]) + d2 * (dy[x + 4] - dy[x])
            sv1, dv1 = sy[x + 2], dy[x + 2]
            j1[x] = half * motion * (dv * sx - sv * dx)
            j2[x] = half * motion * (dv * sv1 - sv * dv1)
            scale = quarter * stiffness
            t11[x] = scale * ((sx * sx - sv * sxx) - (dx * dx - dv * dxx))
            t12[x] = scale * ((sx * sv1 - sv * sxy) - (dx * dv1 - dv * dxy))
            t22[x] = scale * ((sv1 * sv1 - sv * syy[x + 2]) - (dv1 * dv1 - dv * dyy[x + 2]))
        for c in range(5):
            line = scratch[6 + c]
            if shift == 0:
                target = cells[c, y]
                for x in range(width):
                    target[x] += line[x]
            elif shift == 1:
                line[width] = np.float32(0.0)
                target = cells[c, y // 2]
                for x in range(target.size):
                    target[x] += line[2 * x] + line[2 * x + 1]
            elif shift == 2:
                line[width : width + 3] = np.float32(0.0)
                target = cells[c, y // 4]
                for x in range(target.size):
                    pair = line[4 * x] + line[4 * x + 1]
                    target[x] += pair + (line[4 * x + 2] + line[4 * x + 3])
            else:
                for row in range(2 * y, min(2 * y + 2, cells.shape[1])):
                    target = cells[c, row]
                    for x in range(target.size):
                        target[x] += line[x // 2]


@njit(cache=True, nogil=True, fastmath=True)
def smooth_rows(cells: Floats, out: Floats, rows: tuple[int, int], line: Floats) -> None:
    """Smooth rows of a plane of sums [h, w] with the Gaussian."""
    height, width = cells.shape
    last = height - 1
    g0, g1, g2 = np.float32(_SMOOTH[0]), np.float32(_SMOOTH[1]), np.float32(_SMOOTH[2])
    g3, g4 = np.float32(_SMOOTH[3]), np.float32(_SMOOTH[4])
    g5, g6 = np.float32(_SMOOTH[5]), np.float32(_SMOOTH[6])
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
            near = g0 * here[x] + g1 * (u1[x] + v1[x]) + g2 * (u2[x] + v2[x]) + g3 * (u3[x] + v3[x])
            body[x] = near + (g4 * (u4[x] + v4[x]) + g5 * (u5[x] + v5[x]) + g6 * (u6[x] + v6[x]))
        _spread_edges(line, 6, width)
        target = out[y]
        for x in range(width):
            near = g0 * line[x + 6] + g1 * (line[x + 5] + line[x + 7]) + g2 * (line[x + 4] + line[x + 8])
            far = g4 * (line[x + 2] + line[x + 10]) + g5 * (line[x + 1] + line[x + 11])
            target[x] = near + g3 * (line[x + 3] + line[x + 9]) + (far + g6 * (line[x] + line[x + 12]))


@njit(cache=True, nogil=True, fastmath=True)
def solve_row(sums: Floats, y: int, right: Floats, down: Floats) -> None:
    """Solve row y of the smoothed sums [5, h, w] for the displacement since the last frame, in pixels."""
    j1, j2, t11, t12, t22 = sums[0, y], sums[1, y], sums[2, y], sums[3, y], sums[4, y]
    tiny, limit = np.float32(1e-3), np.float32(_MAX_STEP_PX)
    for x in range(j1.size):
        floor = np.float32(_FLOOR) + np.float32(0.5 * _RELATIVE_FLOOR) * (t11[x] + t22[x])
        a, b, c = max(t11[x] + floor, tiny), t12[x], max(t22[x] + floor, tiny)
        scale = np.float32(1.0) / max(a * c - b * b, np.float32(0.01) * a * c)
        right[x] = min(max(scale * (b * j2[x] - c * j1[x]), -limit), limit)
        down[x] = min(max(scale * (b * j1[x] - a * j2[x]), -limit), limit)


@njit(cache=True, nogil=True, fastmath=True)
def filter_row(line: Floats, v: Floats, e: Floats, coefficients: Floats) -> None:
    """Step one temporal section over a row [w], as `kernels.section_step` does."""
    cv, ce, cd, g, q = coefficients
    for i in range(v.size):
        before = v[i]
        error = e[i]
        change = line[i]
        now = cv * before + ce * error + cd * change
        error = error - change + g * (before + now)
        alive = abs(now) + abs(error) > _NOTHING
        now = now if alive else np.float32(0.0)
        v[i] = now
        e[i] = error if alive else np.float32(0.0)
        line[i] = q * (now - before)


@njit(cache=True, nogil=True, fastmath=True)
def motion_rows(
    sums: Floats, state: Floats, coefficients: Floats, rows: tuple[int, int], scratch: Floats
) -> None:
    """Band-pass the displacement of rows of cells; `state` is [order, 2 axes, 2, h, w]."""
    width = sums.shape[2]
    right, down = scratch[0, :width], scratch[1, :width]
    for y in range(rows[0], rows[1]):
        solve_row(sums, y, right, down)
        for k in range(state.shape[0]):
            filter_row(right, state[k, 0, 0, y], state[k, 0, 1, y], coefficients[k])
            filter_row(down, state[k, 1, 0, y], state[k, 1, 1, y], coefficients[k])


@njit(cache=True, nogil=True, fastmath=True)
def source_row(plane: Floats, y: int, amplitude: np.float32, line: Floats, out: Floats) -> None:
    """Interpolate a displacement [h, w] of cells to a row of pixels: from where each takes its value."""
    height, width = plane.shape
    # Cell q covers rows 4 q .. 4 q + 3: its centre lies at 4 q + 1.5.
    cell, phase = y // 4, y % 4
    other = max(cell - 1, 0) if phase < 2 else min(cell + 1, height - 1)
    share = np.float32(abs(2 * phase - 3)) * np.float32(0.125)
    near, far = plane[cell], plane[other]
    own, its = -amplitude * (np.float32(1.0) - share), -amplitude * share
    limit = np.float32(LIMIT_PX)
    body = line[1:]
    for x in range(width):
        body[x] = min(max(own * near[x] + its * far[x], -limit), limit)
    _spread_edges(line, 1, width)
    large, small = np.float32(0.375), np.float32(0.125)
    for x in range(width):
        left, here, right = line[x], line[x + 1], line[x + 2]
        out[4 * x] = here + large * (left - here)
        out[4 * x + 1] = here + small * (left - here)
        out[4 * x + 2] = here + small * (right - here)
        out[4 * x + 3] = here + large * (right - here)


@njit(cache=True, nogil=True, fastmath=True)
def warp_block(source: Floats, start: int, pitch: int, tx: Floats, ty: Floats, out: Bytes) -> None:
    """Interpolate pixels whose sources lie side by side, `start` being the first one's upper left tap."""
    reach = out.size + 3
    one, two = source[start : start + reach], source[start + pitch : start + pitch + reach]
    start += 2 * pitch
    three, four = source[start : start + reach], source[start + pitch : start + pitch + reach]
    sixth, half = np.float32(1 / 6), np.float32(0.5)
    two_thirds, unit = np.float32(2 / 3), np.float32(1.0)
    for i in range(out.size):
        t, u = tx[i], unit - tx[i]
        w0, w3 = sixth * u * u * u, sixth * t * t * t
        w1, w2 = two_thirds - half * t * t * (unit + u), two_thirds - half * u * u * (unit + t)
        a = w0 * one[i] + w1 * one[i + 1] + w2 * one[i + 2] + w3 * one[i + 3]
        b = w0 * two[i] + w1 * two[i + 1] + w2 * two[i + 2] + w3 * two[i + 3]
        c = w0 * three[i] + w1 * three[i + 1] + w2 * three[i + 2] + w3 * three[i + 3]
        d = w0 * four[i] + w1 * four[i + 1] + w2 * four[i + 2] + w3 * four[i + 3]
        t, u = ty[i], unit - ty[i]
        w0, w3 = sixth * u * u * u, sixth * t * t * t
        w1, w2 = two_thirds - half * t * t * (unit + u), two_thirds - half * u * u * (unit + t)
        value = (w0 * a + w1 * b) + (w2 * c + w3 * d) + half
        out[i] = np.uint8(np.int32(min(max(value, np.float32(0.0)), np.float32(255.0))))


@njit(cache=True, nogil=True, fastmath=True)
def warp_rows(
    source: Floats,
    state: Floats,
    amplitude: np.float32,
    out: Bytes,
    geometry: Geometry,
    rows: tuple[int, int],
    scratch: Floats,
    whole: NDArray[np.int32],
) -> None:
    """Write rows of `out`: each pixel comes from where the magnified motion brought it from."""
    width, out_pitch = geometry[1], geometry[3]
    pitch = width + 2 * MARGIN
    line, xs, ys = scratch[0], scratch[1], scratch[2]
    ix, iy = whole[0], whole[1]
    for y in range(rows[0], rows[1]):
        source_row(state[0, 0], y, amplitude, line, xs)
        source_row(state[1, 0], y, amplitude, line, ys)
        for x in range(width):
            fx, fy = np.floor(xs[x]), np.floor(ys[x])
            ix[x], iy[x] = np.int32(fx), np.int32(fy)
            xs[x] -= fx
            ys[x] -= fy
        row = out[y * out_pitch : y * out_pitch + width]
        origin = (y + MARGIN - 1) * pitch + MARGIN - 1
        for first in range(0, width, _BLOCK):
            end = min(first + _BLOCK, width)
            here_x, here_y = ix[first:end], iy[first:end]
            change = np.int32(0)
            for i in range(end - first):
                change |= (here_x[i] ^ here_x[0]) | (here_y[i] ^ here_y[0])
            if change == 0:
                start = origin + int(iy[first]) * pitch + int(ix[first]) + first
                warp_block(source, start, pitch, xs[first:end], ys[first:end], row[first:end])
                continue
            # Runs of pixels whose sources lie side by side.
            x = first
            while x < end:
                stop = x + 1
                while stop < end and ix[stop] == ix[x] and iy[stop] == iy[x]:
                    stop += 1
                start = origin + int(iy[x]) * pitch + int(ix[x]) + x
                warp_block(source, start, pitch, xs[x:stop], ys[x:stop], row[x:stop])
                x = stop


@njit(cache=True, nogil=True, fastmath=True)
def analyse(
    picture: Floats, planes: Floats, planes_at: Table, band: Floats, bands_at: Table, scratch: Floats
) -> None:
    """Compute the bands of all levels of the picture [H * W].

    `planes_at` tells where the pyramid's planes lie: first the picture, then the levels in
    `planes`; the last ones are those that `bands_at` has bands of.
    """
    count = len(bands_at)
    first = len(planes_at) - count
    for k in range(1, len(planes_at)):
        fine = picture if k == 1 else planes
        halve_rows(fine, planes_at[k - 1], planes, planes_at[k], (0, planes_at[k, 1]), scratch[0])
    for k in range(count):
        fine = picture if first + k == 0 else planes
        band_rows(fine, planes_at[first + k], band, bands_at[k], (0, bands_at[k, 1]), scratch)


@njit(cache=True, nogil=True, fastmath=True)
def start(
    luma: Bytes,
    geometry: Geometry,
    picture: Floats,
    planes: Floats,
    planes_at: Table,
    band: Floats,
    bands_at: Table,
    scratch: Floats,
) -> None:
    """Take a picture as the one that the next is compared with."""
    load_rows(luma, geometry, picture, (0, geometry[0]))
    analyse(picture, planes, planes_at, band, bands_at, scratch)


@njit(cache=True, nogil=True, fastmath=True)
def step(
    luma: Bytes,
    out: Bytes,
    geometry: Geometry,
    picture: Floats,
    source: Floats,
    planes: Floats,
    planes_at: Table,
    before: Floats,
    band: Floats,
    bands_at: Table,
    weights: Floats,
    cells: Floats,
    state: Floats,
    coefficients: Floats,
    amplitude: np.float32,
    scratch: Floats,
    whole: NDArray[np.int32],
) -> None:
    """Do a whole frame in this thread."""
    rows = (0, geometry[0])
    load_rows(luma, geometry, picture, rows)
    spline_rows(picture, geometry, source, (-6, geometry[0] + 6), scratch[0])
    analyse(picture, planes, planes_at, band, bands_at, scratch)
    raw, sums = cells[0], cells[1]
    raw[:] = np.float32(0.0)
    base = len(planes_at) - len(bands_at)
    for k in range(len(bands_at)):
        level = bands_at[k]
        pair = (weights[k, 0], weights[k, 1])
        product_rows(before, band, level, GRID_LEVEL - base - k, pair, raw, (0, level[1]), scratch)
    everything = (0, raw.shape[1])
    for c in range(5):
        smooth_rows(raw[c], sums[c], everything, scratch[0])
    motion_rows(sums, state, coefficients, everything, scratch)
    warp_rows(source, state[-1], amplitude, out, geometry, rows, scratch, whole)
