"""Notices a cut, and a camera that is moved: what then jumps in the picture is nobody's face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Change = Literal["none", "cut", "moved"]
Box = tuple[float, float, float, float]

_LONG_SIDE = 64  # Enough to tell one picture from another, and far less than a face.
# Consecutive pictures of one shot correlate by 0.9 and more, those of two shots by chance.
_CUT_BELOW = 0.5
_LEAST_CONTRAST = 2.0  # Grey levels: of a covered lens nothing can be told.
_MOVED_SHARE = 0.01  # Of the picture's width within a frame: a pan or a knock, no trembling hand.
_CLEAR = 0.15  # How clear the peak of the correlation must be to be believed.
_AROUND = 0.35  # Heads are larger than their boxes, by this share on each side.


class Scene:
    """Compares each picture with the last one."""

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None

    def reset(self) -> None:
        """Forget the last picture."""
        self._last = None

    def see(self, luma: NDArray[np.uint8], *, faces: Sequence[Box]) -> Change:
        """Tell what has happened since the last picture, uint8 [H, W]: whether it is another scene, or all
        that is not a face has moved. `faces` are boxes (x, y, width, height) that move for themselves."""
        picture = _thumbnail(luma)
        last, self._last = self._last, picture
        if last is None or last.shape != picture.shape:
            return "none"
        spread = float(last.std()), float(picture.std())
        if min(spread) < _LEAST_CONTRAST:
            return "cut" if max(spread) >= 4.0 * _LEAST_CONTRAST else "none"
        product = float(((last - last.mean()) * (picture - picture.mean())).mean())
        if product < _CUT_BELOW * spread[0] * spread[1]:
            return "cut"
        ratio = picture.shape[1] / luma.shape[1]
        clear = np.hanning(picture.shape[0] + 2)[1:-1, None] * np.hanning(picture.shape[1] + 2)[None, 1:-1]
        for x, y, width, height in faces:
            columns = _span(ratio * (x - _AROUND * width), ratio * (x + (1.0 + _AROUND) * width))
            rows = _span(ratio * (y - _AROUND * height), ratio * (y + (1.0 + _AROUND) * height))
            clear[rows, columns] = 0.0
        if not clear.any():
            return "none"
        pair = ((each - float((each * clear).sum() / clear.sum())) * clear for each in (last, picture))
        (right, down), peak = cv2.phaseCorrelate(*(np.asarray(each, np.float32) for each in pair))
        far = float(np.hypot(right, down)) >= _MOVED_SHARE * picture.shape[1]
        return "moved" if far and peak >= _CLEAR else "none"


def _span(first: float, last: float) -> slice:
    return slice(max(int(first), 0), max(int(last) + 1, 0))


def _thumbnail(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    # Thinned first: reading every pixel of a large picture would take longer than all the rest.
    height, width = luma.shape
    step = max(1, max(height, width) // (4 * _LONG_SIDE))
    thin = np.ascontiguousarray(luma[::step, ::step])
    scale = min(1.0, _LONG_SIDE / max(thin.shape))
    size = max(2, round(scale * thin.shape[1])), max(2, round(scale * thin.shape[0]))
    return np.asarray(cv2.resize(thin, size, interpolation=cv2.INTER_AREA), np.float32)
