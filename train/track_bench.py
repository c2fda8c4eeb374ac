"""How still the tracker holds a face, against motion that is known exactly, and what it costs.

Every picture is drawn with the exact pose of the head; what is measured is where the crop then shows points
of the skull. Crops by the detector's box and by its landmarks are measured on the same pictures.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify.similarity import apply, compose, fit_similarity, scale_of
from magnifyme.magnify.warp import invert_affine
from magnifyme.models.face_detector import Detection, FaceDetector
from magnifyme.stream.face import CANONICAL_LANDMARKS, CROP_SIZE
from magnifyme.stream.face_plane import cut_face
from magnifyme.stream.face_tracker import FaceTracker
from magnifyme.stream.frame import Frame
from magnifyme.stream.registration import Reference

from .expressions import DX, expression_field
from .track_stage import PLAIN, Case, Stage, at_ease, hidden

Float64Array = NDArray[np.float64]

_CANONICAL = CANONICAL_LANDMARKS * CROP_SIZE - 0.5


@dataclass(frozen=True, slots=True)
class Stillness:
    """How far the skull strays in the crop while the head moves, rms over its points and time.

    In pixels of the crop; `frame_px` are the tracker's in pixels of the frame. `box_px` and `landmarks_px`
    are those of crops by the detector's box and landmarks. `lost` counts frames without a face, or whose
    track began anew. An encoder moves the face itself: `shown_px` is how far the skull strays in the crop as
    the decoded picture shows it, which is what is magnified; None without an encoder.
    """

    case: Case
    tracked_px: float
    frame_px: float
    landmarks_px: float
    box_px: float
    lost: int
    shown_px: float | None = None


def measure_stillness(case: Case, *, detector: FaceDetector, seconds: float = 2.0) -> Stillness:
    """Track a swaying head and compare with crops by the detector alone."""
    stage = Stage(case)
    poses = [stage.sway(number / case.fps) for number in range(round(seconds * case.fps))]
    frames = [stage.frame(number, pose=pose) for number, pose in enumerate(poses)]
    tracker = FaceTracker(detector)
    places: list[list[Float64Array]] = [[], [], []]
    shown: list[Float64Array] = []
    scale, lost = 1.0, 0
    for number, frame in enumerate(case.encoding.code(frames, fps=case.fps)):
        pose = poses[number]
        crop = next(iter(tracker.update(frame)), None)
        lost += crop is None or (crop.restarted and number > 0)
        if crop is not None:
            places[0].append(stage.held(crop.matrix, pose))
            scale = scale_of(crop.matrix)
            if case.encoding != PLAIN:
                moved = _moved_by_encoder(frames[number], frame, matrix=crop.matrix)
                shown.append(apply(moved, points=places[0][-1]))
        seen = detector.detect(frame.bgr())
        if seen:
            places[1].append(stage.held(fit_similarity(seen[0].landmarks, to=_CANONICAL), pose))
            places[2].append(stage.held(_box_matrix(seen[0]), pose))
    tracked, landmarks, box = (_stray(np.array(each)) for each in places)
    decoded = _stray(np.array(shown)) if shown else None
    return Stillness(case, tracked, tracked / scale, landmarks, box, lost, decoded)


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
class Renewal:
    """How far the crop jumps where the look of a face is renewed: the largest step of a point of the skull.

    In pixels of the crop; `other_px` is the largest step between any other two frames.
    """

    renewals: int
    step_px: float
    other_px: float


def measure_renewal(case: Case, *, detector: FaceDetector, seconds: float = 4.0) -> Renewal:
    """Follow a head that tilts by 40 degrees, comes nearer by a third,."""
    stage, tracker = Stage(case), FaceTracker(detector)
    count = round(seconds * case.fps)
    last: Float64Array | None = None
    steps: tuple[list[float], list[float]] = [], []
    for number in range(count):
        share = number / count
        pose = stage.pose(np.array([8.0 * share, 0.0, math.radians(40.0) * share, 0.33 * share]))
        for crop in tracker.update(stage.frame(number, pose=pose)):
            held = stage.held(crop.matrix, pose)
            if last is not None:
                steps[crop.renewed].append(float(np.hypot(*(held - last).T).max()))
            last = held
    other, renewed = steps
    return Renewal(len(renewed), max(renewed, default=math.nan), max(other, default=math.nan))


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
        pose, bumps = at_ease(stage, number / case.fps)
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
            frame = hidden(frame, around=apply(pose, points=stage.landmarks))
        crops = tracker.update(frame)
        off = [stage.held(crop.matrix, pose) - _CANONICAL for crop in crops]
        if at >= end and any(np.hypot(*each.T).mean() < 0.06 * CROP_SIZE for each in off):
            return at - end
    return math.inf


@dataclass(frozen=True, slots=True)
class Pace:
    """What a frame costs outside detection, in milliseconds of CPU time, and how long a detection takes."""

    size: tuple[int, int]
    frame_ms: float
    detection_ms: float


def measure_pace(case: Case, *, detector: FaceDetector, frames: int = 60) -> Pace:
    """Time the tracker; medians of CPU time, so that a neighbour on the machine counts little."""
    stage, timed = Stage(case), _Timed(detector)
    tracker = FaceTracker(timed)
    costs = []
    for number in range(frames):
        frame = stage.frame(number, pose=stage.sway(number / case.fps))
        timed.cpu_ms, start = 0.0, time.thread_time()
        tracker.update(frame)
        costs.append((time.thread_time() - start) * 1e3 - timed.cpu_ms)
    return Pace(case.size, median(costs[2:]), median(timed.all_ms))


class _Timed:
    """A detector that tells how long it took."""

    def __init__(self, detector: FaceDetector) -> None:
        self.name = detector.name
        self.all_ms: list[float] = []
        self.cpu_ms = 0.0
        self._detector = detector

    def detect(self, bgr: NDArray[np.uint8]) -> list[Detection]:
        cpu, start = time.thread_time(), time.perf_counter()
        found = self._detector.detect(bgr)
        self.cpu_ms = (time.thread_time() - cpu) * 1e3
        self.all_ms.append((time.perf_counter() - start) * 1e3)
        return found


def _stray(places: Float64Array) -> float:
    """Give how far places [T, N, 2] stray from where they are on average."""
    if not len(places):
        return math.nan
    return float(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=2).mean()))


def _moved_by_encoder(original: Frame, decoded: Frame, *, matrix: Float64Array) -> Float64Array:
    """Tell where an encoder has moved the face, from and to pixels of the crop: [2, 3]."""
    planes = [cut_face(each.luma, matrix=matrix, size=CROP_SIZE) for each in (original, decoded)]
    before, after = planes
    assert before is not None
    assert after is not None
    reference = Reference(before.coefficients, warp=before.warp(matrix), crop_size=CROP_SIZE)
    found = reference.align(after.coefficients, guess=after.warp(matrix))
    return compose(matrix, inner=invert_affine(after.matrix(found.warp)))


def _box_matrix(face: Detection) -> Float64Array:
    """Crop by the detector's box, as a pipeline without registration does."""
    x, y, width, height = face.box
    scale = CROP_SIZE / (1.2 * height)
    middle = np.array([x + width / 2.0, y + height / 2.0])
    return np.concatenate([scale * np.eye(2), (CROP_SIZE / 2.0 - scale * middle)[:, None]], axis=1)
