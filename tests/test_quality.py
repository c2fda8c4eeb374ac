"""What is said instead of guessing: how well a face is seen, and where the picture itself jumps."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from face_stage import REST, Stage, gray_of, made_face
from magnifyme.models.face_detector import HaarCascade
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.monitor import Monitor
from magnifyme.stream.pipeline import FacePipeline
from magnifyme.stream.quality import ADVICE, turn_of
from magnifyme.stream.scene import Scene
from magnifyme.train.synthetic import SyntheticSource, TrueEvent


def test_a_face_at_rest_is_well_seen(rng: np.random.Generator) -> None:
    """The flaws below must not be told of every face."""
    for size in ((320, 240), (1280, 720)):
        stage = Stage(rng, size=size, error_px=0.0)
        for number in range(12):
            crop = stage.show(stage.pose(right=1.5 * number, turn=0.01 * number), noise=2.0)
            assert crop is not None
            assert crop.quality.flaw is None
            assert crop.quality.sharpness > 0.85
            assert crop.quality.fit > 0.9
        assert crop is not None
        eyes = np.hypot(*(stage.face.landmarks[1] - stage.face.landmarks[0]))
        assert crop.quality.eyes_px == pytest.approx(eyes, rel=0.1)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0])
def test_motion_blur_is_told_in_every_direction(rng: np.random.Generator, angle: float) -> None:
    """A head that is shaken smears: what the spotter saw in it would be the shutter's doing."""
    stage = Stage(rng)
    crops = []
    for length in (1, 1, 3, 9, 15, 1):
        kernel = np.zeros((15, 15), np.float32)
        across, down = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        for step in np.linspace(-length / 2.0, length / 2.0, 60):
            kernel[round(7 + step * down * 0.9), round(7 + step * across * 0.9)] += 1.0
        stage.detector.landmarks = stage.face.landmarks
        smeared = cv2.filter2D(gray_of(stage.face.draw()), -1, kernel / kernel.sum())
        crops.append(stage.give(np.asarray(smeared, np.uint8)))
    flaws = [crop.quality.flaw for crop in crops if crop is not None]
    assert flaws == [None, None, None, "too blurred", "too blurred", None]
    told = [crop.quality.sharpness for crop in crops if crop is not None]
    assert told[2] > told[3] > told[4]


def test_dim_light_is_no_blur(rng: np.random.Generator) -> None:
    stage = Stage(rng)
    crops = [stage.show(light=light) for light in np.linspace(1.0, 0.5, 12)]
    assert all(crop is not None and crop.quality.flaw is None for crop in crops)


def test_a_head_that_turns_aside_is_told() -> None:
    """Of a profile half of the regions are guesswork."""
    face = made_face((320, 240)).landmarks - made_face((320, 240)).centre
    depth = np.array([0.0, 0.0, 0.6, 0.1, 0.1]) * np.hypot(*(face[1] - face[0]))
    at_rest = turn_of(face)
    assert at_rest < 10.0
    for degrees in (20.0, 45.0):
        turn = math.radians(degrees)
        seen = face.copy()
        seen[:, 0] = face[:, 0] * math.cos(turn) + depth * math.sin(turn)
        for roll in (0.0, 0.5):
            spin = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
            assert turn_of(seen @ spin.T) == pytest.approx(degrees, abs=at_rest + 8.0)


def test_nothing_is_spotted_where_too_little_is_seen() -> None:
    """Missed otherwise: expressions that are noise, on a face of 50 pixels, under a name."""
    shown = TrueEvent(onset=1.4, apex=1.6, offset=1.8, label="happiness", amplitude_px=1.0)
    found = {}
    for width in (640, 160):
        source = SyntheticSource(
            size=(width, 3 * width // 4),
            seconds=2.6,
            seed=5,
            paced=False,
            blinks=False,
            events=[shown],
            noise=0.0,
        )
        pipeline = FacePipeline(HaarCascade(), fps=30.0, shown=Magnification())
        steps = [pipeline.step(frame) for frame in source]
        flaws = {watched.face.quality.flaw for step in steps for watched in step.faces}
        found[width] = (flaws, len([m for step in steps for m in step.marked] + list(pipeline.finish())))
    assert found == {640: ({None}, 1), 160: ({"face too small"}, 0)}


def test_the_monitor_says_what_is_wrong_and_what_mends_it() -> None:
    """Missed otherwise: a user who waits for events that cannot come."""
    small = SyntheticSource(size=(160, 120), seconds=1.5, seed=5, paced=False)
    monitor = Monitor(small, detector=HaarCascade())
    assert [observation.motion_px for observation in monitor][-1] == 0.0
    (warning,) = monitor.warnings
    assert warning.startswith("face too small: ")
    assert ADVICE["face too small"] in warning
    slow = Monitor(SyntheticSource(fps=14.0, seconds=3.0, seed=5, paced=False), detector=HaarCascade())
    list(slow)
    (warning,) = slow.warnings
    assert warning.startswith("camera too slow: at 14 frames a second")


def test_cuts_and_pans_are_told_from_heads_that_move(rng: np.random.Generator) -> None:
    stage = Stage(rng)
    scene = Scene()
    box = (110.0, 60.0, 100.0, 130.0)
    for number in range(10):
        luma = gray_of(stage.face.draw(pose=stage.pose(right=4.0 * number), light=1.0 - 0.03 * number))
        assert scene.see(luma, faces=[(box[0] + 4.0 * number, *box[1:])]) == "none"
    for _ in range(3):
        luma = np.roll(luma, 8, axis=1)
        assert scene.see(luma, faces=[]) == "moved"
    assert scene.see(luma, faces=[]) == "none"
    assert scene.see(luma[:, ::-1], faces=[]) == "cut"
    assert scene.see(np.full_like(luma, 90), faces=[]) == "cut"
    assert scene.see(np.full_like(luma, 91), faces=[]) == "none"


def test_a_cut_to_the_same_place_begins_anew(rng: np.random.Generator) -> None:
    """An interview is cut together: between two pictures the mouth is elsewhere, and nobody has moved it."""
    stage = Stage(rng)
    wall = rng.normal(128.0, 50.0, (8, 10))
    walls = [cv2.resize(each, (320, 240)) for each in (wall, wall[::-1].copy())]
    flags = []
    for number in range(6):
        luma = gray_of(stage.face.draw(pose=stage.pose(right=2.0 * (number > 2))))
        x, y, width, height = 110, 50, 100, 140
        shot = np.clip(walls[number > 2], 0, 255).astype(np.uint8)
        shot[y : y + height, x : x + width] = luma[y : y + height, x : x + width]
        stage.detector.landmarks = stage.face.locate(stage.face.landmarks, pose=REST)
        crop = stage.give(shot)
        assert crop is not None
        flags.append(crop.restarted)
    assert flags == [True, False, False, True, False, False]
