"""What is found on made streams, clean and compressed: the figures that a user is told must be true."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.models.face_detector import HaarCascade
from magnifyme.stream.frame import Frame
from magnifyme.stream.spotter import Interval
from magnifyme.train.score import overlap
from magnifyme.train.spot_bench import Encoding, SpotScore, measure, score, spot
from magnifyme.train.synthetic import SyntheticSource, TrueEvent

FPS = 30.0
H264 = [Encoding(mbit_s=2.0), Encoding(crf=18, key_s=2.0), Encoding(crf=23), Encoding(crf=28, key_s=2.0)]


@pytest.fixture(scope="module")
def nothing() -> list[Frame]:
    """Draw nine seconds of a face that sways and blinks."""
    return list(SyntheticSource(seconds=9.0, fps=FPS, seed=104, paced=False, events=()))


@pytest.mark.parametrize("encoding", H264, ids=str)
def test_what_compression_does_is_no_expression(nothing: list[Frame], encoding: Encoding) -> None:
    """Every camera on a network compresses: false alarms at each key frame bury what is true."""
    found = spot(encoding.code(nothing, fps=FPS), fps=FPS, detector=HaarCascade())
    assert [interval for interval in found if interval.kind != "blink"] == []


def test_expressions_are_found_through_the_encoder_of_a_camera() -> None:
    """A spotter that calls nothing an expression has no false alarms either."""
    source = SyntheticSource(seconds=12.0, fps=FPS, seed=105, paced=False)
    scores = measure(source, encodings=(Encoding(), Encoding(mbit_s=2.0)), detector=HaarCascade())
    clean, coded = scores.values()
    assert (clean.recall, clean.precision, clean.named_micro) == (1.0, 1.0, clean.expressions)
    assert clean.expressions >= 4
    assert coded.hits >= clean.hits - 1
    assert (coded.false_micro, coded.false_macro) == (0, 0)
    assert clean.median_errors_ms is not None
    assert max(clean.median_errors_ms) < 30.0


def test_a_faster_camera_gives_the_same_answer() -> None:
    """The whole way, tracker and all: who changes the camera must not get other results for it."""
    events = [
        TrueEvent(2.0, 2.15, 2.4, "happiness", amplitude_px=0.6),
        TrueEvent(3.2, 3.3, 3.55, "surprise", amplitude_px=0.8),
    ]
    answers = []
    for fps in (30.0, 60.0, 100.0, 200.0):
        source = SyntheticSource(
            seconds=4.2, fps=fps, size=(320, 240), seed=208, paced=False, events=events, blinks=False
        )
        answers.append(spot(source, fps=fps, detector=HaarCascade()))
    for found in answers:
        assert [interval.kind for interval in found] == ["micro", "micro"]
        for one, other in zip(answers[0], found, strict=True):
            for name in ("onset", "apex", "offset"):
                assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1.0 / FPS), (name, found)
            assert one.intensity_px == pytest.approx(other.intensity_px, rel=0.15)
            assert one.action_units[0] == other.action_units[0]


class _Nodding(SyntheticSource):
    """Nods and shakes its head by a seventh of the eyes' distance, quickly, all the time."""

    def pose(self, at: float) -> NDArray[np.float64]:
        """Move on top of the sway."""
        pose = super().pose(at)
        sway = 0.15 * self.face.unit_px * np.sin(np.array([3.1, 5.3]) * at) * min(at / 2.0, 1.0)
        turn = 0.05 * math.sin(4.0 * at)
        linear = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        centre = self.face.centre
        moved = linear @ (pose[:, 2] - centre) + centre + sway
        return np.concatenate([linear @ pose[:, :2], moved[:, None]], axis=1)


def test_a_head_that_nods_is_no_expression_and_hides_none() -> None:
    """People nod and shake their heads while they listen."""
    smile = TrueEvent(6.0, 6.15, 6.4, "happiness", amplitude_px=1.0)
    source = _Nodding(seconds=8.0, fps=FPS, seed=206, paced=False, events=[smile], blinks=False)
    found = spot(source, fps=FPS, detector=HaarCascade())
    assert [interval.kind for interval in found] == ["micro"]
    assert overlap(found[0], smile) > 0.5


def test_a_face_that_talks_has_no_micro_expressions() -> None:
    """Single words are as short as these, and open the mouth by some pixels."""
    rng = np.random.default_rng(207)
    events, onset = [], 2.5
    for pause in (0.0, 0.05, -0.04, 1.0, 1.0, -0.05, 0.02, 1.0):
        onset += pause
        duration = rng.uniform(0.2, 0.35)
        events.append(
            TrueEvent(
                onset, onset + 0.4 * duration, onset + duration, "word", "macro",
                amplitude_px=rng.uniform(3.0, 6.0),
                action_units={26: 1.0, 25: rng.uniform(0.3, 1.0), 20: rng.uniform(0.0, 0.5)},
            )
        )  # fmt: skip
        onset += duration
    source = SyntheticSource(seconds=onset + 1.0, fps=FPS, seed=207, paced=False, events=events, blinks=False)
    found = spot(source, fps=FPS, detector=HaarCascade())
    assert found
    assert {interval.kind for interval in found} == {"macro"}


def test_the_encoder_changes_pictures_but_neither_times_nor_their_number(nothing: list[Frame]) -> None:
    coded = list(Encoding(crf=28).code(nothing[:50], fps=FPS))
    assert [frame.sequence for frame in coded] == list(range(50))
    assert [frame.time for frame in coded] == pytest.approx([frame.time for frame in nothing[:50]], abs=1e-4)
    assert any((one.luma != other.luma).any() for one, other in zip(coded, nothing, strict=False))
    assert list(Encoding().code(nothing[:5], fps=FPS)) == nothing[:5]


@dataclass
class _Case:
    found: list[tuple[float, float, str]]
    hits: int
    named: int
    false: tuple[int, int]


@pytest.mark.parametrize(
    "case",
    [
        _Case([(1.0, 1.4, "micro")], 1, 1, (0, 0)),
        _Case([(1.0, 1.7, "macro")], 1, 0, (0, 0)),
        _Case([(1.0, 1.4, "micro"), (1.0, 1.39, "micro"), (5.0, 6.0, "macro")], 1, 1, (1, 1)),
        _Case([(1.0, 1.4, "blink"), (3.0, 3.2, "micro")], 0, 0, (1, 0)),
        _Case([], 0, 0, (0, 0)),
    ],
)
def test_scores_count_each_event_once(case: _Case) -> None:
    true = [TrueEvent(1.0, 1.2, 1.4, "anger"), TrueEvent(3.0, 3.1, 3.2, "blink", "blink")]
    found = [Interval(on, (on + off) / 2, off, 0.5, kind, ()) for on, off, kind in case.found]  # type: ignore[arg-type]
    got = score(found, true=true, seconds=30.0)
    false = got.false_micro, got.false_macro
    assert (got.hits, got.named_micro, false) == (case.hits, case.named, case.false)
    twice = got + got
    assert (twice.expressions, twice.seconds, twice.hits) == (2, 60.0, 2 * case.hits)
    assert (twice.recall, twice.precision) == (got.recall, got.precision)
    assert got.false_micro_per_minute == 2.0 * case.false[0]
    assert len(twice.errors_s) == 2 * case.hits


def test_scores_of_nothing_are_no_division_by_zero() -> None:
    empty = SpotScore()
    assert (empty.recall, empty.precision, empty.f1, empty.median_errors_ms) == (1.0, 1.0, 1.0, None)
    assert (empty.false_micro_per_minute, empty.false_per_hour) == (0.0, 0.0)
