"""The benchmark of the tracker: its figures must mean what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from face_stage import TruthDetector
from magnifyme.magnify.similarity import apply
from magnifyme.models.face_detector import HaarCascade
from magnifyme.train.track_bench import measure_loss, measure_recovery, measure_renewal, measure_stillness
from magnifyme.train.track_stage import H264, Case, Stage


def test_a_held_head_strays_less_than_one_cropped_by_detection() -> None:
    """The table compares the three on the same pictures: what it prints must be what the crops do."""
    result = measure_stillness(Case(sigma=0.0), detector=HaarCascade(), seconds=0.7)
    assert result.tracked_px < 0.02
    assert min(result.landmarks_px, result.box_px) > 20.0 * result.tracked_px
    assert result.lost == 0
    scale = result.tracked_px / result.frame_px
    assert 0.5 < scale < 2.0, "a face of 200 px is about as large in its crop"


def test_a_face_that_nobody_finds_is_no_still_face(rng: np.random.Generator) -> None:
    """A tracker that sees nothing must not come out as the stillest."""
    result = measure_stillness(Case(), detector=TruthDetector(rng), seconds=0.2)
    assert math.isnan(result.tracked_px)
    assert result.lost == 6
    assert measure_recovery(Case(), hidden_s=0.3, detector=TruthDetector(rng)) == math.inf


def test_the_loss_of_an_expression_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registration that follows the mouth takes a good part of a smile away: the figure must tell."""
    assert abs(measure_loss(Case(sigma=0.0), units={12: 1.0}, detector=HaarCascade())) < 0.05
    mouth = np.zeros((128, 128), np.float32)
    mouth[88:112, 34:94] = 1.0
    parts = (np.zeros((128, 128), np.int64), mouth, np.ones(1))
    monkeypatch.setattr("magnifyme.stream.registration.rigid_parts", lambda *_, **__: parts)
    assert measure_loss(Case(sigma=0.0), units={12: 1.0}, detector=HaarCascade()) > 0.05


@pytest.mark.parametrize("case", [Case(sigma=0.0, turned=25.0), Case(sigma=0.0, glasses=True)], ids=str)
def test_what_is_drawn_is_where_it_is_said_to_be(case: Case) -> None:
    """The truth that everything is held against: pictures of two poses differ by the motion between them."""
    stage = Stage(case)
    rest, moved = stage.pose(np.zeros(4)), stage.pose(np.array([3.0, 2.0, 0.0, 0.0]))
    before, after = (stage.frame(0, pose=pose).luma.astype(float) for pose in (rest, moved))
    for place in apply(rest, points=stage.landmarks)[:3].astype(int):
        x, y = place
        there = before[y - 12 : y + 12, x - 12 : x + 12]
        moved_there = after[y - 10 : y + 14, x - 9 : x + 15]
        # The glint on the glasses stays where it is while the rims move.
        assert np.median(np.abs(there - moved_there)) < 1.0
        assert np.abs(there - after[y - 12 : y + 12, x - 12 : x + 12]).mean() > 2.0


def test_a_renewed_look_adds_no_step() -> None:
    """A head that tilts and comes nearer gets a new look: the crop must not jump, or it is spotted."""
    result = measure_renewal(Case(), detector=HaarCascade(), seconds=1.5)
    assert result.renewals >= 3
    assert result.step_px < 0.06
    assert result.step_px < 1.5 * result.other_px


def test_what_an_encoder_does_to_the_face_itself_is_told_apart() -> None:
    """The tracker follows the picture that is there: what the encoder moves is none of its errors."""
    case = Case(encoding=H264)
    result = measure_stillness(case, detector=HaarCascade(), seconds=0.7)
    assert result.shown_px is not None
    assert 0.0 < result.shown_px < result.tracked_px
    assert measure_stillness(Case(), detector=HaarCascade(), seconds=0.1).shown_px is None
