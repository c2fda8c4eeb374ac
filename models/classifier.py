"""The classifier of a live stream: an ONNX file that carries its own recipe, run by ONNX Runtime."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .clip import represent
from .errors import ModelError
from .recipe import Recipe

RECIPE_KEY = "magnifyme.recipe"
"""Key of the recipe in the ONNX file's metadata."""
INPUT, OUTPUT = "clip", "probabilities"
"""Names of the graph's input, float32 [N, 3, size, size], and of its output, float32 [N, labels]."""

Device = Literal["cpu", "cuda"]

# ONNX Runtime's "fatal": what goes wrong reaches the user as a ModelError, not as lines on the terminal.
_SILENT = 4
# One event a second at most: two threads answer in time and leave the cores to decoding and magnification.
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer: the likeliest label, the probability of each (they sum to 1), and whose answer it is."""

    label: str
    probabilities: dict[str, float]
    model_id: str


class Classifier:
    """Name the expression between an onset and an apex.

    `path` is a file that `magnifyme.export` wrote. `recipe` says how its crops must be made. `model_id` is
    the model's title and the beginning of the file's sha256, so that an event names the very file that
    judged it. Raises ModelError, in one line, when the file is missing, is no ONNX file, is not ours, is
    newer than this program, or when `device` is not there.
    """

    def __init__(self, path: Path | str, *, device: Device = "cpu") -> None:
        path = Path(path)
        content = _read(path)
        if device not in ("cpu", "cuda"):
            raise ModelError(f"device is {device!r}, must be 'cpu' or 'cuda'")
        self._session = _open_session(content, path=path, device=device)
        self.recipe = _read_recipe(self._session, path=path)
        _check_shapes(self._session, recipe=self.recipe, path=path)
        self.model_id = f"{self.recipe.title} {hashlib.sha256(content).hexdigest()[:8]}"

    def classify(self, onset: NDArray[np.uint8], *, apex: NDArray[np.uint8]) -> Prediction:
        """Name the expression between two magnified registered crops, uint8 [crop_size, crop_size]."""
        clip = represent(onset, apex=apex, recipe=self.recipe)
        return self.classify_clips(clip[np.newaxis])[0]

    def classify_clips(self, clips: NDArray[np.float32]) -> list[Prediction]:
        """Name a batch of representations, float32 [N, 3, input_size, input_size]."""
        batch = np.ascontiguousarray(clips, dtype=np.float32)
        try:
            (rows,) = self._session.run([OUTPUT], {INPUT: batch})
        except Exception as error:  # ONNX Runtime's errors share no base class.
            raise ModelError(
                f"{self.model_id} cannot classify {list(batch.shape)}: {_line(error)}"
            ) from error
        return [self._prediction(row) for row in np.asarray(rows, np.float64)]

    def _prediction(self, row: NDArray[np.float64]) -> Prediction:
        labels = self.recipe.labels
        probabilities = {label: float(value) for label, value in zip(labels, row, strict=True)}
        return Prediction(labels[int(np.argmax(row))], probabilities, self.model_id)


def demo_model_path() -> Path:
    """Give the model inside the package. It was trained on made faces: say so where its answer is shown."""
    return Path(__file__).with_name("demo.onnx")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"model {path}: no such file") from error
    except OSError as error:
        raise ModelError(f"model {path}: cannot be read ({error.strerror})") from error


def _open_session(content: bytes, *, path: Path, device: Device) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    options.intra_op_num_threads = min(_THREADS, os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    # A thread that spins between two events would take a core from the frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    if device == "cuda":
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise ModelError(
                "device is 'cuda', but this ONNX Runtime has no CUDA: install magnifyme[cuda] or use 'cpu'"
            )
        providers.insert(0, "CUDAExecutionProvider")
        # A library that is missing is told by the default logger, which knows nothing of the options.
        onnxruntime.set_default_logger_severity(_SILENT)
    try:
        session = onnxruntime.InferenceSession(content, sess_options=options, providers=providers)
    except Exception as error:
        raise ModelError(f"model {path}: not an ONNX file that can be run ({_line(error)})") from error
    if device == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
        raise ModelError(
            "device is 'cuda', but CUDA cannot be used (no GPU, or no CUDA and cuDNN libraries): "
            "install magnifyme[cuda] or use 'cpu'"
        )
    return session


def _read_recipe(session: onnxruntime.InferenceSession, *, path: Path) -> Recipe:
    text = session.get_modelmeta().custom_metadata_map.get(RECIPE_KEY)
    if text is None:
        raise ModelError(f"model {path}: carries no recipe, so it was not exported by MagnifyMe")
    try:
        return Recipe.from_json(text)
    except ModelError as error:
        raise ModelError(f"model {path}: {error}") from error


def _check_shapes(session: onnxruntime.InferenceSession, *, recipe: Recipe, path: Path) -> None:
    size, count = recipe.input_size, len(recipe.labels)
    inputs, outputs = _shapes(session.get_inputs()), _shapes(session.get_outputs())
    if inputs != {INPUT: [3, size, size]} or outputs != {OUTPUT: [count]}:
        raise ModelError(
            f"model {path}: takes {inputs} and gives {outputs}, its recipe needs "
            f"{{'{INPUT}': {[3, size, size]}}} and {{'{OUTPUT}': {[count]}}}"
        )


def _shapes(nodes: list[Any]) -> dict[str, list[int | str | None]]:
    """Give the shape behind the batch of each float input or output."""
    return {node.name: list(node.shape)[1:] for node in nodes if node.type == "tensor(float)"}


def _line(error: Exception) -> str:
    """Give the first line of ONNX Runtime's message without its code."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return text.rsplit(" : ", 1)[-1][:200]
