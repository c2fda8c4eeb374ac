"""Write a video beside another: new luma, and everything else as it was.

Audio and subtitle tracks are copied packet by packet, never decoded. Frame times, rotation, colour tags,
pixel shape, chapters and metadata are taken over; what a container cannot hold is told, not lost in silence.
"""

from __future__ import annotations

import io
import math
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from .callbacks import Notice
from .frame import converted, eight_bit, plane_view
from .planar import build_picture, colours_of, display_matrix, is_mirrored
from .upright import upright


@dataclass(frozen=True, slots=True)
class Container:
    """Say how a kind of file is written: FFmpeg's muxer and encoder, and what the container can tell.

    `turns` is false where players are not told the rotation, so that the pixels themselves are turned and
    mirrored, and `mirrors` where they are told it, but not that the picture is mirrored.
    `steady` is true where frames have no times, only a common rate.
    """

    suffix: str
    muxer: str
    encoder: str = "libx264"
    turns: bool = True
    mirrors: bool = False
    steady: bool = False


CONTAINERS = {
    container.suffix: container
    for container in (
        Container(".mp4", "mp4", mirrors=True),
        Container(".mov", "mov", mirrors=True),
        Container(".mkv", "matroska"),
        Container(".webm", "webm", encoder="libvpx-vp9"),
        Container(".avi", "avi", turns=False, steady=True),
    )
}

# What mp4 and mov store under names of their own; any other name needs FFmpeg's free-form table.
_MP4_NAMES = frozenset(
    [
        "title",
        "artist",
        "album_artist",
        "composer",
        "album",
        "date",
        "comment",
        "genre",
        "copyright",
        "description",
        "synopsis",
        "grouping",
        "lyrics",
        "track",
        "disc",
        "encoder",
        "creation_time",
        "language",
    ]
)
# Facts about the file that was read, which its copy states for itself.
_OWN_FACTS = frozenset(["major_brand", "minor_version", "compatible_brands", "encoder", "duration"])


class VideoWriter:
    """Write one video stream with new luma, and copies of the other streams of `source`.

    `first` is the first decoded picture of `stream`: it tells pixel format, colours and rotation. `rate` is
    the nominal frame rate. `crf` is x264's quality, 0 (lossless) to 51. Raises `av.FFmpegError` where the
    encoder or the disk refuses.
    """

    def __init__(
        self,
        path: Path,
        *,
        container: Container,
        source: InputContainer,
        stream: VideoStream,
        first: av.VideoFrame,
        rate: Fraction,
        crf: int,
        notice: Notice,
    ) -> None:
        self._container = container
        self._notice = notice
        planar = self.as_shown(first)
        self._read_layout = planar.format.name
        self._layout = self._choose_layout(planar)
        self._output = av.open(
            str(path.absolute()),
            "w",
            format=container.muxer,
            options=_muxer_options(source, container=container),
        )
        self._output.metadata.update({k: v for k, v in source.metadata.items() if k not in _OWN_FACTS})
        if chapters := source.chapters():
            self._output.set_chapters(chapters)
        self._time_base = 1 / rate if container.steady else stream.time_base or 1 / rate
        self._encoder = self._add_encoder(stream, planar=planar, rate=rate, crf=crf)
        colours = colours_of(first, planar=planar)
        self._encoder.colorspace, self._encoder.color_range = colours.space, colours.range
        self._encoder.color_primaries, self._encoder.color_trc = colours.primaries, colours.transfer
        matrix = display_matrix(first)
        if matrix and container.turns:
            self._encoder.set_display_matrix(matrix)
        elif first.rotation % 90:
            notice(f"{container.suffix} cannot say that the picture is turned by {first.rotation} degrees")
        if matrix and is_mirrored(matrix) and container.turns and not container.mirrors:
            notice(f"{container.suffix} cannot say that the picture is to be mirrored: .mp4 and .mov can")
        self._copies = self._add_copies(source)
        self._last_ticks: int | None = None
        self._uneven = self._resized = False

    def as_shown(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Give a decoded picture in 8-bit planes, turned upright if the container cannot tell players to."""
        return eight_bit(picture if self._container.turns else upright(picture))

    def write(self, picture: av.VideoFrame, *, luma: NDArray[np.uint8]) -> None:
        """Encode a picture from `as_shown` with another luma plane [H, W], at the picture's own time."""
        self._resized |= (picture.width, picture.height) != (self._encoder.width, self._encoder.height)
        if picture.format.name != self._read_layout:  # the stream changed its kind on the way
            picture = converted(picture, self._read_layout)
        chroma = [plane_view(plane) for plane in picture.planes[1:]]
        frame = build_picture([luma, *chroma], layout=self._layout)
        frame.time_base = self._time_base
        frame.pts = self._ticks(picture)
        if picture.duration and picture.time_base and not self._container.steady:
            frame.duration = round(picture.duration * picture.time_base / self._time_base)
        self._output.mux(self._encoder.encode(frame))

    def copy(self, packet: Packet[Stream]) -> None:
        """Take a packet of another stream over as it is; packets of streams that are not kept are passed."""
        target = self._copies.get(packet.stream_index)
        if target is not None and packet.dts is not None:
            packet.stream = target
            self._output.mux(packet)

    def close(self) -> None:
        """Encode what the encoder still holds and finish the file."""
        self._output.mux(self._encoder.encode(None))
        self._output.close()
        if self._resized:
            self._notice("the pictures change their size on the way: all were brought to that of the first")
        if self._uneven:
            self._notice("the frames' times vary, which .avi cannot store: .mp4 or .mkv keeps them")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            # The file is thrown away: that it cannot be ended well is known.
            with suppress(av.FFmpegError, ValueError, OSError):
                self._output.close()

    def _add_encoder(
        self, stream: VideoStream, *, planar: av.VideoFrame, rate: Fraction, crf: int
    ) -> VideoStream:
        container = self._container
        encoder = self._output.add_stream(
            container.encoder, rate=rate, options=_encoder_options(container, crf=crf)
        )
        assert isinstance(encoder, VideoStream)
        encoder.width, encoder.height = planar.width, planar.height
        encoder.pix_fmt = self._layout
        # All cores, without cutting pictures into slices, which costs quality.
        encoder.thread_type = ThreadType.AUTO
        encoder.time_base = self._time_base
        encoder.codec_context.time_base = self._time_base
        encoder.metadata.update(_plain_metadata(stream))
        shape = stream.sample_aspect_ratio
        if shape and shape != 1:
            if container.muxer == "webm":
                self._notice(
                    f".webm cannot tell that pixels are {shape} as wide as high: it will look stretched"
                )
            lying = planar.width != stream.width  # turned by a quarter, and its pixels with it
            encoder.codec_context.sample_aspect_ratio = 1 / shape if lying else shape
        return encoder

    def _choose_layout(self, planar: av.VideoFrame) -> str:
        layout = planar.format.name.replace("yuvj", "yuv")
        even = planar.width % 2 == 0 and planar.height % 2 == 0
        if self._container.encoder == "libx264":
            if layout == "gray":
                return "yuv420p" if even else "gray"
            if layout != "yuv444p" and not even:
                # H.264 has no odd sizes where two pixels share a chroma sample. The size is kept.
                self._notice(
                    f"{planar.width}x{planar.height} is an odd size: colour is stored for every pixel "
                    "(4:4:4), which some players cannot show; .webm has no such limit"
                )
                return "yuv444p"
        return "yuv420p" if layout == "gray" else layout

    def _add_copies(self, source: InputContainer) -> dict[int, Stream]:
        suffix = self._container.suffix
        copies: dict[int, Stream] = {}
        for stream in source.streams:
            if stream.type not in ("audio", "subtitle"):
                continue
            if not _can_hold(self._container, stream):
                self._notice(
                    f"the {stream.type} track ({stream.name}) is left out: {suffix} cannot hold it, .mkv can"
                )
                continue
            target = self._output.add_stream_from_template(stream)
            target.metadata.update(_plain_metadata(stream))
            target.disposition = stream.disposition
            copies[stream.index] = target
        return copies

    def _ticks(self, picture: av.VideoFrame) -> int:
        """Give the picture's time in the encoder's units, later than the last one's."""
        next_ticks = 0 if self._last_ticks is None else self._last_ticks + 1
        if picture.pts is None or picture.time_base is None:
            ticks = next_ticks
        else:
            exact = picture.pts * picture.time_base / self._time_base
            ticks = round(exact)
            if self._container.steady:
                # A quarter of a frame is more than the rounding of any container's clock.
                self._uneven |= abs(exact - ticks) > 0.25 or ticks != next_ticks
        ticks = ticks if self._last_ticks is None else max(ticks, next_ticks)
        self._last_ticks = ticks
        return ticks


def _encoder_options(container: Container, *, crf: int) -> dict[str, str]:
    if container.encoder == "libx264":
        # AVI has no presentation times, so its pictures must be stored in the order they are shown.
        return {"crf": str(crf), "preset": "veryfast"} | ({"bf": "0"} if container.steady else {})
    speed = {"deadline": "good", "cpu-used": "4", "row-mt": "1"}
    # VP9's scale ends at 63 where x264's ends at 51.
    return speed | ({"lossless": "1"} if crf == 0 else {"crf": str(math.ceil(crf * 63 / 51))})


def _muxer_options(source: InputContainer, *, container: Container) -> dict[str, str]:
    if container.muxer not in ("mp4", "mov"):
        return {}
    names = {name.partition("-")[0] for name in source.metadata} - _OWN_FACTS
    # The index first, so that a browser can play the file while it loads.
    return {"movflags": "+faststart" + ("" if names <= _MP4_NAMES else "+use_metadata_tags")}


def _plain_metadata(stream: Stream) -> dict[str, str]:
    # `rotate` is the old name of the display matrix; both together would turn the picture twice.
    return {
        name: value for name, value in stream.metadata.items() if name.lower() not in (*_OWN_FACTS, "rotate")
    }


def _can_hold(container: Container, stream: Stream) -> bool:
    """Try the stream in a file in memory: a muxer may refuse only when the header is written."""
    try:
        with av.open(io.BytesIO(), "w", format=container.muxer) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True
