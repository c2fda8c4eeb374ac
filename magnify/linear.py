"""The linear Eulerian engine: band-pass in time, weight the octaves in space, add to the picture.

Both filters are linear, so their order is free: the band-pass runs once a pixel on the base plane, and the
pyramid is made of what passed. A frame is three sweeps over the picture, each over rows that stay in cache:

    in      luma -> half size -> band-pass; the last section's v is the band-passed plane itself
    middle  the pyramid below the base, weighted and added up
    out     base and pyramid -> full size, times the factor, added to luma, clipped

State is the band-pass's two values a section and the previous base plane, 16-bit.
"""

from __future__ import annotations

import threading

import numba
import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from .pyramid import collapse, expand_row, level_plane, level_shapes, level_weights, octave_gains, reduce_rows
from .temporal import BandPass, section_step

# The base plane is kept in 1/64 grey levels: what the filter (1, 3, 3, 1) both ways gives, exact in 16 bits.
_UNIT = 64
# Scratch rows of a block: a ring of five base rows, a line, a full-size row, and two interpolated lines.
_SCRATCH_ROWS = 9
# The interpolator from half to full size: eight taps symmetric about a cell, of which each pixel meets four.
_TAPS = (65 / 64, 19 / 64, -13 / 64, -7 / 64)
# Up to so many pixels of picture (1080p has two million, 4K eight) a frame takes one thread a millisecond or
# two, and waiting at the barriers for a thread that a busy machine has put aside would cost far more.
_PARALLEL_PIXELS = 4_000_000
# Numba's fallback threading layer ends the process when two threads launch parallel kernels at once.
_LAUNCH = threading.Lock()


class LinearEngine:
    """State and scratch of one stream of one size; a call allocates nothing.

    `shape` is (height, width) of the picture. `base_level` 1 works at half size and leaves the finest octave
    (wavelengths of 2 to 4 px) as it is, 0 works at full size.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        band_pass: BandPass,
        factor: float,
        base_level: int,
        cutoff_wavelength_px: float,
        threads: int | None = None,
    ) -> None:
        self.shape = shape
        self._band_pass = band_pass
        height, width = shape
        base = shape if base_level == 0 else ((height + 1) // 2, (width + 1) // 2)
        order = len(band_pass.sections)
        self._previous = np.zeros(base, np.uint16)
        self._state = np.zeros((order, 2, *base), np.float32)
        self._shapes = level_shapes(base)
        gains = octave_gains(
            len(self._shapes), base_level=base_level, factor=factor, cutoff_wavelength_px=cutoff_wavelength_px
        )
        self._weights = level_weights(gains)
        self._amplitude = np.float32(factor * band_pass.gain)
        self._levels = np.zeros(int(self._shapes[:, 1] @ self._shapes[:, 2]), np.float32)
        self._threads = threads or (1 if height * width <= _PARALLEL_PIXELS else numba.get_num_threads())
        # One block of rows a thread, each with rows of scratch of its own.
        self._scratch = np.zeros((self._threads, _SCRATCH_ROWS, 2 * base[1] + 8), np.float32)
        self._sums = np.zeros((self._threads, 2, 2 * base[1] + 2), np.uint16)
        self._base_level = base_level

    @property
    def state_bytes(self) -> int:
        """Bytes held for this stream, scratch included."""
        arrays = (self._previous, self._state, self._levels, self._scratch, self._sums)
        return sum(array.nbytes for array in arrays)

    @property
    def filter_bytes(self) -> int:
        """Bytes of the temporal filter's state, which each frame reads and writes."""
        return self._previous.nbytes + self._state.nbytes

    @property
    def threads(self) -> int:
        """How many threads a frame is spread over."""
        return self._threads

    def start(self, luma: NDArray[np.uint8]) -> None:
        """Forget everything, and take a picture [H, W] as the one that stands still."""
        self._state.fill(0.0)
        _load(
            _flat(luma, writeable=False), _geometry(luma, luma), self._base_level, self._previous, self._sums
        )

    def step(self, luma: NDArray[np.uint8], *, dt: float, out: NDArray[np.uint8]) -> None:
        """Magnify the picture that comes `dt` seconds after the last one into `out`, both uint8 [H, W]."""
        arguments = (
            _flat(luma, writeable=False),
            _flat(out, writeable=True),
            _geometry(luma, out),
            self._base_level,
            self._previous,
            self._state,
            self._band_pass.coefficients(dt=dt),
            self._levels,
            self._shapes,
            self._weights,
            self._amplitude,
            self._scratch,
            self._sums,
        )
        if self._threads == 1:
            _step_serial(*arguments)
        else:
            with _LAUNCH:
                _step_parallel(*arguments)


def _flat(plane: NDArray[np.uint8], *, writeable: bool) -> NDArray[np.uint8]:
    """View a plane with contiguous rows as the stretch of memory it spans.

    Kernels get this and the rows' distance, so that packed, padded and read-only planes share one
    compilation, in which the compiler knows that rows are contiguous.
    """
    height, width = plane.shape
    span = (height - 1) * plane.strides[0] + width
    return np.lib.stride_tricks.as_strided(plane, (span,), (1,), writeable=writeable)


def _geometry(luma: NDArray[np.uint8], out: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    return luma.shape[0], luma.shape[1], luma.strides[0], out.strides[0]


@njit(cache=True, nogil=True, fastmath=True)
def _base_row(
    luma: NDArray[np.uint8],
    geometry: tuple[int, int, int, int],
    base_level: int,
    y: int,
    sums: NDArray[np.uint16],
    row: NDArray[np.uint16],
) -> None:
    """Compute row y [w] of the base plane in units of 1/64 grey level; whole numbers, so without rounding."""
    height, width, pitch, _ = geometry
    if base_level == 0:
        source = luma[y * pitch : y * pitch + width]
        for x in range(width):
            row[x] = np.uint16(source[x]) * np.uint16(_UNIT)
        return
    ya, yb = max(2 * y - 1, 0) * pitch, 2 * y * pitch
    yc, yd = min(2 * y + 1, height - 1) * pitch, min(2 * y + 2, height - 1) * pitch
    a, b = luma[ya : ya + width], luma[yb : yb + width]
    c, d = luma[yc : yc + width], luma[yd : yd + width]
    body = sums[1:]
    for x in range(width):
        inner = np.uint16(b[x]) + np.uint16(c[x])
        body[x] = np.uint16(a[x]) + np.uint16(d[x]) + np.uint16(3) * inner
    cells = row.size
    sums[0] = body[0]
    body[width] = body[width - 1]
    body[2 * cells] = body[width - 1]
    for x in range(cells):
        inner = sums[2 * x + 1] + sums[2 * x + 2]
        row[x] = sums[2 * x] + sums[2 * x + 3] + np.uint16(3) * inner


@njit(cache=True, nogil=True, fastmath=True)
def _load(
    luma: NDArray[np.uint8],
    geometry: tuple[int, int, int, int],
    base_level: int,
    previous: NDArray[np.uint16],
    sums: NDArray[np.uint16],
) -> None:
    """Fill the base plane from a picture, with the first block's scratch."""
    for y in range(previous.shape[0]):
        _base_row(luma, geometry, base_level, y, sums[0, 0], previous[y])


@njit(cache=True, nogil=True, fastmath=True)
def _rows_in(
    luma: NDArray[np.uint8],
    geometry: tuple[int, int, int, int],
    base_level: int,
    previous: NDArray[np.uint16],
    state: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    rows: tuple[int, int],
    line: NDArray[np.float32],
    sums: NDArray[np.uint16],
) -> None:
    """Band-pass the base rows rows[0]..rows[1]."""
    width = previous.shape[1]
    now = sums[1, :width]
    scale = np.float32(1.0 / _UNIT)
    for y in range(rows[0], rows[1]):
        before = previous[y]
        _base_row(luma, geometry, base_level, y, sums[0], now)
        for x in range(width):
            line[x] = scale * (np.float32(now[x]) - np.float32(before[x]))
            before[x] = now[x]
        for k in range(state.shape[0]):
            section_step(line, state[k, 0, y], state[k, 1, y], coefficients[k])


@njit(cache=True, nogil=True, fastmath=True)
def _add_row(luma: NDArray[np.uint8], change: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """Add a row of changes to a row of luma, round and clip."""
    for x in range(luma.size):
        value = np.float32(luma[x]) + change[x] + np.float32(0.5)
        out[x] = np.uint8(np.int32(min(max(value, np.float32(0.0)), np.float32(255.0))))


@njit(cache=True, nogil=True, fastmath=True)
def _change_row(
    band: NDArray[np.float32],
    top: NDArray[np.float32],
    y: int,
    weight: np.float32,
    line: NDArray[np.float32],
    row: NDArray[np.float32],
) -> None:
    """Compute row y [w] of what is added at the base: the weighted band-passed plane and the pyramid."""
    source = band[y]
    for x in range(source.size):
        row[x] = source[x]
    expand_row(top, y, line, row, weight)


@njit(cache=True, nogil=True, fastmath=True)
def _rows_out(
    luma: NDArray[np.uint8],
    out: NDArray[np.uint8],
    geometry: tuple[int, int, int, int],
    base_level: int,
    band: NDArray[np.float32],
    top: NDArray[np.float32],
    weight: np.float32,
    amplitude: np.float32,
    rows: tuple[int, int],
    scratch: NDArray[np.float32],
) -> None:
    """Write the rows of `out` that the base rows rows[0]..rows[1] cover."""
    height, width, pitch, out_pitch = geometry
    cells = band.shape[1]
    line, wide = scratch[5], scratch[6]
    if base_level == 0:
        for y in range(rows[0], rows[1]):
            _change_row(band, top, y, weight, line, wide[:cells])
            for x in range(cells):
                wide[x] *= amplitude
            _add_row(luma[y * pitch : y * pitch + width], wide, out[y * out_pitch : y * out_pitch + width])
        return
    last_row = band.shape[0] - 1
    even, odd = scratch[7], scratch[8]
    done = max(rows[0] - 2, 0)
    for y in range(rows[0], rows[1]):
        # A ring of five base rows around y, each made once.
        while done <= min(y + 2, last_row):
            _change_row(band, top, done, weight, line, scratch[done % 5, :cells])
            done += 1
        _between_rows(
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
            _between_columns(even if row % 2 == 0 else odd, cells, wide)
            _add_row(
                luma[row * pitch : row * pitch + width], wide, out[row * out_pitch : row * out_pitch + width]
            )


@njit(cache=True, nogil=True, fastmath=True)
def _between_rows(
    far_up: NDArray[np.float32],
    up: NDArray[np.float32],
    here: NDArray[np.float32],
    down: NDArray[np.float32],
    far_down: NDArray[np.float32],
    amplitude: np.float32,
    even: NDArray[np.float32],
    odd: NDArray[np.float32],
) -> None:
    """Interpolate the two full-size rows that base row `here` covers, times `amplitude`.

    `even` and `odd` [w + 4] come out padded with two repeated cells on either side.
    """
    a0, a1 = amplitude * np.float32(_TAPS[0]), amplitude * np.float32(_TAPS[1])
    a2, a3 = amplitude * np.float32(_TAPS[2]), amplitude * np.float32(_TAPS[3])
    cells = even.size - 4
    # Slices that start at 0 and plain indices: the compiler vectorises nothing else.
    even_body, odd_body = even[2:], odd[2:]
    for x in range(cells):
        middle = a0 * here[x]
        even_body[x] = middle + a1 * up[x] + a2 * down[x] + a3 * far_up[x]
        odd_body[x] = middle + a1 * down[x] + a2 * up[x] + a3 * far_down[x]
    even[:2] = even[2]
    even[cells + 2 :] = even[cells + 1]
    odd[:2] = odd[2]
    odd[cells + 2 :] = odd[cells + 1]


@njit(cache=True, nogil=True, fastmath=True)
def _between_columns(line: NDArray[np.float32], cells: int, row: NDArray[np.float32]) -> None:
    """Interpolate a full-size row [2 w] from a padded line of `cells` cells."""
    t0, t1, t2, t3 = np.float32(_TAPS[0]), np.float32(_TAPS[1]), np.float32(_TAPS[2]), np.float32(_TAPS[3])
    far_left, left, here, right, far_right = line, line[1:], line[2:], line[3:], line[4:]
    for x in range(cells):
        middle = t0 * here[x]
        row[2 * x] = middle + t1 * left[x] + t2 * right[x] + t3 * far_left[x]
        row[2 * x + 1] = middle + t1 * right[x] + t2 * left[x] + t3 * far_right[x]


@njit(cache=True, nogil=True, fastmath=True)
def _step_serial(
    luma: NDArray[np.uint8],
    out: NDArray[np.uint8],
    geometry: tuple[int, int, int, int],
    base_level: int,
    previous: NDArray[np.uint16],
    state: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    levels: NDArray[np.float32],
    shapes: NDArray[np.int64],
    weights: NDArray[np.float32],
    amplitude: np.float32,
    scratch: NDArray[np.float32],
    sums: NDArray[np.uint16],
) -> None:
    """Do a whole frame in this thread."""
    band = state[-1, 0]
    everything = (0, band.shape[0])
    top = level_plane(levels, shapes[0])
    _rows_in(luma, geometry, base_level, previous, state, coefficients, everything, scratch[0, 0], sums[0])
    reduce_rows(band, top, 0, top.shape[0], scratch[0, 0])
    collapse(levels, shapes, weights, scratch[0, 0])
    _rows_out(luma, out, geometry, base_level, band, top, weights[0], amplitude, everything, scratch[0])


@njit(cache=True, nogil=True, fastmath=True, parallel=True)
def _step_parallel(
    luma: NDArray[np.uint8],
    out: NDArray[np.uint8],
    geometry: tuple[int, int, int, int],
    base_level: int,
    previous: NDArray[np.uint16],
    state: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    levels: NDArray[np.float32],
    shapes: NDArray[np.int64],
    weights: NDArray[np.float32],
    amplitude: np.float32,
    scratch: NDArray[np.float32],
    sums: NDArray[np.uint16],
) -> None:
    """Do a whole frame with one thread a block of rows; the same sums in the same order, so the same bits."""
    band = state[-1, 0]
    top = level_plane(levels, shapes[0])
    blocks = len(scratch)
    height, cells = len(band), len(top)
    for b in prange(blocks):
        rows = (height * b // blocks, height * (b + 1) // blocks)
        _rows_in(luma, geometry, base_level, previous, state, coefficients, rows, scratch[b, 0], sums[b])
    for b in prange(blocks):
        reduce_rows(band, top, cells * b // blocks, cells * (b + 1) // blocks, scratch[b, 0])
    collapse(levels, shapes, weights, scratch[0, 0])
    for b in prange(blocks):
        rows = (height * b // blocks, height * (b + 1) // blocks)
        _rows_out(luma, out, geometry, base_level, band, top, weights[0], amplitude, rows, scratch[b])
