"""What a classifier was trained on: all that a live stream must do alike to be read rightly."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from .errors import ModelError

Representation = Literal["difference", "apex"]
VERSION = 1
"""Version of the recipe's meaning; a reader refuses what is newer than itself."""

_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the input of a classifier is made, and what its outputs mean.

    `labels` name the outputs in order. `representation` is what `clip.represent` makes of the onset and
    the apex. Both crops are registered, `crop_size` pixels square, and magnified by `factor` in the pass
    band `band_hz` with `method`. `input_size` is the side of the network's input in pixels; its three
    channels are standardised by `mean` and `std`. `made_faces` says that the training data were made,
    not filmed, so that every place that shows an answer can say so. `title` is the model's name for
    people.

    Raises ModelError when a value makes no sense.
    """

    labels: tuple[str, ...]
    title: str
    representation: Representation = "difference"
    factor: float = 10.0
    band_hz: tuple[float, float] = (1.0, 5.0)
    method: str = "linear"
    crop_size: int = 256
    input_size: int = 224
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    made_faces: bool = False
    version: int = VERSION

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ModelError(f"recipe: {problem}")

    def to_json(self) -> str:
        """Write the recipe as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; raise ModelError for anything else."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ModelError(f"recipe: not JSON ({error})") from error
        if not isinstance(values, dict):
            raise ModelError("recipe: not a JSON object")
        version: Any = values.get("version")
        if not _is_whole(version):
            raise ModelError(f"recipe: version is {version!r}, must be a whole number")
        if version > VERSION:
            raise ModelError(
                f"recipe: version {version} is newer than this program's {VERSION}: update MagnifyMe"
            )
        known = {field.name for field in dataclasses.fields(cls)}
        unknown, missing = sorted(set(values) - known), sorted(known - set(values))
        if unknown or missing:
            raise ModelError(f"recipe: unknown keys {unknown}, missing keys {missing}")
        checked: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**checked)

    def _problem(self) -> str | None:
        """Say the first thing that is wrong; JSON may hold any type in any place."""
        values: dict[str, Any] = dataclasses.asdict(self)
        labels, band = values["labels"], values["band_hz"]
        if not _is_tuple_of(labels, str) or not all(labels) or len(set(labels)) != len(labels):
            return f"labels are {labels!r}, must be different names"
        if len(labels) < 2:
            return f"labels are {labels!r}, must be two or more"
        if not _is_tuple_of((values["title"], values["method"]), str) or not values["title"]:
            return f"title {values['title']!r} and method {values['method']!r} must be text"
        if values["representation"] not in get_args(Representation):
            known = ", ".join(get_args(Representation))
            return f"representation is {values['representation']!r}, must be one of {known}"
        if not _is_number(values["factor"]) or values["factor"] < 0:
            return f"factor is {values['factor']!r}, must be 0 or more"
        if not _is_numbers(band, count=2) or not 0 <= band[0] < band[1]:
            return f"band_hz is {band!r}, must be two rising frequencies"
        for name, least in (("crop_size", 16), ("input_size", 32), ("version", 1)):
            if not _is_whole(values[name]) or values[name] < least:
                return f"{name} is {values[name]!r}, must be a whole number, {least} or more"
        if values["input_size"] > values["crop_size"]:
            return f"input_size {values['input_size']} is larger than crop_size {values['crop_size']}"
        if not _is_numbers(values["mean"], count=_CHANNELS):
            return f"mean is {values['mean']!r}, must be {_CHANNELS} numbers"
        if not _is_numbers(values["std"], count=_CHANNELS) or min(values["std"]) <= 0:
            return f"std is {values['std']!r}, must be {_CHANNELS} numbers above 0"
        if not isinstance(values["made_faces"], bool):
            return f"made_faces is {values['made_faces']!r}, must be true or false"
        return None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_numbers(value: object, *, count: int) -> bool:
    return isinstance(value, tuple) and len(value) == count and all(map(_is_number, value))


def _is_tuple_of(value: object, kind: type) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, kind) for item in value)
