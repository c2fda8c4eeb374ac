"""Decodes the pictures of an open container so that damage shows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import av
from av.container import InputContainer
from av.stream import Disposition

from .errors import NotAVideo

# With FFmpeg's default, half of the pictures that lost a packet of their middle are not called corrupt.
_STRICT = "aggressive+compliant+careful+bitstream+buffer"


class Picture(NamedTuple):
    """A decoded picture; `damaged` if it, or one since the last key frame that it may build on, is."""

    picture: av.VideoFrame
    damaged: bool


class Demuxer:
    """Read the best video stream of a container, packet by packet; belongs to one thread.

    One decoding thread: with several, FFmpeg's H.264 decoder either stops reporting concealed errors
    (slice threads) or adds a picture of delay for each (frame threads) and loses pictures around damage.
    """

    def __init__(self, container: InputContainer, *, name: str) -> None:
        self._container = container
        self._packets: Iterator[av.Packet[av.VideoStream]] | None = None
        self._suspect = False
        # A song's cover is a video stream of one picture.
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        best = container.streams.best("video")
        if not streams:
            container.close()
            raise NotAVideo(f"{name} holds no video, only {_kinds(container)}: give one with pictures")
        self._stream = best if isinstance(best, av.VideoStream) and best in streams else streams[0]
        self._stream.thread_type = "SLICE"
        self._stream.codec_context.thread_count = 1
        self._stream.codec_context.options = {"err_detect": _STRICT}
        self.fps = _plausible_rate(self._stream)

    @property
    def duration(self) -> float | None:
        """Length in seconds by the container's own word; None if it does not say."""
        stream, container = self._stream, self._container
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return None if container.duration is None else container.duration / av.time_base

    def read(self) -> list[Picture]:
        """Decode the next packet into none, one or several pictures; none also if nothing came in time.

        Raises EOFError at the end, with a reason (never an address) if the end is not a regular one.
        """
        try:
            if self._packets is None:
                self._packets = self._container.demux(self._stream)
            packet = next(self._packets)
        except StopIteration:
            raise EOFError from None
        except (av.error.ExitError, av.error.TimeoutError):
            self._packets = None  # a generator that raised is over; the container is not
            return []
        except (av.error.FFmpegError, OSError) as error:
            reason = str(getattr(error, "strerror", None) or type(error).__name__)
        else:
            return self._decode(packet)
        raise EOFError(reason)

    def close(self) -> None:
        """Close the container; from the thread that reads it, or FFmpeg hangs."""
        self._packets = None
        self._container.close()

    def _decode(self, packet: av.Packet[av.VideoStream]) -> list[Picture]:
        try:
            pictures = packet.decode()
        except av.error.FFmpegError:
            self._suspect = True
            return []
        result = []
        for picture in pictures:
            if isinstance(picture, av.VideoFrame):
                self._suspect = picture.is_corrupt or (self._suspect and not picture.key_frame)
                result.append(Picture(picture, self._suspect))
        return result


def _plausible_rate(stream: av.VideoStream) -> float | None:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        # Streams without a rate of their own show their clock's (90 000 Hz) instead.
        if rate is not None and rate > 0 and math.isfinite(rate) and rate <= 2000:
            return float(rate)
    return None


def _kinds(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
    return " and ".join(kinds) or "a cover picture"
