"""A picture in a file of its own: decoded once for all, so that it has the same luma wherever it is read."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from .errors import NotAVideo, reason
from .frame import converted, plane_view, write_plane
from .planar import FULL_RANGE
from .upright import upright

# What files begin with says more than their suffix.
_DECODERS = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8", "mjpeg"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
)
# FFmpeg's converter repeats chroma samples and rounds as it likes, unless told to do neither.
_FULL_CHROMA, _FULL_CHROMA_INPUT, _ACCURATE = 0x2000, 0x4000, 0x40000
_EXACT = Interpolation.BILINEAR | _FULL_CHROMA | _FULL_CHROMA_INPUT | _ACCURATE


def read_picture(path: Path) -> av.VideoFrame:
    """Decode a picture file, upright, otherwise in its own format; raises NotAVideo, with the file's name."""
    problem = "is not a picture that can be decoded"
    try:
        data = path.read_bytes()
        names = [name for start, name in _DECODERS if data.startswith(start)]
        decoder = av.CodecContext.create(names[0] if names else "webp", "r")
        assert isinstance(decoder, av.VideoCodecContext)
        if decoder.name == "mjpeg":  # it makes up what is missing, unless told not to
            decoder.options = {"err_detect": "explode"}
        pictures = [*decoder.decode(av.Packet(data)), *decoder.decode(None)] if data else []
    except OSError as error:
        pictures, problem = [], f"cannot be read ({reason(error)})"
    except av.error.FFmpegError:
        pictures = []
    if not pictures or pictures[0].is_corrupt:
        raise NotAVideo(f"{path} {problem}: mend it or take it away")
    return upright(pictures[0])


def exchange_luma(
    stored: av.VideoFrame, *, planar: av.VideoFrame, luma: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Give the picture with another luma, as gray [H, W], BGR [H, W, 3] or BGRA [H, W, 4].

    `planar` is `eight_bit(stored)`. The colour differences R - Y and B - Y are the chroma,
    so adding the change of Y to R, G and B keeps it, without the rounding of a way through another colour
    space. Transparency is kept.
    """
    clear = stored.format.has_palette or any(part.is_alpha for part in stored.format.components)
    gray = planar.format.name == "gray"
    if gray and not clear:
        return luma
    colours = _colours(stored, format="bgra" if clear else "bgr24")
    if stored.format.has_palette and (colours == colours[:, :, :1])[:, :, :3].all():
        return luma  # gray, and stored as a list of colours that has no other
    change = cv2.subtract(luma, plane_view(planar.planes[0]), dtype=cv2.CV_16S)
    if not (gray or planar.format.name.startswith("yuvj") or planar.color_range == FULL_RANGE):
        change = np.rint(change * (255 / 219)).astype(np.int16)  # black is 16 and white 235
    result = cv2.add(colours[:, :, :3], cv2.merge([change, change, change]), dtype=cv2.CV_8U)
    if clear and colours[:, :, 3].min() < 255:
        result = np.dstack([result, colours[:, :, 3]])
    return np.asarray(result, np.uint8)


def _colours(stored: av.VideoFrame, *, format: str) -> NDArray[np.uint8]:
    """Convert to BGR [H, W, 3] or BGRA [H, W, 4] with chroma interpolated where it is coarser."""
    width, height = stored.width, stored.height
    if stored.format.name.startswith("yuv") and (width % 2 or height % 2):
        # FFmpeg's converter stretches halved chroma to an odd size, which shifts it: it gets an even one.
        even = av.VideoFrame(width + width % 2, height + height % 2, stored.format.name)
        even.colorspace, even.color_range = stored.colorspace, stored.color_range
        for target, plane in zip(even.planes, stored.planes, strict=True):
            more = ((0, target.height - plane.height), (0, target.width - plane.width))
            write_plane(target, np.pad(plane_view(plane), more, mode="edge"))
        stored = even
    picture = converted(stored, format, interpolation=_EXACT)
    return np.asarray(picture.to_ndarray()[:height, :width], np.uint8)
