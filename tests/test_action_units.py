"""Parts that moved, read as action units: what a user is told a movement may be."""

from __future__ import annotations

import pytest

from magnifyme.models.face_detector import HaarCascade
from magnifyme.stream.action_units import NAMES, action_units
from magnifyme.stream.motion import REGIONS
from magnifyme.train.score import match
from magnifyme.train.spot_bench import spot
from magnifyme.train.synthetic import SyntheticSource, TrueEvent


@pytest.mark.parametrize(
    ("motion", "first", "others"),
    [
        ({"brow_inner": (0.0, -0.5)}, 1, set()),
        ({"brow_left": (0.1, -0.4), "brow_right": (-0.1, -0.4)}, 2, {1}),
        ({"brow_left": (0.3, 0.3)}, 4, set()),
        ({"brow_right": (-0.3, 0.3)}, 4, set()),
        ({"nose": (0.0, -0.3)}, 9, {10}),
        ({"mouth_left": (-0.4, -0.4), "cheek_left": (-0.05, -0.2)}, 12, {6}),
        ({"mouth_right": (0.4, -0.4)}, 12, set()),
        ({"mouth_left": (-0.4, 0.05)}, 14, {20}),
        ({"mouth_left": (0.4, 0.05)}, 23, set()),
        ({"mouth_right": (0.1, 0.5)}, 15, set()),
        ({"chin": (0.05, -0.3)}, 17, set()),
        ({"chin": (0.0, 0.5), "lower_lip": (0.0, 0.3)}, 26, {25}),
        ({"eye_left": (0.1, 0.9), "eye_right": (0.0, 0.7)}, 45, set()),
    ],
)
def test_directions_are_read_from_the_midline(
    motion: dict[str, tuple[float, float]], first: int, others: set[int]
) -> None:
    """A mirrored face does the same: left and right corners of a smile go apart in the picture."""
    read = action_units(list(motion), motion=list(motion.values()))
    assert read[0] == first
    assert set(read) == {first} | others
    mirrored = {
        name.replace("left", "?").replace("right", "left").replace("?", "right"): (-x, y)
        for name, (x, y) in motion.items()
    }
    assert action_units(list(mirrored), motion=list(mirrored.values())) == read


def test_what_geometry_does_not_tell_is_not_told() -> None:
    """A nose that slides to the side is no action unit; a lid beside a brow is not measured."""
    assert action_units(["nose"], motion=[(0.4, 0.0)]) == ()
    assert action_units(["chin"], motion=[(0.0, 0.0)]) == ()
    assert action_units([], motion=[]) == ()
    assert action_units(["brow_inner", "eye_left"], motion=[(0.0, -0.4), (0.0, 3.0)]) == (1,)
    for region in REGIONS:
        for way in ((0.3, 0.0), (0.0, 0.3), (-0.3, 0.0), (0.0, -0.3)):
            assert set(action_units([region], motion=[way])) <= set(NAMES)


def test_made_action_units_are_read_off_the_stream() -> None:
    """From pixels to names, on an identity and a seed that the table was not made with."""
    units = (4, 12, 15, 17, 26, 2)
    events = [
        TrueEvent(
            2.0 + 1.3 * k, 2.15 + 1.3 * k, 2.4 + 1.3 * k, "unit", amplitude_px=1.0, action_units={unit: 1.0}
        )
        for k, unit in enumerate(units)
    ]
    source = SyntheticSource(
        seconds=9.6, fps=30.0, seed=204, identity=7, paced=False, events=events, blinks=False
    )
    found = spot(source, fps=30.0, detector=HaarCascade())
    pairs = match(found, true=events)
    assert len(pairs) >= len(units) - 1
    read = {units[k]: found[i].action_units for i, k in pairs}
    assert all(unit in candidates for unit, candidates in read.items()), read
    assert sum(candidates[0] == unit for unit, candidates in read.items()) >= len(read) - 1, read
