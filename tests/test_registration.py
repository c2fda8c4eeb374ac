"""How still the crop holds a head that moves, and that it holds nothing but the head still."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest

from face_stage import REST, Matrix, Stage, gray_of, rms
from magnifyme.magnify.similarity import apply, compose, fit_similarity, rotation_of, scale_of
from magnifyme.magnify.warp import invert_affine
from magnifyme.stream.face import CANONICAL_LANDMARKS, CROP_SIZE
from magnifyme.stream.face_plane import cut_face
from magnifyme.train.expressions import DX, expression_field


def swaying(stage: Stage, *, fps: float, seed: int, count: int) -> list[Matrix]:
    """Give poses of a head that sways by up to 3 px a 30th of a second, 5 degrees and 5 %."""
    phase = np.random.default_rng(seed).uniform(0.0, math.tau, 4)
    time = np.arange(count)[:, None] / fps
    # 60 px/s over 2π · 0.8 Hz each way.
    waves = np.sin(math.tau * np.array([0.8, 0.9, 0.7, 0.5]) * time + phase) * [
        12.0,
        11.0,
        np.radians(5.0),
        0.05,
    ]
    return [stage.pose(right=x, down=y, turn=turn, grow=1.0 + growth) for x, y, turn, growth in waves]


def box_matrix(box: tuple[float, float, float, float]) -> Matrix:
    """Crop by the detector's box, as a pipeline without registration does."""
    x, y, width, height = box
    scale = CROP_SIZE / (1.2 * height)
    middle = np.array([x + width / 2.0, y + height / 2.0])
    return cast(Matrix, np.c_[scale * np.eye(2), CROP_SIZE / 2.0 - scale * middle])


@pytest.mark.parametrize(
    ("size", "fps", "noise", "seed", "limit_px"),
    [
        ((640, 480), 30.0, 0.0, 1, 0.01),
        ((640, 480), 30.0, 1.0, 1, 0.015),
        ((320, 240), 60.0, 1.0, 2, 0.03),
        ((640, 480), 60.0, 1.0, 2, 0.015),
        ((1280, 720), 30.0, 1.0, 2, 0.015),
        ((640, 480), 30.0, 2.0, 2, 0.03),
    ],
)
def test_holds_a_moving_head_to_a_fiftieth_of_a_pixel(
    rng: np.random.Generator,
    size: tuple[int, int],
    fps: float,
    noise: float,
    seed: int,
    limit_px: float,
) -> None:
    """Every pixel of jitter becomes ten pixels of false expression on the user's screen."""
    stage = Stage(rng, size=size, fps=fps)
    poses = swaying(stage, fps=fps, seed=seed, count=40)
    landmarks = stage.face.landmarks
    path = np.array([apply(pose, points=landmarks) for pose in poses])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=2)
    assert steps.max() > 2.0 * 30.0 / fps, "the head must move for the figure to mean anything"

    crops = [stage.show(pose, noise=noise) for pose in poses]
    jitter = rms(np.array([stage.held(crop, pose) for crop, pose in zip(crops, poses, strict=True)]))
    seen = [stage.detector.see(there) for there in path]
    canonical = CANONICAL_LANDMARKS * CROP_SIZE
    by_box = [box_matrix(face.box) for face in seen]
    by_landmarks = [fit_similarity(face.landmarks, to=canonical) for face in seen]
    rivals = [
        rms(np.array([apply(m, points=there) for m, there in zip(matrices, path, strict=True)]))
        for matrices in (by_box, by_landmarks)
    ]
    print(f"{size} {fps} fps σ {noise}: held {jitter:.4f}, box {rivals[0]:.2f}, landmarks {rivals[1]:.2f}")
    assert jitter <= limit_px
    assert jitter < 0.05 * min(rivals)
    told = [(crop.restarted, crop.track_id) for crop in crops if crop is not None]
    assert told == [(True, 1)] + [(False, 1)] * 39


@pytest.mark.parametrize(
    "units",
    [{12: 1.0}, {14: 1.0}, {15: 1.0}, {4: 1.0}, {1: 1.0, 2: 1.0}, {6: 0.6, 12: 1.0}],
    ids=["lip corners up", "dimple", "lip corners down", "frown", "brows up", "smile"],
)
@pytest.mark.parametrize("identity", [0, 3])
def test_leaves_the_expression_in_the_crop(
    rng: np.random.Generator, units: dict[int, float], identity: int
) -> None:
    """A registration that follows the mouth would hide the very motion that is looked for."""
    amplitude_px = 0.3
    held = []
    for amplitude in (0.0, amplitude_px):
        stage = Stage(np.random.default_rng(1), size=(640, 480), identity=identity)
        unit = expression_field(units, landmarks=stage.face.landmarks)
        poses = swaying(stage, fps=30.0, seed=4, count=12)
        crops = []
        for pose, level in zip(poses, np.linspace(-0.5, 1.0, 12), strict=True):
            bumps = unit.copy()
            bumps[:, DX:] *= amplitude * max(level, 0.0)
            crops.append(stage.show(pose, bumps=bumps, noise=1.0))
        held.append(stage.held(crops[-1], poses[-1]))
    # Where the expression moves the face most, and how the skull moves in the crop there: by nothing, if
    # nothing is registered away.
    middle, eyes = stage.face.centre, stage.face.unit_px
    around = middle + eyes * np.stack(np.meshgrid(*2 * [np.linspace(-1.2, 1.2, 49)]), -1).reshape(-1, 2)
    motion = stage.face.locate(around, bumps=bumps) - around
    strongest = np.linalg.norm(motion, axis=1).argmax()
    assert np.linalg.norm(motion[strongest]) > 0.9 * amplitude_px
    assert crops[-1] is not None
    to_crop = compose(crops[-1].matrix, inner=poses[-1])
    place = apply(to_crop, points=around[[strongest]])
    false_motion = (apply(fit_similarity(held[0], to=held[1]), points=place) - place)[0]
    true_motion = to_crop[:, :2] @ motion[strongest]
    lost = -false_motion @ true_motion / (true_motion @ true_motion)
    print(f"{units} identity {identity}: {100.0 * lost:.1f} % lost")
    assert abs(lost) <= 0.05


def test_light_moves_nothing(rng: np.random.Generator) -> None:
    """A cloud or a lamp must not look like a nod."""
    stage = Stage(rng)
    held = [stage.held(stage.show(light=light), REST) for light in np.linspace(1.0, 0.6, 20)]
    assert rms(np.array(held)) < 0.02


def test_renews_the_reference_without_a_jump(rng: np.random.Generator) -> None:
    """A head that tilts far and comes nearer must not jump in the crop when its reference is renewed."""
    stage = Stage(rng)
    held, renewals = [], 0
    for step in np.linspace(0.0, 1.0, 50):
        pose = stage.pose(turn=0.7 * step, grow=1.0 + 0.3 * step, right=8.0 * step)
        crop = stage.show(pose)
        assert crop is not None
        assert crop.restarted == (step == 0.0)
        renewals += crop.renewed
        held.append(stage.held(crop, pose))
    assert renewals >= 3
    assert np.abs(np.diff(held, axis=0)).max() < 0.15
    assert np.abs(held[-1] - held[0]).max() < 0.5


def test_a_hand_before_the_mouth_moves_nothing(rng: np.random.Generator) -> None:
    """People touch their faces: what is still seen holds the crop."""
    stage = Stage(rng)
    held = []
    for number in range(20):
        luma = gray_of(stage.face.draw())
        stage.detector.landmarks = stage.face.landmarks
        if number >= 5:
            luma[int(stage.face.landmarks[2, 1]) + 4 :, 20 * (number - 5) : 20 * (number - 5) + 70] = 60
        held.append(stage.held(stage.give(luma), REST))
    assert np.abs(np.array(held) - held[0]).max() < 0.1


def test_large_faces_are_smoothed_and_stay_in_place(rng: np.random.Generator) -> None:
    """A face of 4K video would twinkle in its crop if pixels were skipped, and jump if they were shifted."""
    rows, columns = np.mgrid[:1000, :1100]
    ramp = (0.1 * columns + 0.12 * rows).astype(np.uint8)
    noise = rng.integers(0, 255, ramp.shape, np.uint8)
    corners = np.array([[40, 60], [200, 30], [128, 250]])
    for angle, scale in ((0.0, 0.45), (0.2, 0.3)):
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.c_[turn, np.array([127.5, 127.5]) - turn @ np.array([531.0, 502.0])]
        reduction = round(1.0 / scale)
        planes = [
            cut_face(picture, matrix=matrix, size=256, reduction=reduction) for picture in (ramp, noise)
        ]
        skipped = cut_face(noise, matrix=matrix, size=256)
        smooth, grainy, raw = (
            plane.crop(matrix, size=256).astype(float) for plane in (*planes, skipped) if plane is not None
        )
        for (x, y), (column, row) in zip(
            apply(invert_affine(matrix), points=corners.astype(float)), corners, strict=True
        ):
            assert smooth[row, column] == pytest.approx(0.1 * x + 0.12 * y - 0.5, abs=1.1)
        assert grainy.std() < 0.6 * raw.std()


def test_similarity_is_found_exactly(rng: np.random.Generator) -> None:
    """Everything above stands on this."""
    for turn, grow in ((0.0, 1.0), (0.3, 2.0), (-3.0, 0.1)):
        linear = grow * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = np.c_[linear, [5.0, -7.0]]
        points = rng.normal(size=(5, 2))
        found = fit_similarity(points, to=apply(matrix, points=points))
        np.testing.assert_allclose(found, matrix, atol=1e-12)
        assert scale_of(found) == pytest.approx(grow)
        assert rotation_of(found) == pytest.approx(turn)
        np.testing.assert_allclose(compose(invert_affine(found), inner=found), REST, atol=1e-12)
