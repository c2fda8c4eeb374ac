"""The demo model's making: clips that carry a wrong label or no motion would train a model that guesses."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from magnifyme.models.classifier import Classifier
from magnifyme.train.demo_clips import Clips, Stream, cut_stream, make_clips
from magnifyme.train.demo_model import (
    RECIPE,
    confusion,
    held_out_streams,
    main,
    train,
    training_streams,
)
from magnifyme.train.synthetic import SyntheticSource

STREAM = Stream(seed=11, identity=3, seconds=8.0, amplitude_px=(1.0, 1.2), noise=1.0, sway=1.0, variants=3)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return cut_stream(STREAM, RECIPE)


def test_each_expression_gives_its_clips_with_its_label(clips: Clips) -> None:
    source = SyntheticSource(seconds=8.0, seed=11, identity=3, paced=False, amplitude_px=(1.0, 1.2))
    labels = [RECIPE.labels.index(event.label) for event in source.truth if event.kind == "micro"]
    assert len(labels) >= 2
    assert clips.missed == 0
    assert clips.labels.tolist() == [label for label in labels for _ in range(3)]
    assert clips.inputs.shape == (3 * len(labels), 3, RECIPE.input_size, RECIPE.input_size)
    assert set(clips.identities.tolist()) == {3}


def test_a_clip_shows_the_expression_and_not_the_head_s_sway(clips: Clips) -> None:
    """With the face still, the difference is noise alone: the expression must stand out from it."""
    still = cut_stream(replace(STREAM, amplitude_px=(1e-4, 2e-4)), RECIPE)
    moved, rest = (np.abs(part.inputs[:, 0].astype(np.float32)).mean() for part in (clips, still))
    assert moved > 1.5 * rest


def test_the_same_streams_give_the_same_clips_whatever_the_number_of_processes(clips: Clips) -> None:
    again = make_clips([STREAM, replace(STREAM, seconds=5.0)], recipe=RECIPE, processes=2)
    count = len(clips.labels)
    assert np.array_equal(again.inputs[:count], clips.inputs)
    assert len(again.labels) > count


def test_nobody_is_both_trained_on_and_reported_on() -> None:
    training, held_out = training_streams(200, seed=7), held_out_streams(seed=7)
    assert not {s.identity for s in training} & {s.identity for s in held_out}
    assert not {s.seed for s in training} & {s.seed for s in held_out}
    assert 0 in {s.identity for s in held_out}, "the portrait that the demo shows must be held out"


def made_up(count: int) -> Clips:
    """Give clips that one channel of one quarter tells apart: any network that learns gets them right."""
    rng = np.random.default_rng(2)
    size = RECIPE.input_size
    labels = rng.integers(len(RECIPE.labels), size=count)
    inputs = 0.1 * rng.standard_normal((count, 3, size, size))
    for clip, label in zip(inputs, labels, strict=True):
        clip[0, 12 * label : 12 * label + 12] += 2.0
    return Clips(
        inputs.astype(np.float16), labels, np.zeros(count, np.int64), np.ones(count, np.float64), missed=0
    )


def test_training_learns_and_a_seed_repeats_it() -> None:
    clips, console = made_up(640), Console(file=io.StringIO())
    first, second = (train(clips, epochs=5, seed=5, console=console) for _ in range(2))
    values = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(bool((a == b).all()) for a, b in values)


def test_the_script_writes_a_model_that_runs_and_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(streams: list[Stream], **_: object) -> Clips:
        return made_up(128 if streams[0].variants > 1 else 32)

    monkeypatch.setattr("magnifyme.train.demo_model.make_clips", few)
    out = tmp_path / "demo.onnx"
    main(["--out", str(out), "--seed", "3", "--epochs", "1"])
    classifier = Classifier(out)
    assert classifier.recipe == RECIPE
    table = confusion(made_up(32), classifier=classifier)
    assert table.sum() == 32
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    assert f"**{np.trace(table) / 32:.1%}**" in card
    assert f"{table.sum(axis=1).max() / 32:.1%}" in card
    assert "says nothing about people" in card
    assert "--seed 3 --streams 24 --epochs 1" in card
