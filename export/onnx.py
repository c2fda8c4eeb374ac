"""A PyTorch classifier as one ONNX file that carries its recipe, written only if it computes the same."""

from __future__ import annotations

import logging
import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from magnifyme.models.classifier import INPUT, OUTPUT, RECIPE_KEY, Classifier
from magnifyme.models.errors import ModelError
from magnifyme.models.recipe import Recipe

TOLERANCE = 1e-4
"""Largest difference of a probability between PyTorch and ONNX Runtime: both compute in float32."""

_SEED = 20261123
_BATCHES = (1, 2, 5)


class _Probabilities(nn.Module):
    """Put the softmax inside the file, so that no reader can forget it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.model(clip), dim=1)


def export_classifier(
    model: nn.Module,
    *,
    recipe: Recipe,
    path: Path,
    examples: NDArray[np.float32] | None = None,
    tolerance: float = TOLERANCE,
) -> Path:
    """Write a classifier to one ONNX file at `path` and return it.

    `model` maps float32 [N, 3, input_size, input_size] to logits [N, labels]; it is left in the mode and
    on the device it had. The file's input is "clip" with a free batch size, its output "probabilities",
    and the recipe stands in its metadata. Before the file appears, it is opened as a live stream would
    open it and compared with PyTorch on noise, on structured pictures, and on `examples` (real inputs,
    float32 [N, 3, input_size, input_size]) if given.

    Raises ModelError, and leaves no file, when a probability differs by more than `tolerance` or a label
    differs.
    """
    training = model.training
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    probabilities = _Probabilities(model).cpu().eval()
    # The file gets its name when it has passed; until then it lies beside it, on the same disk.
    trial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(_convert(probabilities, recipe=recipe), str(trial))
        _compare(Classifier(trial), probabilities, examples=examples, tolerance=tolerance)
        trial.replace(path)
    finally:
        trial.unlink(missing_ok=True)
        model.to(device).train(training)
    return path


def _convert(model: nn.Module, *, recipe: Recipe) -> onnx.ModelProto:
    size = recipe.input_size
    with _quiet():
        program = torch.onnx.export(
            model,
            (torch.zeros(2, 3, size, size),),
            dynamo=True,
            external_data=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    if program is None:
        raise ModelError("PyTorch gave no ONNX program: update torch to 2.6 or newer")
    converted = program.model_proto
    # The exporter notes where each node came from, with the paths of this machine.
    for node in converted.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*converted.graph.value_info, *converted.graph.input, *converted.graph.output):
        del value.metadata_props[:]
    del converted.graph.metadata_props[:]
    del converted.metadata_props[:]
    converted.metadata_props.add(key=RECIPE_KEY, value=recipe.to_json())
    onnx.checker.check_model(converted, full_check=True)
    return converted


def _compare(
    classifier: Classifier, model: nn.Module, *, examples: NDArray[np.float32] | None, tolerance: float
) -> None:
    recipe = classifier.recipe
    for clips in _trials(recipe.input_size, examples=examples):
        with torch.inference_mode():
            expected = model(torch.from_numpy(clips)).numpy()
        answers = classifier.classify_clips(clips)
        found = np.array([list(answer.probabilities.values()) for answer in answers])
        difference = float(np.max(np.abs(found - expected)))
        # Written so that NaN is a disagreement too.
        if not difference <= tolerance:
            raise ModelError(
                f"not exported: ONNX Runtime and PyTorch differ by {difference:.2g}, at most {tolerance:.2g}"
            )
        two_best = np.sort(expected, axis=1)[:, -2:]
        clear = two_best[:, 1] - two_best[:, 0] > 2 * tolerance
        if np.any(clear & (np.argmax(found, axis=1) != np.argmax(expected, axis=1))):
            raise ModelError("not exported: ONNX Runtime and PyTorch name different labels")


def _trials(size: int, *, examples: NDArray[np.float32] | None) -> Iterator[NDArray[np.float32]]:
    """Give noise, flat pictures and waves of several strengths, then the examples."""
    rng = np.random.default_rng(_SEED)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    for batch in _BATCHES:
        yield rng.standard_normal((batch, 3, size, size), dtype=np.float32)
        angles = rng.uniform(0, np.pi, (batch, 3, 1, 1))
        wavelengths = rng.uniform(4, size, (batch, 3, 1, 1))
        waves = np.sin(2 * np.pi * (rows * np.sin(angles) + columns * np.cos(angles)) / wavelengths)
        yield (waves * rng.uniform(0.1, 4.0, (batch, 1, 1, 1))).astype(np.float32)
    yield np.zeros((1, 3, size, size), np.float32)
    if examples is not None:
        yield np.ascontiguousarray(examples, np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's warnings about its own insides, which no user can mend, off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
