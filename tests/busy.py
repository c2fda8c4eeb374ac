"""A clip for tests of the magnifier that hold it against another one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]


def busy_clip(rng: np.random.Generator, *, count: int, shape: tuple[int, ...]) -> Frames:
    """Make frames of unrelated pixels, each on a course within the band: not one is taken for noise."""
    phase = 2 * np.pi * (rng.random(shape) + np.arange(count).reshape(-1, *(1 for _ in shape)) / 12)
    frames: Frames = np.rint(rng.integers(110, 146, shape) + 28 * np.sin(phase)).astype(np.uint8)
    return frames
