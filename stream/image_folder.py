"""A folder of numbered pictures as a source, as data sets of micro-expressions are given."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from .closing import Closing
from .errors import SourceError
from .frame import Frame, frame_from_av
from .numbered import numbered_pictures
from .picture_file import read_picture
from .timeline import Timeline


class ImageFolder(Closing):
    """Read `006_05562.jpg`, `img46.png`, ... in the order of their last number, at `fps` pictures a second.

    Numbers may be padded with zeros or not. A picture keeps its place in time, (number - first) / fps, so
    that a gap in the numbering is a gap in time; gaps are told in `warnings`. A change of size begins a
    new epoch. Raises SourceNotFound, NotAVideo (no pictures, two with one number, or, also later, one that
    cannot be decoded) or SourceError (no `fps`).
    """

    live = False
    last_error: str | None = None
    dropped = 0
    reconnects = 0
    damaged = 0

    def __init__(self, path: str | Path, *, fps: float | None) -> None:
        self.name = str(path)
        self._pictures, self.warnings = numbered_pictures(Path(path))
        if fps is None:
            raise SourceError(
                f"{self.name} is a folder of pictures, which have no rate: say it, as in --fps 200"
            )
        self.fps: float | None = fps
        self._interval_s = 1.0 / fps
        self.status = "live"
        self._done = 0
        self._timeline = Timeline(live=False, fps=fps)
        self._stop = threading.Event()
        read_picture(self._pictures[0][1])  # tell at once what is no picture

    @property
    def numbers(self) -> list[int]:
        """The numbers in the pictures' names, in order: what annotations count in."""
        return [number for number, _ in self._pictures]

    def __len__(self) -> int:
        return len(self._pictures)

    def __iter__(self) -> Iterator[Frame]:
        """Give the frames to the last picture or until `stop`; going on where the last loop left."""
        first = self._pictures[0][0]
        while not self._stop.is_set():
            if self._done == len(self._pictures):
                self.status = "ended"
                return
            number, path = self._pictures[self._done]
            picture = read_picture(path)
            arrival = time.monotonic()
            size = (picture.width, picture.height)
            seconds = self._timeline.place((number - first) * self._interval_s, size=size, arrival=arrival)
            self._done += 1
            yield frame_from_av(
                picture,
                time=seconds,
                sequence=self._done - 1,
                epoch=self._timeline.epoch,
                arrival=arrival,
            )
        self.status = "stopped"

    def stop(self) -> None:
        """End the iteration after the present frame; from any thread."""
        self._stop.set()

    def close(self) -> None:
        """End the iteration; there is nothing to close."""
        self._stop.set()
