"""The spatial side: a pyramid of planes on even grids, and how much of each octave is magnified.

Everything spatial is linear, so the Laplacian levels never exist as planes. With G_0 the base, G_k its k-th
reduction and g_k the gain of the octave between G_k and G_{k+1},

    sum_k g_k (G_k - up(G_{k+1}))  =  g_0 G_0 + up((g_1 - g_0) G_1 + up((g_2 - g_1) G_2 + ...))

which is what `collapse` adds up in place, coarsest first. A cell of a level covers two by two cells of the
finer one, so nothing shifts; what lies outside repeats the edge.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .formulas import halve
from .planes import Floats, Table

# The coarsest level, whose content is taken for light that changes and not for motion, keeps at least so
# many cells along the picture's short side.
_COARSEST_CELLS = 4
# Geometric middle of the finest octave, 2 to 4 px.
_FINEST_WAVELENGTH_PX = 2.0 * math.sqrt(2.0)


def level_shapes(shape: tuple[int, int]) -> Table:
    """List the levels below a base of `shape` (height, width): int64 [levels, 3] of offset, height, width.

    All levels lie one after the other in one flat buffer; there is at least one.
    """
    height, width = shape
    rows: list[tuple[int, int, int]] = []
    offset = 0
    while not rows or min(height, width) >= 2 * _COARSEST_CELLS:
        height, width = (height + 1) // 2, (width + 1) // 2
        rows.append((offset, height, width))
        offset += height * width
    return np.array(rows, np.int64)


def octave_gains(levels: int, *, base_level: int, factor: float, cutoff_wavelength_px: float) -> list[float]:
    """Compute the share of the factor that each octave gets: `levels` values in 0..1, finest first.

    Wu et al. 2012, section 3.2: an octave of wavelength L bears (1 + factor) d < L / 8. Octaves at or above
    the cut-off get the whole factor, which sets d; finer ones get what their wavelength bears with that d.
    """
    if factor <= 0.0:
        return [0.0] * levels
    gains = []
    for level in range(levels):
        wavelength = _FINEST_WAVELENGTH_PX * 2.0 ** (level + base_level)
        if wavelength >= cutoff_wavelength_px:
            gains.append(1.0)
            continue
        bearable = (1.0 + factor) * wavelength / cutoff_wavelength_px - 1.0
        gains.append(max(bearable, 0.0) / factor)
    return gains


def level_weights(gains: list[float]) -> NDArray[np.float32]:
    """Turn octave gains into what `collapse` multiplies the levels with: float32 [levels + 1].

    The first is the base's own; the last takes the coarsest level, the light, out again.
    """
    return np.array([gains[0], *np.diff([*gains, 0.0])], np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def level_plane(levels: Floats, shape: Table) -> Floats:
    """Give a level [h, w] as a view of the flat buffer; `shape` is its offset, height and width."""
    offset, height, width = shape
    return levels[offset : offset + height * width].reshape(height, width)


@njit(cache=True, nogil=True, fastmath=True)
def reduce_rows(
    source: Floats,
    out: Floats,
    first: int,
    last: int,
    line: Floats,
) -> None:
    """Halve a plane [H, W] into rows first..last of `out` [h, w] with the filter (1, 3, 3, 1) / 8 both ways.

    `line` is scratch of at least 2 w + 2 values.
    """
    height, width = source.shape
    cells = out.shape[1]
    for y in range(first, last):
        a = source[max(2 * y - 1, 0)]
        b = source[2 * y]
        c = source[min(2 * y + 1, height - 1)]
        d = source[min(2 * y + 2, height - 1)]
        body = line[1:]
        for x in range(width):
            body[x] = halve(a[x], b[x], c[x], d[x])
        line[0] = body[0]
        body[width] = body[width - 1]
        body[2 * cells] = body[width - 1]
        row = out[y]
        scale = np.float32(1.0 / 64.0)
        for x in range(cells):
            row[x] = scale * halve(line[2 * x], line[2 * x + 1], line[2 * x + 2], line[2 * x + 3])
