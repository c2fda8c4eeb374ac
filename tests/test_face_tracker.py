"""The life of a track: found, followed, lost, found again."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from face_stage import REST, Stage, TruthDetector, gray_of, made_face, rms
from magnifyme.magnify.similarity import apply, compose
from magnifyme.magnify.warp import invert_affine
from magnifyme.models.face_detector import YuNet
from magnifyme.stream.face import CANONICAL_LANDMARKS, CROP_SIZE
from magnifyme.stream.face_tracker import FaceTracker
from magnifyme.stream.frame import frame_from_array
from magnifyme.train.synthetic import SyntheticSource


def test_crop_shows_the_face_where_later_stages_expect_it(rng: np.random.Generator) -> None:
    """The spotter looks for the mouth at CANONICAL_LANDMARKS, and the overlay draws `box` on the face."""
    stage = Stage(rng, error_px=0.0)
    for pose in (REST, stage.pose(right=3.0, down=-2.0, turn=0.05, grow=1.05)):
        crop = stage.show(pose)
        assert crop is not None
        np.testing.assert_allclose(
            stage.held(crop, pose), CANONICAL_LANDMARKS * CROP_SIZE, atol=0.06 * CROP_SIZE
        )
        truth = stage.face.locate(stage.face.landmarks, pose=pose)
        x, y, width, height = crop.box
        assert (truth > [x, y]).all()
        assert (truth < [x + width, y + height]).all()
        luma = gray_of(stage.face.draw(pose=pose))
        rows, columns = np.mgrid[:CROP_SIZE, :CROP_SIZE]
        grid = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(float)
        places = apply(invert_affine(crop.matrix), points=grid)
        oracle = map_coordinates(luma.astype(float), places.T[::-1], order=3, mode="mirror")
        inside = ((places >= 0.0) & (places <= np.array(luma.shape[::-1]) - 1.0)).all(axis=1)
        error = np.abs(np.clip(oracle, 0.0, 255.0).reshape(crop.luma.shape) - crop.luma)[
            inside.reshape(crop.luma.shape)
        ]
        assert error.max() < 0.6


def test_asks_the_detector_once_a_second(rng: np.random.Generator) -> None:
    """A detection costs as much as all the rest of a frame's way."""
    stage = Stage(rng)
    for _ in range(75):
        assert stage.show() is not None
    assert stage.detector.calls == 3


@pytest.mark.parametrize("jump_px", [4.0, 10.0, 20.0])
def test_follows_a_jerk(rng: np.random.Generator, jump_px: float) -> None:
    """A startled head keeps its track: a new one would throw its clip away."""
    stage = Stage(rng)
    poses = [REST, REST, stage.pose(right=jump_px, down=-0.3 * jump_px), REST]
    crops = [stage.show(pose) for pose in poses]
    held = np.array([stage.held(crop, pose) for crop, pose in zip(crops, poses, strict=True)])
    assert [crop.track_id for crop in crops if crop is not None] == [1, 1, 1, 1]
    assert np.abs(held - held[0]).max() < 0.15


def test_a_cut_begins_a_new_track(rng: np.random.Generator) -> None:
    """After a cut the clip would otherwise mix two shots, and the jump would be magnified."""
    stage = Stage(rng, size=(480, 270))
    first = [stage.show(stage.pose(right=-60.0)) for _ in range(3)]
    second = [stage.show(stage.pose(right=60.0, grow=0.9)) for _ in range(3)]
    flags = [(crop.track_id, crop.restarted) for crop in first + second if crop is not None]
    assert flags == [(1, True), (1, False), (1, False), (2, True), (2, False), (2, False)]


def test_a_face_that_leaves_is_found_when_it_returns(rng: np.random.Generator) -> None:
    """Someone steps out of the picture and comes back: no crop of the wall, and no long wait.

    Who was away for a second is the same person; who was away for longer may be another.
    """
    for away_s, number in ((1.0, 1), (2.5, 2)):
        stage = Stage(rng)
        stage.show()
        wall = np.full((240, 320), 90, np.uint8)
        stage.detector.landmarks = None
        before = stage.detector.calls
        assert [stage.give(wall) for _ in range(round(30 * away_s))] == [None] * round(30 * away_s)
        assert stage.detector.calls - before <= 12 * away_s, "looks for it ten times a second"
        back = [stage.show() for _ in range(4)]
        found = [crop for crop in back if crop is not None]
        assert [(crop.track_id, crop.restarted) for crop in found[:2]] == [(number, True), (number, False)]


def test_a_hand_that_passes_ends_nothing(rng: np.random.Generator) -> None:
    """A face that was hidden for a few frames goes on: its clip is whole, and nothing jumped."""
    stage = Stage(rng)
    held = [stage.held(stage.show(), REST) for _ in range(3)]
    stage.detector.landmarks = None
    luma = gray_of(stage.face.draw())
    luma[60:190, 110:210] = 90
    assert [stage.give(luma) for _ in range(5)] == [None] * 5
    back = stage.show()
    assert back is not None
    assert (back.track_id, back.restarted) == (1, False)
    assert np.abs(stage.held(back, REST) - held[-1]).max() < 0.02


def test_ends_a_track_that_the_detector_does_not_confirm(rng: np.random.Generator) -> None:
    """A poster or a wall that looks like the reference must not be followed for ever."""
    stage = Stage(rng)
    stage.show()
    luma = gray_of(stage.face.draw())
    stage.detector.landmarks = None
    crops = [stage.give(luma) for _ in range(110)]
    assert all(crop is not None for crop in crops[:60]), "one overlooked face is no loss"
    assert crops[-1] is None


def test_a_detection_elsewhere_moves_the_track(rng: np.random.Generator) -> None:
    """The face that is there now is what the user wants to see, even if its old place still looks alike."""
    stage = Stage(rng)
    stage.show()
    luma = gray_of(stage.face.draw())
    stage.detector.landmarks = stage.face.landmarks + np.array([70.0, 20.0])
    crops = [stage.give(luma) for _ in range(100)]
    told = [(crop.track_id, crop.restarted) for crop in crops if crop is not None]
    assert told[-1] == (2, False)
    assert told.count((2, True)) == 1


def test_a_new_epoch_or_size_restarts(rng: np.random.Generator) -> None:
    """After a reconnect nothing old may leak into the new stream's clip."""
    stage = Stage(rng)
    flags = [stage.show(epoch=epoch) for epoch in (0, 0, 1, 1)]
    stage.face = made_face((321, 241))
    flags += [stage.show(epoch=1), stage.show(epoch=1)]
    stage.tracker.reset()
    flags += [stage.show(epoch=1)]
    got = [(crop.track_id, crop.restarted) for crop in flags if crop is not None]
    assert got == [(1, True), (1, False), (2, True), (2, False), (3, True), (3, False), (4, True)]


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (17, 401), (401, 17), (101, 67), (240, 320)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_and_tiny_frames_hold_no_face(
    rng: np.random.Generator, shape: tuple[int, int], value: int
) -> None:
    """A covered lens, or a stream that starts with black, ends nothing; neither does a wrong detection."""
    detector = TruthDetector(rng)
    tracker = FaceTracker(detector)
    for number in range(8):
        if number == 4:
            detector.landmarks = CANONICAL_LANDMARKS * min(shape) + np.array([shape[1] / 2.0, 0.0])
        crops = tracker.update(frame_from_array(np.full(shape, value, np.uint8), time=number / 10.0))
        if number < 4:
            assert crops == ()


def test_a_wrong_detection_on_a_blank_wall_is_not_held(rng: np.random.Generator) -> None:
    """A crop of nothing would be magnified noise; at least it must not pretend to be one steady face."""
    stage = Stage(rng)
    stage.detector.landmarks = stage.face.landmarks
    crops = [stage.give(np.full((240, 320), 128, np.uint8)) for _ in range(6)]
    assert not any(crop is not None and not crop.restarted for crop in crops)


@pytest.mark.parametrize("size", [(321, 241), (177, 333)])
def test_odd_sizes_and_strided_luma(rng: np.random.Generator, size: tuple[int, int]) -> None:
    """Decoders pad their rows, and phones film upright."""
    stage = Stage(rng, size=size)
    expected = [stage.show(stage.pose(right=step)) for step in (0.0, 1.3, 2.6)]
    padded = Stage(np.random.default_rng(20261123), size=size)
    for step, plain in zip((0.0, 1.3, 2.6), expected, strict=True):
        pose = padded.pose(right=step)
        luma = gray_of(padded.face.draw(pose=pose))
        wide = np.zeros((luma.shape[0], luma.shape[1] + 37), np.uint8)
        wide[:, : luma.shape[1]] = luma
        padded.detector.landmarks = padded.face.locate(padded.face.landmarks, pose=pose)
        crop = padded.give(wide[:, : luma.shape[1]])
        assert crop is not None
        assert plain is not None
        np.testing.assert_array_equal(crop.luma, plain.luma)


@pytest.mark.parametrize(("name", "value"), [("redetect_ms", 0.0), ("redetect_ms", np.nan), ("crop_size", 8)])
def test_refuses_settings_that_cannot_work(rng: np.random.Generator, name: str, value: float) -> None:
    """A mistyped number is told at once, with the rule."""
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        FaceTracker(TruthDetector(rng), **{name: value})  # type: ignore[arg-type]


def test_track_ids_are_never_used_twice(rng: np.random.Generator) -> None:
    """The event store names faces by them."""
    stage = Stage(rng)
    names = []
    for epoch in range(3):
        crop = stage.show(epoch=epoch)
        assert crop is not None
        names.append(crop.track_id)
    assert all(later > earlier for earlier, later in pairwise(names))


def test_a_real_detector_starts_the_track(yunet_model: Path) -> None:
    """What the tests above take for granted, with YuNet itself, expressions and blinks."""
    source = SyntheticSource(seconds=2.0, seed=5, paced=False)
    tracker = FaceTracker(YuNet(yunet_model))
    held = []
    for frame in source:
        (crop,) = tracker.update(frame)
        held.append(apply(compose(crop.matrix, inner=source.pose(frame.time)), points=source.face.landmarks))
    assert rms(np.array(held)) < 0.03
