"""A source that ends of its own accord."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator

from .closing import Closing
from .errors import SourceError
from .frame import Frame
from .source import Source

# A live stream whose time is up by the clock ends once nothing has come for so long; while frames come,
# their own times decide.
_SILENT_S = 1.0
_LOOK_S = 0.2


class LimitedSource(Closing):
    """The first `frames` frames, or the first `seconds` of stream time, of another source.

    A live source that falls silent ends as well, when `seconds` have passed by the clock since its first
    frame, or since the start if none comes. Raises SourceError where `seconds` is not above 0.
    """

    def __init__(self, source: Source, *, frames: int | None = None, seconds: float | None = None) -> None:
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise SourceError(f"a duration of {seconds:g} s is not possible: --duration must be above 0")
        self._source = source
        self._frames = frames
        self._seconds = seconds
        self._heard = 0.0
        self._up = math.inf
        self.name = source.name
        self.live = source.live
        self.fps = source.fps
        self.warnings = source.warnings

    @property
    def status(self) -> str:
        """How the other source is doing."""
        return self._source.status

    @property
    def last_error(self) -> str | None:
        """Why the other source's connection broke last."""
        return self._source.last_error

    @property
    def reconnects(self) -> int:
        """How often the other source was connected again."""
        return self._source.reconnects

    @property
    def dropped(self) -> int:
        """How many frames came faster than they were taken from the other source."""
        return self._source.dropped

    @property
    def damaged(self) -> int:
        """How many frames of the other source were damaged."""
        return self._source.damaged

    def __iter__(self) -> Iterator[Frame]:
        if not self.live or self._seconds is None:
            yield from self._limited()
            return
        over = threading.Event()
        self._heard = time.monotonic()
        self._up = self._heard + self._seconds
        watchdog = threading.Thread(target=self._end_silence, args=(over,), name="magnifyme limit")
        watchdog.start()
        try:
            yield from self._limited()
        finally:
            over.set()
            watchdog.join()

    def stop(self) -> None:
        """End the stream; from any thread."""
        self._source.stop()

    def close(self) -> None:
        """Give the source back; from the iterating thread."""
        self._source.close()

    def _limited(self) -> Iterator[Frame]:
        first: float | None = None
        for count, frame in enumerate(self._source, 1):
            self._heard = time.monotonic()
            if first is None:
                first = frame.time
                self._up = self._heard + (self._seconds or 0.0)
            if self._seconds is not None and frame.time - first >= self._seconds:
                return
            yield frame
            if count == self._frames:
                return

    def _end_silence(self, over: threading.Event) -> None:
        while not over.wait(_LOOK_S):
            now = time.monotonic()
            if now >= self._up and now - self._heard >= _SILENT_S:
                self._source.stop()
