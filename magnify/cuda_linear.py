"""The linear engine on a CUDA device: what `linear.py` does, for one stream or several at once.

State, pyramid and coefficients stay on the device. A frame costs one upload, four kernels, one download and
one wait; frames that lie on the device already are read and written where they are.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from . import cuda_kernels as kernels
from .checks import check_out, check_planes
from .clock import StreamClock
from .cuda_device import (
    DeviceFrames,
    Launcher,
    blocks,
    device_frames,
    is_page_locked,
    lies_on_device,
    page_locked,
)
from .errors import MagnifyError
from .pyramid import level_shapes, level_weights, octave_gains
from .temporal import BandPass

# Threads of a block: of the base's cells, of a tile, and of the block that does a stream's coarse levels.
BASE_BLOCK = (32, 8)
TILE_THREADS = 256
COARSE_THREADS = 1024
# The kernels make levels 1, 2 and 3 each in a way of its own.
_MIN_LEVELS = 3


class CudaLinearEngine:
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
    ) -> None:
        self.shape = shape
        self.streams = streams
        self._band_pass = band_pass
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
        self._previous = cuda.to_device(np.zeros((streams, cells), np.uint16))
        self._state = cuda.to_device(np.zeros((streams, order, 2, cells), np.float32))
        self._levels = cuda.device_array((streams, int(shapes[:, 1] @ shapes[:, 2])), np.float32)
        self._shapes = cuda.to_device(shapes)
        self._weights = cuda.to_device(weights)
        # What travels lies in page-locked memory, from which the device copies on its own.
        self._steps = cuda.pinned_array((streams, order, kernels.STEP_COLUMNS), np.float32)
        self._steps_there = cuda.device_array(self._steps.shape, np.float32)
        self._sent: NDArray[np.uint8] | None = None
        self._received: NDArray[np.uint8] | None = None
        self._luma: DeviceFrames | None = None
        self._out: DeviceFrames | None = None
        self._launcher = Launcher()

    @property
    def state_bytes(self) -> int:
        """Bytes held on the device for all streams, the pyramid and the frames' copies included."""
        frames = 0 if self._luma is None else 2 * int(self._luma.flat.nbytes)
        return self.filter_bytes + int(self._levels.nbytes) + frames

    @property
    def filter_bytes(self) -> int:
        """Bytes of the temporal filters' state, which each frame reads and writes."""
        return int(self._previous.nbytes + self._state.nbytes)

    def step(self, luma: NDArray[np.uint8], *, dts: Sequence[float | None], out: NDArray[np.uint8]) -> None:
        """Magnify a picture of every stream, uint8 [streams, H, W] in the host's memory, into `out`.

        What lies there page-locked is sent from, and received, where it is; else through a copy that is.

        `dts` says how many seconds after its last one each picture comes, None for one that stands still and
        with which that stream starts anew.
        """
        self._write_steps(dts)
        if self._luma is None:
            self._luma, self._out = (self._make_room() for _ in range(2))
        sent, received = luma, out
        if not is_page_locked(luma):
            if self._sent is None:
                self._sent = page_locked(luma.shape)
            sent = self._sent
            np.copyto(sent, luma)
        if not is_page_locked(out):
            if self._received is None:
                self._received = page_locked(out.shape)
            received = self._received
        key = (sent.ctypes.data, received.ctypes.data)
        self._launcher.run(key, partial(self._work_from_host, sent, received))
        if received is not out:
            np.copyto(out, received)

    def step_on_device(self, luma: DeviceFrames, *, dts: Sequence[float | None], out: DeviceFrames) -> None:
        """Magnify a picture of every stream where it lies; returns when `out` is written."""
        self._write_steps(dts)
        self._launcher.run((luma.key, out.key), partial(self._work, luma, out))

    def _write_steps(self, dts: Sequence[float | None]) -> None:
        for row, dt in zip(self._steps, dts, strict=True):
            if dt is None:
                row.fill(0.0)
            else:
                row[:, :-1] = self._band_pass.coefficients(dt=dt)
                row[:, -1] = 1.0

    def _make_room(self) -> DeviceFrames:
        height, width = self.shape
        flat = cuda.device_array(self.streams * height * width, np.uint8)
        return DeviceFrames(flat, (height, width, width, height * width), 0)

    def _work_from_host(self, sent: NDArray[np.uint8], received: NDArray[np.uint8], stream: Any) -> None:
        assert self._luma is not None
        assert self._out is not None
        self._luma.flat.copy_to_device(sent.reshape(-1), stream=stream)
        self._work(self._luma, self._out, stream)
        self._out.flat.copy_to_host(received.reshape(-1), stream=stream)

    def _work(self, luma: DeviceFrames, out: DeviceFrames, stream: Any) -> None:
        """Launch a frame's kernels; the coefficients are read when they run, not when they are recorded."""
        count = self.streams
        rows, columns = self._base
        base_grid = (blocks(columns, BASE_BLOCK[0]), blocks(rows, BASE_BLOCK[1]), count)
        fine_grid = (
            blocks(self._fine[1], kernels.HALVE_COLUMNS),
            blocks(self._fine[0], kernels.HALVE_ROWS),
            count,
        )
        tile_grid = (blocks(columns, kernels.TILE_COLUMNS), blocks(rows, kernels.TILE_ROWS), count)
        self._steps_there.copy_to_device(self._steps, stream=stream)
        with warnings.catch_warnings():
            # One small stream cannot fill a large GPU; that is no defect of the launch.
            warnings.filterwarnings("ignore", message="Grid size")
            kernels.filter_base[base_grid, BASE_BLOCK, stream](
                luma.flat,
                luma.geometry,
                self._base_level,
                self._base,
                self._previous,
                self._state,
                self._steps_there,
            )
            kernels.halve_twice[fine_grid, TILE_THREADS, stream](
                self._state, self._base, self._levels, self._shapes
            )
            kernels.sum_coarse[count, COARSE_THREADS, stream](self._levels, self._shapes, self._weights)
            kernels.add_change[tile_grid, TILE_THREADS, stream](
                luma.flat,
                out.flat,
                luma.geometry,
                out.geometry,
                self._base_level,
                self._base,
                self._state,
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


class CudaStreams:
    """Streams of one size, each with its own clock, magnified together by one engine."""

    def __init__(
        self,
        clocks: Sequence[StreamClock],
        *,
        band_pass: BandPass,
        factor: float,
        base_level: int,
        cutoff_wavelength_px: float,
    ) -> None:
        self.engine: CudaLinearEngine | None = None
        self._clocks = clocks
        self._make_engine = partial(
            CudaLinearEngine,
            streams=len(clocks),
            band_pass=band_pass,
            factor=factor,
            base_level=base_level,
            cutoff_wavelength_px=cutoff_wavelength_px,
        )

    def __call__(self, luma: Any, *, times: Sequence[float | None], out: Any = None) -> Any:
        """Magnify the streams' next frames, [H, W] of one stream or [streams, H, W], where they lie.

        `out` must lie where `luma` does, on the device or in the host's memory; without it a new array does.
        """
        if lies_on_device(luma):
            return self._step_on_device(luma, times, out)
        frames = check_planes(luma, streams=len(self._clocks))
        if out is None:
            out = np.empty(luma.shape, np.uint8)
        else:
            check_out(out, luma)
        engine, dts = self._advance(frames.shape[-2:], times)
        engine.step(frames, dts=dts, out=out.reshape(frames.shape))
        return out

    def _step_on_device(self, luma: Any, times: Sequence[float | None], out: Any) -> Any:
        frames = device_frames(luma, "the frame")
        shape, count = tuple(luma.shape), len(self._clocks)
        if math.prod(shape[:-2]) != count:
            raise MagnifyError(f"the frames are {list(shape)}; give one of each of the {count} streams")
        if out is None:
            out = cuda.device_array(shape, np.uint8)
        elif not lies_on_device(out) or tuple(out.shape) != shape:
            raise MagnifyError(
                f"the frame lies on the device; give an out of its shape {list(shape)} there, or None"
            )
        result = device_frames(out, "out")
        engine, dts = self._advance(frames.geometry[:2], times)
        engine.step_on_device(frames, dts=dts, out=result)
        return out

    def _advance(
        self, shape: tuple[int, ...], times: Sequence[float | None]
    ) -> tuple[CudaLinearEngine, list[float | None]]:
        """Move all clocks, or none if a time is wrong, and give the engine for frames of a size."""
        for clock, time in zip(self._clocks, times, strict=True):
            clock.check(time)
        engine = self.engine
        anew = engine is None or engine.shape != tuple(shape)
        if engine is None or anew:
            engine = self.engine = self._make_engine((shape[0], shape[1]))
        return engine, [
            clock.advance(time, anew=anew) for clock, time in zip(self._clocks, times, strict=True)
        ]
