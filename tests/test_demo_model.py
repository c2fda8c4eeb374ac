"""The demo model's making: clips that carry a wrong label or no motion would train a model that guesses."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from magnifyme.models.classifier import Classifier
from magnifyme.train.demo_clips import VARIANTS, Clips, Stream, cut_stream, make_clips, watch_stream
from magnifyme.train.demo_model import (
    RECIPE,
    confusion,
    held_out_streams,
    main,
    train,
    training_streams,
)
from magnifyme.train.synthetic import SyntheticSource

STREAM = Stream(seed=11, identity=3, seconds=8.0, amplitude_px=(1.0, 1.2), noise=1.0, sway=1.0)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return cut_stream(STREAM, RECIPE)


def test_each_expression_gives_its_clips_with_its_label(clips: Clips) -> None:
    source = SyntheticSource(seconds=8.0, seed=11, identity=3, paced=False, amplitude_px=(1.0, 1.2))
    labels = [RECIPE.labels.index(event.label) for event in source.truth if event.kind == "micro"]
    assert len(labels) >= 2
    assert clips.missed == 0
    assert clips.labels.tolist() == [label for label in labels for _ in range(VARIANTS)]
    assert clips.inputs.shape == (VARIANTS * len(labels), 3, RECIPE.input_size, RECIPE.input_size)
    assert set(clips.identities.tolist()) == {3}


def test_a_clip_shows_the_expression_and_not_the_head_s_sway(clips: Clips) -> None:
    """With the face still, the difference is noise alone: the expression must stand out from it."""
    still = cut_stream(replace(STREAM, amplitude_px=(1e-4, 2e-4)), RECIPE)
    moved, rest = (np.percentile(np.abs(part.inputs[:, 0].astype(np.float32)), 98) for part in (clips, still))
    assert moved > 1.5 * rest


def test_the_same_streams_give_the_same_clips_whatever_the_number_of_processes(clips: Clips) -> None:
    again = make_clips(cut_stream, streams=[STREAM, replace(STREAM, seconds=5.0)], recipe=RECIPE, processes=2)
    count = len(clips.labels)
    assert np.array_equal(again.inputs[:count], clips.inputs)
    assert len(again.labels) > count


def test_a_stream_watched_whole_gives_what_was_spotted_with_its_true_label(clips: Clips) -> None:
    watched = watch_stream(STREAM, RECIPE)
    assert len(watched.labels) + watched.missed == len(clips.labels) // VARIANTS
    assert len(watched.labels) >= 1
    assert set(watched.labels.tolist()) <= set(clips.labels.tolist())
    # What is learned from looks like what is met: the same scale of motion, however it was cut.
    seen, learned = (np.abs(part.inputs[:, 0].astype(np.float32)).mean() for part in (watched, clips))
    assert 0.6 < seen / learned < 1.6


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
    return Clips(inputs.astype(np.float16), labels, np.zeros(count, np.int64), missed=0)


def test_a_seed_repeats_the_training() -> None:
    clips, console = made_up(128), Console(file=io.StringIO())
    first, second, other = (
        list(train(clips, epochs=2, seed=seed, console=console).parameters()) for seed in (5, 5, 6)
    )
    assert all(bool((a == b).all()) for a, b in zip(first, second, strict=True))
    assert not all(bool((a == b).all()) for a, b in zip(first, other, strict=True))


def test_the_script_writes_a_model_that_runs_and_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(cut: object, **_: object) -> Clips:
        return made_up(128 if cut is cut_stream else 32)

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
    assert "--seed 3 --streams 32 --epochs 1" in card
