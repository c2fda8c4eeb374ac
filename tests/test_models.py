"""Recipe, clip representation and VGG16: what stands between a right and a silently wrong answer."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from magnifyme.models.clip import represent
from magnifyme.models.errors import ModelError
from magnifyme.models.recipe import VERSION, Recipe
from magnifyme.models.vgg16 import VGG16

RECIPE = Recipe(labels=("anger", "happiness", "surprise"), title="test", input_size=64)


def texture(rng: np.random.Generator, size: int = 256) -> NDArray[np.float64]:
    """Give a smooth random picture between about 50 and 200."""
    y, x = np.mgrid[0:size, 0:size] / size
    picture = np.zeros((size, size))
    for _ in range(12):
        fx, fy, phase = *rng.uniform(-9, 9, 2), rng.uniform(0, 2 * math.pi)
        picture += np.sin(2 * math.pi * (fx * x + fy * y) + phase)
    picture *= 20 / picture.std()
    return picture + 125


def gray(picture: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


# --- recipe


def test_a_recipe_survives_its_file() -> None:
    recipe = Recipe(
        labels=("a", "b"),
        title="é ×10",
        factor=25,
        band_hz=(0.5, 7.25),
        mean=(0.1, 0.2, 0.3),
        made_faces=True,
    )
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", ()),
        ("labels", ("one",)),
        ("labels", ("same", "same")),
        ("labels", ("", "b")),
        ("labels", "abc"),
        ("labels", (1, 2)),
        ("title", ""),
        ("title", None),
        ("method", 3),
        ("representation", "flow?"),
        ("representation", ["difference"]),
        ("factor", -1.0),
        ("factor", math.nan),
        ("factor", "10"),
        ("factor", True),
        ("band_hz", (5.0, 1.0)),
        ("band_hz", (1.0,)),
        ("band_hz", (1.0, math.inf)),
        ("band_hz", None),
        ("crop_size", 0),
        ("crop_size", 256.0),
        ("input_size", 31),
        ("input_size", 257),
        ("mean", (0.0, 0.0)),
        ("mean", (0.0, 0.0, "x")),
        ("std", (1.0, 1.0, 0.0)),
        ("made_faces", 1),
        ("version", 0),
        ("version", "1"),
        ("version", VERSION + 1),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused_in_code_and_in_a_file(key: str, value: Any) -> None:
    values = {**dataclasses.asdict(RECIPE), key: value}
    if key != "version" or value != VERSION + 1:
        with pytest.raises(ModelError, match=key) as error:
            Recipe(**values)
        assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match=key):
        Recipe.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '{"version": 1}', '{"labels": ["a", "b"]}'])
def test_what_is_no_recipe_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="recipe"):
        Recipe.from_json(text)


def test_unknown_keys_are_named() -> None:
    with pytest.raises(ModelError, match=r"unknown keys \['colour'\]"):
        Recipe.from_json(json.dumps({**json.loads(RECIPE.to_json()), "colour": "red"}))


# --- clip


@pytest.mark.parametrize(("size", "representation"), [(64, "difference"), (224, "difference"), (256, "apex")])
def test_the_input_has_the_network_s_shape(rng: np.random.Generator, size: int, representation: Any) -> None:
    recipe = dataclasses.replace(RECIPE, input_size=size, representation=representation)
    clip = represent(gray(texture(rng)), apex=gray(texture(rng)), recipe=recipe)
    assert clip.shape == (3, size, size)
    assert clip.dtype == np.float32
    assert clip.flags.c_contiguous
    assert np.isfinite(clip).all()


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (1.15, 0.0), (0.85, 10.0), (1.05, -25.0)])
def test_a_change_of_light_does_not_look_like_an_expression(
    rng: np.random.Generator, gain: float, offset: float
) -> None:
    onset = texture(rng)
    still = represent(gray(onset), apex=gray(gain * onset + offset), recipe=RECIPE)
    # A tenth of a gray level is what rounding to 8 bits leaves after averaging 16 pixels.
    assert np.abs(still[0]).max() * onset.std() < 1.0
    assert np.abs(still[0]).std() * onset.std() < 0.1


@pytest.mark.parametrize(("gain", "offset"), [(0.8, 15.0), (1.2, -20.0)])
def test_light_and_contrast_do_not_change_what_the_network_sees(
    rng: np.random.Generator, gain: float, offset: float
) -> None:
    onset = texture(rng)
    apex = np.roll(onset, 2, axis=1)
    plain = represent(gray(onset), apex=gray(apex), recipe=RECIPE)
    lit = represent(gray(gain * onset + offset), apex=gray(0.9 * gain * apex + offset), recipe=RECIPE)
    assert np.abs(plain[0]).std() > 0.05
    # A rounded gray level more or less is worth 0.05 here.
    assert np.abs(plain - lit).max() < 0.06


def test_the_difference_has_the_sign_and_place_of_the_motion(rng: np.random.Generator) -> None:
    onset = texture(rng)
    apex = onset.copy()
    apex[64:128, 128:192] += 30.0
    difference = represent(gray(onset), apex=gray(apex), recipe=RECIPE)[0]
    inside = difference[17:31, 33:47].mean()
    outside = np.delete(difference.ravel(), np.ravel_multi_index(np.mgrid[14:34, 30:50], (64, 64)).ravel())
    assert inside > 10 * abs(outside).max()
    assert inside * onset.std() == pytest.approx(30.0, rel=0.25)


def test_mean_and_std_of_the_recipe_are_applied(rng: np.random.Generator) -> None:
    onset, apex = gray(texture(rng)), gray(texture(rng))
    plain = represent(onset, apex=apex, recipe=RECIPE)
    scaled = dataclasses.replace(RECIPE, mean=(0.5, -1.0, 2.0), std=(0.1, 2.0, 4.0))
    expected = (plain - np.array([0.5, -1.0, 2.0])[:, None, None]) / np.array([0.1, 2.0, 4.0])[:, None, None]
    assert np.allclose(represent(onset, apex=apex, recipe=scaled), expected, atol=1e-4)


def test_the_apex_picture_alone_is_what_was_published(rng: np.random.Generator) -> None:
    recipe = dataclasses.replace(RECIPE, representation="apex", input_size=128)
    onset, apex = gray(texture(rng)), gray(texture(rng))
    clip = represent(onset, apex=apex, recipe=recipe)
    oracle = apex.reshape(128, 2, 128, 2).mean(axis=(1, 3)) / 255.0
    assert all(np.allclose(channel, oracle, atol=1e-6) for channel in clip)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_black_or_flat_picture_gives_numbers(value: int) -> None:
    flat = np.full((256, 256), value, np.uint8)
    assert np.array_equal(represent(flat, apex=flat, recipe=RECIPE), np.zeros((3, 64, 64)))


@pytest.mark.parametrize(
    "crop",
    [np.zeros((255, 256), np.uint8), np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), np.float32)],
)
def test_a_crop_that_the_recipe_does_not_fit_is_refused(crop: Any) -> None:
    good = np.zeros((256, 256), np.uint8)
    with pytest.raises(ModelError, match=r"apex is .*trained on uint8 \[256, 256\]"):
        represent(good, apex=crop, recipe=RECIPE)
    with pytest.raises(ModelError, match="onset is"):
        represent(crop, apex=good, recipe=RECIPE)


# --- VGG16


def torchvision_shapes() -> dict[str, tuple[int, ...]]:
    """Write down names and shapes of torchvision's vgg16-397923af.pth, for 1000 classes."""
    convolutions = {
        **{0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256)},
        **{14: (256, 256), 17: (512, 256), 19: (512, 512), 21: (512, 512), 24: (512, 512)},
        **{26: (512, 512), 28: (512, 512)},
    }
    linears = {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}
    shapes: dict[str, tuple[int, ...]] = {}
    for number, (outputs, inputs) in convolutions.items():
        shapes[f"features.{number}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"features.{number}.bias"] = (outputs,)
    for number, (outputs, inputs) in linears.items():
        shapes[f"classifier.{number}.weight"] = (outputs, inputs)
        shapes[f"classifier.{number}.bias"] = (outputs,)
    return shapes


def test_the_published_weights_would_load() -> None:
    with torch.device("meta"):
        model = VGG16(1000)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert shapes == torchvision_shapes()
    assert sum(math.prod(shape) for shape in shapes.values()) == 138_357_544


def test_the_pooled_head_has_14_7_million_parameters() -> None:
    with torch.device("meta"):
        model = VGG16(5, head="pooled")
    assert sum(p.numel() for p in model.parameters()) == 14_714_688 + 5 * 512 + 5


@pytest.mark.parametrize(("width", "head"), [(1 / 8, "pooled"), (1 / 16, "full"), (0.01, "pooled")])
@pytest.mark.parametrize("size", [(32, 32), (64, 64), (37, 90)])
def test_narrow_networks_take_any_size(width: float, head: Any, size: tuple[int, int]) -> None:
    model = VGG16(4, width=width, head=head).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, *size)).shape == (2, 4)


def test_a_new_network_passes_its_input_on() -> None:
    """With a signal that dies or explodes on its way, training never starts."""
    torch.manual_seed(0)
    model = VGG16(5, width=1 / 4, head="pooled").eval()
    with torch.inference_mode():
        features = model.features(torch.randn(4, 3, 64, 64))
    assert 0.03 < features.std() < 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1}, "num_classes is 1"),
        ({"num_classes": 5, "width": 0.0}, "width is 0"),
        ({"num_classes": 5, "head": "other"}, "head is 'other'"),
    ],
)
def test_a_network_that_cannot_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        VGG16(**arguments)
