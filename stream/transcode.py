"""Magnify what lies on disk: a video file into a video file, a folder of pictures into a folder.

Luma is magnified; chroma, sound, frame times and everything else pass by as they are. A live stream takes
`Monitor` instead.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from numpy.typing import NDArray

from .address import is_address, redacted
from .callbacks import Notice, Progress
from .container import open_file, rate_of
from .demuxer import Demuxer
from .errors import NotAVideo, SourceNotFound, StoreError, reason
from .frame import plane_view
from .magnification import Magnification
from .picture_folder import magnify_folder
from .rate import check_rate
from .video_writer import CONTAINERS, VideoWriter
from .whole import refuse_existing, refuse_input, refuse_missing_folder, whole_file


@dataclass(frozen=True, slots=True)
class Transcoded:
    """Say what was written: where, how many frames, and in how many seconds of work."""

    target: Path
    frames: int
    seconds: float


def transcode(
    source: Path,
    *,
    target: Path,
    magnification: Magnification,
    fps: float | None = None,
    overwrite: bool = False,
    crf: int = 16,
    progress: Progress | None = None,
    notice: Notice | None = None,
) -> Transcoded:
    """Magnify a video file or a folder of numbered pictures.

    A folder gives a folder with files of the same names and kind. `fps` is the camera's rate, where the
    input does not tell it: for pictures, and for films that play in slow motion. `crf` is the quality of a
    written video, as x264 counts it: 16 is free of visible loss, 0 of any. `progress` is called after each
    frame, `notice` with one line for whatever could not be kept. `target` appears whole, at the end, or not
    at all.

    Raises `SourceError` and `StoreError` for files that cannot be read or written, and `MagnifyError` for a
    factor, band, method or device that cannot be.
    """
    check_rate(fps)
    _check(source, target=target, overwrite=overwrite)
    progress = progress or (lambda done, total: None)
    notice = notice or (lambda line: None)
    started = time.monotonic()
    if source.is_dir():
        frames = magnify_folder(
            source, outputs=[(target, magnification)], fps=fps, progress=progress, notice=notice
        )
    else:
        frames = _magnify_video(
            source,
            target=target,
            magnification=magnification,
            fps=fps,
            crf=crf,
            progress=progress,
            notice=notice,
        )
    return Transcoded(target, frames, time.monotonic() - started)


def _check(source: Path, *, target: Path, overwrite: bool) -> None:
    """Find before any work what would make it useless."""
    if is_address(str(source)):
        raise SourceNotFound(
            f"{redacted(str(source))} is an address, and only files are magnified: watch it with "
            "`magnifyme watch`"
        )
    if not source.exists():
        raise SourceNotFound(f"{source}: no such file or folder")
    refuse_input(target, source=source)
    refuse_missing_folder(target)
    if source.is_dir():
        if source.resolve() in target.resolve().parents:
            raise StoreError(f"{target} lies in the input, {source}: give the output a folder beside it")
        if target.suffix.lower() in CONTAINERS:
            raise StoreError(
                f"{target.name} names a video, but a folder of pictures gives a folder of pictures"
            )
        if target.is_file():
            raise StoreError(f"{target} is a file, but a folder of pictures gives a folder: name another")
    else:
        if target.suffix.lower() not in CONTAINERS:
            known = ", ".join(CONTAINERS)
            raise StoreError(f"{target.name} does not end in a kind of video that can be written: {known}")
        if target.is_dir():
            raise StoreError(f"{target} is a folder: give the output a file name")
    refuse_existing(target, overwrite=overwrite)


def _magnify_video(
    source: Path,
    *,
    target: Path,
    magnification: Magnification,
    fps: float | None,
    crf: int,
    progress: Progress,
    notice: Notice,
) -> int:
    others: deque[Packet[Stream]] = deque()  # of sound and subtitles, since the last picture
    with Demuxer(open_file(source), name=str(source), ahead=True, other=others.append) as demuxer:
        container, stream = demuxer.container, demuxer.stream
        first = demuxer.first()
        rate = rate_of(stream)
        if rate is None and fps is None:
            raise NotAVideo(f"{source.name} does not say how many frames a second it has: give --fps")
        true_fps = float(rate or 0) if fps is None else fps
        magnifier = magnification.magnifier(true_fps)
        rate = rate or Fraction(true_fps).limit_denominator(1001)
        # A high-speed film plays slowly: then --fps is the camera's rate, and the scene ran faster than the
        # file's clock.
        scene_seconds = float(rate) / true_fps
        total = stream.frames or (None if demuxer.duration is None else round(demuxer.duration * rate))
        _tell_limits(container, picture=first, notice=notice)

        luma: NDArray[np.uint8] | None = None
        frames = damages = 0
        try:
            with (
                whole_file(target) as partial,
                VideoWriter(
                    partial,
                    container=CONTAINERS[target.suffix.lower()],
                    source=container,
                    stream=stream,
                    first=first,
                    rate=rate,
                    crf=crf,
                    notice=notice,
                ) as writer,
            ):
                for picture, damaged in demuxer:
                    damages += damaged
                    while others:
                        writer.copy(others.popleft())
                    shown = writer.as_shown(picture)
                    view = plane_view(shown.planes[0])
                    reusable = luma if luma is not None and luma.shape == view.shape else None
                    seconds = frames / float(rate) if picture.pts is None else picture.time
                    luma = magnifier(view, time=seconds * scene_seconds, out=reusable)
                    writer.write(shown, luma=luma)
                    frames += 1
                    progress(frames, total)
                while others:
                    writer.copy(others.popleft())
        except av.FFmpegError as error:
            # The demuxer deals with its own errors: these are the encoder's and the disk's.
            raise StoreError(f"{target} cannot be written: {reason(error)}") from error
        for line in demuxer.missing():
            notice(line)
    if damages:
        notice(f"damaged frames in the input: {damages}; what hides the damage may look like motion")
    return frames


def _tell_limits(container: InputContainer, *, picture: av.VideoFrame, notice: Notice) -> None:
    """Say what this version does not keep."""
    if (bits := picture.format.components[0].bits) > 8:
        notice(f"the input has {bits} bits a sample: this version magnifies and writes 8")
    if any(part.is_alpha for part in picture.format.components):
        notice("the input is partly transparent: the output is not")
    if picture.interlaced_frame:
        notice("the input is interlaced: its rows are of two times. Deinterlace it first for true motion")
    others = sum(stream.type in ("data", "attachment") for stream in container.streams)
    if container.chapters() and container.format.name.startswith("mov"):
        others -= 1  # mp4 and mov hold chapters, which are kept, in a track of their own
    if others > 0:
        notice(f"data tracks left out: {others}")
    if (videos := len(container.streams.video)) > 1:
        notice(f"further video tracks or cover pictures left out: {videos - 1}")
