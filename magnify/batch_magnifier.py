"""Magnify several streams of one size together: one set of launches on a GPU for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from .checks import check_out, check_planes, check_whole
from .clock import StreamClock
from .errors import MagnifyError
from .magnifier import Device, Magnifier, Method
from .temporal import Temporal

_MAX_STREAMS = 4096


class BatchMagnifier:
    """Magnify a frame of each of `streams` streams a call.

    The streams share size and settings, which are the Magnifier's; each has a time, a state and resets of
    its own. What comes out of each is what a Magnifier of its own would give. On the CPU it is just that;
    on a GPU all are done at once, which small or many pictures need to fill it.

    A stream that has no new frame yet gives its last one again with the same time: that changes nothing.

    Raises MagnifyError, a ValueError, for arguments out of range.
    """

    def __init__(
        self,
        streams: int,
        *,
        fps: float,
        factor: float = 10.0,
        band_hz: tuple[float, float] = (1.0, 5.0),
        method: Method = "linear",
        device: Device = "cpu",
        base_level: int = 1,
        cutoff_wavelength_px: float = 0.0,
        temporal: Temporal = "butterworth",
        order: int = 1,
        denoise: bool = True,
    ) -> None:
        check_whole("streams", streams, low=1, high=_MAX_STREAMS)
        self._magnifiers = [
            Magnifier(
                fps=fps,
                factor=factor,
                band_hz=band_hz,
                method=method,
                device=device,
                base_level=base_level,
                cutoff_wavelength_px=cutoff_wavelength_px,
                temporal=temporal,
                order=order,
                denoise=denoise,
            )
            for _ in range(streams)
        ]
        first = self._magnifiers[0]
        clocks: list[StreamClock] = [magnifier._clock for magnifier in self._magnifiers]
        self._cuda = first._make_cuda_streams(clocks) if first.device == "cuda" else None

    def __call__(self, luma: Any, *, times: Sequence[float | None] | None = None, out: Any = None) -> Any:
        """Magnify the streams' next frames, uint8 [streams, H, W], and return them.

        Where the frames lie on the GPU (`__cuda_array_interface__`) the result does too and no copy is made;
        it is there when the call returns. `times` are seconds of each stream's own clock; None, for all or
        for one, stands for 1 / fps after the last frame. `out` receives the result, or a new array does.
        """
        count = len(self._magnifiers)
        times = [None] * count if times is None else times
        if len(times) != count:
            raise MagnifyError(f"there are {len(times)} times; give one for each of the {count} streams")
        if self._cuda is not None:
            return self._cuda(luma, times=times, out=out)
        frames = check_planes(luma, streams=count)
        if out is None:
            out = np.empty(luma.shape, np.uint8)
        else:
            check_out(out, luma)
        for magnifier, time in zip(self._magnifiers, times, strict=True):
            magnifier._clock.check(time)
        results = out.reshape(frames.shape)
        for magnifier, frame, time, result in zip(self._magnifiers, frames, times, results, strict=True):
            magnifier(frame, time=time, out=result)
        return out

    def reset(self, stream: int | None = None) -> None:
        """Start one stream anew, or all: its next frame is taken for one that stands still."""
        for magnifier in self._magnifiers if stream is None else [self._magnifiers[stream]]:
            magnifier.reset()

    @property
    def warm(self) -> list[bool]:
        """Whether each stream's filter has seen enough for its gain to be true."""
        return [magnifier.warm for magnifier in self._magnifiers]

    @property
    def noise_px(self) -> list[float | None]:
        """How far noise alone moves what each stream shows, as a Magnifier tells it."""
        if self._cuda is not None and self._cuda.engine is not None:
            return [self._cuda.engine.noise_px(stream) for stream in range(len(self._magnifiers))]
        return [magnifier.noise_px for magnifier in self._magnifiers]

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where frames are magnified; of "auto", what it came to."""
        return self._magnifiers[0].device

    @property
    def state_bytes(self) -> int:
        """Bytes of memory held for all streams; 0 before the first frames."""
        if self._cuda is None:
            return sum(magnifier.state_bytes for magnifier in self._magnifiers)
        return 0 if self._cuda.engine is None else self._cuda.engine.state_bytes

    @property
    def filter_bytes(self) -> int:
        """Bytes of all temporal filters' state, which each frame reads and writes; 0 before the first."""
        if self._cuda is None:
            return sum(magnifier.filter_bytes for magnifier in self._magnifiers)
        return 0 if self._cuda.engine is None else self._cuda.engine.filter_bytes
