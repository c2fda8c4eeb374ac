"""The exact truth about made motion: the displacement field, turning heads, and a camera that falls short."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from magnifyme.stream.frame import frame_from_av
from magnifyme.train.expressions import LID_TRAVEL
from magnifyme.train.head import MOST_TURN_DEG
from magnifyme.train.synthetic import Shortcomings, SyntheticSource, TrueEvent

Array = NDArray[np.float64]
SIZE = (320, 240)


def source(
    *events: TrueEvent,
    seconds: float | None = 2.0,
    fps: float = 30.0,
    sway: float = 1.0,
    noise: float = 0.0,
    turn_deg: float = 0.0,
    shortcomings: Shortcomings | None = None,
) -> SyntheticSource:
    return SyntheticSource(
        seconds=seconds,
        fps=fps,
        size=SIZE,
        seed=4,
        paced=False,
        events=events,
        sway=sway,
        noise=noise,
        blinks=False,
        light=0.0,
        turn_deg=turn_deg,
        shortcomings=shortcomings,
    )


def luma(made: SyntheticSource, at: float) -> Array:
    return np.array(made.frame(round(at * 30.0)).luma, np.float64)


# --- the field

SMILE = TrueEvent(0.2, 0.5, 1.5, "happiness", amplitude_px=3.0)
BROWS = TrueEvent(0.3, 0.6, 1.2, "surprise", amplitude_px=2.5, asymmetry=0.8)
HALF_BLINK = TrueEvent(0.4, 0.6, 0.9, "blink", kind="blink", amplitude_px=0.4 * LID_TRAVEL * 49.0)


@pytest.mark.parametrize("since", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(
    ("events", "sway", "turn_deg"),
    [((), 2.0, 0.0), ((SMILE, BROWS), 0.0, 0.0), ((), 0.0, 8.0), ((SMILE, BROWS, HALF_BLINK), 1.5, 8.0)],
)
def test_the_field_takes_one_frame_to_the_other(
    events: tuple[TrueEvent, ...], sway: float, turn_deg: float, since: float
) -> None:
    """Methods that give motion are judged against this field: it must be that of the pictures."""
    made = source(*events, sway=sway, turn_deg=turn_deg)
    at = 0.6
    field = made.displacement(at, since=since)
    assert field.shape == (240, 320, 2)
    y, x = np.mgrid[0:240, 0:320].astype(np.float64)
    there = np.stack([y - field[..., 1], x - field[..., 0]])
    before, after = luma(made, since), luma(made, at)
    warped = map_coordinates(before, there, order=5)
    inside = (there >= 2).all(axis=0) & (there[0] <= 237) & (there[1] <= 317)
    error = np.abs(warped - after)[inside]
    # Both pictures are rounded to whole levels, 0.29 each, and the oracle's spline is another.
    assert np.sqrt(np.mean(error**2)) < 0.75
    assert np.percentile(error, 99.5) < 3.5
    assert np.abs(field).max() > 0.8
    still = np.abs(before - after)[inside]
    assert np.sqrt(np.mean(still**2)) > 3.0 * np.sqrt(np.mean(error**2))


def test_the_field_from_rest_is_that_of_the_points(rng: np.random.Generator) -> None:
    """Truth in points and truth in fields must be one truth."""
    made = source(SMILE, BROWS, turn_deg=6.0)
    points = made.face.centre + rng.uniform(-0.8, 0.8, (50, 2)) * made.face.unit_px
    there = made.locate(points, at=0.5)
    field = made.displacement(0.5)
    at_points = np.stack(
        [map_coordinates(field[..., k], there[:, ::-1].T, order=3) for k in range(2)], axis=1
    )
    assert np.abs(there - at_points - points).max() < 0.01
    assert np.abs(there - points).max() > 1.0


def test_a_moment_has_not_moved_since_itself() -> None:
    field = source(SMILE, turn_deg=6.0).displacement(0.5, since=0.5)
    assert np.abs(field).max() < 1e-6


# --- the head turns


def test_a_turned_head_shows_its_depth() -> None:
    """A turn that moved nose and cheek alike would be sway, which trackers take away easily."""
    made = source(sway=0.0, turn_deg=10.0)
    times = np.arange(0.0, 40.0, 0.1)
    left_eye, right_eye, nose = made.face.landmarks[:3]
    x = np.array([made.locate(np.stack([left_eye, right_eye, nose]), at=at)[:, 0] for at in times])
    yaw = np.array([made.angles(at)[0] for at in times])
    parallax = x[:, 2] - x[:, :2].mean(axis=1)
    assert np.corrcoef(parallax, yaw)[0, 1] > 0.98
    assert np.ptp(parallax) > 0.08 * made.face.unit_px
    assert np.degrees(np.abs(yaw)).max() > 3.0
    angles = np.array([made.angles(at) for at in np.arange(0.0, 400.0, 0.1)])
    assert np.degrees(np.hypot(*angles.T)).max() < 10.0


def test_a_turned_head_does_not_fold(rng: np.random.Generator) -> None:
    """A fold would show skin twice, and a point of the face would have no one place: no truth."""
    made = source(SMILE, BROWS, sway=1.0, turn_deg=MOST_TURN_DEG)
    for at in (0.5, *rng.uniform(0.0, 100.0, 5)):
        y, x = np.mgrid[0:240, 0:320].astype(np.float64)
        rest = np.stack([x, y], axis=-1) - made.displacement(at)
        dy, dx = (np.asarray(slope) for slope in np.gradient(rest, axis=(0, 1)))
        assert (dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]).min() > 0.1


def test_muscles_turn_with_the_head() -> None:
    """A lid that closed beside the eye of a turned head would be nobody's."""
    long = TrueEvent(0.0, 20.0, 60.0, "blink", kind="blink", amplitude_px=1.0)
    turned, straight = (source(long, seconds=99.0, sway=0.0, turn_deg=turn) for turn in (10.0, 0.0))
    lids = straight.face.landmarks[:2] + np.array([0.0, 0.03 * straight.face.unit_px])
    at = max(np.arange(15.0, 25.0, 0.1), key=lambda t: abs(turned.angles(t)[1]))
    bare = turned.locate(lids, at=at, expression=False)
    assert np.abs(bare - lids)[:, 1].min() > 1.5
    expected = straight.locate(lids, at=at) - lids
    assert expected[:, 1].min() > 0.8
    assert turned.locate(lids, at=at) - bare == pytest.approx(expected, abs=0.05)


def test_a_turned_head_is_foreshortened() -> None:
    made = source(sway=0.0, turn_deg=10.0)
    for at in (3.0, 8.0, 21.0):
        linear = made.pose(at)[:, :2]
        assert linear == pytest.approx(np.diag(np.cos(made.angles(at))))


def test_a_turn_too_far_is_refused() -> None:
    with pytest.raises(ValueError, match="turn_deg is 25; it must be 0 to 10: a picture has no other side"):
        source(turn_deg=25.0)


# --- the camera


def test_lamps_beat_with_the_camera() -> None:
    """50 Hz mains against 30 frames a second beat at 10 Hz, in the middle of what is magnified."""
    made = source(seconds=3.0, sway=0.0, shortcomings=Shortcomings(flicker=0.1))
    rows = np.stack([frame.luma.mean(axis=1) - 16.0 for frame in made])
    change = rows / rows.mean(axis=0) - 1.0
    spectrum = np.abs(np.fft.rfft(change, axis=0)) / len(rows) * 2.0
    hz = np.fft.rfftfreq(len(rows), 1.0 / 30.0)
    assert np.all(hz[spectrum.argmax(axis=0)] == pytest.approx(10.0))
    assert np.median(spectrum.max(axis=0)) == pytest.approx(0.1, rel=0.1)
    # The shutter rolls: 12 ms are 1.2 periods of the lamps from the first row to the last.
    phase = np.unwrap(np.angle(np.fft.rfft(change, axis=0)[round(10.0 * len(rows) / 30.0)]))
    assert abs(phase[-1] - phase[0]) == pytest.approx(1.2 * math.tau, rel=0.05)


def test_late_frames_are_drawn_when_they_are_taken() -> None:
    """A time that is not that of the picture would be false motion."""
    made = source(SMILE, seconds=4.0, sway=2.0, shortcomings=Shortcomings(late=0.3))
    frames = list(made)
    late = np.array([frame.time for frame in frames]) - np.arange(120) / 30.0
    assert 0.15 < np.mean(late > 0.0) < 0.45
    assert late.min() == 0.0
    assert late.max() < 0.8 / 30.0
    assert late.max() > 0.4 / 30.0
    number = int(np.argmax(late))
    twin, at = source(SMILE, sway=2.0), frames[number].time
    drawn = frame_from_av(twin.face.draw(bumps=twin.bumps(at), pose=twin.pose(at)), time=at)
    assert np.array_equal(frames[number].luma, drawn.luma)
    assert not np.array_equal(frames[number].luma, twin.frame(number).luma)


def test_lost_frames_are_holes_and_are_counted() -> None:
    made = source(seconds=10.0, shortcomings=Shortcomings(dropped=0.1))
    frames = list(made)
    numbers = [frame.sequence for frame in frames]
    assert made.dropped == 300 - len(frames)
    assert 10 < made.dropped < 60
    assert [frame.time for frame in frames] == [number / 30.0 for number in numbers]
    assert numbers == [
        frame.sequence for frame in source(seconds=10.0, shortcomings=Shortcomings(dropped=0.1))
    ]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"flicker": 1.5}, "flicker is 1.5; it must be 0 to 1"),
        ({"late": -0.1}, "late is -0.1"),
        ({"dropped": 0.95}, "dropped is 0.95; it must be 0 to 0.9"),
        ({"mains_hz": 0.0}, "mains_hz must be above 0"),
    ],
)
def test_shortcomings_that_cannot_be_are_refused(how: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Shortcomings(**how)
