"""Which parts of a face move with the skull, in the coordinates of the crop.

The face is registered on these parts only. The brows, the lids, the mouth and the chin are left out: what
they do is the expression, and must not be registered away. The parts are apart from one another, so that
the registration can compare them and distrust the one whose skin moves by itself.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .face import CANONICAL_LANDMARKS

# Centre x, y and radii x, y of each part, as shares of the crop's side, and how much it counts; placed by
# hand relative to CANONICAL_LANDMARKS and a mean face. What lies left of the middle is mirrored to the right.
_MIDDLE = (
    (0.50, 0.14, 0.080, 0.075, 0.5),  # forehead, above the brows' own wrinkles
    (0.50, 0.35, 0.050, 0.080, 1.0),  # bridge of the nose
    (0.50, 0.48, 0.055, 0.070, 1.5),  # back of the nose, narrow: its sides wrinkle
    (0.50, 0.60, 0.070, 0.045, 0.15),  # tip of the nose, pulled at by a wrinkled nose and a raised lip
)
_LEFT = (
    (0.33, 0.14, 0.085, 0.070, 0.5),  # side of the forehead
    (0.185, 0.43, 0.050, 0.075, 1.5),  # beside the outer corner of the eye, under the brow's end
    (0.38, 0.53, 0.055, 0.055, 0.2),  # beside the nose, under the eye: a smile and a wrinkled nose move it
    (0.24, 0.55, 0.080, 0.070, 0.2),  # cheekbone: a smile lifts it
)
_PARTS = (*_MIDDLE, *_LEFT, *((1.0 - x, y, rx, ry, counts) for x, y, rx, ry, counts in _LEFT))
# What lies at the height of the eyes and so far from the middle makes room for eyes that are further apart
# than usual by more than a detector errs: all as shares of the crop's side.
_BESIDE_EYES, _ASIDE, _USUAL = (0.3, 0.5), 0.2, 0.01


def rigid_parts(
    size: int, *, landmarks: NDArray[np.float64] = CANONICAL_LANDMARKS
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]:
    """Give each pixel of a crop of `size` x `size` its part and its weight, and each part its own.

    `landmarks` [5, 2] are the face's own in the crop, as shares of its side: where the eyes are further apart
    than usual, a blink must not reach into the parts beside them. Labels [size, size] count from 0; weights
    float32 [size, size] lie in 0 to 1, are greatest in the middle of a part and 0 outside all of them. The
    parts' weights [parts] say how much each counts in all.
    """
    centres = (np.arange(size) + 0.5) / size
    weights = np.empty((len(_PARTS), size, size), np.float32)
    usual, own = CANONICAL_LANDMARKS[:2, 0], landmarks[:2, 0]
    room = max(float((own[1] - own[0]) - (usual[1] - usual[0])) / 2.0 - _USUAL, 0.0)
    for layer, (x, y, rx, ry, _) in zip(weights, _PARTS, strict=True):
        beside = _BESIDE_EYES[0] < y < _BESIDE_EYES[1] and abs(x - 0.5) > _ASIDE
        place = x + math.copysign(room, x - 0.5) if beside else x
        distance = ((centres - place) / rx)[None, :] ** 2 + ((centres - y) / ry)[:, None] ** 2
        layer[:] = np.clip(1.5 * (1.0 - distance), 0.0, 1.0)
    return weights.argmax(axis=0), weights.max(axis=0), np.array([part[4] for part in _PARTS])


def whole_face(size: int) -> NDArray[np.float32]:
    """Weigh the pixels of a crop by how surely they show the face at all, float32 [size, size], 0 to 1."""
    centres = (np.arange(size) + 0.5) / size
    distance = ((centres - 0.5) / 0.38)[None, :] ** 2 + ((centres - 0.5) / 0.5)[:, None] ** 2
    return np.clip(3.0 * (1.0 - distance), 0.0, 1.0).astype(np.float32)
