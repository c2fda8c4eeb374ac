"""What was watched, as a video: the original picture on the left, the magnified one on the right.

Frames keep their own times, so that a camera that stutters stutters in the video too. The file can be played
however the recording ends: it is written in fragments of a second, each whole in itself, and `close` turns an
.mp4 or .mov into an ordinary file.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from .closing import Closing
from .errors import StoreError, reason
from .frame import Frame, converted, plane_view, write_plane
from .planar import FULL_RANGE
from .whole import refuse_existing

# FFmpeg's name of the muxer and its options. Fragments begin with key frames; the moov box of an .mp4 comes
# last in an ordinary file, and a killed one would be unreadable without them.
_FRAGMENTS = {"movflags": "hybrid_fragmented+frag_keyframe", "flush_packets": "1"}
_CONTAINERS = {
    ".mp4": ("mp4", _FRAGMENTS),
    ".mov": ("mov", _FRAGMENTS),
    ".mkv": ("matroska", {"cluster_time_limit": "1000", "flush_packets": "1"}),
}
_CLOCK_HZ = 90_000  # The clock of MPEG: any camera's times fit to 11 µs.
_MPEG4_CLOCK_HZ = 45_000  # MPEG-4 Part 2 knows no clock above 65535 Hz.
_QUALITY = "18"  # x264's crf at which a magnified tenth of a pixel still shows.
_KEY_FRAME_S = 1.0  # A kill costs at most so much.
_LEAST_LABEL_PX = 96  # On smaller pictures a label would hide the face.

Plane = NDArray[np.uint8]


class Recorder(Closing):
    """Write frames and their magnified luma side by side as H.264 (MPEG-4 where libx264 is missing).

    `path` ends in .mp4, .mov or .mkv; an existing file is refused, or with `overwrite` replaced when the
    first frame comes: until then nothing is made or changed. `fps` is the nominal rate: frames have
    their own times, it only guides the encoder. `labels` stand at the top of the halves; None leaves them
    out. The first frame sets the size: later ones of another size are scaled into it, with black bars where
    the shape differs. Odd sizes grow by one repeated line or column. A context manager that closes the file.
    Used from one thread. Raises StoreError where the file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float,
        labels: tuple[str, str] | None = ("original", "magnified"),
        overwrite: bool = False,
    ) -> None:
        self._path = Path(path)
        if not fps > 0.0:
            raise StoreError(f"a video of {fps} frames a second cannot be written: give a rate above 0")
        known = _CONTAINERS.get(self._path.suffix.lower())
        if known is None:
            raise StoreError(f"{path} is no name for a video; let it end in one of {', '.join(_CONTAINERS)}")
        try:
            if self._path.is_dir():
                raise StoreError(f"{path} is a folder: give the output a file name")
            refuse_existing(self._path, overwrite=overwrite)
            _try_to_write(self._path)
            # FFmpeg opens the file at the first frame, which is too late to tell what is wrong with it.
            self._output: OutputContainer | None = av.open(
                str(self._path.absolute()), "w", format=known[0], options=known[1]
            )
        except OSError as error:
            raise self._failure(error) from error
        self._fps = fps
        self._labels = labels
        self._encoder: VideoStream | None = None
        self._clock = _CLOCK_HZ
        self._full_range = False
        self._planes: tuple[Plane, Plane, Plane] = (np.zeros((0, 0), np.uint8),) * 3
        self._stamps: list[tuple[Plane, int, int]] = []
        self._epoch: int | None = None
        self._epoch_start = 0.0
        self._epoch_ticks = 0
        self._last_ticks = -1
        self._overwrite = overwrite
        self._made = False  # whether the file came to be by this recorder
        self.frames = 0

    def write(self, frame: Frame, *, magnified: Plane) -> None:
        """Add a frame, with its magnified luma uint8 [H, W]; raise StoreError if it cannot be written."""
        if magnified.shape != frame.luma.shape or magnified.dtype != np.uint8:
            raise ValueError(
                f"magnified is {magnified.dtype} {magnified.shape}: must be uint8 {frame.luma.shape}, "
                "as the frame is"
            )
        if self._output is None:
            raise StoreError(f"{self._path} is closed: frames cannot be added any more")
        try:
            encoder = self._encoder or self._start(frame)
            self._compose(frame, magnified)
            picture = av.VideoFrame(encoder.width, encoder.height, "yuv420p")
            for target, plane in zip(picture.planes, self._planes, strict=True):
                write_plane(target, plane)
            picture.color_range = FULL_RANGE if self._full_range else 1
            picture.time_base = Fraction(1, self._clock)
            picture.pts = self._ticks(frame)
            # In one call, whose parts are all C: a Ctrl-C that came between encoding and writing would take a
            # packet out of the middle of the video.
            deque(map(self._output.mux, map(encoder.encode, (picture,))), maxlen=0)
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        self.frames += 1

    def close(self) -> None:
        """Write what the encoder still holds and finish the file; closing again does nothing."""
        output, self._output = self._output, None
        if output is None:
            return
        try:
            if self._encoder is not None:
                output.mux(self._encoder.encode(None))
            output.close()
            if self._made and self.frames == 0:
                # A file without a picture is no video.
                self._path.unlink(missing_ok=True)
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _start(self, frame: Frame) -> VideoStream:
        assert self._output is not None
        try:
            self._path.open("xb").close()
            self._made = True
        except FileExistsError:
            # Also one that another program has made since this recorder was.
            refuse_existing(self._path, overwrite=self._overwrite)
        has_x264 = "libx264" in av.codecs_available
        self._clock = _CLOCK_HZ if has_x264 else _MPEG4_CLOCK_HZ
        # MPEG-4 has no mark for full range: players would show it too dark and too bright.
        self._full_range = _is_full_range(frame) and has_x264
        options = {"preset": "veryfast", "crf": _QUALITY} if has_x264 else {"qscale": "3"}
        rate = Fraction(self._fps).limit_denominator(1001)
        # No bidirectional frames: the encoder holds less back, and a kill takes less with it.
        encoder = self._output.add_stream(
            "libx264" if has_x264 else "mpeg4", rate=rate, options={**options, "bf": "0"}
        )
        width, height = (length + length % 2 for length in frame.size)
        encoder.width, encoder.height, encoder.pix_fmt = 2 * width, height, "yuv420p"
        context = encoder.codec_context
        encoder.time_base = context.time_base = Fraction(1, self._clock)
        context.gop_size = max(1, round(_KEY_FRAME_S * self._fps))
        if frame.picture is not None:
            context.colorspace = frame.picture.colorspace
            context.color_primaries = frame.picture.color_primaries
            context.color_trc = frame.picture.color_trc
        context.color_range = FULL_RANGE if self._full_range else 1
        chroma = (height // 2, width)
        self._planes = (
            np.zeros((height, 2 * width), np.uint8),
            np.full(chroma, 128, np.uint8),
            np.full(chroma, 128, np.uint8),
        )
        self._stamps = _render_labels(self._labels, width=width, height=height)
        self._encoder = encoder
        return encoder

    def _compose(self, frame: Frame, magnified: Plane) -> None:
        """Draw both halves into the planes."""
        height, width = self._planes[0].shape
        left, top, inner_width, inner_height = _placement(frame.size, inside=(width // 2, height))
        chroma = _chroma(frame)
        if (inner_width, inner_height) != (width // 2, height):
            self._planes[0][:] = 0 if self._full_range else 16
            self._planes[1][:] = self._planes[2][:] = 128
        table = None
        if _is_full_range(frame) != self._full_range:
            table = _range_table(to_full=self._full_range)
        for half, luma in enumerate((frame.luma, magnified)):
            for index, plane in enumerate((luma, *chroma)):
                step = 1 if index == 0 else 2
                x, y = (half * width // 2 + left) // step, top // step
                target = self._planes[index][y : y + inner_height // step, x : x + inner_width // step]
                # Chroma's excursion is 224 of 255 in the limited range, luma's 219: near enough to be one.
                _fill(target, plane if table is None else table[plane])
        white, black = (255, 0) if self._full_range else (235, 16)
        for stamp, x, y in self._stamps:
            target = self._planes[0][y : y + stamp.shape[0], x : x + stamp.shape[1]]
            target[stamp == 1] = black
            target[stamp == 2] = white

    def _ticks(self, frame: Frame) -> int:
        """Give the frame's time on the video's clock; it grows through epochs, whose clocks are their own."""
        if frame.epoch != self._epoch:
            self._epoch = frame.epoch
            self._epoch_start = frame.time
            step = round(self._clock / self._fps)
            self._epoch_ticks = 0 if self._last_ticks < 0 else self._last_ticks + step
        ticks = self._epoch_ticks + round((frame.time - self._epoch_start) * self._clock)
        self._last_ticks = max(ticks, self._last_ticks + 1)
        return self._last_ticks

    def _failure(self, error: Exception) -> StoreError:
        return StoreError(f"{self._path} cannot be written: {reason(error)}; give another path")


def _try_to_write(path: Path) -> None:
    """Raise OSError where a file cannot be written, leaving all as it was."""
    if path.exists():
        path.open("r+b").close()
    else:
        path.open("xb").close()
        path.unlink()


def _is_full_range(frame: Frame) -> bool:
    picture = frame.picture
    if picture is None or picture.format.name.startswith(("yuvj", "gray")):
        return True
    return int(picture.color_range) == FULL_RANGE


def _range_table(*, to_full: bool) -> Plane:
    """Give the table [256] from one range of grey levels to the other."""
    levels = np.arange(256.0)
    table = (levels - 16.0) * (255.0 / 219.0) if to_full else 16.0 + levels * (219.0 / 255.0)
    return np.clip(np.rint(table), 0, 255).astype(np.uint8)


def _chroma(frame: Frame) -> tuple[Plane, ...]:
    """Give the two chroma planes at half size, none if the picture has no colour."""
    picture = frame.picture
    if picture is None or picture.format.name == "gray":
        return ()
    name = picture.format.name
    if name not in ("yuv420p", "yuvj420p"):
        picture = converted(picture, "yuvj420p" if name.startswith("yuvj") else "yuv420p")
    return plane_view(picture.planes[1]), plane_view(picture.planes[2])


def _placement(size: tuple[int, int], *, inside: tuple[int, int]) -> tuple[int, int, int, int]:
    """Fit a picture into a half, in even numbers: left, top, width and height."""
    width, height = (length + length % 2 for length in size)
    if (width, height) == inside:
        return 0, 0, width, height
    scale = min(inside[0] / width, inside[1] / height)
    width, height = (max(2, 2 * round(scale * length / 2)) for length in (width, height))
    width, height = min(width, inside[0]), min(height, inside[1])
    return (inside[0] - width) // 4 * 2, (inside[1] - height) // 4 * 2, width, height


def _fill(target: Plane, plane: Plane) -> None:
    """Copy a plane that fits or lacks a last row or column (repeated); scale any other."""
    height, width = plane.shape
    missing_rows, missing_columns = target.shape[0] - height, target.shape[1] - width
    if missing_rows not in (0, 1) or missing_columns not in (0, 1):
        shrinks = width > target.shape[1]
        kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        target[:] = cv2.resize(np.ascontiguousarray(plane), target.shape[::-1], interpolation=kind)
        return
    target[:height, :width] = plane
    if missing_columns:
        target[:height, width] = plane[:, -1]
    if missing_rows:
        target[height] = target[height - 1]


def _render_labels(
    labels: tuple[str, str] | None, *, width: int, height: int
) -> list[tuple[Plane, int, int]]:
    """Draw the labels once, as stamps with their place: 1 is the dark rim, 2 the letters."""
    stamps: list[tuple[Plane, int, int]] = []
    if labels is None or min(width, height) < _LEAST_LABEL_PX:
        return stamps
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, max(0.5, height / 800.0)
    for half, text in enumerate(labels):
        (text_width, text_height), baseline = cv2.getTextSize(text, font, scale, 1)
        stamp = np.zeros((text_height + baseline + 4, text_width + 6), np.uint8)
        for thickness, value in ((3, 1), (1, 2)):
            cv2.putText(stamp, text, (3, text_height + 2), font, scale, (value,), thickness)
        if stamp.shape[0] < height // 4:
            stamps.append((stamp[:, : width - 4], half * width + 4, 4))
    return stamps
