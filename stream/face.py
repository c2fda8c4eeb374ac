"""The face as every later stage sees it: where its parts lie in the crop."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .quality import Quality

CROP_SIZE = 256
"""Side of the registered crop in pixels: a face fills it at 720p from about one metre, and one magnified
crop takes well under a millisecond."""

CANONICAL_LANDMARKS: NDArray[np.float64] = np.array(
    [[0.335, 0.40], [0.665, 0.40], [0.50, 0.60], [0.365, 0.775], [0.635, 0.775]]
)
"""Where the five landmarks of a frontal face lie in the crop, as a share of its side (x, y): the eye and
the mouth corner on the left of the picture first, in the order left eye, right eye, nose tip, left mouth
corner, right mouth corner."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """One face, held still.

    `luma` is uint8 [CROP_SIZE, CROP_SIZE]: the face resampled so that its landmarks lie at
    `CANONICAL_LANDMARKS`. `matrix` [2, 3] takes frame pixels (x, y) to crop pixels. `box` is
    (x, y, width, height) in frame pixels, `score` the detector's, 0 to 1. `track_id` names the face for as
    long as it is followed. `restarted` is true on the first crop of a track, and whenever the crop's
    geometry jumped: what remembers earlier crops must start anew. `renewed` says that pose or light had
    changed and the face is held by a new look from here on: the crop does not jump. `quality` tells how well
    the face is seen.
    """

    luma: NDArray[np.uint8]
    matrix: NDArray[np.float64]
    box: tuple[float, float, float, float]
    score: float
    track_id: int
    restarted: bool = False
    renewed: bool = False
    quality: Quality = field(default_factory=Quality)
