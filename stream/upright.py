"""Turns and mirrors pictures as their container says that they are to be shown."""

from __future__ import annotations

import av

from .frame import converted, eight_bit, plane_view, write_plane
from .planar import display_matrix

# Turned by a quarter, chroma that is halved in one direction would be halved in the other.
_EVEN_CHROMA = {"yuv422p": "yuv444p", "yuvj422p": "yuvj444p"}


def upright(picture: av.VideoFrame) -> av.VideoFrame:
    """Turn a picture as its display matrix says, to the nearest quarter, and mirror it if it says so.

    Telephones write portraits as turned landscapes, and some write selfies as in a mirror. Sample values
    stay exact: planes are turned, not resampled; other formats become planar 8-bit ones before. A picture
    that needs no turning is given back as it is.
    """
    matrix = display_matrix(picture)
    if matrix is None:
        return picture
    # The point (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d = matrix[:5]
    lying = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c < 0, b < 0) if lying else (a < 0, d < 0)
    if not (lying or across or down):
        return picture
    picture = eight_bit(picture)
    if lying and picture.format.name in _EVEN_CHROMA:
        picture = converted(picture, _EVEN_CHROMA[picture.format.name])
    width, height = picture.width, picture.height
    if lying:
        width, height = height, width
    turned = av.VideoFrame(width, height, picture.format.name)
    for target, plane in zip(turned.planes, picture.planes, strict=True):
        values = plane_view(plane).T if lying else plane_view(plane)
        write_plane(target, values[:: -1 if down else 1, :: -1 if across else 1])
    turned.pts = picture.pts
    if picture.time_base is not None:
        turned.time_base = picture.time_base
    turned.colorspace, turned.color_range = picture.colorspace, picture.color_range
    turned.color_primaries, turned.color_trc = picture.color_primaries, picture.color_trc
    return turned
