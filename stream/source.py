"""Where frames come from: one protocol, and one function that opens whatever is named."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from .address import host_and_port, is_address, redacted
from .camera import Camera, is_camera
from .errors import SourceError, SourceNotFound
from .frame import Frame
from .image_folder import ImageFolder
from .rate import check_rate
from .rtsp import RtspStream
from .video_file import VideoFile


class Source(Protocol):
    """A context manager and an iterator of frames, used from one thread.

    `name` is for people and never holds a password. `live` sources cannot wait: what is not taken in time
    is dropped, oldest first; others lose nothing. `fps` is the nominal rate, if known. `status` is one of
    "connecting", "live", "stalled" (connected, but silent), "waiting" (before it connects again), "ended"
    and "stopped". `last_error` says in one line why the connection broke last. `warnings` are for people, one
    line each; more may come while it runs.
    """

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def fps(self) -> float | None:
        """The nominal rate."""

    @property
    def status(self) -> str:
        """How it is doing."""

    @property
    def last_error(self) -> str | None:
        """Why the connection broke last."""

    @property
    def reconnects(self) -> int:
        """How often the connection was made again."""

    @property
    def dropped(self) -> int:
        """How many frames came faster than they were taken."""

    @property
    def damaged(self) -> int:
        """How many frames the decoder called damaged, given or withheld."""

    @property
    def warnings(self) -> list[str]:
        """What people should know."""

    @property
    def live(self) -> bool:
        """Whether it cannot wait."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[Frame]:
        """Give the frames, to the end or until `stop`."""

    def stop(self) -> None:
        """End the iteration within half a second; from any thread."""

    def close(self) -> None:
        """Let go of everything; from the thread that iterates."""


def open_source(
    spec: str | int | Path,
    *,
    fps: float | None = None,
    timeout_s: float = 5.0,
    size: tuple[int, int] | None = None,
) -> Source:
    """Open a camera (number or device), rtsp://..., a video file or a folder of numbered pictures.

    `fps` is the rate of a folder's pictures, or the one asked of a camera, as `size` (width, height) is;
    files and streams tell their own, and refuse it.
    `timeout_s` limits the wait for a connection. What cannot be opened is told at once, by a SourceError
    of one line. A file whose name is a number is given as `./7`.
    """
    check_rate(fps)
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise SourceError(f"a time-out of {timeout_s:g} s is not possible: it must be above 0")
    if size is not None and min(size) < 1:
        raise SourceError(f"a size of {size[0]}x{size[1]} is not possible: both must be 1 or more")
    text = str(spec).strip()
    if text.isdecimal() or is_camera(text):
        return Camera(int(text) if text.isdecimal() else text, fps=fps, size=size, timeout_s=timeout_s)
    if is_address(text):
        _check_address(text)
        _refuse_rate(fps, name=redacted(text))
        scheme, rest = text.split("://", 1)
        return RtspStream(f"{scheme.lower()}://{rest}", timeout_s=timeout_s)
    if not text:
        raise SourceNotFound("no source is named: give a camera number, rtsp://..., a file or a folder")
    path = Path(spec) if isinstance(spec, Path) else Path(text)
    try:
        folder, there = path.is_dir(), path.exists()
    except OSError:  # it must not be looked at, or its name is too long: opening it will tell
        folder = there = False
    if folder:
        return ImageFolder(path, fps=fps)
    if there:
        _refuse_rate(fps, name=str(path))
    return VideoFile(path)


def is_live(spec: str) -> bool:
    """Tell whether `spec` names a camera or an address: what has no end, and is not on the disk."""
    text = spec.strip()
    return text.isdecimal() or is_camera(text) or is_address(text)


def _check_address(text: str) -> None:
    scheme, mark, _ = text.partition("://")
    if not mark:
        raise SourceNotFound(f"{redacted(text)} has one slash where an address has two: write rtsp://...")
    if scheme.lower() not in ("rtsp", "rtsps"):
        raise SourceNotFound(
            f"{redacted(text)} cannot be watched: "
            "give rtsp:// or rtsps://, a file, a folder or a camera number"
        )
    if not host_and_port(text):
        raise SourceNotFound(f"{redacted(text)} names no host: give {scheme}://HOST/PATH")


def _refuse_rate(fps: float | None, *, name: str) -> None:
    if fps is not None:
        raise SourceError(f"{name} tells its own rate: leave --fps out, it is for folders and cameras")
