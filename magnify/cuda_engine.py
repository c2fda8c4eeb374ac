"""What both engines have in common on a CUDA device: the way of frames there and back, and steps in time.

State, planes and coefficients stay on the device. A frame costs one upload, the engine's kernels, one
download and one wait; frames that lie on the device already are read and written where they are.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from .cuda_device import DeviceFrames, Launcher, is_page_locked, page_locked
from .cuda_functions import DECAY, KEEP
from .noise import decay_of
from .temporal import BandPass


class CudaEngine(ABC):
    """State of `streams` streams of one size `shape` (height, width)."""

    def __init__(
        self, shape: tuple[int, int], *, streams: int, band_pass: BandPass, step_columns: int
    ) -> None:
        self.shape = shape
        self.streams = streams
        self._band_pass = band_pass
        # What travels lies in page-locked memory, from which the device copies on its own.
        self._steps = cuda.pinned_array((streams, len(band_pass.sections), step_columns), np.float32)
        self._steps_there = cuda.device_array(self._steps.shape, np.float32)
        self._sent: NDArray[np.uint8] | None = None
        self._received: NDArray[np.uint8] | None = None
        self._luma: DeviceFrames | None = None
        self._out: DeviceFrames | None = None
        self._launcher = Launcher()

    @property
    def state_bytes(self) -> int:
        """Bytes held on the device for all streams, scratch and the frames' copies included."""
        frames = 0 if self._luma is None else 2 * int(self._luma.flat.nbytes)
        return self.filter_bytes + self._scratch_bytes + frames

    @property
    @abstractmethod
    def filter_bytes(self) -> int:
        """Bytes that each frame reads from the last one and writes for the next, of all streams."""

    @property
    @abstractmethod
    def _scratch_bytes(self) -> int: ...

    def noise_px(self, stream: int) -> float | None:
        """Estimate how far noise alone moves what a stream shows: px, rms; None where that cannot be told."""
        return None

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
                row[:, :5] = self._band_pass.coefficients(dt=dt)
                row[:, KEEP] = 1.0
                row[:, DECAY] = decay_of(dt)

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
        self._steps_there.copy_to_device(self._steps, stream=stream)
        with warnings.catch_warnings():
            # One small stream cannot fill a large GPU; that is no defect of the launch.
            warnings.filterwarnings("ignore", message="Grid size")
            self._launch(luma, out, stream)

    @abstractmethod
    def _launch(self, luma: DeviceFrames, out: DeviceFrames, stream: Any) -> None: ...
