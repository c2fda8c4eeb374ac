"""A source that ends of its own accord."""

from __future__ import annotations

from collections.abc import Iterator

from .closing import Closing
from .frame import Frame
from .source import Source


class LimitedSource(Closing):
    """The first `frames` frames, or the first `seconds` of stream time, of another source."""

    def __init__(self, source: Source, *, frames: int | None = None, seconds: float | None = None) -> None:
        self._source = source
        self._frames = frames
        self._seconds = seconds
        self.name = source.name
        self.live = source.live
        self.fps = source.fps
        self.warnings = source.warnings

    @property
    def status(self) -> str:
        """How the other source is doing."""
        return self._source.status

    @property
    def reconnects(self) -> int:
        """How often the other source was connected again."""
        return self._source.reconnects

    @property
    def damaged(self) -> int:
        """How many frames of the other source were damaged."""
        return self._source.damaged

    def __iter__(self) -> Iterator[Frame]:
        first: float | None = None
        if self._frames == 0:
            return
        for count, frame in enumerate(self._source, 1):
            first = frame.time if first is None else first
            if self._seconds is not None and frame.time - first >= self._seconds:
                return
            yield frame
            if count == self._frames:
                return

    def stop(self) -> None:
        """End the stream; from any thread."""
        self._source.stop()

    def close(self) -> None:
        """Give the source back; from the iterating thread."""
        self._source.close()
