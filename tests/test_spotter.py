"""The spotter: expressions are found, timed and measured; blinks, light and noise are not taken for them.

Everything is held against motion that is known exactly: a textured crop whose regions are displaced by
Gaussian bumps with a cubic spline, never by a warp of a warp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from magnifyme.stream.face import CANONICAL_LANDMARKS, CROP_SIZE, FaceCrop
from magnifyme.stream.motion import REGIONS, RegionalMotion
from magnifyme.stream.spotter import Interval, Spotter

Plane = NDArray[np.float32]
Crop = NDArray[np.uint8]
RATES = [30, 60, 100, 200]

EYES = [tuple(point) for point in CANONICAL_LANDMARKS[:2] * CROP_SIZE]
MOUTH_LEFT, MOUTH_RIGHT = (tuple(point) for point in CANONICAL_LANDMARKS[3:] * CROP_SIZE)
BROW_LEFT, BROW_RIGHT = (82.0, 78.0), (173.0, 78.0)
CHIN = (128.0, 230.0)


@dataclass(frozen=True)
class Move:
    """A bump of skin that rises along a raised cosine, is held, and comes back along another."""

    place: tuple[float, float]
    direction: tuple[float, float]
    amplitude_px: float
    onset: float
    apex: float
    offset: float
    hold: float = 0.0
    sigma_px: float = 20.0

    def level(self, time: float) -> float:
        if self.onset < time < self.apex:
            return 0.5 - 0.5 * math.cos(math.pi * (time - self.onset) / (self.apex - self.onset))
        release = self.apex + self.hold
        if self.apex <= time <= release:
            return 1.0
        if release < time < self.offset:
            return 0.5 + 0.5 * math.cos(math.pi * (time - release) / (self.offset - release))
        return 0.0


def make_face(seed: int, *, scale: float = 3.0, contrast: float = 25.0) -> Plane:
    """Make skin: a random texture of two scales."""
    rng = np.random.default_rng(seed)
    fine, coarse = (
        cv2.GaussianBlur(rng.normal(size=(CROP_SIZE, CROP_SIZE)), (0, 0), sigma)
        for sigma in (scale, 4 * scale)
    )
    face = 120.0 + contrast * fine / fine.std() + 15.0 * coarse / coarse.std()
    return np.asarray(face, np.float32)


def perform(face: Plane, moves: list[Move], *, times: NDArray[np.float64]) -> Iterator[Plane]:
    """Draw the face at each time, float32 [S, S]: what is at x now was at x - displacement at rest."""
    spline = ndimage.spline_filter(face, order=3, output=np.float32)
    y, x = np.mgrid[:CROP_SIZE, :CROP_SIZE].astype(np.float32)
    shapes = [np.exp(-0.5 * ((x - m.place[0]) ** 2 + (y - m.place[1]) ** 2) / m.sigma_px**2) for m in moves]
    for time in times:
        levels = [m.amplitude_px * m.level(float(time)) for m in moves]
        if not any(levels):
            yield face
            continue
        dx = sum(lv * m.direction[0] * g for lv, m, g in zip(levels, moves, shapes, strict=True))
        dy = sum(lv * m.direction[1] * g for lv, m, g in zip(levels, moves, shapes, strict=True))
        picture = face.copy()
        moved = np.hypot(dx, dy) > 1e-3
        picture[moved] = ndimage.map_coordinates(spline, [(y - dy)[moved], (x - dx)[moved]], order=3,
                                                 prefilter=False, mode="nearest")  # fmt: skip
        yield picture


def clock(seconds: float, *, fps: float, start: float = 0.0) -> NDArray[np.float64]:
    return start + np.arange(round(seconds * fps)) / fps


class Sensor:
    """Adds noise and rounds to grey levels."""

    def __init__(self, sigma: float, *, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        # Drawing is slow: fields are drawn once and shifted at random.
        self._fields = self._rng.normal(0.0, sigma, (7, CROP_SIZE, CROP_SIZE)).astype(np.float32)

    def __call__(self, picture: Plane) -> Crop:
        field = self._fields[self._rng.integers(len(self._fields))]
        shifts = self._rng.integers(0, CROP_SIZE, 2)
        noisy = picture + np.roll(field, tuple(map(int, shifts)), axis=(0, 1))
        return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def as_crop(luma: Crop, *, restarted: bool = False) -> FaceCrop:
    return FaceCrop(luma, np.eye(2, 3), (0.0, 0.0, 1.0, 1.0), 1.0, 0, restarted)


def watch(
    pictures: Iterator[Plane], *, times: NDArray[np.float64], noise: float = 1.0, seed: int = 0
) -> list[tuple[Interval, float]]:
    """Give what a new spotter found, each with the time at which it said so."""
    spotter, sensor = Spotter(), Sensor(noise, seed=seed)
    found = []
    for picture, time in zip(pictures, times, strict=True):
        found += [
            (interval, float(time)) for interval in spotter.update(as_crop(sensor(picture)), time=float(time))
        ]
    return found


def spot(face: Plane, moves: list[Move], *, seconds: float, fps: float, noise: float = 1.0) -> list[Interval]:
    times = clock(seconds, fps=fps)
    return [interval for interval, _ in watch(perform(face, moves, times=times), times=times, noise=noise)]


CASES = [
    # seed, noise, place, region, direction, amplitude, duration, share of the rise
    (1, 0.0, MOUTH_LEFT, "mouth_left", (0.7, -0.7), 0.5, 0.40, 0.4),
    (2, 1.0, MOUTH_RIGHT, "mouth_right", (0.0, 1.0), 0.3, 0.30, 0.5),
    (3, 2.0, BROW_LEFT, "brow_left", (0.0, -1.0), 0.6, 0.45, 0.35),
    (4, 1.0, BROW_RIGHT, "brow_right", (-0.4, 0.9), 1.0, 0.25, 0.45),
    (5, 2.0, CHIN, "chin", (0.0, 1.0), 1.2, 0.35, 0.4),
]


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize(
    ("seed", "noise", "place", "region", "direction", "amplitude", "duration", "rise"), CASES
)
def test_a_micro_expression_is_found_timed_and_measured(
    fps: int,
    seed: int,
    noise: float,
    place: tuple[float, float],
    region: str,
    direction: tuple[float, float],
    amplitude: float,
    duration: float,
    rise: float,
) -> None:
    """The classifier reads the frames at these times: a wrong apex is a wrong expression."""
    onset = 1.807
    length = float(np.hypot(*direction))
    move = Move(
        place, (direction[0] / length, direction[1] / length), amplitude,
        onset, onset + rise * duration, onset + duration,
    )  # fmt: skip
    times = clock(2.8, fps=fps)
    found = watch(perform(make_face(seed), [move], times=times), times=times, noise=noise, seed=seed)
    ((interval, told),) = found
    assert interval.kind == "micro"
    assert region in interval.regions[:2]
    moved = np.array(interval.motion[interval.regions.index(region)])
    assert moved @ np.array(move.direction) > 0.9 * float(np.hypot(*moved)), "the way it went"
    assert interval.onset == pytest.approx(move.onset, abs=0.040)
    assert interval.apex == pytest.approx(move.apex, abs=0.045)
    assert interval.offset == pytest.approx(move.offset, abs=0.045)
    assert interval.onset < interval.apex < interval.offset
    assert interval.intensity_px == pytest.approx(amplitude, rel=0.2)
    assert told - move.offset <= 0.3, "the answer comes while it still matters"


@pytest.mark.parametrize("seed", [11, 12])
def test_every_rate_gives_the_same_answer(seed: int) -> None:
    """An operator who changes the camera must not get other results for it."""
    moves = [
        Move(MOUTH_LEFT, (0.0, -1.0), 0.8, 1.513, 1.660, 1.850),
        Move(BROW_LEFT, (0.0, -1.0), 0.5, 2.511, 2.611, 2.711),
    ]
    answers = [spot(make_face(seed), moves, seconds=3.2, fps=fps) for fps in RATES]
    for answer in answers[1:]:
        assert len(answer) == len(answers[0]) == 2
        for one, other in zip(answers[0], answer, strict=True):
            assert one.kind == other.kind == "micro"
            for name in ("onset", "apex", "offset"):
                assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1 / 30)
            assert one.intensity_px == pytest.approx(other.intensity_px, rel=0.1)


def _still(face: Plane, time: float, rng: np.random.Generator) -> Plane:
    return face


def _flicker(face: Plane, time: float, rng: np.random.Generator) -> Plane:
    """Mains light beating with the shutter, a lamp switched on, and a shadow that wanders over the face."""
    gain = 1.0 + 0.03 * math.sin(2.0 * math.pi * 2.3 * time) + (0.08 if time > 6.0 else 0.0)
    slope = np.linspace(-1.0, 1.0, CROP_SIZE, dtype=np.float32) * 0.03 * math.sin(0.9 * time)
    return np.asarray(face * (gain + slope) + (2.0 if 3.0 < time < 3.3 else 0.0), np.float32)


def _jitter(face: Plane, time: float, rng: np.random.Generator) -> Plane:
    """What registration leaves over: 0.02 px rms of shift and the same of turn at the rim."""
    gy, gx = np.gradient(face)
    y, x = (np.mgrid[:CROP_SIZE, :CROP_SIZE] - CROP_SIZE / 2) / (CROP_SIZE / 2)
    tx, ty, turn = rng.normal(0.0, 0.02, 3)
    return np.asarray(face - gx * (tx - turn * y) - gy * (ty + turn * x), np.float32)


def _drift(face: Plane, time: float, rng: np.random.Generator) -> Plane:
    """A head that turns slowly: the nose moves against the cheeks by 0.3 px in 20 s, and sways a little."""
    gx = np.gradient(face, axis=1)
    y, x = np.mgrid[:CROP_SIZE, :CROP_SIZE]
    nose = np.exp(-0.5 * ((x - 128) ** 2 + (y - 150) ** 2) / 30.0**2)
    moved = (0.3 * time / 20.0 + 0.04 * math.sin(2.0 * math.pi * 0.15 * time)) * nose
    return np.asarray(face - gx * moved, np.float32)


def _creep(face: Plane, time: float, rng: np.random.Generator) -> Plane:
    """What few bits leave of skin: it creeps to and fro by 0.06 px for a quarter of a second at a time."""
    gy, gx = np.gradient(face)
    step, share = divmod(time / 0.25, 1.0)
    before, after = (
        np.random.default_rng([5, int(step) + k]).normal(0.0, 0.09, (2, 8, 8)).astype(np.float32)
        for k in (0, 1)
    )
    fields = (1.0 - share) * before + share * after
    dx, dy = (cv2.resize(f, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_CUBIC) for f in fields)
    return np.asarray(face - gx * dx - gy * dy, np.float32)


@pytest.mark.parametrize("noise", [0.5, 2.0])
@pytest.mark.parametrize("change", [_still, _flicker, _jitter, _drift, _creep])
def test_twenty_seconds_of_nothing_are_nothing(
    change: Callable[[Plane, float, np.random.Generator], Plane], noise: float, rng: np.random.Generator
) -> None:
    """False alarms make people stop to look."""
    face = make_face(21)
    times = clock(20.0, fps=30)
    assert watch((change(face, float(t), rng) for t in times), times=times, noise=noise) == []


@pytest.mark.parametrize("fps", [30, 60])
@pytest.mark.parametrize("until", [4.0, 4.2])
def test_what_a_key_frame_sets_right_is_no_expression(fps: int, until: float) -> None:
    """An encoder that saves on the frames before a key frame lets skin slide, and puts it back at once."""
    slide = Move(CHIN, (0.0, 1.0), 0.6, 3.85, 4.0, 9.0, hold=2.0)
    times = clock(6.0, fps=fps)
    face = make_face(23)
    # What each key frame leaves of the picture is another grain.
    rng = np.random.default_rng(3)
    grain = [cv2.GaussianBlur(rng.normal(0.0, 4.0, (CROP_SIZE, CROP_SIZE)), (0, 0), 1.0) for _ in range(2)]
    spotter, found = Spotter(), []
    for picture, time in zip(perform(face, [slide], times=times), times, strict=True):
        drawn = (face if time >= until else picture) + grain[int(time >= until)]
        luma = Sensor(0.3, seed=round(time * fps))(drawn)
        found += spotter.update(as_crop(luma), time=float(time))
    assert found == []


@pytest.mark.parametrize(("fps", "seconds"), [(24, 10.0), (100, 6.0), (200, 5.0)])
def test_noise_alone_is_nothing_at_any_rate(fps: int, seconds: float) -> None:
    times = clock(seconds, fps=fps)
    face = make_face(22, contrast=12.0)
    assert watch((face for _ in times), times=times, noise=2.0) == []


def _blink(onset: float, *, duration: float = 0.25, lid_px: float = 9.0) -> list[Move]:
    """Close both lids, which drag the brows along a little."""
    apex, offset = onset + 0.35 * duration, onset + duration
    lids = [Move((x, y - 2.0), (0.0, 1.0), lid_px, onset, apex, offset, sigma_px=9.0) for x, y in EYES]
    drag = [Move(p, (0.0, 1.0), 0.25, onset, apex, offset) for p in (BROW_LEFT, BROW_RIGHT)]
    return lids + drag


@pytest.mark.parametrize("fps", RATES)
def test_a_blink_is_a_blink(fps: int) -> None:
    """People blink every few seconds: one in ten taken for an expression buries the real ones."""
    found = spot(make_face(31), _blink(1.61), seconds=2.5, fps=fps)
    assert [interval.kind for interval in found] == ["blink"]
    assert set(found[0].regions) == {"eye_left", "eye_right"}
    assert found[0].onset == pytest.approx(1.61, abs=0.06)
    assert found[0].offset == pytest.approx(1.86, abs=0.06)


@pytest.mark.parametrize("fps", [30, 60])
@pytest.mark.parametrize(
    ("missing", "blink"),
    [
        ((2, 3), 0.9),
        ((2, 3), 1.11),
        ((10, 11), 0.9),
        ((21, 22, 23, 24), 1.11),
        ((12, 13, 14, 15, 16), 1.11),  # Noise is still being learned when the reference is renewed.
    ],
)
def test_a_camera_that_starts_with_a_gap_hides_nothing(
    missing: tuple[int, ...], blink: float, fps: int
) -> None:
    """Lids that shut just then once became the reference: open ones were a blink of many seconds."""
    smile = Move(MOUTH_LEFT, (0.7, -0.7), 0.8, 1.8, 1.96, 2.2)
    times = clock(2.7, fps=fps)
    seen = times[~np.isin(np.floor(times * 30.0 + 1e-6), missing)]
    found = [interval for interval, _ in watch(perform(make_face(33), [*_blink(blink), smile], times=seen),
                                               times=seen)]  # fmt: skip
    assert [interval.kind for interval in found] == ["blink", "micro"]
    for interval, onset in zip(found, (blink, smile.onset), strict=True):
        assert interval.onset == pytest.approx(onset, abs=0.06)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.25])
def test_an_expression_behind_a_blink_is_still_found(shift: float) -> None:
    """They often come together."""
    smile = Move(MOUTH_LEFT, (0.7, -0.7), 0.8, 1.6 + shift, 1.76 + shift, 2.0 + shift)
    found = spot(make_face(32), [*_blink(1.6), smile], seconds=3.0, fps=60)
    assert sorted(interval.kind for interval in found) == ["blink", "micro"]
    micro = next(interval for interval in found if interval.kind == "micro")
    assert micro.regions[0] == "mouth_left"
    assert micro.onset == pytest.approx(smile.onset, abs=0.05)
    assert micro.offset == pytest.approx(smile.offset, abs=0.05)


def test_what_stands_out_of_the_noise_is_surer() -> None:
    """Who must look through many finds begins with the sure ones; a blink makes no such claim."""
    smiles = [
        Move(MOUTH_LEFT, (0.7, -0.7), px, onset, onset + 0.15, onset + 0.4)
        for px, onset in ((0.15, 1.5), (0.2, 3.0), (1.0, 4.5))
    ]
    faint, clear, plain, blink = spot(make_face(45), [*smiles, *_blink(6.0)], seconds=7.0, fps=30)
    assert faint.confidence is not None
    assert clear.confidence is not None
    assert plain.confidence is not None
    assert 0.5 <= faint.confidence < clear.confidence < plain.confidence < 1.0
    assert plain.confidence > 0.95
    assert blink.confidence is None


@pytest.mark.parametrize("fps", [30, 100])
def test_talking_is_no_micro_expression(fps: int) -> None:
    """A word is as short as a micro-expression, and people talk most of the time."""
    words = [Move(CHIN, (0.0, 1.0), 3.5, onset, onset + 0.13, onset + 0.3) for onset in (1.5, 3.0, 3.4, 3.75)]
    # A syllable hardly opens the mouth, but comes right after one that did.
    words.append(Move(CHIN, (0.0, 1.0), 0.8, 4.15, 4.25, 4.4))
    jaw = Move(CHIN, (0.0, 1.0), 0.8, 5.2, 5.33, 5.5)
    smile = Move(MOUTH_LEFT, (0.7, -0.7), 0.8, 6.1, 6.23, 6.4)
    found = spot(make_face(43), [*words, jaw, smile], seconds=7.0, fps=fps)
    assert {interval.kind for interval in found if interval.onset < 4.5} == {"macro"}
    assert [interval.kind for interval in found if interval.onset > 4.5] == ["micro", "micro"]


def test_a_jaw_that_drops_in_surprise_does_not_talk() -> None:
    """Raised brows go with it: words leave them where they are."""
    moves = [
        Move(place, (0.0, way), px, 1.6, 1.75, 2.0)
        for place, way, px in ((BROW_LEFT, -1.0, 1.2), (BROW_RIGHT, -1.0, 1.2), (CHIN, 1.0, 2.2))
    ]
    (found,) = spot(make_face(44), moves, seconds=2.8, fps=30)
    assert found.kind == "micro"


@pytest.mark.parametrize("fps", [30, 100])
@pytest.mark.parametrize("hold", [0.5, 1.5])
def test_a_held_expression_is_a_macro_expression(hold: float, fps: int) -> None:
    """A held smile is neither micro nor absorbed into the neutral face."""
    move = Move(MOUTH_RIGHT, (0.7, -0.7), 1.0, 1.6, 1.8, 2.0 + hold, hold=hold)
    (found,) = spot(make_face(41), [move], seconds=2.8 + hold, fps=fps)
    assert found.kind == "macro"
    assert found.onset == pytest.approx(move.onset, abs=0.05)
    assert found.offset == pytest.approx(move.offset, abs=0.06)
    assert found.intensity_px == pytest.approx(1.0, rel=0.2)


def test_a_face_that_stays_changed_becomes_the_new_neutral() -> None:
    """Otherwise one tilt of the jaw would make the spotter blind for good."""
    stays = Move(CHIN, (0.0, 1.0), 0.8, 1.5, 1.7, 99.0, hold=90.0)
    later = Move(MOUTH_LEFT, (0.0, -1.0), 0.6, 8.0, 8.15, 8.4)
    found = spot(make_face(42), [stays, later], seconds=9.0, fps=30)
    assert [interval.kind for interval in found] == ["macro", "micro"]
    assert found[0].offset - found[0].onset == pytest.approx(4.1, abs=0.3)
    assert found[1].onset == pytest.approx(later.onset, abs=0.05)


@pytest.mark.parametrize("fps", [30, 200])
def test_two_expressions_close_together_are_two(fps: int) -> None:
    """From onset to onset 0.6 s."""
    moves = [Move(MOUTH_LEFT, (0.0, -1.0), 0.8, onset, onset + 0.14, onset + 0.34) for onset in (1.5, 2.1)]
    found = spot(make_face(51), moves, seconds=3.0, fps=fps)
    assert [interval.kind for interval in found] == ["micro", "micro"]
    for interval, move in zip(found, moves, strict=True):
        assert interval.onset == pytest.approx(move.onset, abs=0.04)
        assert interval.offset == pytest.approx(move.offset, abs=0.05)


def test_one_expression_over_several_regions_is_one() -> None:
    """Surprise raises the brows and drops the jaw: one event, both named."""
    moves = [
        Move(place, direction, 0.7, 1.6, 1.75, 2.0)
        for place, direction in ((BROW_LEFT, (0, -1)), (BROW_RIGHT, (0, -1)), (CHIN, (0, 1)))
    ]
    (found,) = spot(make_face(52), moves, seconds=2.8, fps=30)
    assert {"brow_left", "brow_right", "chin"} <= set(found.regions)


def test_the_future_has_no_part() -> None:
    """What is live must not know what comes: the first part alone gives the same answers at the same time."""
    moves = [
        Move(MOUTH_LEFT, (0.0, -1.0), 0.6, 1.5, 1.65, 1.9),
        Move(CHIN, (0.0, 1.0), 5.0, 2.4, 2.5, 2.6),
    ]
    times = clock(3.2, fps=30)
    pictures = list(perform(make_face(61), moves, times=times))
    whole = watch(iter(pictures), times=times)
    for cut in (60, 68, 85):
        part = watch(iter(pictures[:cut]), times=times[:cut])
        assert part == [answer for answer in whole if answer[1] < times[cut]]
    assert len(whole) == 2


@pytest.mark.parametrize("reason", ["restarted", "gap", "back"])
def test_a_new_face_begins_anew(reason: str) -> None:
    """A cut from one face to another moves every pixel and is no expression."""
    times = clock(4.0, fps=30)
    if reason == "gap":
        times[60:] += 1.0
    elif reason == "back":
        times[60:] -= 2.0
    spotter, sensor = Spotter(), Sensor(1.0, seed=0)
    one, other = make_face(71), make_face(72)
    for k, time in enumerate(times):
        luma = sensor(one if k < 60 else other)
        restarted = reason == "restarted" and k == 60
        assert spotter.update(as_crop(luma, restarted=restarted), time=float(time)) == []
        assert not spotter.active
        assert spotter.motion_px < 0.1


@pytest.mark.parametrize("fps", [30, 60, 200])
def test_what_ends_with_the_film_is_told(fps: int) -> None:
    """Clips of research end with the expression: nothing comes after it that could confirm it."""
    move = Move(MOUTH_LEFT, (0.0, -1.0), 0.8, 1.6, 1.75, 2.0)
    times = clock(move.offset + 0.02, fps=fps)
    spotter, sensor = Spotter(), Sensor(1.0, seed=0)
    for picture, time in zip(perform(make_face(62), [move], times=times), times, strict=True):
        assert spotter.update(as_crop(sensor(picture)), time=float(time)) == []
    (found,) = spotter.finish()
    assert found.kind == "micro"
    assert found.onset == pytest.approx(move.onset, abs=0.04)
    assert found.apex == pytest.approx(move.apex, abs=0.045)
    assert found.offset == pytest.approx(move.offset, abs=0.045)
    assert found.offset <= times[-1]
    assert spotter.finish() == []


@pytest.mark.parametrize(("held", "kinds"), [(0.1, []), (0.3, []), (0.8, ["macro"])])
def test_what_is_held_at_the_end_is_told_if_it_is_macro_by_then(held: float, kinds: list[str]) -> None:
    """Whether a short one would have been micro or macro nobody knows: to say either would be a guess."""
    move = Move(MOUTH_LEFT, (0.0, -1.0), 0.8, 1.6, 1.75, 9.0, hold=5.0)
    times = clock(move.apex + held, fps=30)
    spotter, sensor = Spotter(), Sensor(1.0, seed=0)
    for picture, time in zip(perform(make_face(63), [move], times=times), times, strict=True):
        spotter.update(as_crop(sensor(picture)), time=float(time))
    found = spotter.finish()
    assert [interval.kind for interval in found] == kinds
    assert all(interval.offset == times[-1] for interval in found)


def test_what_ends_with_a_gap_is_told() -> None:
    """A camera that stalls just after an expression has still shown it."""
    move = Move(MOUTH_LEFT, (0.0, -1.0), 0.8, 1.6, 1.75, 2.0)
    times = clock(3.0, fps=30)
    times[times > move.offset + 0.02] += 1.0
    found = watch(perform(make_face(64), [move], times=times), times=times)
    assert [interval.kind for interval, _ in found] == ["micro"]
    assert found[0][1] > 3.0


def test_the_display_sees_the_motion_as_it_happens() -> None:
    move = Move(MOUTH_LEFT, (0.0, -1.0), 0.8, 1.5, 1.7, 2.0)
    times = clock(2.8, fps=60)
    spotter, sensor = Spotter(), Sensor(0.5, seed=0)
    shown, active = [], []
    for picture, time in zip(perform(make_face(81), [move], times=times), times, strict=True):
        spotter.update(as_crop(sensor(picture)), time=float(time))
        shown.append(spotter.motion_px)
        active.append(spotter.active)
    wanted = np.array([0.8 * move.level(float(t)) for t in times])
    late = times > 0.8
    assert np.corrcoef(np.array(shown)[late], wanted[late])[0, 1] > 0.98
    under_way = times[np.array(active)]
    assert 1.5 < under_way[0] < 1.65
    assert 1.9 < under_way[-1] < 2.2
    assert all(b - a < 0.02 for a, b in pairwise(under_way))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_crop_without_structure_moves_nowhere(level: int) -> None:
    """A covered lens gives zeros, and no division by them."""
    spotter = Spotter()
    luma = np.full((CROP_SIZE, CROP_SIZE), level, np.uint8)
    for time in clock(2.0, fps=30):
        assert spotter.update(as_crop(luma), time=float(time)) == []
        assert spotter.motion_px == 0.0


@pytest.mark.parametrize("seed", [91, 92])
@pytest.mark.parametrize("shift", [(0.3, 0.0), (0.0, -0.3), (0.15, 0.2)])
def test_motion_of_the_whole_head_is_taken_away(seed: int, shift: tuple[float, float]) -> None:
    motion, sensor = RegionalMotion(), Sensor(0.5, seed=seed)
    face = make_face(seed)
    moved = ndimage.shift(face, shift[::-1], order=3, mode="nearest")
    before = motion.measure(sensor(face), time=0.0, quiet=False).regions
    after = motion.measure(sensor(moved), time=0.03, quiet=False).regions
    assert np.abs(after - before).max() < 0.06


@pytest.mark.parametrize("seed", [93, 94, 95])
def test_displacement_is_in_pixels_whatever_the_contrast(seed: int) -> None:
    """A pale cheek and a dark brow that move alike must count alike."""
    for contrast in (6.0, 12.0, 40.0):
        motion, face = RegionalMotion(), make_face(seed, contrast=contrast)
        move = Move(MOUTH_LEFT, (0.6, -0.8), 0.5, 0.0, 1.0, 2.0)
        rest, top = perform(face, [move], times=np.array([0.0, 1.0]))
        sensor = Sensor(0.3, seed=seed)
        before = motion.measure(sensor(rest), time=0.0, quiet=False)
        after = motion.measure(sensor(top), time=0.03, quiet=False)
        moved = (after.regions - before.regions)[REGIONS.index("mouth_left")]
        # The mean of the bump over the region, and that of the skin's structure over the bump.
        assert 0.5 < float(moved @ (0.6, -0.8)) / 0.5 < 0.85
        assert abs(float(moved @ (0.8, 0.6))) < 0.06


def test_renewing_the_reference_makes_no_step() -> None:
    """Each renewal would otherwise look like a twitch of the whole face."""
    motion, sensor = RegionalMotion(), Sensor(1.0, seed=1)
    face = make_face(96)
    move = Move(MOUTH_LEFT, (0.0, -1.0), 1.0, 0.0, 6.0, 20.0)
    times = clock(6.0, fps=30)
    track = np.array(
        [
            motion.measure(sensor(picture), time=float(time), quiet=True).regions
            for picture, time in zip(perform(face, [move], times=times), times, strict=True)
        ]
    )
    slow = track[:, REGIONS.index("mouth_left"), 1]
    wanted = np.array([-move.level(float(t)) for t in times])
    gain = float(slow @ wanted / (wanted @ wanted))
    assert 0.6 < gain < 0.85
    assert np.abs(slow - gain * wanted).max() < 0.06
    assert np.abs(np.diff(track, axis=0)).max() < 0.08
