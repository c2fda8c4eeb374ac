"""How compiled loops see pictures: rows of planes, without copies and without knowing what lies between.

What several files of kernels share stands here, in `pyramid` and in `temporal`. Numba's cache on disk notices
a change only in the caller's own file: after an edit of a shared kernel, delete `__pycache__`.

Kernels own no memory, trust their input and keep to float32. Loops run from 0 over slices with plain indices;
other forms are not vectorised.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint16]
Floats = NDArray[np.float32]
Table = NDArray[np.int64]
# Height, width, and the distances in memory between rows of luma and between rows of out.
Geometry = tuple[int, int, int, int]


def flat_plane(plane: Bytes, *, writeable: bool) -> Bytes:
    """View a plane with contiguous rows as the stretch of memory it spans.

    Kernels get this and the rows' distance, so that packed, padded and read-only planes share one
    compilation, in which the compiler knows that rows are contiguous.
    """
    height, width = plane.shape
    span = (height - 1) * plane.strides[0] + width
    return np.lib.stride_tricks.as_strided(plane, (span,), (1,), writeable=writeable)


def plane_geometry(luma: Bytes, out: Bytes) -> Geometry:
    """Give height, width, and the distances between rows of `luma` and between rows of `out`."""
    return luma.shape[0], luma.shape[1], luma.strides[0], out.strides[0]


@njit(cache=True, nogil=True, fastmath=True)
def repeat_edges(line: Floats, reach: int, width: int) -> None:
    """Repeat the first and the last of `width` values, which start at `reach`, `reach` times outwards."""
    line[:reach] = line[reach]
    line[reach + width : 2 * reach + width] = line[reach + width - 1]
