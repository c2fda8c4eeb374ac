"""A video file as a source: every picture, with the time the file gives it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av

from .closing import Closing
from .demuxer import Demuxer, Picture
from .errors import NotAVideo, SourceNotFound, SourceRefused
from .frame import Frame, eight_bit, frame_from_av
from .timeline import Timeline
from .upright import upright

# FFmpeg renders text files as pictures of a terminal, and takes one picture for a video of one.
_NOT_VIDEOS = ("tty", "image2", "_pipe")


class VideoFile(Closing):
    """Read a file that FFmpeg decodes, losing nothing: damaged pictures are given too, and say so.

    `rotation` is what the file asks for, in degrees counter-clockwise; pictures come upright unless
    `upright=False`. `duration` in seconds is the file's own word. Raises SourceNotFound, SourceRefused
    (no permission) or NotAVideo when made: the first picture is decoded at once.
    """

    live = False

    def __init__(self, path: str | Path, *, upright: bool = True) -> None:
        self.name = str(path)
        self.status = "connecting"
        self.reconnects = 0
        self.damaged = 0
        self.warnings: list[str] = []
        self._upright = upright
        self._stop = threading.Event()
        self._demuxer = _open(Path(path))
        self.fps = self._demuxer.fps
        self.duration = self._demuxer.duration
        self._timeline = Timeline(live=False, fps=self.fps)
        self._sequence = 0
        try:
            self._next = self._first_pictures()
        except NotAVideo:
            self.close()
            raise
        self.rotation = self._next[0].picture.rotation
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
            except EOFError as end:
                self.status = "ended"
                if end.args:
                    self.warnings.append(f"{self.name} breaks off after {self._sequence} pictures: {end}")
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
            picture = upright(eight_bit(picture)) if picture.rotation else picture
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

    def _first_pictures(self) -> list[Picture]:
        try:
            while True:
                if pictures := self._demuxer.read():
                    return pictures
        except EOFError:
            raise NotAVideo(f"{self.name} has no picture that can be decoded: is it complete?") from None


def _open(path: Path) -> Demuxer:
    name = str(path)
    if not path.exists():
        raise SourceNotFound(f"{name}: no such file or folder")
    try:
        # Absolute, so that a colon in the name is not taken for a protocol.
        container = av.open(str(path.absolute()))
    except PermissionError:
        raise SourceRefused(f"{name} must not be read by you: see its permissions") from None
    except (av.error.FFmpegError, OSError):
        raise NotAVideo(f"{name} is not a video, or was cut off: FFmpeg cannot read it") from None
    if container.format.name.endswith(_NOT_VIDEOS):
        kind = "text" if container.format.name == "tty" else "a single picture"
        container.close()
        raise NotAVideo(f"{name} is {kind}, not a video: give a video, or a folder of numbered pictures")
    return Demuxer(container, name=name)
