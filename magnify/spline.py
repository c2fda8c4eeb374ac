"""A cubic spline through a picture with room around it, read row by row at displaced pixels: the fast warp.

`warp` does the same pixel by pixel, anywhere and exactly. Here neighbours whose sources lie side by side are
interpolated together, which vectorises, and rows of displacements say where each pixel comes from.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .planes import Bytes, Floats, Geometry, repeat_edges
from .warp import cubic_weights

# The picture's edge is repeated so far outwards; a pixel may come from as far outside as the spline's taps
# leave of that.
LIMIT_PX = 24
MARGIN = LIMIT_PX + 3
# The cubic B-spline's inverse filter, sqrt(3) (sqrt(3) - 2)^|n|, cut at radius 6 and brought back to a sum
# of 1: a picture that stands still comes back within 0.2 grey levels at worst, and so, rounded, as it was.
# Unlike the exact recursive filter of `warp`, it vectorises along rows and needs no start-up.
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
# Pixels that are interpolated together where their sources lie side by side.
_BLOCK = 32


def spline_room(shape: tuple[int, int]) -> Floats:
    """Make room for the coefficients of a picture of `shape` (height, width): a flat buffer."""
    return np.zeros((shape[0] + 2 * MARGIN) * (shape[1] + 2 * MARGIN), np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def load(luma: Bytes, geometry: Geometry, picture: Floats) -> None:
    """Copy luma into a picture [H, W]."""
    pitch = geometry[2]
    for y in range(picture.shape[0]):
        target = picture[y]
        line = luma[y * pitch : y * pitch + target.size]
        for x in range(target.size):
            target[x] = np.float32(line[x])


@njit(cache=True, nogil=True, fastmath=True)
def fit_spline(picture: Floats, source: Floats, line: Floats) -> None:
    """Compute the coefficients of the cubic B-spline through a picture [H, W].

    The picture goes on with its edge pixels `MARGIN` pixels outwards; the coefficients take six to settle.
    """
    height, width = picture.shape
    pitch, last = width + 2 * MARGIN, height - 1
    p0, p1, p2 = np.float32(_SPLINE[0]), np.float32(_SPLINE[1]), np.float32(_SPLINE[2])
    p3, p4, p5 = np.float32(_SPLINE[3]), np.float32(_SPLINE[4]), np.float32(_SPLINE[5])
    p6 = np.float32(_SPLINE[6])
    above = line[12:]
    for y in range(-6, height + 6):
        here = picture[min(max(y, 0), last)]
        u1, v1 = picture[min(max(y - 1, 0), last)], picture[max(min(y + 1, last), 0)]
        u2, v2 = picture[min(max(y - 2, 0), last)], picture[max(min(y + 2, last), 0)]
        u3, v3 = picture[min(max(y - 3, 0), last)], picture[max(min(y + 3, last), 0)]
        u4, v4 = picture[min(max(y - 4, 0), last)], picture[max(min(y + 4, last), 0)]
        u5, v5 = picture[min(max(y - 5, 0), last)], picture[max(min(y + 5, last), 0)]
        u6, v6 = picture[min(max(y - 6, 0), last)], picture[max(min(y + 6, last), 0)]
        for x in range(width):
            near = p0 * here[x] + p1 * (u1[x] + v1[x]) + p2 * (u2[x] + v2[x]) + p3 * (u3[x] + v3[x])
            above[x] = near + (p4 * (u4[x] + v4[x]) + p5 * (u5[x] + v5[x]) + p6 * (u6[x] + v6[x]))
        repeat_edges(line, 12, width)
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
        w0, w1, w2, w3 = cubic_weights(tx[i])
        a = w0 * one[i] + w1 * one[i + 1] + w2 * one[i + 2] + w3 * one[i + 3]
        b = w0 * two[i] + w1 * two[i + 1] + w2 * two[i + 2] + w3 * two[i + 3]
        c = w0 * three[i] + w1 * three[i + 1] + w2 * three[i + 2] + w3 * three[i + 3]
        d = w0 * four[i] + w1 * four[i + 1] + w2 * four[i + 2] + w3 * four[i + 3]
        w0, w1, w2, w3 = cubic_weights(ty[i])
        out[i] = (w0 * a + w1 * b) + (w2 * c + w3 * d)


@njit(cache=True, nogil=True, fastmath=True)
def round_row(values: Floats, out: Bytes) -> None:
    """Round a row to grey levels, clipped."""
    for x in range(out.size):
        value = values[x] + np.float32(0.5)
        out[x] = np.uint8(np.int32(min(max(value, np.float32(0.0)), np.float32(255.0))))
