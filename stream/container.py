"""Opens what FFmpeg reads, a file or an address, and asks it about its video."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition

from .errors import NotAVideo, SourceNotFound, SourceRefused, reason
from .rate import HIGHEST_FPS

# FFmpeg's readers of text as pictures of a terminal ("ANSI art"): they take nearly any file.
_TEXT = frozenset(["tty", "bin", "xbin", "adf", "idf"])
# Its readers of single pictures.
_PICTURES = ("image2", "_pipe", "ico")
_KINDS = {"audio": "sound", "subtitle": "subtitles", "video": "a cover picture"}


def open_container(
    address: str,
    *,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    timeout_s: tuple[float, float] | None = None,
) -> InputContainer:
    """Open with FFmpeg; `timeout_s` limits opening and each read. Raises PyAV's errors and OSError.

    Names and titles that are not UTF-8, as old cameras write them, get a mark for each unreadable letter.
    """
    return av.open(
        address,
        "r",
        format=format,
        options=dict(options or {}),
        timeout=timeout_s,
        metadata_errors="replace",
    )


def open_file(path: Path) -> InputContainer:
    """Open a video file. Raises SourceNotFound, SourceRefused (no permission) or NotAVideo."""
    name = str(path)
    try:
        path.stat()
    except PermissionError:
        raise SourceRefused(f"{name} must not be read by you: see its permissions") from None
    except FileNotFoundError:
        raise SourceNotFound(f"{name}: no such file or folder") from None
    except OSError as error:
        raise SourceNotFound(f"{name}: {reason(error)}") from None
    except ValueError:  # a byte that no name has
        raise SourceNotFound(f"{name!r} is no name of a file") from None
    try:
        # Absolute, so that a colon in the name is not taken for a protocol.
        container = open_container(str(path.absolute()))
    except PermissionError:
        raise SourceRefused(f"{name} must not be read by you: see its permissions") from None
    except (av.error.FFmpegError, OSError, ValueError):
        raise NotAVideo(f"{name} is not a video, or was cut off: FFmpeg cannot read it") from None
    kind = container.format.name
    if kind in _TEXT or kind.endswith(_PICTURES):
        container.close()
        what = "text" if kind in _TEXT else "a single picture"
        raise NotAVideo(f"{name} is {what}, not a video: give a video, or a folder of numbered pictures")
    return container


def video_stream(container: InputContainer, *, name: str) -> av.VideoStream:
    """Choose the best video stream, never a song's cover; raises NotAVideo if there is none to decode."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        held = sorted({_KINDS.get(stream.type, stream.type) for stream in container.streams}, reverse=True)
        only = f"only {' and '.join(held)}" if held else "and nothing else"
        raise NotAVideo(f"{name} holds no video, {only}: give one with moving pictures")
    best = container.streams.best("video")
    stream = best if isinstance(best, av.VideoStream) and best in streams else streams[0]
    if stream.codec_context is None:
        raise NotAVideo(f"{name} holds a video of a kind that FFmpeg cannot decode: convert it first")
    return stream


def rate_of(stream: av.VideoStream) -> Fraction | None:
    """Read the nominal frame rate; None where there is none but the clock's (90 000 Hz)."""
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return next((rate for rate in rates if rate and 0 < rate <= HIGHEST_FPS), None)
