"""What a decoded picture says about itself beside its planes, and new pictures made of planes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from numpy.typing import NDArray

from .frame import write_plane

_NO_COLOUR = 128  # the middle of a chroma plane
FULL_RANGE = 2  # FFmpeg's AVColorRange; limited is 1
_BT601 = 6  # FFmpeg's AVColorSpace


@dataclass(frozen=True, slots=True)
class Colours:
    """Say how samples stand for colours, in FFmpeg's numbers: matrix, range, primaries, transfer."""

    space: int
    range: int
    primaries: int
    transfer: int


def colours_of(stored: av.VideoFrame, *, planar: av.VideoFrame) -> Colours:
    """Read the colour tags for a `planar` 8-bit picture that was made from the `stored` one."""
    space, limits = stored.colorspace, stored.color_range
    if stored.format.is_rgb or stored.format.has_palette:
        space = _BT601  # what swscale converts RGB with, where nothing else is asked for
    # Two formats are full range without a tag that says so.
    if planar.format.name.startswith("yuvj") or (planar.format.name == "gray" and limits == 0):
        limits = FULL_RANGE
    return Colours(space, limits, stored.color_primaries, stored.color_trc)


def display_matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    """Read the nine numbers by which players turn and mirror the picture; None where it is shown as it is."""
    try:
        # PyAV types the side data as a dictionary; it is a mapping from kinds to buffers.
        data: SideData | None = cast("SideDataContainer", picture.side_data).get(Type.DISPLAYMATRIX)
    except ValueError:
        # It fails at kinds that are newer than itself, as a photograph's Exif is; the angle it knows.
        return _turning(picture.rotation)
    return None if data is None else tuple(np.frombuffer(bytes(data), np.int32, 9).tolist())


def _turning(degrees: int) -> tuple[int, ...]:
    """Make the display matrix that turns by an angle, counter-clockwise."""
    one = 1 << 16
    cosine, sine = (round(one * f(math.radians(degrees))) for f in (math.cos, math.sin))
    return (cosine, -sine, 0, sine, cosine, 0, 0, 0, 1 << 30)


def is_mirrored(matrix: tuple[int, ...]) -> bool:
    """Tell whether a display matrix mirrors the picture: then its determinant is negative."""
    a, b, _, c, d = matrix[:5]
    return a * d - b * c < 0


def build_picture(planes: list[NDArray[np.uint8]], *, layout: str) -> av.VideoFrame:
    """Write planes [h, w] into a new picture of an 8-bit planar format.

    Chroma is copied as it is, or repeated where `layout` is yuv444p and the planes are coarser, so that
    what each pixel shows stays what it was; planes that are missing (gray) become colourless.
    """
    height, width = planes[0].shape
    picture = av.VideoFrame(width, height, layout)
    for index, target in enumerate(picture.planes):
        if index >= len(planes):
            write_plane(target, np.full((target.height, target.width), _NO_COLOUR, np.uint8))
        else:
            write_plane(target, _stretch(planes[index], height=target.height, width=target.width))
    return picture


def _stretch(plane: NDArray[np.uint8], *, height: int, width: int) -> NDArray[np.uint8]:
    """Repeat samples until the plane has this size."""
    if plane.shape[0] < height:
        plane = plane.repeat(2, axis=0)[:height]
    if plane.shape[1] < width:
        plane = plane.repeat(2, axis=1)[:, :width]
    return plane
