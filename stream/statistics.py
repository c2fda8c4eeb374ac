"""What a running monitor counts and measures, in constant memory."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# Latencies from 0.01 ms to about a minute, in buckets 2 % apart: a percentile is right to 1 %.
_FLOOR_MS = 0.01
_RATIO = 1.02
_BUCKETS = 800

# The rate that is shown is that of the last two seconds.
_RATE_WINDOW_S = 2.0


class LatencyHistogram:
    """Counts durations in milliseconds and tells their percentiles."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.maximum_ms = 0.0
        self.total_ms = 0.0

    def add(self, duration_ms: float) -> None:
        """Count one duration."""
        place = math.log(max(duration_ms, _FLOOR_MS) / _FLOOR_MS) / math.log(_RATIO)
        self._counts[min(int(place), _BUCKETS - 1)] += 1
        self.count += 1
        self.total_ms += duration_ms
        self.maximum_ms = max(self.maximum_ms, duration_ms)

    def percentile(self, share: float) -> float:
        """Tell the duration in milliseconds that `share` (0 to 1) of all are below; 0 when there are none."""
        wanted = share * self.count
        seen = 0
        for place, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return float(min(_FLOOR_MS * _RATIO ** (place + 0.5), self.maximum_ms))
        return 0.0

    @property
    def mean_ms(self) -> float:
        """The mean duration in milliseconds; 0 when there are none."""
        return self.total_ms / self.count if self.count else 0.0


@dataclass(slots=True)
class Statistics:
    """Counts since the monitor started; every count is written by one thread only.

    `read` frames came from the source, `processed` passed tracker, magnifier and spotter.
    `dropped_at_source` came faster than they were read, `dropped_before` were thrown away
    because processing is slower than the stream (the magnifier saw a gap), `dropped_behind` only because
    the consumer is slow (nothing was missed), `unrecorded` because the video encoder is slow. `events`
    counts by kind, `named` those of them that the classifier named. `latency` is from a frame's arrival to
    its delivery, `stages` the time that each stage takes.
    """

    read: int = 0
    processed: int = 0
    with_face: int = 0
    dropped_at_source: int = 0
    dropped_before: int = 0
    dropped_behind: int = 0
    unrecorded: int = 0
    events: Counter[str] = field(default_factory=Counter)
    named: int = 0
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    stages: dict[str, LatencyHistogram] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=1000))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure one passage through a stage."""
        start = time.perf_counter()
        yield
        self.stages.setdefault(name, LatencyHistogram()).add((time.perf_counter() - start) * 1e3)

    def count_processed(self) -> None:
        """Count a frame that passed all stages."""
        self.processed += 1
        self._recent.append(time.monotonic())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start, to the end if it has ended."""
        return (self.ended or time.monotonic()) - self.started

    @property
    def silent_s(self) -> float:
        """Seconds since the last frame was processed, or since the start while there was none."""
        return time.monotonic() - (self._recent[-1] if self._recent else self.started)

    @property
    def current_fps(self) -> float:
        """Frames a second over the last two seconds."""
        now = time.monotonic()
        recent = [moment for moment in tuple(self._recent) if now - moment <= _RATE_WINDOW_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0

    @property
    def mean_fps(self) -> float:
        """Frames processed a second, from the start to the end, or to now while it runs."""
        return self.processed / self.elapsed_s if self.processed else 0.0
