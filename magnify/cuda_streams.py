"""Streams of one size on a CUDA device, each with its own clock: checks, and the engine for their size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import cuda

from .checks import check_out, check_planes
from .clock import StreamClock
from .cuda_device import device_frames, lies_on_device
from .cuda_engine import CudaEngine
from .errors import MagnifyError


class CudaStreams:
    """Streams of one size, each with its own clock, magnified together by one engine.

    `make_engine` makes the engine of so many streams for frames of a size (height, width).
    """

    def __init__(
        self, clocks: Sequence[StreamClock], *, make_engine: Callable[[tuple[int, int]], CudaEngine]
    ) -> None:
        self.engine: CudaEngine | None = None
        self._clocks = clocks
        self._make_engine = make_engine

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
    ) -> tuple[CudaEngine, list[float | None]]:
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
