"""How a made head moves as a whole: it sways as a sitting person does, and turns a little.

Sway is a similarity in the picture's plane. Turning is a head of given depth seen from another side: what
lies nearer to the camera moves further. A picture can be pulled so, but it has no other side: nothing that
was hidden comes out from behind the nose or the cheek. Beyond `MOST_TURN_DEG` that would show.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MOST_TURN_DEG = 10.0
"""The furthest that a made head can turn aside, or nod, and still be carried by a warp of its picture."""

# How a person sits still: slow waves of these rates, and how far each part of the pose goes, rms: sideways
# and up in eye distances (about 2 px in 640×480), roll in radians, size as a share.
_SWAY_HZ = (0.07, 0.45)
_SWAY_WAVES = 4
_SWAY_RMS = np.array([0.022, 0.016, math.radians(0.5), 0.005])
# A head turns to and fro within seconds.
_TURN_HZ = (0.05, 0.25)
_TURN_WAVES = 3
# The depth of a head before the axis that it turns about, in eye distances, as smooth bumps: anchor (0: the
# middle of the face, 1: nose tip), half width, reach up and down, depth.
_DEPTH = ((0, 2.3, 2.6, 2.4, 1.0), (1, 0.45, 0.75, 0.35, 0.28))


class HeadMotion:
    """The sway and the turning of one head, drawn from `rng`; `sway` scales it, `turn_deg` is its largest."""

    def __init__(
        self, rng: np.random.Generator, *, turn_rng: np.random.Generator, sway: float, turn_deg: float
    ) -> None:
        if not 0.0 <= turn_deg <= MOST_TURN_DEG:
            raise ValueError(
                f"turn_deg is {turn_deg:g}; it must be 0 to {MOST_TURN_DEG:g}: a picture has no other side"
            )
        self._sway = sway * _SWAY_RMS * math.sqrt(2.0 / _SWAY_WAVES)
        self._sway_hz = rng.uniform(*_SWAY_HZ, (4, _SWAY_WAVES))
        self._sway_phase = rng.uniform(0.0, math.tau, (4, _SWAY_WAVES))
        self._turn_rad = math.radians(turn_deg) / _TURN_WAVES
        self._turn_hz = turn_rng.uniform(*_TURN_HZ, (2, _TURN_WAVES))
        self._turn_phase = turn_rng.uniform(0.0, math.tau, (2, _TURN_WAVES))

    def angles(self, at: float) -> tuple[float, float]:
        """Tell how far the head is turned at time `at`, in radians: towards the right of the picture, and
        down."""
        waves = np.sin(math.tau * self._turn_hz * at + self._turn_phase).sum(axis=1)
        # Together at most `turn_deg`, aside and down: nods are smaller.
        yaw, pitch = self._turn_rad * waves * (0.8, 0.6)
        return float(yaw), float(pitch)

    def pose(self, at: float, *, centre: NDArray[np.float64], unit_px: float) -> NDArray[np.float64]:
        """Give the map [2, 3] from the resting head to the frame at time `at`: sway, and what a turned head
        is foreshortened."""
        waves = np.sin(math.tau * self._sway_hz * at + self._sway_phase).sum(axis=1)
        x, y, roll, growth = waves * self._sway
        shift = unit_px * np.array([x, y])
        scale = 1.0 + growth
        cos, sin = scale * math.cos(roll), scale * math.sin(roll)
        linear = np.array([[cos, -sin], [sin, cos]])
        if self._turn_rad:
            linear = linear * np.cos(self.angles(at))
        return np.concatenate([linear, (centre + shift - linear @ centre)[:, None]], axis=1)

    def bumps(self, at: float, *, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the displacement [N, 7] of a turned head at time `at`, in resting pixels; empty if it never
        turns."""
        if not self._turn_rad:
            return np.zeros((0, 7))
        unit = float(np.hypot(*(landmarks[1] - landmarks[0])))
        anchors = ((landmarks[:2].mean(axis=0) + landmarks[3:].mean(axis=0)) / 2.0, landmarks[2])
        move = unit * np.sin(self.angles(at))
        rows = [
            [*anchors[anchor], unit * wide, unit * up, unit * down, *(depth * move)]
            for anchor, wide, up, down, depth in _DEPTH
        ]
        return np.array(rows)
