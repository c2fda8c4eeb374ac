"""Measure how fast the magnifier is, next to how fast this machine copies memory."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from .batch_magnifier import BatchMagnifier
from .errors import MagnifyError
from .magnifier import Device, Magnifier, Method

# Larger than any cache, so that it is memory that is measured.
_COPY_BYTES = 64 * 1024 * 1024
_COPY_RUNS = 5
# The state decides nothing about the speed, but a still picture would be an unfair one.
_FRAMES = 4


@dataclass(frozen=True)
class Measurement:
    """What a run gave; `size` is (width, height), `ms_per_frame` the median, `best_ms` the best frame's time.

    `bytes_per_frame` counts reads and writes and is what any engine with this state must move: luma in, luma
    out, state in and out. `share_of_floor` is the time that a copy of so many bytes takes, over the time a
    frame took. It may pass 1 where the state fits into the cache, because the copy is measured in memory.

    With several `streams` a frame is one of each, but `fps` and `bytes_per_frame` count every picture. On a
    GPU, frames either lie `on_device`, and the floor is a copy in the GPU's memory, or they come from the
    host's page-locked memory and go back: then bytes and floor are those of the bus.
    """

    method: str
    device: str
    streams: int
    on_device: bool
    size: tuple[int, int]
    threads: int
    frames: int
    first_ms: float
    ms_per_frame: float
    best_ms: float
    fps: float
    state_bytes: int
    bytes_per_frame: int
    copy_bytes_per_s: float
    share_of_floor: float


def measure(
    size: tuple[int, int],
    *,
    seconds: float = 2.0,
    method: Method = "linear",
    device: Device = "cpu",
    base_level: int = 1,
    order: int = 1,
    threads: int = 1,
    streams: int = 1,
    on_device: bool = False,
) -> Measurement:
    """Magnify a noisy scene of `size` (width, height) for about `seconds` and measure, steady state.

    `first_ms` is the first two frames, compilation or loading it from disk included; `fps` follows from the
    median. Raises MagnifyError for arguments out of range.
    """
    width, height = size
    if width < 1 or height < 1 or not 0.0 < seconds < math.inf:
        raise MagnifyError(f"size {width}x{height} for {seconds} s is nothing to measure; give more than 0")
    options: dict[str, Any] = {
        "fps": 30.0,
        "method": method,
        "device": device,
        "base_level": base_level,
        "order": order,
    }
    # A batch knows no threads; a batch of one on a GPU is a Magnifier there.
    one = Magnifier(threads=threads, **options)
    if streams == 1:
        magnify: Any = one
        shape: tuple[int, ...] = (height, width)
    else:
        magnify = BatchMagnifier(streams, **options)
        shape = (streams, height, width)
    if on_device and one.device != "cuda":
        raise MagnifyError("on_device is True, but the magnifier runs on the CPU; give device 'cuda'")
    rng = np.random.default_rng(0)
    # One scene under a camera's noise: unrelated pictures move riesz's pixels apart, which no stream does.
    scene = rng.integers(90, 166, shape, dtype=np.uint8)
    frames: list[Any] = [scene + rng.integers(0, 8, shape, dtype=np.uint8) for _ in range(_FRAMES)]
    out: Any = np.empty(shape, np.uint8)
    if one.device == "cuda":
        from .cuda_device import place

        frames, out = [place(frame, on_device=on_device) for frame in frames], place(out, on_device=on_device)
    start = time.perf_counter()
    magnify(frames[0], out=out)
    magnify(frames[1], out=out)
    first = time.perf_counter() - start
    taken: list[float] = []
    # Each frame once more: a GPU's launches are recorded when they come again.
    for frame in frames:
        magnify(frame, out=out)
    end = time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        start = time.perf_counter()
        magnify(frames[len(taken) % _FRAMES], out=out)
        taken.append(time.perf_counter() - start)
    median = float(np.median(taken))
    moved = 2 * width * height
    if one.device == "cpu" or on_device:
        moved += 2 * magnify.filter_bytes // streams
    bandwidth = _bandwidth(one, on_device=on_device)
    return Measurement(
        method=method,
        device=one.device,
        streams=streams,
        on_device=on_device,
        size=(width, height),
        threads=one.threads,
        frames=len(taken),
        first_ms=1e3 * first,
        ms_per_frame=1e3 * median,
        best_ms=1e3 * min(taken),
        fps=streams / median,
        state_bytes=magnify.state_bytes,
        bytes_per_frame=moved,
        copy_bytes_per_s=bandwidth,
        share_of_floor=streams * moved / bandwidth / median,
    )


def _bandwidth(magnifier: Magnifier, *, on_device: bool) -> float:
    if magnifier.device == "cpu":
        return copy_bandwidth(threads=magnifier.threads)
    from .cuda_device import bus_bandwidth, device_bandwidth

    return device_bandwidth(_COPY_BYTES) if on_device else bus_bandwidth(_COPY_BYTES)


def copy_bandwidth(*, threads: int = 1) -> float:
    """Measure how many bytes a second `threads` threads read and write together when they copy memory."""
    source = np.ones((threads, _COPY_BYTES // threads), np.uint8)
    target = np.zeros_like(source)
    best = math.inf
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_COPY_RUNS):
            start = time.perf_counter()
            list(pool.map(np.copyto, target, source))
            best = min(best, time.perf_counter() - start)
    return 2.0 * source.nbytes / best
