"""Turns pictures as their container says that they are to be shown."""

from __future__ import annotations

import av
import numpy as np

from .frame import plane_view, write_plane

# Turned by a quarter, chroma that is halved in one direction would be halved in the other.
_EVEN_CHROMA = {"yuv422p": "yuv444p", "yuvj422p": "yuvj444p"}


def upright(picture: av.VideoFrame) -> av.VideoFrame:
    """Turn a planar 8-bit picture by its `rotation` (degrees counter-clockwise, the nearest quarter).

    Telephones write portraits as turned landscapes. Sample values stay exact: planes are turned, not
    resampled. A picture that needs no turning is given back as it is.
    """
    quarters = round(picture.rotation / 90) % 4
    if quarters == 0:
        return picture
    if quarters % 2 and picture.format.name in _EVEN_CHROMA:
        picture = picture.reformat(format=_EVEN_CHROMA[picture.format.name], threads=1)
    width, height = picture.width, picture.height
    if quarters % 2:
        width, height = height, width
    turned = av.VideoFrame(width, height, picture.format.name)
    for target, plane in zip(turned.planes, picture.planes, strict=True):
        write_plane(target, np.rot90(plane_view(plane), quarters))
    turned.pts = picture.pts
    if picture.time_base is not None:
        turned.time_base = picture.time_base
    turned.colorspace, turned.color_range = picture.colorspace, picture.color_range
    turned.color_primaries, turned.color_trc = picture.color_primaries, picture.color_trc
    return turned
