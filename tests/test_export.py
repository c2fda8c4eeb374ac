"""Export: a file that computes something else than the trained network must never reach a user."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from magnifyme.export.onnx import export_classifier
from magnifyme.models.classifier import RECIPE_KEY, Classifier
from magnifyme.models.errors import ModelError
from magnifyme.models.recipe import Recipe
from magnifyme.models.vgg16 import VGG16

RECIPE = Recipe(labels=("anger", "happiness", "surprise"), title="test", input_size=64)


def small_vgg(**options: object) -> VGG16:
    torch.manual_seed(3)
    return VGG16(3, width=1 / 16, head="pooled")


class Liar(nn.Module):
    """Computes otherwise while it is exported than when it is asked."""

    def __init__(self, *, by: float = 0.0, swap: bool = False) -> None:
        super().__init__()
        self.model = small_vgg()
        self.by, self.swap = by, swap

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(clip)
        if torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export():
            if self.by:
                logits = logits + torch.tensor([self.by, 0.0, 0.0])
            if self.swap:
                logits = logits.flip(1)
        return logits


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[VGG16, Path]:
    model = small_vgg()
    return model, export_classifier(
        model, recipe=RECIPE, path=tmp_path_factory.mktemp("out") / "new" / "m.onnx"
    )


def test_one_file_appears_and_nothing_beside_it(exported: tuple[VGG16, Path]) -> None:
    _, path = exported
    assert files(path.parent) == ["m.onnx"]


def test_the_file_computes_what_the_network_computes(exported: tuple[VGG16, Path]) -> None:
    model, path = exported
    classifier = Classifier(path)
    clips = np.random.default_rng(5).standard_normal((7, 3, 64, 64), dtype=np.float32) * 3
    with torch.inference_mode():
        expected = torch.softmax(model.eval()(torch.from_numpy(clips)), dim=1).numpy()
    for count in (7, 1):
        answers = classifier.classify_clips(clips[:count])
        found = np.array([[answer.probabilities[label] for label in RECIPE.labels] for answer in answers])
        assert np.abs(found - expected[:count]).max() < 1e-5
        assert np.allclose(found.sum(axis=1), 1.0, atol=1e-6)


def test_the_recipe_travels_and_no_path_of_the_builder_does(exported: tuple[VGG16, Path]) -> None:
    _, path = exported
    assert Classifier(path).recipe == RECIPE
    content = onnx.load(str(path))
    assert {entry.key for entry in content.metadata_props} == {RECIPE_KEY}
    assert str(Path(torch.__file__).parent).encode() not in path.read_bytes()
    assert str(Path(__file__).parent.parent).encode() not in path.read_bytes()


def test_the_network_is_left_as_it_was_and_the_terminal_clean(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = small_vgg().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    level = logging.getLogger("torch.onnx").level
    export_classifier(model, recipe=RECIPE, path=tmp_path / "m.onnx")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert logging.getLogger("torch.onnx").level == level
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize(("by", "swap"), [(0.01, False), (float("nan"), False), (0.0, True)])
def test_a_file_that_disagrees_is_not_written(tmp_path: Path, by: float, swap: bool) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"the model of yesterday")
    with pytest.raises(ModelError, match="not exported") as error:
        export_classifier(Liar(by=by, swap=swap), recipe=RECIPE, path=path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == b"the model of yesterday"
    assert files(tmp_path) == ["m.onnx"]


def test_real_inputs_are_compared_too(tmp_path: Path) -> None:
    class Narrow(nn.Module):
        """Exports wrongly only for inputs far from zero, which noise does not reach."""

        def __init__(self) -> None:
            super().__init__()
            self.model = small_vgg()

        def forward(self, clip: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(torch.tanh(clip / 30))
            far = torch.relu(clip.abs().amax(dim=(1, 2, 3)) - 50).unsqueeze(1)
            if torch.compiler.is_compiling():
                far = far * 0
            return logits + far * torch.tensor([1.0, 0.0, 0.0])

    examples = np.full((1, 3, 64, 64), 80, np.float32)
    export_classifier(Narrow(), recipe=RECIPE, path=tmp_path / "without.onnx")
    with pytest.raises(ModelError, match="not exported"):
        export_classifier(Narrow(), recipe=RECIPE, path=tmp_path / "with.onnx", examples=examples)
    assert files(tmp_path) == ["without.onnx"]


def test_a_network_with_another_number_of_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"recipe needs"):
        export_classifier(VGG16(4, width=1 / 16, head="pooled"), recipe=RECIPE, path=tmp_path / "m.onnx")
    assert files(tmp_path) == []
