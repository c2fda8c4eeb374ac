"""Where the faces are: YuNet (Wu et al. 2023), or OpenCV's Haar cascades where its model cannot be had."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from cv2.data import haarcascades
from numpy.typing import NDArray

from .download import cache_dir, fetch
from .errors import ModelError

MODEL_VARIABLE = "MAGNIFYME_DETECTOR_MODEL"
YUNET_NAME = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_URL = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/"
    f"82b38c8f98e7b52aa171400f3e4c722352d0669f/models/face_detection_yunet/{YUNET_NAME}"
)
"""The official file (233 kB, MIT licence), pinned."""

# The start of a stream may wait so long for the model; offline it goes on with the cascades.
_FETCH_LIMIT_S = 5.0
# Faces are looked for in a picture of at most this long side: at 4:3 that costs about 5 ms on one core
# and still finds a face 20 pixels wide, 1/24 of the picture.
_LONG_SIDE = 480
# Below this side a picture holds no face, and YuNet's strides of 8 to 32 no longer fit into it.
_SHORTEST_SIDE = 20
# YuNet's own demo accepts 0.9; a face that turns or blinks falls to 0.7 for some frames.
_YUNET_SCORE = 0.7
_OVERLAP = 0.3
_MOST_FACES = 50
_ROW = 15

# A frontal face in units of the distance of its eyes, from the middle between them (the 112×112 template
# of ArcFace, Deng et al. 2019, with the mouth half-way to that of a smile).
_NOSE_DOWN, _MOUTH_DOWN, _MOUTH_ASIDE = 0.57, 1.02, 0.44
# Where the eyes lie in a box of the cascade, as shares of its width (x, y).
_EYES_IN_BOX = np.array([[0.285, 0.38], [0.715, 0.38]])


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A face in a picture.

    `box` is (x, y, width, height) in pixels of the picture and may reach beyond it. `landmarks` is
    float64 [5, 2], (x, y) in pixels: the eye on the left of the picture, the eye on its right, nose tip,
    mouth corner on the left, mouth corner on the right. `score` is 0 to 1.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float64]
    score: float


class FaceDetector(Protocol):
    """Anything that finds faces; one detector is used by one thread at a time."""

    name: str

    def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture, uint8 [H, W, 3] in the order blue, green, red; the largest first."""
        ...


class YuNet:
    """YuNet through `cv2.FaceDetectorYN`. Raises ModelError if `model` is not such a file."""

    name = "YuNet"

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise ModelError(f"detector model {model}: no such file")
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(model), "", (64, 64), _YUNET_SCORE, _OVERLAP, _MOST_FACES
            )
            # Another network is read without a word and fails at its first picture.
            self._net.detect(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            raise ModelError(f"detector model {model}: not YuNet ({YUNET_NAME})") from error

    def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture, uint8 [H, W, 3]; the largest first."""
        small = _shrink(bgr)
        if small is None:
            return []
        height, width = small.shape[:2]
        self._net.setInputSize((width, height))
        # OpenCV's type stub overlooks that there is None where there is no face.
        rows: Any = self._net.detect(small)[1]
        if rows is None:
            return []
        scale = np.array([bgr.shape[1] / width, bgr.shape[0] / height])
        found = []
        for row in np.asarray(rows, np.float64).reshape(-1, _ROW):
            # A picture much longer than wide can make the network overflow.
            if not np.isfinite(row).all() or not 0 < row[2] <= 2 * width or not 0 < row[3] <= 2 * height:
                continue
            corners = row[:4].reshape(2, 2) * scale
            # YuNet names the person's right eye first, which is on the left of the picture: our order.
            found.append(Detection(_box(corners), row[4:14].reshape(5, 2) * scale, float(row[14])))
        return _largest_first(found)


class HaarCascade:
    """OpenCV's cascades for the face and the eyes (Viola and Jones 2001): frontal faces only.

    Nose and mouth are placed by the proportions of a face; where an eye is not found, the eyes are too.
    """

    name = "Haar cascade"

    def __init__(self) -> None:
        self._faces = _cascade("haarcascade_frontalface_alt2.xml")
        self._eyes = _cascade("haarcascade_eye.xml")

    def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture, uint8 [H, W, 3]; the largest first."""
        small = _shrink(bgr)
        if small is None:
            return []
        gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        least = max(_SHORTEST_SIDE, max(gray.shape) // 12)
        boxes, _, weights = self._faces.detectMultiScale3(
            gray, scaleFactor=1.1, minNeighbors=4, minSize=(least, least), outputRejectLevels=True
        )
        scale = np.array([bgr.shape[1] / gray.shape[1], bgr.shape[0] / gray.shape[0]])
        found = []
        for box, weight in zip(boxes, np.ravel(weights), strict=True):
            corners = np.asarray(box, np.float64).reshape(2, 2) * scale
            landmarks = _landmarks(self._find_eyes(bgr, box=_box(corners)))
            # The last stage's margin has no upper end: squeeze it into 0 to 1.
            found.append(Detection(_box(corners), landmarks, float(1.0 - np.exp(-max(weight, 0.0) / 20.0))))
        return _largest_first(found)

    def _find_eyes(
        self, bgr: NDArray[np.uint8], *, box: tuple[float, float, float, float]
    ) -> NDArray[np.float64]:
        """Give the middle of both eyes, [2, 2]: the cascade's if it finds them where eyes can be."""
        x, y, width, height = box
        expected: NDArray[np.float64] = np.array([x, y]) + _EYES_IN_BOX * np.array([width, height])
        left, top = max(int(x), 0), max(int(y), 0)
        upper = bgr[top : int(y + 0.62 * height), left : int(x + width)]
        # The eye cascade was trained at 20 pixels: in a face 120 wide an eye is a little more than that.
        zoom = 120.0 / width
        if min(upper.shape[:2]) * zoom < _SHORTEST_SIDE:
            return expected
        gray = cv2.resize(
            cv2.cvtColor(upper, cv2.COLOR_BGR2GRAY), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA
        )
        boxes = self._eyes.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=3, minSize=(20, 20))
        if len(boxes) == 0:
            return expected
        sizes = np.asarray(boxes, np.float64)
        middles = (sizes[:, :2] + sizes[:, 2:] / 2.0) / zoom + np.array([left, top])
        eyes = []
        for place in expected:
            distance = np.linalg.norm(middles - place, axis=1)
            near = distance < 0.13 * width
            if not near.any():
                return expected
            eyes.append(middles[near].mean(axis=0))
        return np.array(eyes)


def open_detector(model: Path | None = None, *, notice: Callable[[str], None]) -> FaceDetector:
    """Open the best detector that can be had.

    `model`, or the variable MAGNIFYME_DETECTOR_MODEL, names a YuNet file, which must then be one: ModelError
    if not. Without them, YuNet's file is taken from the cache, or fetched once into it; where that fails, the
    cascades do, and `notice` is told in one line why and how to mend it.
    """
    named = model or os.environ.get(MODEL_VARIABLE)
    if named:
        return YuNet(Path(named))
    path = cache_dir() / YUNET_NAME
    try:
        return YuNet(
            fetch(YUNET_URL, sha256=YUNET_SHA256, path=path, timeout_s=_FETCH_LIMIT_S, limit_s=_FETCH_LIMIT_S)
        )
    except ModelError:
        notice("no YuNet here, so only frontal faces are found: see `magnifyme doctor`")
        return HaarCascade()


def _shrink(bgr: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Bring a picture to the size that faces are looked for in; None if it is too small for a face."""
    height, width = bgr.shape[:2]
    factor = min(1.0, _LONG_SIDE / max(height, width, 1))
    size = round(width * factor), round(height * factor)
    if min(size) < _SHORTEST_SIDE:
        return None
    if factor == 1.0:
        return np.ascontiguousarray(bgr)
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)


def _landmarks(eyes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add nose and mouth to the eyes [2, 2] by the proportions of a frontal face, [5, 2]."""
    middle = eyes.mean(axis=0)
    across = eyes[1] - eyes[0]
    down = np.array([-across[1], across[0]])
    mouth = middle + _MOUTH_DOWN * down
    aside = _MOUTH_ASIDE * across
    return np.stack([eyes[0], eyes[1], middle + _NOSE_DOWN * down, mouth - aside, mouth + aside])


def _cascade(name: str) -> cv2.CascadeClassifier:
    path = Path(haarcascades) / name
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise ModelError(f"{path} cannot be read: install opencv-python again, below version 5")
    return cascade


def _box(corners: NDArray[np.float64]) -> tuple[float, float, float, float]:
    (x, y), (width, height) = corners.tolist()
    return x, y, width, height


def _largest_first(found: list[Detection]) -> list[Detection]:
    return sorted(found, key=lambda detection: detection.box[2] * detection.box[3], reverse=True)
