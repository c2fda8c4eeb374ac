"""Found intervals held against true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Spanned(Protocol):
    """Anything with an onset and an offset in seconds."""

    @property
    def onset(self) -> float: ...

    @property
    def offset(self) -> float: ...


def overlap(one: Spanned, other: Spanned) -> float:
    """Compute intersection over union of two intervals, 0 to 1."""
    shared = min(one.offset, other.offset) - max(one.onset, other.onset)
    whole = max(one.offset, other.offset) - min(one.onset, other.onset)
    return max(shared, 0.0) / whole if whole > 0 else 0.0


def match(
    found: Sequence[Spanned], *, true: Sequence[Spanned], least_overlap: float = 0.5
) -> list[tuple[int, int]]:
    """Pair found with true intervals, best overlap first, each used once.

    A pair counts from an intersection over union of `least_overlap` (MEGC: 0.5). Returns pairs of indices
    (found, true); what is in no pair is a false alarm or a miss.
    """
    candidates = sorted(
        (
            (overlap(one, other), i, k)
            for i, one in enumerate(found)
            for k, other in enumerate(true)
            if overlap(one, other) >= least_overlap
        ),
        key=lambda candidate: -candidate[0],
    )
    pairs: dict[int, int] = {}
    for _, i, k in candidates:
        if i not in pairs and k not in pairs.values():
            pairs[i] = k
    return sorted(pairs.items())
