"""The Riesz engine on a CUDA device: what `riesz.py` does, for one stream or several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from . import cuda_riesz_kernels as kernels
from . import cuda_warp_kernels as warp
from .cuda_device import DeviceFrames, blocks
from .cuda_engine import CudaEngine
from .cuda_functions import REACH
from .noise import NoiseModel
from .riesz import evidence_weights, octave_sizes
from .riesz_formulas import GRID_LEVEL, LAST_LEVEL
from .temporal import BandPass

# Threads of a block.
TILE_THREADS = 256


class CudaRieszEngine(CudaEngine):
    """State of `streams` streams of one size `shape` (height, width); other arguments as of RieszEngine."""

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        streams: int,
        band_pass: BandPass,
        factor: float,
        base_level: int,
        noise: NoiseModel,
    ) -> None:
        super().__init__(shape, streams=streams, band_pass=band_pass, step_columns=kernels.RIESZ_STEP_COLUMNS)
        self._amplitude = np.float32(factor * band_pass.gain)
        self._noise = noise
        self._which = 0
        sizes = octave_sizes(shape)
        self._coarsest = sizes[LAST_LEVEL]
        self._grid = sizes[GRID_LEVEL]
        shapes, plane_size = _lay_out(sizes[1:])
        table, band_size, sums_size, self._tiles = _level_table(sizes, shapes, base_level)
        cells = self._grid[0] * self._grid[1]
        order = len(band_pass.sections)
        # Zeros and not bare memory: what is forgotten is multiplied by zero, and 0 times NaN is NaN.
        self._bands = cuda.to_device(np.zeros((streams, 2, band_size), np.float32))
        self._state = cuda.to_device(np.zeros((streams, order, 2, 2, cells), np.float32))
        self._memory = cuda.to_device(np.zeros((streams, 4, cells), np.float32))
        self._planes = cuda.device_array((streams, plane_size), np.float32)
        self._sums = cuda.device_array((streams, sums_size), np.float32)
        self._field = cuda.device_array((streams, 2, cells), np.float32)
        source = (streams, shape[0] + 2 * REACH, shape[1] + 2 * REACH)
        self._source = cuda.device_array(source, np.float32)
        self._shapes = cuda.to_device(shapes)
        self._table = cuda.to_device(table)
        self._weights = cuda.to_device(evidence_weights(base_level))

    @property
    def filter_bytes(self) -> int:
        """Bytes that each frame reads from the last one and writes for the next, of all streams."""
        return int(self._state.nbytes + self._memory.nbytes + self._bands.nbytes // 2)

    @property
    def _scratch_bytes(self) -> int:
        scratch = (self._planes, self._sums, self._field, self._source)
        # Of the bands there are two sets, of which one is written while the other is read.
        return int(self._bands.nbytes // 2) + sum(int(array.nbytes) for array in scratch)

    def noise_px(self, stream: int) -> float:
        """Estimate how far noise alone moves what a stream shows: pixels, rms."""
        state, memory = self._state[stream].copy_to_host(), self._memory[stream].copy_to_host()
        field = self._field[stream].copy_to_host()
        return float(self._amplitude) * self._noise.noise_px(state[-1, :, 0], field, memory[2:])

    def _write_steps(self, dts: Sequence[float | None]) -> None:
        super()._write_steps(dts)
        self._which = 1 - self._which
        self._steps[:, :, kernels.WHICH] = self._which

    def _launch(self, luma: DeviceFrames, out: DeviceFrames, stream: Any) -> None:
        count, grid = self.streams, self._grid
        halve_grid = (
            blocks(self._coarsest[1], kernels.HALVE_COLUMNS),
            blocks(self._coarsest[0], kernels.HALVE_ROWS),
            count,
        )
        cell_grid = (blocks(grid[1], kernels.CELL_COLUMNS), blocks(grid[0], kernels.CELL_ROWS), count)
        height, width = self._source.shape[1:]
        spline_grid = (blocks(width, warp.SPLINE_COLUMNS), blocks(height, warp.SPLINE_ROWS), count)
        move_grid = (blocks(self.shape[1], warp.MOVE_COLUMNS), blocks(self.shape[0], warp.MOVE_ROWS), count)
        kernels.halve_thrice[halve_grid, TILE_THREADS, stream](
            luma.flat, luma.geometry, self._planes, self._shapes
        )
        kernels.compare[(self._tiles, count), TILE_THREADS, stream](
            luma.flat,
            luma.geometry,
            self._planes,
            self._bands,
            self._steps_there,
            self._table,
            self._weights,
            self._sums,
        )
        kernels.follow[cell_grid, TILE_THREADS, stream](
            self._sums, self._table, grid, self._state, self._memory, self._steps_there
        )
        kernels.hold_back[cell_grid, TILE_THREADS, stream](
            self._state, self._memory, grid, np.float32(self._noise.held), self._field
        )
        warp.fit_spline[spline_grid, TILE_THREADS, stream](luma.flat, luma.geometry, self._source)
        warp.move[move_grid, TILE_THREADS, stream](
            self._source, self._field, grid, -self._amplitude, out.flat, out.geometry
        )


def _lay_out(sizes: list[tuple[int, int]]) -> tuple[NDArray[np.int32], int]:
    """Lay planes one after the other: int32 [n, 3] of offset, height and width, and the whole size."""
    ends = np.cumsum([0, *(height * width for height, width in sizes)])
    return np.array([(at, *size) for at, size in zip(ends, sizes, strict=False)], np.int32), int(ends[-1])


def _level_table(
    sizes: list[tuple[int, int]], shapes: NDArray[np.int32], base_level: int
) -> tuple[NDArray[np.int32], int, int, int]:
    """Fill the levels' table, and count what all bands take, what all sums take, and the tiles."""
    rows = []
    band = sums = tiles = 0
    for level in range(base_level, LAST_LEVEL + 1):
        height, width = sizes[level]
        plane = -1 if level == 0 else int(shapes[level - 1, 0])
        finer, coarser = max(GRID_LEVEL - level, 0), max(level - GRID_LEVEL, 0)
        summed = sizes[max(level, GRID_LEVEL)]
        across = blocks(width, kernels.BAND_COLUMNS)
        rows.append((plane, band, height, width, finer, coarser, sums, *summed, tiles, across))
        band += height * width
        sums += 5 * summed[0] * summed[1]
        tiles += across * blocks(height, kernels.BAND_ROWS)
    return np.array(rows, np.int32), band, sums, tiles
