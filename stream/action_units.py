"""Which action units a movement may be: read off the parts that moved and the way they went.

This is geometry, not the judgement of a trained coder: skin that goes up at the brow is what a raised brow
looks like, whatever raised it. Several units share a part and a direction, so a movement has candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .motion import REGIONS

NAMES = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    6: "cheek raiser",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    45: "blink",
}
"""Names of the action units that can be read, by number (Ekman, Friesen and Hager 2002)."""


class _Sign(NamedTuple):
    """A part that goes a way, away from the midline and down, is a sign of these units, likeliest first."""

    part: str
    out: float
    down: float
    units: tuple[int, ...]


_SIGNS = (
    _Sign("brow_inner", 0.0, -1.0, (1,)),
    _Sign("brow_inner", 0.0, 1.0, (4, 9)),
    _Sign("brow", 0.0, -1.0, (2, 1)),
    _Sign("brow", 0.0, 1.0, (4,)),
    _Sign("brow", -0.7, 0.7, (4,)),
    _Sign("nose", 0.0, -1.0, (9, 10)),
    _Sign("cheek", 0.0, -1.0, (6, 12)),
    _Sign("cheek", 0.7, -0.7, (12, 6)),
    _Sign("mouth", 0.7, -0.7, (12,)),
    _Sign("mouth", 0.0, -1.0, (12, 10)),
    _Sign("mouth", 1.0, 0.0, (14, 20)),
    _Sign("mouth", 0.0, 1.0, (15,)),
    _Sign("mouth", -1.0, 0.0, (23,)),
    _Sign("upper_lip", 0.0, -1.0, (10,)),
    _Sign("upper_lip", 0.0, 1.0, (24, 23)),
    _Sign("lower_lip", 0.0, -1.0, (17, 24)),
    _Sign("lower_lip", 0.0, 1.0, (25, 26)),
    _Sign("chin", 0.0, -1.0, (17,)),
    _Sign("chin", 0.0, 1.0, (26,)),
)
# The nearest way counts, and not at all what is further from it than about 50 degrees.
_NEAR = 0.64


def action_units(regions: Sequence[str], *, motion: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Give the action units that these regions may show, likeliest first.

    `regions` are names of `motion.REGIONS`, `motion` where each went: (x, y), to the right and down. Lids
    that move alone are a blink (45); beside other parts they tell nothing: how they move is not measured.
    """
    if regions and all(region.startswith("eye") for region in regions):
        return (45,)
    strength: dict[int, float] = {}
    for region, (x, y) in zip(regions, motion, strict=True):
        assert region in REGIONS
        # Left and right are those of the picture; on the midline there is no outwards.
        out = {"left": -x, "right": x}.get(region.rpartition("_")[2], 0.0)
        length = (x * x + y * y) ** 0.5
        signs = [sign for sign in _SIGNS if region == sign.part] or [
            sign for sign in _SIGNS if region.startswith(sign.part)
        ]
        if not signs or not length:
            continue
        near = {sign: (out * sign.out + y * sign.down) / length / _norm(sign) for sign in signs}
        sign = max(near, key=near.__getitem__)
        if near[sign] >= _NEAR:
            for rank, unit in enumerate(sign.units):
                strength[unit] = max(strength.get(unit, 0.0), length / (1.0 + rank))
    return tuple(sorted(strength, key=lambda unit: -strength[unit]))


def _norm(sign: _Sign) -> float:
    return float((sign.out**2 + sign.down**2) ** 0.5)
