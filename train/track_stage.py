"""Made faces as a camera and an encoder show them, posed exactly: what the tracker is measured on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.similarity import apply, compose
from magnifyme.magnify.warp import invert_affine
from magnifyme.stream.frame import Frame, frame_from_av, plane_view, write_plane

from .expressions import DX, LID_TRAVEL, expression_field
from .render import MadeFace
from .spot_bench import Encoding

Float64Array = NDArray[np.float64]
PLAIN, H264 = Encoding(), Encoding(mbit_s=2.0, key_s=1.0)

# Up to 3 px a 30th of a second (60 px/s over 2π · 0.8 Hz each way), 5 degrees and 5 %.
_SWAY_HZ = np.array([0.8, 0.9, 0.7, 0.5])
_SWAY = np.array([12.0, 11.0, math.radians(5.0), 0.05])
# Sixty seconds of a person who talks: sways, nods and shakes the head, blinks, smiles.
_IDLE_HZ, _IDLE = np.array([0.13, 0.17, 0.11, 0.07]), np.array([20.0, 12.0, math.radians(4.0), 0.05])
_NOD_EVERY_S, _NOD_S, _NOD_HZ, _NOD_PX = 7.0, 1.6, 1.6, 14.0
# Gamma of the tone curve between black and white: what dark and light skin do to the same light.
_TONES = {"dark": 1.9, "light": 0.6}
_BLACK, _WHITE = 16.0, 235.0


@dataclass(frozen=True, slots=True)
class Case:
    """A stream to track: whose face, how it is filmed, and what the encoder does to it.

    `turned` is by how many degrees the head is turned aside, as far as an affine map can show it. `skin` is
    "own", "dark" or "light". `sigma` is the sensor's noise in grey levels.
    """

    identity: int = 0
    skin: str = "own"
    glasses: bool = False
    turned: float = 0.0
    size: tuple[int, int] = (640, 480)
    fps: float = 30.0
    sigma: float = 1.0
    encoding: Encoding = PLAIN
    seed: int = 1

    @property
    def face(self) -> str:
        """Name whose face it is."""
        words = ["portrait" if self.identity == 0 else f"identity {self.identity}"]
        words += [f"{self.skin} skin"] if self.skin != "own" else []
        words += ["glasses"] if self.glasses else []
        words += [f"turned {self.turned:g}°"] if self.turned else []
        return ", ".join(words)


FACES = (
    Case(),
    Case(identity=1),
    Case(identity=3),
    Case(skin="dark"),
    Case(skin="light"),
    Case(glasses=True),
    Case(turned=25.0),
)
"""The faces on which everything is measured."""
CASES = (
    *FACES,
    *(Case(sigma=sigma) for sigma in (0.0, 2.0, 3.0)),
    Case(fps=60.0),
    Case(size=(1280, 720)),
    Case(encoding=H264),
    Case(encoding=H264, identity=1),
    Case(encoding=H264, skin="dark"),
    Case(encoding=H264, glasses=True),
    Case(encoding=H264, fps=60.0),
    Case(encoding=H264, size=(1280, 720)),
)
QUICK_CASES = (Case(), Case(identity=1), Case(skin="dark"), Case(glasses=True), Case(encoding=H264))


class Stage:
    """A made face in front of a camera: draws what a case asks for, and knows where all of it is."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.face = _made_face(case.size, case.identity)
        # Turned aside, a face is narrower by the cosine, and its nose and mouth lean over a little.
        turn = math.radians(case.turned)
        lean = np.array([[math.cos(turn), 0.12 * math.sin(turn)], [0.0, 1.0]])
        self._turned = _about(lean, centre=self.face.centre)

    @property
    def landmarks(self) -> Float64Array:
        """The landmarks [5, 2] at rest: points of the skull, as far as no expression moves them."""
        return self.face.landmarks

    def pose(self, waves: Float64Array) -> Float64Array:
        """Give the pose [2, 3] of a head that moved right and down (px), rolled (radians), grew (share)."""
        right, down, roll, growth = waves
        cos, sin = (1.0 + growth) * math.cos(roll), (1.0 + growth) * math.sin(roll)
        pose = _about(np.array([[cos, -sin], [sin, cos]]), centre=self.face.centre)
        pose[:, 2] += (right, down)
        return compose(pose, inner=self._turned)

    def sway(self, at: float) -> Float64Array:
        """Give the pose of a head that moves as fast as heads are to be held: 3 px a 30th of a second."""
        phase = np.random.default_rng([self.case.seed, 5]).uniform(0.0, math.tau, 4)
        return self.pose(np.sin(math.tau * _SWAY_HZ * at + phase) * _SWAY)

    def frame(self, number: int, *, pose: Float64Array, bumps: Float64Array | None = None) -> Frame:
        """Draw one frame."""
        case = self.case
        picture = self.face.draw(pose=pose, bumps=bumps)
        luma = _toned(plane_view(picture.planes[0]), case.skin)
        if case.glasses:
            _put_glasses_on(luma, landmarks=self.landmarks, pose=pose)
        if case.sigma > 0.0:
            rng = np.random.default_rng([case.seed, 4, number])
            luma += case.sigma * rng.standard_normal(luma.shape, np.float32)
        write_plane(picture.planes[0], np.clip(np.rint(luma), 0.0, 255.0).astype(np.uint8))
        return frame_from_av(picture, time=number / case.fps, sequence=number)

    def held(self, matrix: Float64Array, pose: Float64Array) -> Float64Array:
        """Tell where a crop shows the landmarks, [5, 2]."""
        return apply(compose(matrix, inner=pose), points=self.landmarks)


@lru_cache(maxsize=4)
def _made_face(size: tuple[int, int], identity: int) -> MadeFace:
    return MadeFace(size=size, identity=identity)


def _about(linear: Float64Array, *, centre: Float64Array) -> Float64Array:
    """Give the map [2, 3] that is `linear` about a point that stays."""
    return np.concatenate([linear, (centre - linear @ centre)[:, None]], axis=1)


def _toned(luma: NDArray[np.uint8], skin: str) -> NDArray[np.float32]:
    """Give the luma, float32 [H, W], with the skin's tone curve."""
    share = (np.arange(256.0) - _BLACK) / (_WHITE - _BLACK)
    curve = _BLACK + (_WHITE - _BLACK) * np.clip(share, 0.0, 1.0) ** _TONES.get(skin, 1.0)
    return np.asarray(curve, np.float32)[luma]


def _put_glasses_on(luma: NDArray[np.float32], *, landmarks: Float64Array, pose: Float64Array) -> None:
    """Draw dark rims that move with the head, and the reflections in them that do not, into `luma` [H, W]."""
    eyes = landmarks[:2]
    unit = float(np.hypot(*(eyes[1] - eyes[0])))
    corners = apply(pose, points=np.array([eyes.min(axis=0) - 0.8 * unit, eyes.max(axis=0) + 0.8 * unit]))
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int)
    part = luma[y0:y1, x0:x1]
    rows, columns = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
    grid = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float64)
    places = apply(invert_affine(pose), points=grid).reshape(*part.shape, 2)
    (bridge_x, bridge_y), half = eyes.mean(axis=0), 0.025 * unit
    rim = half - np.hypot(np.maximum(np.abs(places[..., 0] - bridge_x) - 0.17 * unit, 0.0),
                          places[..., 1] - bridge_y + 0.05 * unit)  # fmt: skip
    for eye in eyes:
        u, v = (places[..., 0] - eye[0]) / 0.36, (places[..., 1] - eye[1]) / 0.27
        rim = np.maximum(rim, half - 0.31 * np.abs(np.hypot(u, v) - unit))
    cover = np.clip(rim + 0.5, 0.0, 1.0)
    part += cover * (30.0 - part)
    for eye in eyes:
        glint = np.exp(-(((grid - eye - 0.12 * unit) / (0.06 * unit)) ** 2).sum(axis=1)).reshape(part.shape)
        part += glint * (_WHITE - part) * 0.6


def at_ease(stage: Stage, at: float) -> tuple[Float64Array, Float64Array]:
    """Give pose and displacement field of somebody who talks, at time `at`."""
    phase = np.random.default_rng([stage.case.seed, 6]).uniform(0.0, math.tau, 4)
    waves = np.sin(math.tau * _IDLE_HZ * at + phase) * _IDLE
    turn, within = divmod(at, _NOD_EVERY_S)
    if within < _NOD_S:
        swing = math.sin(math.tau * _NOD_HZ * within) * math.sin(math.pi * within / _NOD_S) * _NOD_PX
        waves[int(turn) % 2] += swing
    blink = max(0.0, 1.0 - abs((at % 3.1) - 0.15) / 0.15)
    talk = max(0.0, math.sin(math.tau * 3.0 * at)) * (1.0 if at % 11.0 > 5.0 else 0.0)
    smile = max(0.0, math.sin(math.tau * 0.09 * at)) ** 2
    eyes = stage.face.unit_px
    fields = []
    for units, level_px in (
        ({43: 1.0}, blink * LID_TRAVEL * eyes),
        ({26: 1.0}, talk * 0.06 * eyes),
        ({6: 0.6, 12: 1.0}, smile * 0.06 * eyes),
    ):
        field = expression_field(units, landmarks=stage.landmarks)
        field[:, DX:] *= level_px
        fields.append(field)
    return stage.pose(waves), np.concatenate(fields)


def hidden(frame: Frame, *, around: Float64Array) -> Frame:
    """Give the frame with a grey board held before the face."""
    middle = around.mean(axis=0)
    reach = 2.0 * float(np.hypot(*(around[1] - around[0])))
    x0, y0 = np.maximum(middle - reach, 0.0).astype(int)
    x1, y1 = (middle + reach).astype(int)
    luma = frame.luma.copy()
    luma[y0:y1, x0:x1] = 90
    picture = frame.video_frame(luma=luma)
    return frame_from_av(picture, time=frame.time, sequence=frame.sequence)
