"""When the encoder drew the picture anew.

Compressed video is refreshed by key frames: what had crept away since the last one jumps back, all over the
picture and within one frame, and to a fraction of a pixel that looks like a movement of the face. Skin does
not move so: it needs several frames, and not all of it moves. Sensors' noise changes every new frame alike.

Where frames are repeated (a webcam in the dark, 30 frames a second sent as 60) most changes may be none, and
the rest as large as ever: usual is what comes more often than key frames do, not what comes half of the time.
"""

from __future__ import annotations

from collections import deque
from heapq import nlargest

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .face import CROP_SIZE

Float32Array = NDArray[np.float32]

_BLOCK = 16  # px: a mouth or a brow covers a few blocks, never most of them
_SHARE = 0.25  # An expression or a blink changes much of the face, but not three quarters of its blocks.
_REFRESH = 2.0  # Times the usual change; sensors' noise and nearly all predicted frames stay below.
_LEAST_CHANGE = 0.1  # Grey levels: below, rounding decides.
# Encoders set key frames half a second apart or more: two at most are among the changes of one second, and
# the largest but two is usual. Cameras show more new pictures than that, however often each is repeated.
_USUAL_S = 1.0
_KEY_FRAMES = 2
_USUAL_LEAST_S = 0.5  # Before, a slow camera has shown too little.


class Refresh:
    """Tell frame by frame whether the whole face was drawn anew."""

    def __init__(self) -> None:
        blocks = CROP_SIZE // _BLOCK
        self._changes: Float32Array = np.zeros((blocks, blocks), np.float32)
        self._before: NDArray[np.uint8] | None = None
        self._recent: deque[tuple[float, float]] = deque()

    def seen(self, luma: NDArray[np.uint8], *, time: float) -> bool:
        """Take the crop uint8 [CROP_SIZE, CROP_SIZE] at `time` in seconds; say if it was drawn anew."""
        before, self._before = self._before, luma.copy()
        if before is None:
            return False
        _block_changes(luma, before, self._changes)
        rank = int(_SHARE * self._changes.size)
        change = float(np.partition(self._changes, rank, axis=None)[rank])
        recent = self._recent
        while recent and time - recent[0][0] > _USUAL_S:
            recent.popleft()
        known = len(recent) > _KEY_FRAMES and time - recent[0][0] >= _USUAL_LEAST_S
        usual = nlargest(_KEY_FRAMES + 1, (value for _, value in recent))[-1] if known else change
        recent.append((time, change))
        return change > max(_REFRESH * usual, _LEAST_CHANGE)


@njit(cache=True, nogil=True)
def _block_changes(picture: NDArray[np.uint8], before: NDArray[np.uint8], changes: Float32Array) -> None:
    """Write the mean absolute difference of each block into `changes` [H / 16, W / 16]."""
    for block_row in range(changes.shape[0]):
        for block_column in range(changes.shape[1]):
            total = np.float32(0.0)
            for row in range(block_row * _BLOCK, (block_row + 1) * _BLOCK):
                for column in range(block_column * _BLOCK, (block_column + 1) * _BLOCK):
                    total += abs(np.float32(picture[row, column]) - np.float32(before[row, column]))
            changes[block_row, block_column] = total / np.float32(_BLOCK * _BLOCK)
