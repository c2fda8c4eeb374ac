"""How still the tracker holds a face, against motion that is known exactly, and what it costs.

Every picture is drawn with the exact pose of the head; what is measured is where the crop then shows points
of the skull. Crops by the detector's box and by its landmarks are measured on the same pictures.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.similarity import apply, compose, fit_similarity, scale_of
from magnifyme.magnify.warp import invert_affine
from magnifyme.models.face_detector import Detection, FaceDetector
from magnifyme.stream.face import CANONICAL_LANDMARKS, CROP_SIZE
from magnifyme.stream.face_tracker import FaceTracker
from magnifyme.stream.frame import Frame, frame_from_av, plane_view, write_plane

from .expressions import DX, LID_TRAVEL, expression_field
from .render import MadeFace
from .spot_bench import Encoding

Float64Array = NDArray[np.float64]
_PLAIN, _H264 = Encoding(), Encoding(mbit_s=2.0, key_s=1.0)

_CANONICAL = CANONICAL_LANDMARKS * CROP_SIZE - 0.5
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
    encoding: Encoding = _PLAIN
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
    Case(encoding=_H264),
    Case(encoding=_H264, identity=1),
    Case(encoding=_H264, skin="dark"),
    Case(encoding=_H264, glasses=True),
    Case(encoding=_H264, fps=60.0),
    Case(encoding=_H264, size=(1280, 720)),
)
QUICK_CASES = (Case(), Case(identity=1), Case(skin="dark"), Case(glasses=True), Case(encoding=_H264))


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


@dataclass(frozen=True, slots=True)
class Stillness:
    """How far the skull strays in the crop while the head moves, rms over its points and time.

    In pixels of the crop; `frame_px` are the tracker's in pixels of the frame. `box_px` and `landmarks_px`
    are those of crops by the detector's box and landmarks. `lost` counts frames without a face, or whose
    track began anew.
    """

    case: Case
    tracked_px: float
    frame_px: float
    landmarks_px: float
    box_px: float
    lost: int


def measure_stillness(case: Case, *, detector: FaceDetector, seconds: float = 2.0) -> Stillness:
    """Track a swaying head and compare with crops by the detector alone."""
    stage = Stage(case)
    poses = [stage.sway(number / case.fps) for number in range(round(seconds * case.fps))]
    frames = [stage.frame(number, pose=pose) for number, pose in enumerate(poses)]
    tracker = FaceTracker(detector)
    places: list[list[Float64Array]] = [[], [], []]
    scale, lost = 1.0, 0
    for number, (frame, pose) in enumerate(zip(case.encoding.code(frames, fps=case.fps), poses, strict=True)):
        crop = next(iter(tracker.update(frame)), None)
        lost += crop is None or (crop.restarted and number > 0)
        if crop is not None:
            places[0].append(stage.held(crop.matrix, pose))
            scale = scale_of(crop.matrix)
        seen = detector.detect(frame.bgr())
        if seen:
            places[1].append(stage.held(fit_similarity(seen[0].landmarks, to=_CANONICAL), pose))
            places[2].append(stage.held(_box_matrix(seen[0]), pose))
    tracked, landmarks, box = (_stray(np.array(each)) for each in places)
    return Stillness(case, tracked, tracked / scale, landmarks, box, lost)


def measure_loss(
    case: Case, *, units: dict[int, float], detector: FaceDetector, amplitude_px: float = 0.3
) -> float:
    """Tell which share of a true expression's displacement the registration takes away, where it is largest.

    The same head moves twice, with the expression and without; how the crops differ at the expression's
    place, along its direction, is what was registered away.
    """
    stage = Stage(case)
    unit = expression_field(units, landmarks=stage.landmarks)
    rise = np.clip(np.linspace(-0.5, 1.3, 14), 0.0, 1.0)
    matrices = []
    for amplitude in (0.0, amplitude_px):
        tracker = FaceTracker(detector)
        last = []
        for number, level in enumerate(rise):
            bumps = unit.copy()
            bumps[:, DX:] *= amplitude * level
            pose = stage.sway(number / case.fps)
            crops = tracker.update(stage.frame(number, pose=pose, bumps=bumps))
            if level == 1.0:
                last += [compose(crop.matrix, inner=pose) for crop in crops]
        if not last:
            return math.nan
        matrices.append(np.mean(last, axis=0))
    around = stage.landmarks[:, None] + stage.face.unit_px * np.stack(
        np.meshgrid(*2 * [np.linspace(-0.3, 0.3, 13)]), -1
    ).reshape(1, -1, 2)
    around = around.reshape(-1, 2)
    motion = stage.face.locate(around, bumps=bumps) - around
    strongest = int(np.linalg.norm(motion, axis=1).argmax())
    away = apply(matrices[1], points=around[[strongest]]) - apply(matrices[0], points=around[[strongest]])
    true = matrices[0][:, :2] @ motion[strongest]
    return float(-away[0] @ true / (true @ true))


@dataclass(frozen=True, slots=True)
class Endurance:
    """What became of a face in natural motion: `seconds` watched, tracks lost, frames without a face."""

    face: str
    seconds: float
    lost: int
    faceless: int
    tracked_px: float


def measure_endurance(case: Case, *, detector: FaceDetector, seconds: float = 60.0) -> Endurance:
    """Follow somebody who talks: sways, nods, shakes the head, blinks and smiles."""
    stage, tracker = Stage(case), FaceTracker(detector)
    faceless, held = 0, []
    tracks: set[int] = set()
    for number in range(round(seconds * case.fps)):
        pose, bumps = _at_ease(stage, number / case.fps)
        crops = tracker.update(stage.frame(number, pose=pose, bumps=bumps))
        faceless += not crops
        tracks |= {crop.track_id for crop in crops}
        held += [stage.held(crop.matrix, pose) for crop in crops]
    return Endurance(case.face, seconds, len(tracks) - 1, faceless, _stray(np.array(held)))


def measure_recovery(case: Case, *, hidden_s: float, detector: FaceDetector) -> float:
    """Hide the face for `hidden_s` seconds and tell how long it takes to be found again, in seconds."""
    stage, tracker = Stage(case), FaceTracker(detector)
    begin, end = 1.0, 1.0 + hidden_s
    for number in range(round((end + 3.0) * case.fps)):
        at = number / case.fps
        pose = stage.sway(0.3 * at)
        frame = stage.frame(number, pose=pose)
        if begin <= at < end:
            frame = _hidden(frame, around=apply(pose, points=stage.landmarks))
        crops = tracker.update(frame)
        off = [stage.held(crop.matrix, pose) - _CANONICAL for crop in crops]
        if at >= end and any(np.hypot(*each.T).mean() < 0.06 * CROP_SIZE for each in off):
            return at - end
    return math.inf


@dataclass(frozen=True, slots=True)
class Pace:
    """What a frame costs the tracker outside detection, in milliseconds, and a detection itself."""

    size: tuple[int, int]
    frame_ms: float
    detection_ms: float


def measure_pace(case: Case, *, detector: FaceDetector, frames: int = 60) -> Pace:
    """Time the tracker; medians, so that a neighbour on the machine does not count."""
    stage, timed = Stage(case), _Timed(detector)
    tracker = FaceTracker(timed)
    costs = []
    for number in range(frames):
        frame = stage.frame(number, pose=stage.sway(number / case.fps))
        timed.last_ms, start = 0.0, time.perf_counter()
        tracker.update(frame)
        costs.append((time.perf_counter() - start) * 1e3 - timed.last_ms)
    return Pace(case.size, median(costs[2:]), median(timed.all_ms))


class _Timed:
    """A detector that tells how long it took."""

    def __init__(self, detector: FaceDetector) -> None:
        self.name = detector.name
        self.all_ms: list[float] = []
        self.last_ms = 0.0
        self._detector = detector

    def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
        start = time.perf_counter()
        found = self._detector.detect(bgr)
        self.last_ms = (time.perf_counter() - start) * 1e3
        self.all_ms.append(self.last_ms)
        return found


@lru_cache(maxsize=4)
def _made_face(size: tuple[int, int], identity: int) -> MadeFace:
    return MadeFace(size=size, identity=identity)


def _about(linear: Float64Array, *, centre: Float64Array) -> Float64Array:
    """Give the map [2, 3] that is `linear` about a point that stays."""
    return np.concatenate([linear, (centre - linear @ centre)[:, None]], axis=1)


def _stray(places: Float64Array) -> float:
    """Give how far places [T, N, 2] stray from where they are on average."""
    if not len(places):
        return math.nan
    return float(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=2).mean()))


def _box_matrix(face: Detection) -> Float64Array:
    """Crop by the detector's box, as a pipeline without registration does."""
    x, y, width, height = face.box
    scale = CROP_SIZE / (1.2 * height)
    middle = np.array([x + width / 2.0, y + height / 2.0])
    return np.concatenate([scale * np.eye(2), (CROP_SIZE / 2.0 - scale * middle)[:, None]], axis=1)


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


def _at_ease(stage: Stage, at: float) -> tuple[Float64Array, Float64Array]:
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


def _hidden(frame: Frame, *, around: Float64Array) -> Frame:
    """Give the frame with a grey board held before the face."""
    middle = around.mean(axis=0)
    reach = 2.0 * float(np.hypot(*(around[1] - around[0])))
    x0, y0 = np.maximum(middle - reach, 0.0).astype(int)
    x1, y1 = (middle + reach).astype(int)
    luma = frame.luma.copy()
    luma[y0:y1, x0:x1] = 90
    picture = frame.video_frame(luma=luma)
    return frame_from_av(picture, time=frame.time, sequence=frame.sequence)
