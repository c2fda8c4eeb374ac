"""Magnify a whole clip that lies in memory."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .errors import MagnifyError
from .magnifier import Device, Magnifier, Method
from .temporal import Temporal

# BT.601 luma of red, green and blue in 1/256, the weights of 8-bit video (their sum is 256: gray stays gray).
_RED, _GREEN, _BLUE = 77, 150, 29


def magnify_frames(
    frames: NDArray[np.uint8],
    *,
    fps: float,
    factor: float = 10.0,
    band_hz: tuple[float, float] = (1.0, 5.0),
    method: Method = "linear",
    device: Device = "cpu",
    channels: Literal["rgb", "bgr"] = "rgb",
    base_level: int = 1,
    cutoff_wavelength_px: float = 0.0,
    temporal: Temporal = "butterworth",
    order: int = 1,
    stabilize: bool = False,
    denoise: bool = True,
    threads: int = 1,
) -> NDArray[np.uint8]:
    """Magnify a clip, uint8 [T, H, W] or [T, H, W, 3], into a new array of the same shape.

    The result equals feeding the frames one by one to a `Magnifier`, to the bit. Of a colour clip the luma
    (BT.601) is magnified, and its change is added to the three channels, which leaves the chroma as it is.
    The other arguments are the Magnifier's. The filter is causal: the first `Magnifier.warm_seconds` show
    it starting.

    Raises MagnifyError, a ValueError, for arguments out of range.
    """
    magnifier = Magnifier(
        fps=fps,
        factor=factor,
        band_hz=band_hz,
        method=method,
        device=device,
        base_level=base_level,
        cutoff_wavelength_px=cutoff_wavelength_px,
        temporal=temporal,
        order=order,
        stabilize=stabilize,
        denoise=denoise,
        threads=threads,
    )
    if channels not in ("rgb", "bgr"):
        raise MagnifyError(f"channels is {channels!r}; give 'rgb' or 'bgr'")
    colour = getattr(frames, "ndim", 0) == 4
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim not in (3, 4):
        raise MagnifyError("frames must be a uint8 array [T, H, W] or [T, H, W, 3]")
    if colour and frames.shape[3] != 3:
        raise MagnifyError(
            f"frames have {frames.shape[3]} channels; give [T, H, W, 3], or [T, H, W] for gray"
        )
    out = np.empty(frames.shape, np.uint8)
    if not colour:
        for frame, result in zip(frames, out, strict=True):
            magnifier(frame, out=result)
        return out
    luma = np.empty(frames.shape[1:3], np.uint8)
    magnified = np.empty_like(luma)
    first, last = (_RED, _BLUE) if channels == "rgb" else (_BLUE, _RED)
    for frame, result in zip(frames, out, strict=True):
        packed = np.ascontiguousarray(frame).view()
        packed.flags.writeable = False  # one compilation for all inputs
        _luma_of(packed, first, last, luma)
        magnifier(luma, out=magnified)
        _add_change(packed, luma, magnified, result)
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _luma_of(frame: NDArray[np.uint8], first: int, last: int, luma: NDArray[np.uint8]) -> None:
    """Compute the luma [H, W] of a frame [H, W, 3] whose outer channels weigh `first` and `last` 256ths."""
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            total = first * frame[y, x, 0] + _GREEN * frame[y, x, 1] + last * frame[y, x, 2]
            luma[y, x] = np.uint8((total + 128) >> 8)


@njit(cache=True, nogil=True, fastmath=True)
def _add_change(
    frame: NDArray[np.uint8], luma: NDArray[np.uint8], magnified: NDArray[np.uint8], out: NDArray[np.uint8]
) -> None:
    """Add what magnification changed in the luma to every channel of a frame [H, W, 3], clipped."""
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            change = np.int32(magnified[y, x]) - np.int32(luma[y, x])
            for c in range(3):
                value = np.int32(frame[y, x, c]) + change
                out[y, x, c] = np.uint8(min(max(value, np.int32(0)), np.int32(255)))
