"""Read a video file to its end: every picture with its time, and the packets of its other tracks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from .errors import NotAVideo

# FFmpeg's readers of text as pictures ("ANSI art"): they take nearly any file.
_TEXT_READERS = frozenset(["tty", "bin", "xbin", "adf", "idf"])


class VideoReader:
    """Decode one video file. `damaged` counts the frames that were lost or concealed, once it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0

    def open(self) -> InputContainer:
        """Open the file; raises `NotAVideo` where there is none in it."""
        try:
            container = av.open(str(self.path))
        except (av.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise NotAVideo(f"{self.path.name} is not a video that can be read: {reason}") from error
        name = container.format.name
        if name in _TEXT_READERS:
            container.close()
            raise NotAVideo(f"{self.path.name} is not a video")
        if name.startswith("image2") or name.endswith("_pipe"):
            container.close()
            raise NotAVideo(f"{self.path.name} is a single picture: name a video, or the pictures' folder")
        return container

    def video_stream(self, container: InputContainer) -> VideoStream:
        """Choose the video stream, never a cover picture."""
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
            raise NotAVideo(f"{self.path.name} holds no video")
        # With threads per slice, its default, FFmpeg's H.264 decoder does not tell concealed damage.
        stream.thread_type = "FRAME"
        return stream

    def first_picture(self) -> av.VideoFrame:
        """Decode the first picture alone: it tells format, colours and rotation."""
        with (
            self.open() as container,
            closing(self.pictures(container, other=lambda packet: None)) as pictures,
        ):
            for picture in pictures:
                self.damaged = 0
                return picture
        raise NotAVideo(f"{self.path.name} holds no picture that can be decoded")

    def pictures(
        self, container: InputContainer, *, other: Callable[[Packet[Stream]], None]
    ) -> Generator[av.VideoFrame]:
        """Yield every picture in the order it is shown, and give the other streams' packets to `other`.

        What cannot be decoded is counted and passed over; a file that is cut off ends there.
        """
        stream = self.video_stream(container)
        for packet in self._packets(container):
            if packet.stream_index != stream.index:
                other(packet)
                continue
            try:
                pictures = stream.decode(packet)
            except av.error.EOFError:
                continue  # the decoder has been emptied already
            except av.FFmpegError:
                self.damaged += 1
                continue
            for picture in pictures:
                self.damaged += picture.is_corrupt
                yield picture

    def _packets(self, container: InputContainer) -> Iterator[Packet[Stream]]:
        packets = container.demux()
        while True:
            try:
                yield next(packets)
            except StopIteration:
                return
            except av.FFmpegError:
                self.damaged += 1
                return
