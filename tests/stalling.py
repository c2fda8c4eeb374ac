"""A live camera that falls silent, for tests of what happens while nothing comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Self

import numpy as np

from magnifyme.stream.frame import Frame, frame_from_array


class StallingCamera:
    """Give `count` gray frames at 50 a second, then nothing until `stop`; `deaf` ones do not heed that.

    They come every `pace_s` seconds by the clock; their own times do not care.
    """

    live = True
    fps: float | None = 50.0
    reconnects = 0
    damaged = 0

    def __init__(self, count: int, *, deaf: bool = False, pace_s: float = 0.02) -> None:
        self.name = "camera"
        self.status = "live"
        self.last_error: str | None = None
        self.dropped = 0
        self.warnings: list[str] = []
        self.closed = False
        self._count = count
        self._deaf = deaf
        self._pace_s = pace_s
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self._count):
            if self._stopped.wait(self._pace_s):
                return
            yield frame_from_array(
                np.full((48, 64), 128, np.uint8),
                time=number / 50,
                sequence=number,
                arrival=time.monotonic(),
            )
        self.status = "stalled"
        self._stopped.wait()
        if self._deaf:
            time.sleep(600)

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
