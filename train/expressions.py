"""Action units as displacement fields, and expressions as mixtures of them.

A field is a sum of smooth bumps with compact support: cheap to draw, twice differentiable everywhere but
on an axis, and zero outside a known box. Places and sizes are in eye distances, so one table fits every
face; they were set by hand on frontal faces after the descriptions in Ekman, Friesen and Hager (2002).
Skin here slides over the picture: it does not wrinkle, bulge or shade as a real face does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

CX, CY, RX, RY_UP, RY_DOWN, DX, DY = range(7)
"""Columns of an array of bumps [N, 7], in pixels: centre, radii (up and down may differ), displacement."""


class Bump(NamedTuple):
    """One part of an action unit, in eye distances, for one half of the face.

    `out` and `down` lead from the `anchor` to the centre: away from the midline and towards the chin.
    `move_out` and `move_down` are the displacement of the centre. Anchors other than the paired "eye" and
    "corner" (of the mouth) lie on the midline; a bump with `paired` false stands there alone.
    """

    anchor: Literal["eye", "corner", "nose", "mouth"]
    out: float
    down: float
    radius_out: float
    radius_up: float
    radius_down: float
    move_out: float
    move_down: float
    paired: bool = True


ACTION_UNITS: Mapping[int, tuple[Bump, ...]] = {
    # 1 inner brow raiser, 2 outer brow raiser, 4 brow lowerer
    1: (Bump("eye", -0.22, -0.26, 0.34, 0.45, 0.22, 0.0, -1.0),),
    2: (Bump("eye", 0.22, -0.25, 0.36, 0.45, 0.22, 0.05, -1.0),),
    4: (
        Bump("eye", -0.22, -0.24, 0.34, 0.42, 0.24, -0.5, 0.85),
        Bump("eye", 0.15, -0.26, 0.34, 0.36, 0.20, -0.1, 0.40),
    ),
    # 5 upper lid raiser, 6 cheek raiser, 7 lid tightener
    5: (Bump("eye", 0.0, -0.10, 0.32, 0.13, 0.14, 0.0, -1.0),),
    6: (
        Bump("eye", 0.10, 0.48, 0.50, 0.40, 0.45, 0.0, -0.80),
        Bump("eye", 0.05, 0.16, 0.36, 0.14, 0.24, 0.0, -0.40),
    ),
    7: (
        Bump("eye", 0.0, 0.08, 0.34, 0.12, 0.22, 0.0, -0.90),
        Bump("eye", 0.0, -0.10, 0.34, 0.16, 0.10, 0.0, 0.45),
    ),
    # 9 nose wrinkler, 10 upper lip raiser
    9: (
        Bump("nose", 0.25, 0.03, 0.32, 0.42, 0.26, 0.05, -1.0),
        Bump("eye", -0.36, 0.12, 0.26, 0.30, 0.36, -0.05, -0.45),
        Bump("eye", -0.25, -0.24, 0.30, 0.34, 0.22, -0.2, 0.45),
    ),
    10: (Bump("mouth", 0.24, -0.05, 0.36, 0.34, 0.12, 0.05, -1.0),),
    # 12 lip corner puller, 14 dimpler, 15 lip corner depressor, 17 chin raiser, 20 lip stretcher
    12: (
        Bump("corner", 0.02, 0.0, 0.40, 0.36, 0.36, 0.70, -0.70),
        Bump("corner", 0.14, -0.34, 0.44, 0.40, 0.40, 0.10, -0.35),
    ),
    14: (Bump("corner", 0.04, 0.0, 0.26, 0.24, 0.24, 0.95, 0.0),),
    15: (Bump("corner", 0.0, 0.04, 0.34, 0.26, 0.38, 0.10, 1.0),),
    17: (Bump("mouth", 0.0, 0.50, 0.45, 0.36, 0.36, 0.0, -1.0, False),),
    20: (Bump("corner", 0.02, 0.03, 0.42, 0.28, 0.34, 1.0, 0.15),),
    # 23 lip tightener, 24 lip pressor, 25 lips part, 26 jaw drop
    23: (
        Bump("corner", -0.02, 0.0, 0.36, 0.26, 0.26, -0.95, 0.0),
        Bump("mouth", 0.0, 0.0, 0.46, 0.20, 0.09, 0.0, 0.30, False),
        Bump("mouth", 0.0, 0.22, 0.46, 0.11, 0.22, 0.0, -0.35, False),
    ),
    24: (
        Bump("mouth", 0.0, 0.02, 0.46, 0.24, 0.09, 0.0, 0.55, False),
        Bump("mouth", 0.0, 0.22, 0.46, 0.11, 0.28, 0.0, -0.80, False),
    ),
    25: (
        Bump("mouth", 0.0, 0.0, 0.44, 0.24, 0.14, 0.0, -0.35, False),
        Bump("mouth", 0.0, 0.24, 0.46, 0.16, 0.32, 0.0, 0.90, False),
    ),
    26: (Bump("mouth", 0.0, 0.44, 0.72, 0.40, 0.52, 0.0, 1.0, False),),
    # 43 eyes closed, 45 blink: the skin of the upper lid comes down over the eye. Up, the radius is long
    # enough to stretch and not to fold; down, it is short, so that the eye is squeezed to a line.
    43: (Bump("eye", 0.0, 0.03, 0.44, 0.30, 0.09, 0.0, 1.0),),
    45: (Bump("eye", 0.0, 0.03, 0.44, 0.30, 0.09, 0.0, 1.0),),
}
"""The table of action units, by their number."""

EXPRESSIONS: Mapping[str, Mapping[int, float]] = {
    "anger": {4: 1.0, 7: 0.6, 23: 0.8, 24: 0.35},
    "disgust": {9: 1.0, 10: 0.8},
    "happiness": {6: 0.6, 12: 1.0},
    "sadness": {1: 0.9, 4: 0.35, 15: 1.0},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.4, 26: 0.9},
}
"""What the made expressions consist of: label, then action units and their shares."""

LID_TRAVEL = 0.16
"""How far the upper lid comes down in a full blink, in eye distances. At more, its skin would fold."""


def expression_field(
    action_units: Mapping[int, float], *, landmarks: NDArray[np.float64], asymmetry: float = 0.0
) -> NDArray[np.float64]:
    """Give the bumps [N, 7] of a mixture of action units, scaled so that its largest displacement is 1 px.

    `action_units` maps numbers of `ACTION_UNITS` to their shares. `landmarks` [5, 2] are the face's, in
    pixels, in the order of `stream.face.CANONICAL_LANDMARKS`. `asymmetry`, -1 to 1, moves strength from
    the right of the picture to the left. Raises ValueError for a number that the table does not hold.
    """
    unknown = sorted(set(action_units) - set(ACTION_UNITS))
    if unknown:
        raise ValueError(f"action unit {unknown[0]} is not known; those known are {sorted(ACTION_UNITS)}")
    rows = [
        _place(bump, side=side, share=share * (1.0 - side * asymmetry), landmarks=landmarks)
        for number, share in action_units.items()
        for bump in ACTION_UNITS[number]
        for side in ((-1, 1) if bump.paired else (0,))
    ]
    bumps = np.array([row for row in rows if row[DX] or row[DY]], np.float64).reshape(-1, 7)
    if len(bumps):
        bumps[:, DX:] /= _largest_displacement(bumps)
    return bumps


def displacement(points: NDArray[np.float64], *, bumps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate the field of `bumps` [N, 7] at `points` [..., 2]; same shape, in pixels."""
    x = points[..., 0, None] - bumps[:, CX]
    y = points[..., 1, None] - bumps[:, CY]
    radius = np.where(y < 0.0, bumps[:, RY_UP], bumps[:, RY_DOWN])
    inside = np.maximum(1.0 - (x / bumps[:, RX]) ** 2 - (y / radius) ** 2, 0.0)
    field: NDArray[np.float64] = inside**3 @ bumps[:, DX:]
    return field


def move_points(points: NDArray[np.float64], *, bumps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find where the skin at `points` [N, 2] has gone: the q with q - displacement(q) = point.

    The renderer fetches: the field says where a pixel's skin came from. The way forward has no closed
    form; Newton's method with halved steps finds it to 1e-9 px, for fields that do not fold.
    """
    there = np.array(points, np.float64).reshape(-1, 2)
    if not len(bumps):
        return there
    step = 1e-4
    for index, start in enumerate(there.copy()):
        position, error = start, -displacement(start, bumps=bumps)
        for _ in range(100):
            if np.hypot(*error) < 1e-9:
                break
            probes = position + np.array([[step, 0.0], [-step, 0.0], [0.0, step], [0.0, -step]])
            values = probes - displacement(probes, bumps=bumps)
            slope = np.stack([values[0] - values[1], values[2] - values[3]], axis=1) / (2.0 * step)
            newton = np.linalg.solve(slope, error)
            for halvings in range(30):
                trial = position - newton * 0.5**halvings
                remaining = trial - displacement(trial, bumps=bumps) - start
                if np.hypot(*remaining) < np.hypot(*error):
                    break
            position, error = trial, remaining
        there[index] = position
    return there


def _place(bump: Bump, *, side: int, share: float, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    left_eye, right_eye, nose, left_corner, right_corner = landmarks
    mouth = (left_corner + right_corner) / 2.0
    unit = float(np.hypot(*(right_eye - left_eye)))
    across = (right_eye - left_eye) / unit
    downwards = np.array([-across[1], across[0]])
    anchor = {
        "eye": left_eye if side < 0 else right_eye,
        "corner": left_corner if side < 0 else right_corner,
        "nose": nose,
        "mouth": mouth,
    }[bump.anchor]
    centre = anchor + unit * (side * bump.out * across + bump.down * downwards)
    move = share * (side * bump.move_out * across + bump.move_down * downwards)
    radii = unit * np.array([bump.radius_out, bump.radius_up, bump.radius_down])
    return np.concatenate([centre, radii, move])


def _largest_displacement(bumps: NDArray[np.float64]) -> float:
    # Steps of 1/24 of a radius miss at most 0.3 % of a peak: (1 - r²)³ at r = √2/48.
    steps = np.arange(-17, 18) / 24.0
    peak = 0.0
    for cx, cy, rx, up, down, *_ in bumps:
        x = cx + rx * steps
        y = cy + np.where(steps < 0.0, up, down) * steps
        grid = np.stack(np.meshgrid(x, y), axis=-1)
        peak = max(peak, float(np.hypot(*np.moveaxis(displacement(grid, bumps=bumps), -1, 0)).max()))
    centres = displacement(bumps[:, :2], bumps=bumps)
    return max(peak, float(np.hypot(centres[:, 0], centres[:, 1]).max()))
