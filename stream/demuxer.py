"""Decodes the pictures of an open container so that damage shows, and what is missing is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from .closing import Closing
from .container import rate_of, video_stream
from .errors import NotAVideo, reason

# With FFmpeg's default, half of the pictures that lost a packet of their middle are not called corrupt.
_STRICT = "aggressive+compliant+careful+bitstream+buffer"
# Containers whose header says how long they are; of others FFmpeg guesses it from what is there.
_STATE_THEIR_LENGTH = ("mov,mp4", "matroska", "avi", "flv")
# Writers round the length, and count the last picture or not. What is lost in less tears a packet, mostly.
_SLACK_S = 0.1


class Picture(NamedTuple):
    """A decoded picture; `damaged` if it, or one since the last key frame that it may build on, is."""

    picture: av.VideoFrame
    damaged: bool


class Demuxer(Closing):
    """Read the best video stream of a container, packet by packet; belongs to one thread.

    One decoding thread: with several, FFmpeg's H.264 decoder either stops reporting concealed errors
    (slice threads) or adds a picture of delay for each (frame threads) and loses pictures around damage.
    `ahead` takes the frame threads, where speed matters more. `other` is given the packets of all other
    streams. `lost` counts the packets that could not be decoded. Raises NotAVideo, the container closed.
    """

    def __init__(
        self,
        container: InputContainer,
        *,
        name: str,
        ahead: bool = False,
        other: Callable[[Packet[Stream]], None] | None = None,
    ) -> None:
        try:
            self.stream = video_stream(container, name=name)
        except NotAVideo:
            container.close()
            raise
        self.container = container
        self.name = name
        self.lost = 0
        rate = rate_of(self.stream)
        self.fps = None if rate is None else float(rate)
        if ahead:
            self.stream.thread_type = "FRAME"
        else:
            self.stream.thread_type = "SLICE"
            self.stream.codec_context.thread_count = 1
            self.stream.codec_context.options = {"err_detect": _STRICT}
        self._other = other
        self._packets: Iterator[Packet[Stream]] | None = None
        self._waiting: list[Picture] = []
        self._reason = ""
        self._suspect = False
        self._torn: set[int] = set()
        self._first_s: float | None = None
        self._end_s, self._last_end_s = 0.0, 0.0  # of the video, of all streams

    @property
    def duration(self) -> float | None:
        """Length in seconds by the container's own word; None if it does not say."""
        if self.container.format.name == "avi" and self.stream.frames and self.fps:
            return self.stream.frames / self.fps  # of a file that was cut off, FFmpeg corrects the duration
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        return None if self.container.duration is None else self.container.duration / av.time_base

    def first(self) -> av.VideoFrame:
        """Decode the first picture, which `read` will give yet; raises NotAVideo if there are not two."""
        found: list[Picture] = []
        try:
            while len(found) < 2:
                found += self.read()
        except EOFError:
            if found:
                raise NotAVideo(
                    f"{self.name} holds a single picture, not a video: "
                    "give a video, or a folder of numbered pictures"
                ) from None
            raise NotAVideo(f"{self.name} has no picture that can be decoded: is it complete?") from None
        self._waiting = found
        return found[0].picture

    def __iter__(self) -> Iterator[Picture]:
        """Give all pictures that are left, in the order in which they are shown."""
        while True:
            try:
                pictures = self.read()
            except EOFError:
                return
            yield from pictures

    def read(self) -> list[Picture]:
        """Decode the next packet into none, one or several pictures; none also if nothing came in time.

        Raises EOFError at the end, with a reason (never an address) if the end is not a regular one.
        """
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            return waiting
        try:
            if self._packets is None:
                self._packets = self.container.demux()
            packet = next(self._packets)
        except StopIteration:
            raise EOFError from None
        except (av.error.ExitError, av.error.TimeoutError):
            self._packets = None  # a generator that raised is over; the container is not
            return []
        except (av.error.FFmpegError, OSError) as error:
            self._reason = reason(error)
        else:
            self._note_end(packet)
            if packet.stream_index == self.stream.index:
                return self._decode(packet)
            if self._other is not None:
                self._other(packet)
            return []
        raise EOFError(self._reason)

    def missing(self) -> list[str]:
        """Say, when all is read, what is not there although it should be: one line each."""
        lines = []
        if self.lost:
            lines.append(f"{self.name}: packets that could not be decoded: {self.lost}; pictures are missing")
        own = self.stream.duration is not None
        end = self._end_s if own else self._last_end_s
        # The clock of a file need not begin at 0, and its word may count from there or from 0.
        there = max(end, end - (self._first_s or 0.0))
        slack = max(_SLACK_S, 1.5 / (self.fps or 25.0))
        states = self.container.format.name.startswith(_STATE_THEIR_LENGTH)
        if states and self.duration is not None and there < self.duration - slack:
            lines.append(f"{self.name} breaks off after {there:.2f} of {self.duration:.2f} s")
        elif self._reason:
            lines.append(f"{self.name} breaks off after {there:.2f} s: {self._reason}")
        return lines

    def close(self) -> None:
        """Close the container; from the thread that reads it, or FFmpeg hangs."""
        self._packets = None
        self.container.close()

    def _note_end(self, packet: Packet[Stream]) -> None:
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None:
            return
        ours = packet.stream_index == self.stream.index
        start = float(stamp * packet.time_base)
        end = start + float((packet.duration or 0) * packet.time_base)
        if ours:
            if end == start and self.fps:
                end += 1.0 / self.fps
            self._first_s = start if self._first_s is None else min(start, self._first_s)
            self._end_s = max(end, self._end_s)
        self._last_end_s = max(end, self._last_end_s)

    def _decode(self, packet: Packet[Stream]) -> list[Picture]:
        if packet.is_corrupt:  # cut off, or with a hole
            self._suspect = True
            if packet.pts is not None:
                self._torn.add(packet.pts)
        try:
            pictures = self.stream.decode(packet)
        except av.error.EOFError:
            return []  # the decoder has been emptied already
        except av.error.FFmpegError:
            self.lost += 1
            self._suspect = True
            return []
        result = []
        for picture in pictures:
            self._suspect = picture.is_corrupt or (self._suspect and not picture.key_frame)
            if picture.pts in self._torn:
                self._torn.discard(picture.pts)
                self._suspect = True
            result.append(Picture(picture, self._suspect))
        return result
