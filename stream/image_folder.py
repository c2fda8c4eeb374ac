"""A folder of numbered pictures as a source, as data sets of micro-expressions are given."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av

from .closing import Closing
from .errors import NotAVideo, SourceError
from .frame import Frame, eight_bit, frame_from_av
from .numbered import numbered_pictures
from .timeline import Timeline
from .upright import upright

# What files begin with says more than their suffix.
_DECODERS = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8", "mjpeg"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
)


class ImageFolder(Closing):
    """Read `006_05562.jpg`, `img46.png`, ... in the order of their last number, at `fps` pictures a second.

    Numbers may be padded with zeros or not. A picture keeps its place in time, (number - first) / fps, so
    that a gap in the numbering is a gap in time; gaps are told in `warnings`. A change of size begins a
    new epoch. Raises SourceNotFound, NotAVideo (no pictures, two with one number, or, also later, one that
    cannot be decoded) or SourceError (no `fps`).
    """

    live = False
    reconnects = 0
    damaged = 0

    def __init__(self, path: str | Path, *, fps: float | None) -> None:
        self.name = str(path)
        if fps is None:
            raise SourceError(
                f"{self.name} is a folder of pictures, which have no rate: say it, as in --fps 200"
            )
        self.fps: float | None = fps
        self._interval_s = 1.0 / fps
        self.status = "live"
        self._pictures, self.warnings = numbered_pictures(Path(path))
        self.duration = (self._pictures[-1][0] - self._pictures[0][0] + 1) / fps
        self._done = 0
        self._timeline = Timeline(live=False, fps=fps)
        self._stop = threading.Event()
        self._read(self._pictures[0][1])  # tell at once what is no picture

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
            picture = self._read(path)
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

    def _read(self, path: Path) -> av.VideoFrame:
        """Decode one picture file, upright, in the planes of its own format where it has any."""
        problem = "is not a picture that can be decoded"
        try:
            data = path.read_bytes()
            names = [name for start, name in _DECODERS if data.startswith(start)]
            decoder = av.CodecContext.create(names[0] if names else "webp", "r")
            assert isinstance(decoder, av.VideoCodecContext)
            pictures = [*decoder.decode(av.Packet(data)), *decoder.decode(None)] if data else []
        except OSError as error:
            pictures, problem = [], f"cannot be read ({error.strerror})"
        except av.error.FFmpegError:
            pictures = []
        if not pictures or pictures[0].is_corrupt:
            raise NotAVideo(f"{path} {problem}: mend it or take it away")
        picture = eight_bit(pictures[0])
        return upright(picture) if picture.rotation else picture
