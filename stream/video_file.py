"""A video file as a source: every picture, with the time the file gives it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from .closing import Closing
from .container import open_file
from .demuxer import Demuxer, Picture
from .errors import NotAVideo
from .frame import Frame, frame_from_av
from .timeline import Timeline
from .upright import upright


class VideoFile(Closing):
    """Read a file that FFmpeg decodes, losing nothing: damaged pictures are given too, and say so.

    `rotation` is what the file asks for, in degrees counter-clockwise; pictures come upright unless
    `upright=False`. `duration` in seconds is the file's own word; at the end, `warnings` tells what was not
    there. Raises SourceNotFound, SourceRefused (no permission) or NotAVideo when made: the first pictures
    are decoded at once.
    """

    live = False
    last_error: str | None = None
    dropped = 0

    def __init__(self, path: str | Path, *, upright: bool = True) -> None:
        self.name = str(path)
        self.status = "connecting"
        self.reconnects = 0
        self.damaged = 0
        self.warnings: list[str] = []
        self._upright = upright
        self._stop = threading.Event()
        self._demuxer = Demuxer(open_file(Path(path)), name=self.name)
        self.fps = self._demuxer.fps
        self._timeline = Timeline(live=False, fps=self.fps)
        self._sequence = 0
        self._next: list[Picture] = []
        try:
            self._demuxer.first()  # tell at once what is no video
        except NotAVideo:
            self.close()
            raise
        self.status = "live"

    def __iter__(self) -> Iterator[Frame]:
        """Give the frames to the end of the file or until `stop`; going on where the last loop left."""
        while not self._stop.is_set():
            if self._next:
                yield self._frame(self._next.pop(0))
                continue
            if self.status == "ended":
                return
            try:
                self._next = self._demuxer.read()
            except EOFError:
                self.status = "ended"
                self.damaged += self._demuxer.lost
                self.warnings += self._demuxer.missing()
        self.status = "stopped"

    def stop(self) -> None:
        """End the iteration after the present frame; from any thread."""
        self._stop.set()

    def close(self) -> None:
        """Close the file."""
        self._stop.set()
        self._demuxer.close()

    def _frame(self, decoded: Picture) -> Frame:
        picture, damaged = decoded
        self.damaged += damaged
        if self._upright:
            picture = upright(picture)
        arrival = time.monotonic()
        seconds = self._timeline.place(picture.time, size=(picture.width, picture.height), arrival=arrival)
        self._sequence += 1
        return frame_from_av(
            picture,
            time=seconds,
            sequence=self._sequence - 1,
            epoch=self._timeline.epoch,
            arrival=arrival,
            damaged=damaged,
        )
