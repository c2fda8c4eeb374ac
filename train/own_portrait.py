"""A picture of the user's own as the portrait behind a made face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from magnifyme.models.face_detector import FaceDetector, open_detector
from magnifyme.stream.errors import SourceError, SourceNotFound
from magnifyme.stream.frame import frame_from_av
from magnifyme.stream.picture_file import read_picture

from .looks import Portrait

# Enlarged five times, to the size of a face in 640×480, a smaller one is a blur that nothing can follow.
_LEAST_EYE_DISTANCE_PX = 20.0
# A detector strays by a tenth of the eyes' distance, and otherwise in every cut-out: the middle of several
# is nearer to the truth. Half their sides in eye distances, and the side that they are brought to.
_CUTS, _CUT_PX = (2.0, 2.5, 3.0, 4.0), 480


def read_portrait(
    path: Path,
    *,
    landmarks: NDArray[np.float64] | None = None,
    detector: FaceDetector | None = None,
    notice: Callable[[str], None] = lambda line: None,
) -> Portrait:
    """Read a picture of a face; of several faces in it the largest counts.

    `landmarks` [5, 2], in the order of `stream.face.CANONICAL_LANDMARKS` and in pixels of the picture, are
    found by `detector` (YuNet, or the Haar cascade where it cannot be had, which `notice` is told) unless
    they are given. Raises SourceError for what is no picture, has no face, or too small a one; ValueError for
    landmarks that are none.
    """
    if not path.is_file():
        raise SourceNotFound(f"{path}: no such file; give a picture of a face")
    bgr = frame_from_av(read_picture(path), time=0.0).bgr()
    if landmarks is None:
        detector = detector or open_detector(notice=notice)
        faces = detector.detect(bgr)
        if not faces:
            raise SourceError(f"no face is found in {path}: give a picture of one that looks into the camera")
        landmarks = _look_closer(bgr, landmarks=faces[0].landmarks, detector=detector)
    landmarks = np.asarray(landmarks, np.float64)
    _check(landmarks, size=(bgr.shape[1], bgr.shape[0]))
    unit = float(np.hypot(*(landmarks[1] - landmarks[0])))
    if unit < _LEAST_EYE_DISTANCE_PX:
        raise SourceError(
            f"the face in {path} is too small: its eyes are {unit:.0f} px apart, "
            f"{_LEAST_EYE_DISTANCE_PX:.0f} are needed; give a larger picture"
        )
    return Portrait(bgr, landmarks)


def _look_closer(
    bgr: NDArray[np.uint8], *, landmarks: NDArray[np.float64], detector: FaceDetector
) -> NDArray[np.float64]:
    """Find the landmarks again in cut-outs around the face, and take the middle of all."""
    centre, unit = landmarks.mean(axis=0), float(np.hypot(*(landmarks[1] - landmarks[0])))
    found = [landmarks]
    for reach in _CUTS:
        left, top = np.maximum(np.floor(centre - reach * unit).astype(int), 0)
        right, bottom = np.ceil(centre + reach * unit).astype(int) + 1
        cut = np.ascontiguousarray(bgr[top:bottom, left:right])
        scale = _CUT_PX / max(cut.shape[:2])
        kind = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
        larger = np.asarray(cv2.resize(cut, None, fx=scale, fy=scale, interpolation=kind), np.uint8)
        for face in detector.detect(larger):
            there = (face.landmarks + 0.5) / scale - 0.5 + np.array([left, top])
            # Another face may be larger in the cut-out.
            if np.abs(there - landmarks).max() < 0.5 * unit:
                found.append(there)
    return np.asarray(np.median(found, axis=0), np.float64)


def _check(landmarks: NDArray[np.float64], *, size: tuple[int, int]) -> None:
    if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
        raise ValueError(f"landmarks are {landmarks.shape}; they must be five points (x, y): [5, 2]")
    (left_eye, right_eye, _, left_corner, right_corner) = landmarks
    across, down = right_eye - left_eye, (left_corner + right_corner - left_eye - right_eye) / 2.0
    # The mouth is below the eyes, seen along their line: in this order the product is above zero.
    if across[0] * down[1] - across[1] * down[0] <= 0.0 or (right_corner - left_corner) @ across <= 0.0:
        raise ValueError(
            "landmarks are out of order; they must be the eye on the left of the picture, the one on its "
            "right, nose tip, left and right mouth corner"
        )
    if landmarks.min() < 0.0 or (landmarks > size).any():
        raise ValueError(f"landmarks lie outside the picture of {size[0]}×{size[1]}")
