"""What arguments and frames in the host's memory must be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import MagnifyError


def check_range(name: str, value: float, *, low: float, high: float) -> None:
    if not low <= value <= high:
        raise MagnifyError(f"{name} is {value}; give a number from {low:g} to {high:g}")


def check_whole(name: str, value: int, *, low: int, high: int) -> None:
    if value != int(value) or not low <= value <= high:
        raise MagnifyError(f"{name} is {value}; give a whole number from {low} to {high}")


def check_luma(luma: NDArray[np.uint8]) -> None:
    if not isinstance(luma, np.ndarray) or luma.dtype != np.uint8 or luma.ndim != 2 or luma.size == 0:
        raise MagnifyError(
            f"the frame is {describe(luma)}; give one plane of luma, uint8 [H, W], at least 1x1"
        )


def check_planes(luma: NDArray[np.uint8], *, streams: int) -> NDArray[np.uint8]:
    """Give uint8 [streams, H, W], or [H, W] of a single stream, as [streams, H, W]."""
    if streams == 1 and getattr(luma, "ndim", 0) == 2:
        check_luma(luma)
        return luma[np.newaxis]
    if not isinstance(luma, np.ndarray) or luma.dtype != np.uint8 or luma.ndim != 3 or luma.size == 0:
        raise MagnifyError(f"the frames are {describe(luma)}; give luma uint8 [streams, H, W], at least 1x1")
    if len(luma) != streams:
        raise MagnifyError(f"there are {len(luma)} frames; give one of each of the {streams} streams")
    return luma


def check_out(out: NDArray[np.uint8], luma: NDArray[np.uint8]) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != np.uint8 or out.shape != luma.shape:
        raise MagnifyError(f"out is {describe(out)}; give uint8 of the frame's shape {luma.shape}")
    height, width = out.shape[-2:]
    packed_rows = (width == 1 or out.strides[-1] == 1) and (height == 1 or out.strides[-2] >= width)
    if not out.flags.writeable or not packed_rows:
        raise MagnifyError("out is read-only or its rows are not contiguous; give a plain array, or None")


def describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    return f"a {type(value).__name__}"
