"""Measure how fast the magnifier is, next to how fast this machine copies memory."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

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
    """

    method: str
    device: str
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
) -> Measurement:
    """Magnify a noisy scene of `size` (width, height) for about `seconds` and measure, steady state.

    `first_ms` is the first two frames, compilation or loading it from disk included; `fps` follows from the
    median. Raises MagnifyError for arguments out of range.
    """
    width, height = size
    if width < 1 or height < 1 or not 0.0 < seconds < math.inf:
        raise MagnifyError(f"size {width}x{height} for {seconds} s is nothing to measure; give more than 0")
    magnifier = Magnifier(
        fps=30.0, method=method, device=device, base_level=base_level, order=order, threads=threads
    )
    rng = np.random.default_rng(0)
    # One scene under a camera's noise: unrelated pictures move riesz's pixels apart, which no stream does.
    scene = rng.integers(90, 166, (height, width), dtype=np.uint8)
    frames = scene + rng.integers(0, 8, (_FRAMES, height, width), dtype=np.uint8)
    out = np.empty((height, width), np.uint8)
    start = time.perf_counter()
    magnifier(frames[0], out=out)
    magnifier(frames[1], out=out)
    first = time.perf_counter() - start
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        start = time.perf_counter()
        magnifier(frames[len(taken) % _FRAMES], out=out)
        taken.append(time.perf_counter() - start)
    median = float(np.median(taken))
    floor = 2 * width * height + 2 * magnifier.filter_bytes
    bandwidth = copy_bandwidth(threads=magnifier.threads)
    return Measurement(
        method=method,
        device=device,
        size=(width, height),
        threads=magnifier.threads,
        frames=len(taken),
        first_ms=1e3 * first,
        ms_per_frame=1e3 * median,
        best_ms=1e3 * min(taken),
        fps=1.0 / median,
        state_bytes=magnifier.state_bytes,
        bytes_per_frame=floor,
        copy_bytes_per_s=bandwidth,
        share_of_floor=floor / bandwidth / median,
    )


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
