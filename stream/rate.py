"""How many frames a second there can be."""

from __future__ import annotations

import math

from .errors import SourceError

HIGHEST_FPS = 2000.0
"""No camera that films faces is faster; what a file announces above it is its clock's rate."""


def check_rate(fps: float | None) -> None:
    """Raise SourceError for a rate that no camera has; None, not given, is none of them."""
    if fps is not None and not (math.isfinite(fps) and 0.0 < fps <= HIGHEST_FPS):
        raise SourceError(
            f"a rate of {fps:g} frames a second is not possible: --fps must be above 0 and at most "
            f"{HIGHEST_FPS:g}"
        )
