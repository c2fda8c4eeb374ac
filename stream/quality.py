"""How well a face can be seen: what is said instead of guessing where it is not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# Below this a pixel of the frame is three of the crop, and a micro-expression a tenth of a pixel.
_LEAST_EYES_PX = 28.0
# A head that moves by a crop's 4 px while the shutter is open keeps about half of its detail along the way.
_LEAST_SHARPNESS = 0.55
_LARGEST_TURN_DEG = 35.0  # Beyond, one side of the face is not seen.
_LEAST_FIT = 0.7  # So much less of the face is explained: something is before it, or the light has gone.
# The tip of the nose stands out by so many eye distances, and therefore goes aside when the head turns.
_NOSE_OUT = 0.6


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face is seen.

    `residual_px` is the registration's own error in frame pixels, rms. `sharpness` is the crop's detail as a
    share of the best that was seen of this face, `eyes_px` the distance of the eyes in frame pixels,
    `turn_deg` about how far the head was turned aside when a detector last saw it, `fit` how well the face
    looks as it did, as a share of the best.
    """

    residual_px: float = 0.0
    sharpness: float = 1.0
    eyes_px: float = 100.0
    turn_deg: float = 0.0
    fit: float = 1.0

    @property
    def flaw(self) -> str | None:
        """Why nothing can be told of this face now, in plain words; None where it is seen well enough."""
        if self.eyes_px < _LEAST_EYES_PX:
            return "face too small"
        if self.turn_deg > _LARGEST_TURN_DEG:
            return "turned too far aside"
        if self.sharpness < _LEAST_SHARPNESS:
            return "too blurred"
        if self.fit < _LEAST_FIT:
            return "face half hidden"
        return None


ADVICE = {
    "face too small": f"the eyes must be {_LEAST_EYES_PX:g} pixels apart or more: come nearer",
    "turned too far aside": "let it look towards the camera",
    "too blurred": "more light, or a shorter exposure",
    "face half hidden": "nothing may stand before it",
}
"""What mends each flaw."""


def detail_of(luma: NDArray[np.uint8]) -> float:
    """Measure the detail of a crop, uint8 [S, S], along the direction that has less of it.

    Motion blurs one direction only. The measure is the rms gradient as a share of the contrast, so that dim
    light is not taken for blur.
    """
    contrast = float(cv2.meanStdDev(luma)[1][0, 0])
    gx, gy = (cv2.Sobel(luma, cv2.CV_32F, *order).ravel() for order in ((1, 0), (0, 1)))
    xx, xy, yy = float(gx @ gx), float(gx @ gy), float(gy @ gy)
    # The smaller eigenvalue of the gradients' covariance.
    least = (xx + yy) / 2.0 - math.hypot((xx - yy) / 2.0, xy)
    # A grey level more, so that a blank crop has no detail.
    return math.sqrt(max(least, 0.0)) / float(luma.shape[0] * (contrast + 1.0))


def turn_of(landmarks: NDArray[np.float64]) -> float:
    """Estimate by how many degrees a head with these landmarks [5, 2] is turned aside."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    down = mouth - eyes
    across = np.array([down[1], -down[0]]) / max(float(np.hypot(*down)), 1e-9)
    aside = float((landmarks[2] - eyes) @ across)
    # The eyes come nearer to each other as the head turns; eyes and mouth do not.
    unit = float(np.hypot(*down)) / 1.1
    return float(np.degrees(np.arcsin(min(1.0, abs(aside) / max(_NOSE_OUT * unit, 1e-9)))))
