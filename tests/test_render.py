"""Made faces: is every point drawn where the truth says, and do the muscles pull where they do in life?"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from av.video.plane import VideoPlane
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from magnifyme.stream.frame import frame_from_av
from magnifyme.train.expressions import (
    ACTION_UNITS,
    DX,
    EXPRESSIONS,
    LID_TRAVEL,
    displacement,
    expression_field,
    move_points,
)
from magnifyme.train.portrait import load_portrait
from magnifyme.train.render import REST, MadeFace, SensorNoise

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def face() -> MadeFace:
    return MadeFace(size=(320, 240))


def luma(
    face: MadeFace, *, bumps: Array | None = None, pose: Array | None = None, noise: SensorNoise | None = None
) -> Array:
    return np.array(frame_from_av(face.draw(bumps=bumps, pose=pose, noise=noise), time=0.0).luma, np.float64)


def scaled(bumps: Array, *, amplitude_px: float) -> Array:
    bumps = bumps.copy()
    bumps[:, DX:] *= amplitude_px
    return bumps


def similarity(
    face: MadeFace, *, shift: tuple[float, float], roll: float = 0.0, growth: float = 0.0
) -> Array:
    cos, sin = (1.0 + growth) * np.cos(roll), (1.0 + growth) * np.sin(roll)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, face.centre + shift - linear @ face.centre])


def face_window(face: MadeFace) -> Array:
    """Pixels (x, y) of the face's inside, [N, 2]."""
    x, y = np.round(face.centre).astype(int)
    reach = int(0.8 * face.unit_px)
    grid = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    return np.stack([grid[1].ravel(), grid[0].ravel()], axis=1).astype(np.float64)


def measured_similarity(face: MadeFace, *, before: Array, after: Array) -> Array:
    """Find the map [2, 3] from `before` to `after` by Gauss-Newton on quintic splines: no code of ours."""
    points = face_window(face)
    reference = before[points[:, 1].astype(int), points[:, 0].astype(int)]
    spline = spline_filter(after, order=5)
    arm = points - face.centre
    a, b, tx, ty = 1.0, 0.0, 0.0, 0.0
    for _ in range(12):
        x = face.centre[0] + a * arm[:, 0] - b * arm[:, 1] + tx
        y = face.centre[1] + b * arm[:, 0] + a * arm[:, 1] + ty
        value = map_coordinates(spline, [y, x], order=5, prefilter=False)
        h = 0.05
        gx = map_coordinates(spline, [y, x + h], order=5, prefilter=False)
        gx = (gx - map_coordinates(spline, [y, x - h], order=5, prefilter=False)) / (2 * h)
        gy = map_coordinates(spline, [y + h, x], order=5, prefilter=False)
        gy = (gy - map_coordinates(spline, [y - h, x], order=5, prefilter=False)) / (2 * h)
        system = np.stack([gx * arm[:, 0] + gy * arm[:, 1], gy * arm[:, 0] - gx * arm[:, 1], gx, gy], axis=1)
        step = np.linalg.lstsq(system, reference - value, rcond=None)[0]
        a, b, tx, ty = np.array([a, b, tx, ty]) + step
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, face.centre + np.array([tx, ty]) - linear @ face.centre])


def measured_level(face: MadeFace, *, before: Array, after: Array, bumps: Array) -> float:
    """Measure how much of the displacement field lies between two pictures, by Gauss-Newton."""
    points = face_window(face)
    observed = after[points[:, 1].astype(int), points[:, 0].astype(int)]
    field = displacement(points, bumps=bumps)
    spline = spline_filter(before, order=5)
    level, h = 0.0, 0.05

    def predicted(at: float) -> Array:
        x, y = (points - at * field).T
        return np.asarray(map_coordinates(spline, [y, x], order=5, prefilter=False), np.float64)

    for _ in range(8):
        slope = (predicted(level + h) - predicted(level - h)) / (2 * h)
        level += float(slope @ (observed - predicted(level)) / (slope @ slope))
    return level


# --- where things are drawn


@pytest.mark.parametrize(
    ("shift", "roll", "growth"),
    [
        ((0.1, 0.0), 0.0, 0.0),
        ((0.0, -0.37), 0.0, 0.0),
        ((2.63, 1.41), 0.0, 0.0),
        ((0.5, -0.5), np.radians(1.0), 0.01),
        ((-3.2, 1.7), np.radians(-4.0), -0.04),
    ],
)
def test_the_head_is_where_the_truth_says(
    face: MadeFace, shift: tuple[float, float], roll: float, growth: float
) -> None:
    """Otherwise every figure about a tracker's jitter would be the generator's own error."""
    pose = similarity(face, shift=shift, roll=roll, growth=growth)
    found = measured_similarity(face, before=luma(face), after=luma(face, pose=pose))
    truth = face.locate(face.landmarks, pose=pose)
    measured = face.landmarks @ found[:, :2].T + found[:, 2]
    assert np.abs(measured - truth).max() < 0.01


@pytest.mark.parametrize("amplitude_px", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("label", list(EXPRESSIONS))
def test_an_expression_moves_as_far_as_it_says(face: MadeFace, label: str, amplitude_px: float) -> None:
    """Otherwise 'found at 0.6 px' would mean another motion than 0.6 px."""
    bumps = scaled(expression_field(EXPRESSIONS[label], landmarks=face.landmarks), amplitude_px=amplitude_px)
    level = measured_level(face, before=luma(face), after=luma(face, bumps=bumps), bumps=bumps)
    assert level == pytest.approx(1.0, abs=0.01 / amplitude_px if amplitude_px < 1.0 else 0.01)


def test_head_and_expression_together_are_one_warp(face: MadeFace) -> None:
    """The kernel against a slow oracle: pose undone, then the field, then one sample of the picture."""
    pose = similarity(face, shift=(1.3, -0.8), roll=0.02, growth=0.01)
    bumps = scaled(expression_field(EXPRESSIONS["happiness"], landmarks=face.landmarks), amplitude_px=2.0)
    points = face_window(face)
    back = (points - pose[:, 2]) @ np.linalg.inv(pose[:, :2]).T
    x, y = (back - displacement(back, bumps=bumps)).T
    expected = map_coordinates(luma(face), [y, x], order=5)
    drawn = luma(face, bumps=bumps, pose=pose)[points[:, 1].astype(int), points[:, 0].astype(int)]
    # Twice a rounding to whole grey levels, and two kinds of spline.
    assert np.sqrt(np.mean((drawn - expected) ** 2)) < 0.75
    unmoved = map_coordinates(luma(face), back[:, ::-1].T, order=5)
    assert np.sqrt(np.mean((drawn - unmoved) ** 2)) > 2.0


def test_colour_moves_with_the_face(face: MadeFace) -> None:
    """Otherwise lips and eyes would leave their colour behind."""
    still = face.draw()
    moved = face.draw(pose=similarity(face, shift=(6.0, 4.0)))
    x, y = np.round(face.centre / 2.0).astype(int)
    for plane in (1, 2):
        before, after = (_plane(frame.planes[plane]) for frame in (still, moved))
        expected = before[y - 20 : y + 20, x - 20 : x + 20]
        assert np.abs(after[y - 18 : y + 22, x - 17 : x + 23] - expected).max() <= 1


def test_the_background_stands_still(face: MadeFace) -> None:
    """A head that drags the wall along would let a tracker of the whole picture pass for one of faces."""
    still, moved = luma(face), luma(face, pose=similarity(face, shift=(3.0, 2.0), roll=0.03))
    assert np.array_equal(still[:, :20], moved[:, :20])
    assert not np.array_equal(still[:, 140:180], moved[:, 140:180])


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (161, 121), (16, 16), (500, 120)])
def test_any_size_is_filled_with_the_portrait(size: tuple[int, int]) -> None:
    """Odd sizes and portrait formats come from real cameras; a border would be an edge to track."""
    face = MadeFace(size=size)
    frame = frame_from_av(face.draw(), time=0.0)
    assert frame.size == size
    drawn = frame.bgr().astype(np.float64)
    inverse = cv2.invertAffineTransform(face.portrait_matrix)
    corners = np.array([[0.0, 0.0], [size[0] - 1.0, size[1] - 1.0]]) @ inverse[:, :2].T + inverse[:, 2]
    assert corners.min() > -0.6
    assert corners.max() < 512.0
    # What is much finer than the frame is averaged and not left to alias.
    finer = max(1.0, 0.5 / face.portrait_matrix[1, 1])
    portrait = cv2.GaussianBlur(load_portrait(), (0, 0), 0.6 * finer) if finer > 1.0 else load_portrait()
    expected = cv2.warpAffine(
        portrait, face.portrait_matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    # The right place and the right colours, texture and halved colour resolution aside.
    assert np.abs(drawn - expected).mean() < (6.0 if finer == 1.0 else 9.0)
    assert np.abs(drawn.mean(axis=(0, 1)) - expected.mean(axis=(0, 1))).max() < 2.0


def test_a_size_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="8×8; a made face needs at least 16×16"):
        MadeFace(size=(8, 8))


# --- noise and light


def test_noise_is_white_in_time_and_of_the_strength_asked(face: MadeFace) -> None:
    """Noise that repeats or drifts would be magnified as motion."""
    clean = luma(face)
    stack = np.stack([luma(face, noise=SensorNoise(2.0, (5, number))) - clean for number in range(40)])[
        :, 20:220, 40:280
    ]
    assert np.std(stack) == pytest.approx(np.hypot(2.0, np.sqrt(1.0 / 6.0)), rel=0.05)
    assert abs(np.mean(stack)) < 0.02
    neighbours = np.mean(stack[:-1] * stack[1:], axis=(1, 2)) / np.var(stack)
    assert np.abs(neighbours).max() < 0.05
    # What stays after averaging is the rounding of the clean picture.
    still = np.sqrt(np.var(stack) / 40.0 + 1.0 / 12.0)
    assert np.std(stack.mean(axis=0)) == pytest.approx(still, rel=0.05)


def test_light_multiplies_above_black(face: MadeFace) -> None:
    """Light drift must look as a lamp does: bright skin changes more than a dark collar."""
    bright = np.array(frame_from_av(face.draw(light=1.05), time=0.0).luma, np.float64)
    slope = np.polyfit(luma(face).ravel() - 16.0, bright.ravel() - 16.0, 1)
    assert slope[0] == pytest.approx(1.05, abs=0.003)
    assert slope[1] == pytest.approx(0.0, abs=0.2)


# --- what the muscles do


def at(face: MadeFace, label: str, *, asymmetry: float = 0.0) -> dict[str, Array]:
    """Displacement of named places for an expression of 1 px; x is outwards for the left side's mirror."""
    bumps = expression_field(EXPRESSIONS[label], landmarks=face.landmarks, asymmetry=asymmetry)
    left_eye, right_eye, nose, left_corner, right_corner = face.landmarks
    unit = face.unit_px
    places = {
        "left inner brow": left_eye + unit * np.array([0.22, -0.26]),
        "right inner brow": right_eye + unit * np.array([-0.22, -0.26]),
        "left outer brow": left_eye + unit * np.array([-0.22, -0.25]),
        "left cheek": left_eye + unit * np.array([-0.1, 0.45]),
        "left nostril": nose + unit * np.array([-0.25, 0.05]),
        "left corner": left_corner,
        "right corner": right_corner,
        "chin": (left_corner + right_corner) / 2.0 + unit * np.array([0.0, 0.6]),
    }
    return {name: displacement(place, bumps=bumps) for name, place in places.items()}


def test_a_smile_pulls_the_corners_up_and_out_and_leaves_the_brows(face: MadeFace) -> None:
    moves = at(face, "happiness")
    assert moves["left corner"][0] < -0.4
    assert moves["right corner"][0] > 0.4
    assert moves["left corner"][1] < -0.4
    assert moves["left cheek"][1] < -0.2
    assert np.abs(moves["left inner brow"]).max() < 0.02
    assert np.abs(moves["chin"]).max() < 0.1


def test_surprise_lifts_the_whole_brow_and_drops_the_chin(face: MadeFace) -> None:
    moves = at(face, "surprise")
    assert moves["left inner brow"][1] < -0.4
    assert moves["left outer brow"][1] < -0.4
    assert moves["chin"][1] > 0.3


def test_sadness_lifts_the_inner_brow_only_and_lowers_the_corners(face: MadeFace) -> None:
    moves = at(face, "sadness")
    assert moves["left corner"][1] > 0.6
    assert moves["left inner brow"][1] < -0.2
    assert abs(moves["left outer brow"][1]) < 0.15


def test_anger_draws_the_brows_down_and_together(face: MadeFace) -> None:
    moves = at(face, "anger")
    assert moves["left inner brow"][1] > 0.5
    assert moves["left inner brow"][0] > 0.2
    assert moves["right inner brow"][0] < -0.2
    assert moves["left corner"][0] > 0.2


def test_disgust_wrinkles_the_nose(face: MadeFace) -> None:
    moves = at(face, "disgust")
    assert moves["left nostril"][1] < -0.6
    assert np.abs(moves["chin"]).max() < 0.05


def test_asymmetry_makes_the_left_of_the_picture_stronger(face: MadeFace) -> None:
    even, uneven = at(face, "happiness"), at(face, "happiness", asymmetry=0.2)
    gain = {side: uneven[f"{side} corner"][1] / even[f"{side} corner"][1] for side in ("left", "right")}
    assert gain["left"] / gain["right"] == pytest.approx(1.2 / 0.8, rel=0.01)


def test_a_blink_closes_the_eyes_and_only_them(face: MadeFace) -> None:
    """The spotter must meet blinks that hide the pupil, while brows and mouth stay."""
    bumps = scaled(
        expression_field({45: 1.0}, landmarks=face.landmarks), amplitude_px=LID_TRAVEL * face.unit_px
    )
    still, shut = luma(face), luma(face, bumps=bumps)
    changed = np.abs(shut - still) > 3.0
    rows, _ = np.nonzero(changed)
    left_eye, right_eye, nose, *_ = face.landmarks
    assert rows.min() > left_eye[1] - 0.4 * face.unit_px
    assert rows.max() < nose[1]
    for eye in (left_eye, right_eye):
        x, y = np.round(eye).astype(int)
        # The pupil is the darkest there is; skin of the lid takes its place.
        assert still[y, x] < 100.0
        assert shut[y, x] > still[y, x] + 40.0


@pytest.mark.parametrize("number", sorted(ACTION_UNITS))
def test_no_action_unit_folds_the_skin(face: MadeFace, number: int) -> None:
    """A fold would show skin twice, and a point of the face would have no one place: no truth."""
    largest = LID_TRAVEL if number in (43, 45) else 0.06
    bumps = expression_field({number: 1.0}, landmarks=face.landmarks)
    bumps = scaled(bumps, amplitude_px=largest * face.unit_px)
    y, x = np.mgrid[0:240:0.5, 0:320:0.5]
    source = np.stack([x, y], axis=-1)
    source = source - displacement(source, bumps=bumps)
    dy, dx = np.gradient(source, 0.5, axis=(0, 1))
    assert (dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]).min() > 0.05


@pytest.mark.parametrize("label", list(EXPRESSIONS))
def test_the_largest_displacement_is_one_pixel(face: MadeFace, label: str) -> None:
    """The amplitude of an event is defined by this."""
    bumps = expression_field(EXPRESSIONS[label], landmarks=face.landmarks, asymmetry=0.15)
    y, x = np.mgrid[40:200:0.4, 90:230:0.4]
    field = displacement(np.stack([x, y], axis=-1), bumps=bumps)
    assert np.hypot(field[..., 0], field[..., 1]).max() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("mixture", [*EXPRESSIONS.values(), {45: 1.0}])
def test_points_are_followed_forward_exactly(
    face: MadeFace, mixture: dict[int, float], rng: np.random.Generator
) -> None:
    """Truth for trackers goes from the rest to the frame; the renderer goes the other way."""
    travel = LID_TRAVEL * face.unit_px if 45 in mixture else 3.0
    bumps = scaled(expression_field(mixture, landmarks=face.landmarks), amplitude_px=travel)
    points = face.centre + rng.uniform(-1.0, 1.0, (60, 2)) * face.unit_px
    there = move_points(points, bumps=bumps)
    assert np.abs(there - displacement(there, bumps=bumps) - points).max() < 1e-6
    assert np.abs(there - points).max() > 0.1


def test_an_unknown_action_unit_is_told(face: MadeFace) -> None:
    with pytest.raises(ValueError, match="action unit 99 is not known"):
        expression_field({99: 1.0}, landmarks=face.landmarks)


# --- identities


def test_identities_are_other_faces_and_stay_what_they_are() -> None:
    """Training and testing on different people needs different people."""
    pictures = [luma(MadeFace(size=(160, 120), identity=number)) for number in (0, 1, 2, 3)]
    for first in range(4):
        for second in range(first):
            assert np.abs(pictures[first] - pictures[second]).mean() > 5.0
    assert np.array_equal(pictures[3], luma(MadeFace(size=(160, 120), identity=3)))


@pytest.mark.parametrize("identity", range(6))
def test_landmarks_are_where_a_detector_sees_them(identity: int, yunet_model: object) -> None:
    """The action units hang on the landmarks: a wrong one would make a smile of the cheek."""
    face = MadeFace(size=(640, 480), identity=identity)
    detector = cv2.FaceDetectorYN.create(str(yunet_model), "", (640, 480))
    _, found = detector.detect(frame_from_av(face.draw(), time=0.0).bgr())
    assert found is not None
    assert len(found) == 1
    # The detector names the person's right eye first: the left one in the picture.
    landmarks = np.asarray(found[0][4:14], np.float64).reshape(5, 2)
    error = np.abs(landmarks - face.landmarks) / face.unit_px
    # On the portrait itself the detector is wrong by up to 0.12.
    assert error.max() < 0.2
    assert error.mean() < 0.08


def test_rest_is_the_default(face: MadeFace) -> None:
    assert np.array_equal(luma(face), luma(face, pose=REST, bumps=np.zeros((0, 7))))


def _plane(plane: VideoPlane) -> NDArray[np.int64]:
    memory = np.frombuffer(memoryview(plane), np.uint8).astype(np.int64)
    rows: NDArray[np.int64] = memory.reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]
