"""A camera at this machine as a source."""

from __future__ import annotations

import errno
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from .container import open_container
from .demuxer import Demuxer, Picture
from .errors import NotAVideo, SourceError, SourceNotFound, SourceRefused
from .live_source import Connection, LiveSource

# FFmpeg's name for Linux's cameras. PyAV's wheels hold no other system's: there OpenCV opens cameras.
_LINUX = "v4l2"
_CAMERAS = ("/dev/video", "/dev/v4l/")
_MICROSECOND = Fraction(1, 1_000_000)


class Camera(LiveSource):
    """Watch camera number `device`, or a device by its name; see LiveSource for what a pulled plug does.

    `fps` and `size` (width, height) are asked for; the camera may give others. `input_format` is
    FFmpeg's name of the kind of device. Raises SourceNotFound with the cameras that there are,
    SourceRefused (busy, or not permitted) or NotAVideo.
    """

    def __init__(
        self,
        device: int | str,
        *,
        fps: float | None = None,
        size: tuple[int, int] | None = None,
        timeout_s: float = 5.0,
        input_format: str = _LINUX,
    ) -> None:
        if isinstance(device, int) and sys.platform != "linux":

            def connect() -> Connection:
                return _connect_opencv(device, fps=fps, size=size)

            name = f"camera {device}"
        else:
            path = f"/dev/video{device}" if isinstance(device, int) else device
            options = {}
            if fps is not None:
                options["framerate"] = f"{fps:g}"
            if size is not None:
                options["video_size"] = f"{size[0]}x{size[1]}"

            def connect() -> Connection:
                return _connect_ffmpeg(path, input_format=input_format, options=options, timeout_s=timeout_s)

            name = path
        super().__init__(name, connect=connect, timeout_s=timeout_s)


def is_camera(name: str) -> bool:
    """Tell whether a name is that of a device, by whatever link, or of one that is not plugged in."""
    try:
        return Path(name).is_char_device() or name.startswith(_CAMERAS)
    except OSError:  # it must not be looked at
        return name.startswith(_CAMERAS)


class OpenCvConnection:
    """Read an OpenCV capture; its pictures are timed by their arrival, as it knows no better."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.fps = rate if rate > 0 else None
        self._capture = capture

    def read(self) -> list[Picture]:
        """Wait for the next picture; EOFError when the camera is gone."""
        ok, bgr = self._capture.read()
        if not ok:
            raise EOFError
        picture = av.VideoFrame.from_ndarray(np.asarray(bgr, np.uint8), "bgr24")
        picture.time_base = _MICROSECOND
        picture.pts = round(time.monotonic() / _MICROSECOND)
        return [Picture(picture, False)]

    def close(self) -> None:
        """Let go of the camera."""
        self._capture.release()


def _connect_opencv(number: int, *, fps: float | None, size: tuple[int, int] | None) -> OpenCvConnection:
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        capture.release()
        raise SourceNotFound(f"camera {number} cannot be opened: is it plugged in, free and permitted?")
    if fps is not None:
        capture.set(cv2.CAP_PROP_FPS, fps)
    if size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    return OpenCvConnection(capture)


def _connect_ffmpeg(path: str, *, input_format: str, options: dict[str, str], timeout_s: float) -> Demuxer:
    try:
        container = open_container(path, format=input_format, options=options, timeout_s=(timeout_s, 1.0))
    except (av.error.FFmpegError, OSError) as error:
        raise _explain(path, code=error.errno, options=options) from None
    return Demuxer(container, name=path)


def _explain(path: str, *, code: int | None, options: dict[str, str]) -> SourceError:
    match code:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            found = ", ".join(sorted(str(device) for device in Path("/dev").glob("video*")))
            return SourceNotFound(
                f"there is no camera {path}: {f'there is {found}' if found else 'none is here'}"
            )
        case errno.EBUSY:
            return SourceRefused(f"camera {path} is used by another program: end that one")
        case errno.EACCES | errno.EPERM:
            return SourceRefused(f"camera {path} is not permitted to you: join the group 'video'")
        case errno.EINVAL if options:
            asked = " and ".join(f"{key} {value}" for key, value in options.items())
            return SourceError(f"camera {path} cannot do {asked}: ask for another, or for none")
        case _:
            return NotAVideo(f"{path} is not a camera that gives pictures")
