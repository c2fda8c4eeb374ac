"""What made people do over minutes: is it like what data sets hold, and is the truth about it whole?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.train.acting import MIXTURES, Script, act, express, utter
from magnifyme.train.expressions import LID_TRAVEL
from magnifyme.train.long_videos import long_videos
from magnifyme.train.synthetic import SyntheticSource, TrueEvent

Array = NDArray[np.float64]
UNIT_PX = 98.4


def acted(kind: str, *, script: Script | None = None, seeds: range = range(20)) -> list[TrueEvent]:
    return [
        event
        for seed in seeds
        for event in act(seed, seconds=120.0, unit_px=UNIT_PX, script=script)
        if event.kind == kind
    ]


# The sheets' figures: shared by all who tune on them.
@pytest.mark.parametrize(
    ("durations", "quantiles_s", "rise_s"),
    [("samm", (0.200, 0.390, 0.500), 0.160), ("casme2", (0.180, 0.305, 0.500), 0.150)],
)
def test_micro_expressions_last_as_long_as_in_the_data_sets(
    durations: str, quantiles_s: tuple[float, ...], rise_s: float, rng: np.random.Generator
) -> None:
    script = Script(durations=durations)  # type: ignore[arg-type]
    events = [express(rng, onset=1.0, script=script) for _ in range(2000)]
    lengths = np.array([event.offset - event.onset for event in events])
    rises = np.array([event.apex - event.onset for event in events])
    assert np.percentile(lengths, [5, 50, 95]) == pytest.approx(quantiles_s, abs=0.012)
    assert lengths.max() <= 0.5
    assert np.median(rises) == pytest.approx(rise_s, abs=0.015)
    assert rises.min() >= 0.0699
    amplitudes = np.array([event.amplitude_px for event in events])
    assert amplitudes.min() >= 0.2
    assert amplitudes.max() <= 1.5
    assert np.ptp(amplitudes) > 1.2


def test_every_action_unit_of_faces_comes_up() -> None:
    """A spotter that is blind to one muscle must meet it."""
    named = {1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26}
    assert {number for event in acted("micro") for number in event.action_units} == named
    assert {number for event in acted("blink", seeds=range(30)) for number in event.action_units} == {43, 45}
    assert {event.label for event in acted("micro")} == set(MIXTURES)


def test_macro_expressions_are_longer_and_larger() -> None:
    events = acted("macro")
    assert len(events) > 20
    assert min(event.offset - event.onset for event in events) > 0.55
    assert min(event.amplitude_px for event in events) > 1.5
    assert len({event.hold for event in events}) == len(events)


def test_some_micro_expressions_are_of_one_side() -> None:
    """Many are in life; a spotter that adds both sides up finds half of them."""
    events = acted("micro")
    alone = [event for event in events if abs(event.asymmetry) == 1.0]
    assert 0.15 < len(alone) / len(events) < 0.5
    assert {event.asymmetry for event in alone} == {-1.0, 1.0}
    script = Script(one_sided=1.0)
    rng = np.random.default_rng(3)
    event = next(e for e in iter(lambda: express(rng, onset=0.1, script=script, label="happiness"), None))
    assert abs(event.asymmetry) == 1.0
    source = SyntheticSource(
        events=[event], sway=0.0, blinks=False, paced=False, seconds=2.0, size=(320, 240)
    )
    corners = source.face.landmarks[3:]
    moved = np.hypot(*(source.locate(corners, at=event.apex) - corners).T)
    strong, weak = (0, 1) if event.asymmetry > 0 else (1, 0)
    assert moved[strong] > 0.5 * event.amplitude_px
    assert moved[weak] < 0.02 * event.amplitude_px


def test_blinks_leave_micro_expressions_alone_and_nothing_else() -> None:
    beside = {"speech": 0, "macro": 0}
    for seed in range(20):
        events = act(seed, seconds=120.0, unit_px=UNIT_PX)
        blinks = [event for event in events if event.kind == "blink"]
        assert 15 < len(blinks) < 60
        for blink in blinks:
            assert 0.5 * LID_TRAVEL < blink.amplitude_px / UNIT_PX <= LID_TRAVEL
            for event in events:
                if event.kind == "micro":
                    assert blink.onset > event.offset + 0.29 or blink.offset < event.onset - 0.29
                elif event.kind != "blink":
                    beside[event.kind] += blink.onset < event.offset and event.onset < blink.offset
    assert min(beside.values()) > 3


def test_expressions_and_speech_follow_one_another() -> None:
    events = [event for event in act(3, seconds=300.0, unit_px=UNIT_PX) if event.kind != "blink"]
    assert {event.kind for event in events} == {"micro", "macro", "speech"}
    gaps = [after.onset - before.offset for before, after in itertools.pairwise(events)]
    assert min(gaps) >= 0.8
    assert np.mean(gaps) == pytest.approx(4.0, rel=0.3)
    assert events[-1].offset <= 300.0
    calm = act(3, seconds=60.0, unit_px=UNIT_PX, script=Script(macro=0.0, speech=0.0, blinks=False))
    assert {event.kind for event in calm} == {"micro"}


# --- speech


def test_speech_is_many_shapes_at_many_rates(rng: np.random.Generator) -> None:
    """Talking lasts for seconds and never repeats: one sine would be told apart by its one tone."""
    utterances = [utter(rng, onset=2.0, unit_px=UNIT_PX) for _ in range(60)]
    rates = []
    for speech in utterances:
        assert speech.onset == speech.parts[0].onset == 2.0
        assert speech.offset == max(part.offset for part in speech.parts)
        assert speech.amplitude_px == max(part.amplitude_px for part in speech.parts)
        onsets = np.array([part.onset for part in speech.parts])
        # One runs into the next: the mouth never rests in between.
        assert all(a.offset > b.onset for a, b in itertools.pairwise(speech.parts))
        if len(onsets) > 4:
            rates.append(1.0 / np.mean(np.diff(onsets)))
    assert min(rates) < 4.0
    assert max(rates) > 5.0
    assert len({frozenset(part.action_units) for speech in utterances for part in speech.parts}) == 6
    assert max(speech.offset - speech.onset for speech in utterances) > 4.0


def test_the_mouth_moves_while_the_truth_says_speech(rng: np.random.Generator) -> None:
    speech = utter(rng, onset=0.5, unit_px=49.0)
    source = SyntheticSource(
        events=[speech], sway=0.0, blinks=False, paced=False, seconds=20.0, size=(320, 240)
    )
    assert source.truth == [speech]
    lip = source.face.landmarks[3:].mean(axis=0)[None] + [[0.0, 0.3 * source.face.unit_px]]
    times = np.arange(0.0, speech.offset + 0.5, 0.02)
    way = np.array([np.hypot(*(source.locate(lip, at=at) - lip)[0]) for at in times])
    moving = way > 0.1
    assert times[moving][0] == pytest.approx(speech.onset, abs=0.15)
    assert times[moving][-1] == pytest.approx(speech.offset, abs=0.25)
    turns = np.sum(np.diff(np.sign(np.diff(way[moving]))) < 0)
    assert turns >= 0.5 * len(speech.parts)


def test_speech_does_not_fold_the_skin(rng: np.random.Generator) -> None:
    """A fold would show skin twice, and a point of the face would have no one place: no truth."""
    for _ in range(8):
        speech = utter(rng, onset=0.0, unit_px=49.2)
        source = SyntheticSource(
            events=[speech], sway=0.0, blinks=False, paced=False, seconds=20.0, size=(320, 240)
        )
        for at in np.arange(0.1, speech.offset, 0.21):
            y, x = np.mgrid[0:240, 0:320].astype(np.float64)
            rest = np.stack([x, y], axis=-1) - source.displacement(at)
            dy, dx = (np.asarray(slope) for slope in np.gradient(rest, axis=(0, 1)))
            assert (dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]).min() > 0.05


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"micro_px": (1.0, 0.5)}, "micro_px is 1 to 0.5; it must be lowest to highest"),
        ({"macro_eyes": (0.0, 0.05)}, "macro_eyes is 0 to 0.05"),
        ({"macro_eyes": (0.05, 0.5)}, "macro_eyes is up to 0.5; it must be at most 0.06"),
        ({"gap_s": 0.5}, "gap_s is 0.5; it must be above 0.8"),
        ({"macro": 0.7, "speech": 0.7}, "together 1 at most"),
    ],
)
def test_scripts_that_cannot_be_are_refused(how: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Script(**how)  # type: ignore[arg-type]


def test_an_amplitude_that_folds_the_skin_is_refused() -> None:
    with pytest.raises(ValueError, match=r"for eyes 50 px apart it must be at most 3\.0, or the skin folds"):
        act(0, seconds=10.0, unit_px=50.0, script=Script(micro_px=(1.0, 4.0)))


def test_a_script_needs_an_end() -> None:
    with pytest.raises(ValueError, match="a script is drawn to its end: give seconds"):
        SyntheticSource(events=Script())


# --- long videos


def test_long_videos_are_other_people_with_the_whole_truth() -> None:
    """One person under one lamp would let a spotter be tuned to them."""
    videos = list(long_videos(1, count=6, seconds=60.0, size=(240, 180)))
    again = list(long_videos(1, count=6, seconds=60.0, size=(240, 180)))
    other = list(long_videos(2, count=1, seconds=60.0, size=(240, 180)))
    frames = [source.frame(100).luma.tobytes() for source, _ in videos]
    assert len(set(frames)) == 6
    assert frames == [source.frame(100).luma.tobytes() for source, _ in again]
    assert other[0][0].frame(100).luma.tobytes() not in frames
    kinds: set[str] = set()
    for (source, truth), (_, same) in zip(videos, again, strict=True):
        assert truth == source.truth == same
        assert all(event.offset <= 60.0 for event in truth)
        kinds |= {event.kind for event in truth}
    assert kinds == {"micro", "macro", "blink", "speech"}
    glasses = [source.face._picture.glasses is not None for source, _ in videos]
    assert len(set(glasses)) == 2
    turned = [abs(source.angles(7.0)[0]) for source, _ in videos]
    assert max(turned) > 0.02
