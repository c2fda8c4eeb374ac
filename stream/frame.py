"""One picture of a stream and the time it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

import av
import cv2
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter
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
        write_plane(copy.planes[0], self.luma if luma is None else luma)
        if source is not None:
            for target, plane in zip(copy.planes[1:], source.planes[1:], strict=True):
                write_plane(target, plane_view(plane))
            copy.colorspace, copy.color_range = source.colorspace, source.color_range
            copy.color_primaries, copy.color_trc = source.color_primaries, source.color_trc
        return copy

    def bgr(self, *, luma: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Convert to BGR uint8 [H, W, 3], with another luma plane [H, W] if one is given."""
        if self.picture is None:
            gray = np.ascontiguousarray(self.luma if luma is None else luma)
            return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)
        picture = self.picture if luma is None else self.video_frame(luma=luma)
        return np.asarray(converted(picture, "bgr24").to_ndarray(), np.uint8)


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
    picture = eight_bit(picture)
    luma = plane_view(picture.planes[0])
    return Frame(luma, time, sequence, epoch, arrival, damaged, picture)


def eight_bit(picture: av.VideoFrame) -> av.VideoFrame:
    """Give the picture in a planar 8-bit format with luma first: itself if it is, else the nearest one.

    RGB becomes full-range 4:4:4, so that all of its 256 gray levels are kept.
    """
    name = picture.format.name
    if name in _PLANAR:
        return picture
    if picture.format.has_palette:
        picture = converted(picture, "rgb24")  # the direct way rounds grays
    if picture.format.is_rgb:
        return converted(picture, "yuvj444p")
    if name.startswith(("gray", "ya", "mono")):
        return converted(picture, "gray")
    if "444" in name:
        return converted(picture, "yuv444p")
    return converted(picture, "yuv422p" if "422" in name else "yuv420p")


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


def converted(
    picture: av.VideoFrame, layout: str, *, interpolation: Interpolation | None = None
) -> av.VideoFrame:
    """Convert a picture to another pixel format; several threads may do so with one picture.

    A picture's own `reformat` keeps its converter in the picture: two threads in it end the process.
    """
    # One thread: with its default, FFmpeg's converter gets rows of some formats wrong, now and then.
    return VideoReformatter().reformat(picture, format=layout, interpolation=interpolation, threads=1)


def plane_view(plane: VideoPlane) -> NDArray[np.uint8]:
    """View an 8-bit plane as uint8 [H, W], read-only, without copying; it keeps the picture alive."""
    memory: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    view = memory.reshape(plane.height, plane.line_size)[:, : plane.width]
    view.flags.writeable = False
    return view


def write_plane(plane: VideoPlane, values: NDArray[np.uint8]) -> None:
    """Write uint8 [H, W] values into a plane."""
    target: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    target.reshape(plane.height, plane.line_size)[:, : plane.width] = values
