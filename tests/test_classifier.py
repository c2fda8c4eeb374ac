"""The live classifier: wrong files told in one line, right ones answered the same every time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from magnifyme.models.classifier import RECIPE_KEY, Classifier, demo_model_path
from magnifyme.models.errors import ModelError
from magnifyme.models.recipe import VERSION, Recipe

RECIPE = Recipe(labels=("anger", "happiness", "surprise"), title="test model", input_size=64)


def write_model(
    path: Path,
    *,
    recipe: str | None = RECIPE.to_json(),
    size: int = 64,
    labels: int = 3,
    names: tuple[str, str] = ("clip", "probabilities"),
) -> Path:
    """Write a network that answers by the mean of each channel: softmax(10 × mean)."""
    weights = np.zeros((3, labels), np.float32)
    np.fill_diagonal(weights, 10.0)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", [names[0]], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], [names[1]], axis=1),
        ],
        "test",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, ["batch", 3, size, size])],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, ["batch", labels])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if recipe is not None:
        model.metadata_props.add(key=RECIPE_KEY, value=recipe)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def crops(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    onset = rng.integers(60, 180, (256, 256), dtype=np.uint8)
    return onset, np.roll(onset, 3, axis=0)


def test_the_answer_names_label_probabilities_and_model(
    tmp_path: Path, crops: tuple[NDArray[np.uint8], NDArray[np.uint8]]
) -> None:
    classifier = Classifier(write_model(tmp_path / "m.onnx"))
    answer = classifier.classify(crops[0], apex=crops[1])
    assert set(answer.probabilities) == set(RECIPE.labels)
    assert answer.label == max(answer.probabilities, key=lambda label: answer.probabilities[label])
    assert sum(answer.probabilities.values()) == pytest.approx(1.0, abs=1e-6)
    assert answer.model_id == classifier.model_id
    assert classifier.classify(crops[0], apex=crops[1]) == answer


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_outputs_go_to_the_labels_of_the_recipe_in_order(tmp_path: Path, channel: int) -> None:
    clips = np.zeros((2, 3, 64, 64), np.float32)
    clips[1, channel] = 0.3
    flat, answer = Classifier(write_model(tmp_path / "m.onnx")).classify_clips(clips)
    assert list(flat.probabilities.values()) == pytest.approx([1 / 3] * 3)
    assert answer.label == RECIPE.labels[channel]
    assert answer.probabilities[answer.label] == pytest.approx(np.exp(3) / (np.exp(3) + 2), abs=1e-5)


def test_the_id_tells_two_models_of_one_title_apart(tmp_path: Path) -> None:
    first = Classifier(write_model(tmp_path / "a.onnx")).model_id
    same = Classifier(write_model(tmp_path / "b.onnx")).model_id
    changed = json.dumps({**json.loads(RECIPE.to_json()), "factor": 12.0})
    other = Classifier(write_model(tmp_path / "c.onnx", recipe=changed)).model_id
    assert first == same != other
    assert first.startswith("test model ")


def broken(path: Path, kind: str) -> Path:
    values = json.loads(RECIPE.to_json())
    match kind:
        case "missing":
            return path
        case "folder":
            path.mkdir()
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("no model at all")
        case "cut":
            write_model(path)
            path.write_bytes(path.read_bytes()[:-40])
        case "foreign":
            write_model(path, recipe=None)
        case "no recipe":
            write_model(path, recipe="{}")
        case "newer":
            write_model(path, recipe=json.dumps({**values, "version": VERSION + 1, "depth": 3}))
        case "size":
            write_model(path, size=96)
        case "labels":
            write_model(path, labels=2)
        case "names":
            write_model(path, names=("x", "y"))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("folder", "cannot be read"),
        ("empty", "not an ONNX file"),
        ("text", "not an ONNX file"),
        ("cut", "not an ONNX file"),
        ("foreign", "carries no recipe, so it was not exported by MagnifyMe"),
        ("no recipe", "recipe: version is None"),
        ("newer", "newer than this program's .*: update MagnifyMe"),
        ("size", r"takes .*96.* its recipe needs .*64"),
        ("labels", r"gives .*\[2\].* its recipe needs .*\[3\]"),
        ("names", "its recipe needs .*'clip'"),
    ],
)
def test_a_file_that_cannot_be_used_gets_one_line(
    tmp_path: Path, kind: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=message) as error:
        Classifier(broken(tmp_path / "model.onnx", kind))
    assert "model.onnx" in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_crop_of_another_size_is_refused(tmp_path: Path) -> None:
    classifier = Classifier(write_model(tmp_path / "m.onnx"))
    small = np.zeros((128, 128), np.uint8)
    with pytest.raises(ModelError, match=r"trained on uint8 \[256, 256\]"):
        classifier.classify(small, apex=small)
    with pytest.raises(ModelError, match="cannot classify"):
        classifier.classify_clips(np.zeros((1, 3, 32, 32), np.float32))


def test_a_device_that_is_not_there_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_model(tmp_path / "m.onnx")
    wrong: Any = "gpu"
    with pytest.raises(ModelError, match="device is 'gpu', must be 'cpu' or 'cuda'"):
        Classifier(path, device=wrong)
    if not Path("/dev/nvidiactl").exists():
        with pytest.raises(ModelError, match="CUDA") as error:
            Classifier(path, device="cuda")
        assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_watching_needs_no_torch(tmp_path: Path) -> None:
    """A user who installs without the extra `train` has no torch and no onnx."""
    path = write_model(tmp_path / "m.onnx")
    code = (
        "import sys; sys.modules['torch'] = sys.modules['onnx'] = None\n"
        "import numpy as np\n"
        "from magnifyme.models.classifier import Classifier\n"
        "from magnifyme.models import download, face_detector\n"
        f"model = Classifier({str(path)!r})\n"
        "crop = np.zeros((256, 256), np.uint8)\n"
        "print(model.classify(crop, apex=crop).model_id)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("test model ")


def test_the_demo_model_in_the_package_is_ours_and_small() -> None:
    path = demo_model_path()
    assert path.stat().st_size <= 2_000_000
    recipe = Classifier(path).recipe
    assert recipe.made_faces
    assert sorted(recipe.labels) == ["anger", "disgust", "happiness", "sadness", "surprise"]
    assert (recipe.representation, recipe.factor, recipe.band_hz) == ("difference", 10.0, (1.0, 5.0))
    assert path.with_suffix(".md").is_file()
