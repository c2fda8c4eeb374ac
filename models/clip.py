"""What a classifier sees of a clip: the one function for training data and live streams."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .recipe import Recipe

# Below this standard deviation, in gray levels, a crop is flat: there is no contrast to normalise by.
_FLAT = 1.0


def represent(onset: NDArray[np.uint8], *, apex: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.float32]:
    """Make the network's input of the onset's and the apex's crop, float32 [3, input_size, input_size].

    `onset` and `apex` are uint8 [crop_size, crop_size]: registered and magnified as the recipe says.

    - "difference": what moved, then where. The apex is brought to the onset's light by the gain and
      offset that fit it best (least squares over the crop), so that a lamp or an exposure control that
      changes between them does not look like an expression; both are then put on the scale of the onset,
      mean 0 and standard deviation 1. Channels: apex minus onset, onset, apex.
    - "apex": the magnified apex picture alone, 0 to 1, in all three channels.

    Either is area-resized and standardised by the recipe's `mean` and `std`. Raises ModelError for crops
    of another type or size than the recipe's.
    """
    side = recipe.crop_size
    for name, crop in (("onset", onset), ("apex", apex)):
        if crop.shape != (side, side) or crop.dtype != np.uint8:
            raise ModelError(
                f"{name} is {crop.dtype} {list(crop.shape)}, the model was trained on uint8 [{side}, {side}]"
            )
    if recipe.representation == "difference":
        channels = _difference(_shrink(onset, size=recipe.input_size), _shrink(apex, size=recipe.input_size))
    else:
        shrunk = _shrink(apex, size=recipe.input_size) / np.float32(255.0)
        channels = np.stack([shrunk, shrunk, shrunk])
    mean = np.array(recipe.mean, np.float32)[:, None, None]
    std = np.array(recipe.std, np.float32)[:, None, None]
    return np.ascontiguousarray((channels - mean) / std, dtype=np.float32)


def _shrink(crop: NDArray[np.uint8], *, size: int) -> NDArray[np.float32]:
    """Average pixels in float: 8 bits would round away a fifth of a weak difference."""
    resized = cv2.resize(crop.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.float32)


def _difference(onset: NDArray[np.float32], apex: NDArray[np.float32]) -> NDArray[np.float32]:
    onset_centred = onset - onset.mean(dtype=np.float64)
    apex_centred = apex - apex.mean(dtype=np.float64)
    onset_variance = np.mean(np.square(onset_centred), dtype=np.float64)
    gain = 1.0
    if onset_variance > _FLAT**2:
        gain = float(np.mean(onset_centred * apex_centred, dtype=np.float64) / onset_variance)
    if gain <= 0:
        gain = 1.0  # Two pictures that have nothing to do with each other share no light to fit.
    scale = max(float(np.sqrt(onset_variance)), _FLAT)
    first = onset_centred / scale
    second = apex_centred / (gain * scale)
    return np.stack([second - first, first, second]).astype(np.float32)
