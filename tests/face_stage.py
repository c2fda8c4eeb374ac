"""A made face on a stage, for tests: its pose is exactly what the test says."""

from __future__ import annotations

from functools import cache
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.similarity import apply, compose
from magnifyme.models.face_detector import Detection
from magnifyme.stream.face import FaceCrop
from magnifyme.stream.face_tracker import FaceTracker
from magnifyme.stream.frame import frame_from_array
from magnifyme.train.render import SensorNoise
from magnifyme.train.synthetic import MadeFace

Matrix = NDArray[np.float64]
REST: Matrix = np.eye(2, 3)


class TruthDetector:
    """Sees the landmarks that a test sets, with the errors of a good detector."""

    name = "truth"

    def __init__(self, rng: np.random.Generator, *, error_px: float = 1.0) -> None:
        self.landmarks: Matrix | None = None
        self.calls = 0
        self._rng, self._error_px = rng, error_px

    def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
        """Count the call and give the face, if there is one."""
        self.calls += 1
        return [] if self.landmarks is None else [self.see(self.landmarks)]

    def see(self, truth: Matrix) -> Detection:
        """Give a detection of the landmarks [5, 2] with fresh errors."""
        landmarks = truth + self._rng.normal(0.0, self._error_px, (5, 2))
        eyes = float(np.linalg.norm(truth[1] - truth[0]))
        x, y = truth.mean(axis=0) + self._rng.normal(0.0, 1.5 * self._error_px, 2)
        box = (float(x) - eyes, float(y) - 1.2 * eyes, 2.0 * eyes, 2.4 * eyes)
        return Detection(box, landmarks, 0.9)


@cache
def made_face(size: tuple[int, int], *, identity: int = 0) -> MadeFace:
    """Give a face; preparing one takes a second."""
    return MadeFace(size=size, identity=identity)


class Stage:
    """A face that a test puts where it wants, a detector that knows it, and a tracker."""

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        size: tuple[int, int] = (320, 240),
        identity: int = 0,
        error_px: float = 1.0,
        fps: float = 30.0,
    ) -> None:
        self.face = made_face(size, identity=identity)
        self.detector = TruthDetector(rng, error_px=error_px)
        self.tracker = FaceTracker(self.detector)
        self.shown = 0
        self._fps = fps

    def show(
        self,
        pose: Matrix = REST,
        *,
        bumps: Matrix | None = None,
        light: float = 1.0,
        noise: float = 0.0,
        epoch: int = 0,
    ) -> FaceCrop | None:
        """Let the tracker see the face, and the detector know where it is."""
        sensor = SensorNoise(noise, (7, self.shown))
        picture = self.face.draw(pose=pose, bumps=bumps, light=light, noise=sensor)
        self.detector.landmarks = self.face.locate(self.face.landmarks, pose=pose)
        return self.give(gray_of(picture), epoch=epoch)

    def give(self, luma: NDArray[np.uint8], *, epoch: int = 0) -> FaceCrop | None:
        """Let the tracker see a picture."""
        self.shown += 1
        crops = self.tracker.update(frame_from_array(luma, time=self.shown / self._fps, epoch=epoch))
        return crops[0] if crops else None

    def held(self, crop: FaceCrop | None, pose: Matrix) -> Matrix:
        """Tell where the crop shows the face's landmarks [5, 2]."""
        assert crop is not None
        return apply(compose(crop.matrix, inner=pose), points=self.face.landmarks)

    def pose(self, *, right: float = 0.0, down: float = 0.0, turn: float = 0.0, grow: float = 1.0) -> Matrix:
        """Give the pose of a head that turned (radians), grew and moved (pixels) about its middle."""
        linear = grow * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = self.face.centre + np.array([right, down]) - linear @ self.face.centre
        return cast(Matrix, np.concatenate([linear, shift[:, None]], axis=1))


def gray_of(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """Give a picture's luma in full range, uint8 [H, W]."""
    return np.asarray(picture.to_ndarray(format="gray"), np.uint8)


def rms(places: Matrix) -> float:
    """Give how far places [T, N, 2] stray from where they are on average."""
    return float(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=2).mean()))
