"""The linear engine on a CUDA device: what `linear.py` does, for one stream or several at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from . import cuda_linear_kernels as kernels
from .cuda_device import DeviceFrames, blocks
from .cuda_engine import CudaEngine
from .cuda_functions import STEP_COLUMNS
from .linear_shrinkage import BLOCK
from .noise import NoiseModel
from .pyramid import level_shapes, level_weights, octave_gains
from .temporal import BandPass

# Threads of a block: of a tile, and of the block that does a stream's coarse levels.
TILE_THREADS = 256
COARSE_THREADS = 1024
# The kernels make levels 1, 2 and 3 each in a way of its own.
_MIN_LEVELS = 3


class CudaLinearEngine(CudaEngine):
    """State of `streams` streams of one size `shape` (height, width); other arguments as of LinearEngine."""

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        streams: int,
        band_pass: BandPass,
        factor: float,
        base_level: int,
        cutoff_wavelength_px: float,
        noise: NoiseModel,
    ) -> None:
        super().__init__(shape, streams=streams, band_pass=band_pass, step_columns=STEP_COLUMNS)
        self._base_level = base_level
        height, width = shape
        base = shape if base_level == 0 else ((height + 1) // 2, (width + 1) // 2)
        table = level_shapes(base)
        gains = octave_gains(
            len(table), base_level=base_level, factor=factor, cutoff_wavelength_px=cutoff_wavelength_px
        )
        shapes, weights = _pad_levels(table, level_weights(gains))
        self._base = base
        self._fine, self._tile = tuple(shapes[1, 1:].tolist()), base
        order = len(band_pass.sections)
        cells = base[0] * base[1]
        self._amplitude = np.float32(factor * band_pass.gain)
        # Zeros and not bare memory: what is forgotten is multiplied by zero, and 0 times NaN is NaN.
        self._previous = cuda.to_device(np.zeros((streams, 2, cells), np.uint16))
        self._state = cuda.to_device(np.zeros((streams, order, 2, cells), np.float32))
        blocked = -(-base[0] // BLOCK) * -(-base[1] // BLOCK)
        self._energies = cuda.to_device(np.zeros((streams, 2, blocked), np.float32))
        self._shown = cuda.device_array((streams, cells), np.float32)
        self._noise = np.float32(noise.held)
        self._levels = cuda.device_array((streams, int(shapes[:, 1] @ shapes[:, 2])), np.float32)
        self._shapes = cuda.to_device(shapes)
        self._weights = cuda.to_device(weights)

    @property
    def filter_bytes(self) -> int:
        """Bytes that each frame reads from the last one and writes for the next, of all streams."""
        return int(self._previous.nbytes + self._state.nbytes + self._energies.nbytes)

    @property
    def _scratch_bytes(self) -> int:
        return int(self._levels.nbytes + self._shown.nbytes)

    def _launch(self, luma: DeviceFrames, out: DeviceFrames, stream: Any) -> None:
        count = self.streams
        rows, columns = self._base
        fine_grid = (
            blocks(self._fine[1], kernels.HALVE_COLUMNS),
            blocks(self._fine[0], kernels.HALVE_ROWS),
            count,
        )
        tile_grid = (blocks(columns, kernels.TILE_COLUMNS), blocks(rows, kernels.TILE_ROWS), count)
        kernels.filter_base[tile_grid, TILE_THREADS, stream](
            luma.flat,
            luma.geometry,
            self._base_level,
            self._base,
            self._previous,
            self._state,
            self._energies,
            self._steps_there,
        )
        kernels.gate_base[tile_grid, TILE_THREADS, stream](
            self._base, self._state, self._energies, self._noise, self._shown
        )
        kernels.halve_twice[fine_grid, TILE_THREADS, stream](
            self._shown, self._base, self._levels, self._shapes
        )
        kernels.sum_coarse[count, COARSE_THREADS, stream](self._levels, self._shapes, self._weights)
        kernels.add_change[tile_grid, TILE_THREADS, stream](
            luma.flat,
            out.flat,
            luma.geometry,
            out.geometry,
            self._base_level,
            self._base,
            self._shown,
            self._levels,
            self._shapes,
            self._weights,
            self._amplitude,
        )


def _pad_levels(
    shapes: NDArray[np.int64], weights: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Add levels of no weight until the kernels have as many as they need."""
    rows = shapes.tolist()
    while len(rows) < _MIN_LEVELS:
        offset, height, width = rows[-1]
        rows.append([offset + height * width, (height + 1) // 2, (width + 1) // 2])
    padding = np.zeros(len(rows) + 1 - len(weights), np.float32)
    return np.array(rows, np.int32), np.concatenate([weights, padding])
