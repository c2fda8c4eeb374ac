"""A cubic spline through a picture with room around it, read row by row at displaced pixels: the fast warp.

`warp` does the same pixel by pixel, anywhere and exactly. Here neighbours whose sources lie side by side are
interpolated together, which vectorises, and rows of displacements say where each pixel comes from.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .formulas import cubic_weights, interpolate, round_and_clip
from .parts import part_rows
from .planes import Bytes, Floats, Geometry, repeat_edges
from .riesz_formulas import LIMIT_PX, SPLINE, weigh_13

# The picture's edge is repeated so far outwards; a pixel may come from as far outside as the spline's taps
# leave of that.
MARGIN = LIMIT_PX + 3
# Pixels that are interpolated together where their sources lie side by side.
_BLOCK = 32


def spline_room(shape: tuple[int, int]) -> Floats:
    """Make room for the coefficients of a picture of `shape` (height, width): a flat buffer."""
    return np.zeros((shape[0] + 2 * MARGIN) * (shape[1] + 2 * MARGIN), np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def load(luma: Bytes, geometry: Geometry, picture: Floats, rows: tuple[int, int]) -> None:
    """Copy rows rows[0]..rows[1] of luma into a picture [H, W]."""
    pitch = geometry[2]
    for y in range(rows[0], rows[1]):
        target = picture[y]
        line = luma[y * pitch : y * pitch + target.size]
        for x in range(target.size):
            target[x] = np.float32(line[x])


@njit(cache=True, nogil=True, fastmath=True)
def fit_spline(picture: Floats, source: Floats, part: int, parts: int, line: Floats) -> None:
    """Compute a part of the coefficients of the cubic B-spline through a picture [H, W].

    The picture goes on with its edge pixels `MARGIN` pixels outwards; the coefficients take six to settle.
    """
    height, width = picture.shape
    pitch, last = width + 2 * MARGIN, height - 1
    above = line[12:]
    rows = part_rows(height + 12, part, parts, 1)
    for y in range(rows[0] - 6, rows[1] - 6):
        here = picture[min(max(y, 0), last)]
        u1, v1 = picture[min(max(y - 1, 0), last)], picture[max(min(y + 1, last), 0)]
        u2, v2 = picture[min(max(y - 2, 0), last)], picture[max(min(y + 2, last), 0)]
        u3, v3 = picture[min(max(y - 3, 0), last)], picture[max(min(y + 3, last), 0)]
        u4, v4 = picture[min(max(y - 4, 0), last)], picture[max(min(y + 4, last), 0)]
        u5, v5 = picture[min(max(y - 5, 0), last)], picture[max(min(y + 5, last), 0)]
        u6, v6 = picture[min(max(y - 6, 0), last)], picture[max(min(y + 6, last), 0)]
        for x in range(width):
            one, two, three = u1[x] + v1[x], u2[x] + v2[x], u3[x] + v3[x]
            four, five, six = u4[x] + v4[x], u5[x] + v5[x], u6[x] + v6[x]
            above[x] = weigh_13(here[x], one, two, three, four, five, six, SPLINE)
        repeat_edges(line, 12, width)
        start = (y + MARGIN) * pitch
        full = source[start : start + pitch]
        body = full[MARGIN - 6 :]
        for x in range(width + 12):
            one, two, three = line[x + 5] + line[x + 7], line[x + 4] + line[x + 8], line[x + 3] + line[x + 9]
            four, five, six = line[x + 2] + line[x + 10], line[x + 1] + line[x + 11], line[x] + line[x + 12]
            body[x] = weigh_13(line[x + 6], one, two, three, four, five, six, SPLINE)
        full[: MARGIN - 6] = body[0]
        full[MARGIN + width + 6 :] = body[width + 11]
        if y == -6:
            for k in range(MARGIN - 6):
                source[k * pitch : (k + 1) * pitch] = full
        if y == last + 6:
            for k in range(height + MARGIN + 6, height + 2 * MARGIN):
                source[k * pitch : (k + 1) * pitch] = full


@njit(cache=True, nogil=True, fastmath=True)
def read_row(source: Floats, y: int, xs: Floats, ys: Floats, whole: NDArray[np.int32], out: Floats) -> None:
    """Write row y [W] of a picture whose pixels come from where the rows `xs` and `ys` say, relative to them.

    `xs` and `ys` are used up; `whole` [2, W] is scratch.
    """
    width = out.size
    pitch = width + 2 * MARGIN
    ix, iy = whole[0], whole[1]
    for x in range(width):
        fx, fy = np.floor(xs[x]), np.floor(ys[x])
        ix[x], iy[x] = np.int32(fx), np.int32(fy)
        xs[x] -= fx
        ys[x] -= fy
    origin = (y + MARGIN - 1) * pitch + MARGIN - 1
    for first in range(0, width, _BLOCK):
        end = min(first + _BLOCK, width)
        here_x, here_y = ix[first:end], iy[first:end]
        change = np.int32(0)
        for i in range(end - first):
            change |= (here_x[i] ^ here_x[0]) | (here_y[i] ^ here_y[0])
        if change == 0:
            start = origin + int(iy[first]) * pitch + int(ix[first]) + first
            _interpolate(source, start, pitch, xs[first:end], ys[first:end], out[first:end])
            continue
        # Runs of pixels whose sources lie side by side.
        x = first
        while x < end:
            stop = x + 1
            while stop < end and ix[stop] == ix[x] and iy[stop] == iy[x]:
                stop += 1
            start = origin + int(iy[x]) * pitch + int(ix[x]) + x
            _interpolate(source, start, pitch, xs[x:stop], ys[x:stop], out[x:stop])
            x = stop


@njit(cache=True, nogil=True, fastmath=True)
def _interpolate(source: Floats, start: int, pitch: int, tx: Floats, ty: Floats, out: Floats) -> None:
    """Interpolate pixels whose sources lie side by side, `start` being the first one's upper left tap."""
    reach = out.size + 3
    one, two = source[start : start + reach], source[start + pitch : start + pitch + reach]
    start += 2 * pitch
    three, four = source[start : start + reach], source[start + pitch : start + pitch + reach]
    for i in range(out.size):
        weights = cubic_weights(tx[i])
        a = interpolate(one[i], one[i + 1], one[i + 2], one[i + 3], weights)
        b = interpolate(two[i], two[i + 1], two[i + 2], two[i + 3], weights)
        c = interpolate(three[i], three[i + 1], three[i + 2], three[i + 3], weights)
        d = interpolate(four[i], four[i + 1], four[i + 2], four[i + 3], weights)
        out[i] = interpolate(a, b, c, d, cubic_weights(ty[i]))


@njit(cache=True, nogil=True, fastmath=True)
def round_row(values: Floats, out: Bytes) -> None:
    """Round a row to grey levels, clipped."""
    for x in range(out.size):
        out[x] = round_and_clip(values[x])
