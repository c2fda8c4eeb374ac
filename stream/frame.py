"""One picture of a stream and the time it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

import av
import cv2
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

# 8-bit formats whose first plane is luma and whose other planes are chroma: read in place, never converted.
_PLANAR = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gray")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture with its time.

    `luma` is uint8 [H, W], read-only, possibly padded (strided), in the decoder's own memory; it stays
    valid as long as the frame or a view of it lives. `time` is in seconds of the stream's own clock and
    grows within an epoch. A new `epoch` (a reconnect, a jump in time, a change of size) means that what
    remembers earlier frames must start anew. `sequence` counts the frames of the source from 0; a hole in
    it means that frames were dropped. `arrival` is `time.monotonic()` when the picture was decoded.
    `damaged` says that the decoder concealed errors in it.
    """

    luma: NDArray[np.uint8]
    time: float
    sequence: int = 0
    epoch: int = 0
    arrival: float = 0.0
    damaged: bool = False
    picture: av.VideoFrame | None = field(default=None, repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.luma.shape[1], self.luma.shape[0]

    def video_frame(self, *, luma: NDArray[np.uint8] | None = None) -> av.VideoFrame:
        """Copy the picture as a PyAV frame, with another luma plane [H, W] if one is given."""
        source = self.picture
        name = source.format.name if source is not None else "gray"
        width, height = self.size
        copy = av.VideoFrame(width, height, name)
        _write_plane(copy.planes[0], self.luma if luma is None else luma)
        if source is not None:
            for target, plane in zip(copy.planes[1:], source.planes[1:], strict=True):
                _write_plane(target, _plane_view(plane))
            copy.colorspace = source.colorspace
            copy.color_range = source.color_range
        return copy

    def bgr(self, *, luma: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Convert to BGR uint8 [H, W, 3], with another luma plane [H, W] if one is given."""
        if self.picture is None:
            gray = np.ascontiguousarray(self.luma if luma is None else luma)
            return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)
        picture = self.picture if luma is None else self.video_frame(luma=luma)
        bgr: NDArray[np.uint8] = picture.to_ndarray(format="bgr24")
        return bgr


def frame_from_av(
    picture: av.VideoFrame,
    *,
    time: float,
    sequence: int = 0,
    epoch: int = 0,
    arrival: float = 0.0,
    damaged: bool = False,
) -> Frame:
    """Wrap a decoded picture without copying its luma; formats that are not 8-bit planar are converted."""
    name = picture.format.name
    if name not in _PLANAR:
        full_chroma = "444" in name or name.startswith(("rgb", "bgr", "gbr", "argb", "abgr"))
        picture = picture.reformat(format="yuv444p" if full_chroma else "yuv420p")
    luma = _plane_view(picture.planes[0])
    return Frame(luma, time, sequence, epoch, arrival, damaged, picture)


def frame_from_array(
    array: NDArray[np.uint8], *, time: float, sequence: int = 0, epoch: int = 0, arrival: float = 0.0
) -> Frame:
    """Make a frame of a gray [H, W] or BGR [H, W, 3] uint8 array; gray is not copied."""
    if array.ndim == 2:
        luma = array.view()
        luma.flags.writeable = False
        return Frame(luma, time, sequence, epoch, arrival)
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), "bgr24")
    return frame_from_av(picture, time=time, sequence=sequence, epoch=epoch, arrival=arrival)


def _plane_view(plane: VideoPlane) -> NDArray[np.uint8]:
    memory: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)  # type: ignore[arg-type]
    view = memory.reshape(plane.height, plane.line_size)[:, : plane.width]
    view.flags.writeable = False
    return view


def _write_plane(plane: VideoPlane, values: NDArray[np.uint8]) -> None:
    target: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)  # type: ignore[arg-type]
    target.reshape(plane.height, plane.line_size)[:, : plane.width] = values
