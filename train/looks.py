"""What a made person looks like beside the shape of the face: the picture, the skin's tone, glasses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.warp import spline_coefficients

# The luma of the cheeks, 0 to 1, of the darkest and of the lightest skin.
_DARKEST, _LIGHTEST = 0.24, 0.80
# The darkest curve's exponent is one more than this, times what pigment takes of blue, green and red.
_CONTRAST, _PIGMENT = 0.7, np.array([1.3, 1.0, 0.75])

# Glasses, in eye distances: half axes of a lens, its exponent (2 is an ellipse), its middle below the pupil;
# the frame's thickness; where the temples end.
_LENS_HALF_WIDTH, _LENS_HALF_HEIGHT, _LENS_EXPONENT, _LENS_DOWN = 0.40, 0.29, 3.2, 0.05
_RIM, _TEMPLE_OUT = 0.045, 1.12
_RIM_ALPHA, _RIM_LUMA = 0.96, 34.0
_GLINT_ALPHA, _GLINT_LUMA = 0.22, 225.0
# Drawn so many times larger, and averaged: edges like a lens', not a staircase.
_FINER = 4


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A picture of one face: `bgr` uint8 [H, W, 3], and its `landmarks` [5, 2] in its pixels.

    The landmarks are those of `stream.face.CANONICAL_LANDMARKS`, in their order.
    """

    bgr: NDArray[np.uint8]
    landmarks: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Looks:
    """What can be chosen of a made person.

    `portrait` is the picture behind it (None: the one in the package). `skin`, 0 (darkest) to 1 (lightest),
    is the tone that the cheeks get (None: as they are). `glasses` are drawn on: they move with the head and
    leave the skin beneath to the muscles. Raises ValueError.
    """

    portrait: Portrait | None = None
    skin: float | None = None
    glasses: bool = False

    def __post_init__(self) -> None:
        """Check the tone."""
        if self.skin is not None and not 0.0 <= self.skin <= 1.0:
            raise ValueError(f"skin is {self.skin}; it must be 0 (darkest) to 1 (lightest)")


class Glasses(NamedTuple):
    """A layer over the face as B-spline coefficients: how much of it covers what is below, and its luma
    times that, float32 [H, W]; `half` is the cover at half the size, for chroma. Outside `box` (left, top,
    right, bottom, in pixels of the layer) it covers nothing."""

    cover: NDArray[np.float32]
    luma: NDArray[np.float32]
    half: NDArray[np.float32]
    box: NDArray[np.float64]


def tone_skin(
    bgr: NDArray[np.float32], *, landmarks: NDArray[np.float64], skin: float
) -> NDArray[np.float32]:
    """Bring the cheeks to a tone, 0 (darkest) to 1 (lightest), by one curve over the whole picture.

    `bgr` is float32 [H, W, 3], 0 to 255. Hair, eyes and background go along: by tone and colour alone they
    cannot be told from skin without drawing a mask that a tracker would see.
    """
    height, width = bgr.shape[:2]
    unit = float(np.hypot(*(landmarks[1] - landmarks[0])))
    y, x = np.ogrid[:height, :width]
    cheeks = (landmarks[:2] + landmarks[3:]) / 2.0
    on_cheeks = np.any([(x - cx) ** 2 + (y - cy) ** 2 < (0.15 * unit) ** 2 for cx, cy in cheeks], axis=0)
    luma = bgr[on_cheeks] @ np.array([0.114, 0.587, 0.299], np.float32) / np.float32(255.0)
    tone = float(np.clip(np.median(luma), 0.02, 0.98))
    wanted = _DARKEST + skin * (_LIGHTEST - _DARKEST)
    if wanted > tone:
        # Lighter by a curve alone: a factor would burn the shine out.
        return 255.0 * (bgr / np.float32(255.0)) ** np.float32(math.log(wanted) / math.log(tone))
    darker = _CONTRAST * (1.0 - wanted / tone)
    curve = wanted * (bgr / (255.0 * tone)) ** (1.0 + darker * _PIGMENT)
    return np.clip(255.0 * curve, 0.0, 255.0).astype(np.float32)


def draw_glasses(shape: tuple[int, int], *, landmarks: NDArray[np.float64]) -> Glasses:
    """Draw glasses for a face with these landmarks [5, 2] into a layer of `shape` [H, W]."""
    left_eye, right_eye = landmarks[:2]
    unit = float(np.hypot(*(right_eye - left_eye)))
    across = (right_eye - left_eye) / unit
    axes = unit * np.stack([across, [-across[1], across[0]]])
    middle = (left_eye + right_eye) / 2.0

    angle = np.linspace(0.0, math.tau, 120, endpoint=False)
    power = 2.0 / _LENS_EXPONENT
    lens = np.stack(
        [
            _LENS_HALF_WIDTH * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power,
            _LENS_HALF_HEIGHT * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power + _LENS_DOWN,
        ],
        axis=1,
    )
    rims, glints = [], []
    for side in (-1.0, 1.0):
        rims.append(lens + np.array([0.5 * side, 0.0]))
        outer = side * (0.5 + _LENS_HALF_WIDTH)
        rims.append(np.array([[outer, -0.10], [side * _TEMPLE_OUT, -0.16]]))
        glints.append(np.array([[-0.02, -0.16], [0.08, -0.16], [-0.12, 0.24], [-0.22, 0.24]]))
        glints[-1] += [0.5 * side, 0.0]
    bridge = np.linspace(-(0.5 - _LENS_HALF_WIDTH), 0.5 - _LENS_HALF_WIDTH, 9)
    rims.append(np.stack([bridge, 6.0 * bridge**2 - 0.06], axis=1))

    fine = np.zeros((shape[0] * _FINER, shape[1] * _FINER), np.uint8)
    thickness = max(1, round(_RIM * unit * _FINER))
    for number, line in enumerate(rims):
        closed = number in (0, 2)
        cv2.polylines(fine, [_fine(middle + line @ axes)], closed, 255, thickness, cv2.LINE_AA, 4)
    rim = _coarse(fine) * _RIM_ALPHA
    fine[:] = 0
    for corners in glints:
        cv2.fillPoly(fine, [_fine(middle + corners @ axes)], 255, cv2.LINE_AA, 4)
    glint = cv2.GaussianBlur(_coarse(fine), (0, 0), max(0.02 * unit, 0.5)) * _GLINT_ALPHA * (1.0 - rim)
    cover = (rim + glint).astype(np.float32)
    rows, columns = np.nonzero(cover > 1e-3)
    half = cv2.resize(cover, (shape[1] // 2, shape[0] // 2), interpolation=cv2.INTER_AREA)
    return Glasses(
        spline_coefficients(cover),
        spline_coefficients((rim * _RIM_LUMA + glint * _GLINT_LUMA).astype(np.float32)),
        spline_coefficients(np.asarray(half, np.float32)),
        np.array([columns.min() - 2.0, rows.min() - 2.0, columns.max() + 2.0, rows.max() + 2.0]),
    )


def _fine(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Give points in the finer picture, in OpenCV's sixteenths."""
    return np.rint(16.0 * (_FINER * (points + 0.5) - 0.5)).astype(np.int32)


def _coarse(fine: NDArray[np.uint8]) -> NDArray[np.float32]:
    size = (fine.shape[1] // _FINER, fine.shape[0] // _FINER)
    return np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.float32) / np.float32(255.0)
