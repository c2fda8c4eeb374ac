"""What the CUDA kernels of both engines call: formulas compiled for the device, and clamped reads.

In every array on the device streams lie one after the other. A row of the table `steps` [streams, order,
columns] holds a section's five coefficients, what its past is multiplied by, 0 to forget it, and the frame's
share in the averages; an engine may add columns. Nothing is cached on disk: Numba would not notice an edited
formula.
"""

from __future__ import annotations

from typing import Any

from numba import cuda, float32

from . import formulas, riesz_formulas

KEEP, DECAY = 5, 6
STEP_COLUMNS = 7
# How far a filter of 13 taps reaches.
REACH = 6


def on_device(formula: Any) -> Any:
    """Compile a function for the device, to be called from kernels."""
    return cuda.jit(device=True, fastmath=True)(formula)


pass_section = on_device(formulas.pass_section.py_func)
halve = on_device(formulas.halve.py_func)
lean = on_device(formulas.lean.py_func)
interpolate = on_device(formulas.interpolate.py_func)
cubic_weights = on_device(formulas.cubic_weights.py_func)
round_and_clip = on_device(formulas.round_and_clip.py_func)
above_noise = on_device(formulas.above_noise.py_func)
lean_of = on_device(formulas.lean_of.py_func)
between = on_device(formulas.between.py_func)
pool = on_device(formulas.pool.py_func)
_weigh_13 = on_device(riesz_formulas.weigh_13.py_func)


@on_device
def clamp(index: int, size: int) -> int:
    """Bring an index into a picture of `size` whose edge is repeated."""
    # In this order the compiler sees that no index is negative, and tests none.
    return max(min(index, size - 1), 0)


@on_device
def place(number: int, width: int) -> tuple[int, int]:
    """Tell row and column of a cell's number in a tile of `width` columns."""
    # The mask tells the compiler that no index is negative: it tests none, and divides without signs.
    number &= 0x7FFFFFFF
    return number // width, number % width


@on_device
def coefficients(steps: Any, stream: int, section: int) -> tuple[Any, Any, Any, Any, Any]:
    """Read a section's five coefficients."""
    return (
        steps[stream, section, 0],
        steps[stream, section, 1],
        steps[stream, section, 2],
        steps[stream, section, 3],
        steps[stream, section, 4],
    )


@on_device
def _lumas(luma: Any, a: int, b: int, c: int, d: int) -> Any:
    return halve(float32(luma[a]), float32(luma[b]), float32(luma[c]), float32(luma[d]))


@on_device
def halved_luma(luma: Any, geometry: Any, stream: int, y: int, x: int) -> Any:
    """Compute cell (y, x) of half of a stream's luma, times 64.

    `geometry` is height, width, and the distances between rows and between streams of `luma`.
    """
    height, width, pitch, plane = geometry
    a, b = stream * plane + clamp(2 * y - 1, height) * pitch, stream * plane + 2 * y * pitch
    c = stream * plane + clamp(2 * y + 1, height) * pitch
    d = stream * plane + clamp(2 * y + 2, height) * pitch
    xa, xb, xc, xd = clamp(2 * x - 1, width), 2 * x, clamp(2 * x + 1, width), clamp(2 * x + 2, width)
    return halve(
        _lumas(luma, a + xa, b + xa, c + xa, d + xa),
        _lumas(luma, a + xb, b + xb, c + xb, d + xb),
        _lumas(luma, a + xc, b + xc, c + xc, d + xc),
        _lumas(luma, a + xd, b + xd, c + xd, d + xd),
    )


@on_device
def halved_tile(tile: Any, y: int, x: int) -> Any:
    """Compute a cell of the level above a tile from the four by four cells whose first is (y, x)."""
    a, b, c, d = tile[y], tile[y + 1], tile[y + 2], tile[y + 3]
    return float32(1.0 / 64.0) * halve(
        halve(a[x], b[x], c[x], d[x]),
        halve(a[x + 1], b[x + 1], c[x + 1], d[x + 1]),
        halve(a[x + 2], b[x + 2], c[x + 2], d[x + 2]),
        halve(a[x + 3], b[x + 3], c[x + 3], d[x + 3]),
    )


@on_device
def weigh_column(tile: Any, y: int, x: int, taps: Any) -> Any:
    """Filter down column x of a tile; row y is the first of 13."""
    return _weigh_13(
        tile[y + 6, x],
        tile[y + 5, x] + tile[y + 7, x],
        tile[y + 4, x] + tile[y + 8, x],
        tile[y + 3, x] + tile[y + 9, x],
        tile[y + 2, x] + tile[y + 10, x],
        tile[y + 1, x] + tile[y + 11, x],
        tile[y, x] + tile[y + 12, x],
        taps,
    )


@on_device
def weigh_row(tile: Any, y: int, x: int, taps: Any) -> Any:
    """Filter along row y of a tile; column x is the first of 13."""
    return _weigh_13(
        tile[y, x + 6],
        tile[y, x + 5] + tile[y, x + 7],
        tile[y, x + 4] + tile[y, x + 8],
        tile[y, x + 3] + tile[y, x + 9],
        tile[y, x + 2] + tile[y, x + 10],
        tile[y, x + 1] + tile[y, x + 11],
        tile[y, x] + tile[y, x + 12],
        taps,
    )
