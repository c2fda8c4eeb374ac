"""A frame spread over several threads is the same frame."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.magnify import Magnifier
from magnifyme.magnify.parts import part_rows

METHODS = ("linear", "riesz")


def moving(rng: np.random.Generator, *, shape: tuple[int, int], count: int = 6) -> NDArray[np.uint8]:
    """Make a noisy picture of soft detail that sways by a pixel, at 3 Hz."""
    plane = rng.normal(0.0, 120.0, (shape[0] + 2, shape[1] + 2))
    for _ in range(3):
        plane = (plane + np.roll(plane, 1, 0) + np.roll(plane, 1, 1) + np.roll(plane, (1, 1), (0, 1))) / 4
    sway = np.rint(1.0 + np.sin(0.6 * np.arange(count))).astype(int)
    frames = [128.0 + plane[y : y + shape[0], : shape[1]] + rng.normal(0.0, 2.0, shape) for y in sway]
    return np.clip(frames, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("threads", [2, 3, 100])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (47, 29), (64, 50), (121, 160)])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", [{}, {"base_level": 0, "order": 2}, {"denoise": False}])
def test_any_number_of_threads_gives_the_same_bits(
    method: str, shape: tuple[int, int], threads: int, options: dict[str, Any], rng: np.random.Generator
) -> None:
    """What one machine shows another must show: who measures on eight cores compares with who has one."""
    frames = moving(rng, shape=shape)
    # One frame given twice: no time passes between them.
    times = [0.0, 0.03, 0.07, 0.07, 0.1, 0.13]
    outs, states = [], []
    for count in (1, threads):
        magnifier = Magnifier(fps=30, factor=60, method=method, threads=count, **options)  # type: ignore[arg-type]
        outs.append([magnifier(frame, time=time) for frame, time in zip(frames, times, strict=True)])
        engine: Any = magnifier._engine
        # Rounding to grey levels hides much; the filter forgets nothing.
        states.append(engine._state)
    assert min(shape) < 30 or (np.array(outs[0]) != frames).any()  # there is something to compare
    np.testing.assert_array_equal(outs[0], outs[1])
    np.testing.assert_array_equal(states[0], states[1])


@pytest.mark.parametrize(("height", "parts", "together"), [(1, 3, 8), (47, 2, 8), (48, 5, 4), (9, 9, 1)])
def test_parts_are_all_the_rows_each_once(height: int, parts: int, together: int) -> None:
    """A row that no part does keeps what another frame left there; one that two do is summed twice."""
    ranges = [part_rows(height, part, parts, together) for part in range(parts)]
    assert [y for first, last in ranges for y in range(first, last)] == list(range(height))
    assert all(first % together == 0 for first, _ in ranges)


TWO_STREAMS = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from magnifyme.magnify import magnify_frames

clip = np.random.default_rng(0).integers(60, 196, (40, 80, 90), np.uint8)

def magnify(method):
    return magnify_frames(clip, fps=30, method=method, threads=2, denoise=False)

alone = [magnify(method) for method in ("linear", "riesz")]
with ThreadPoolExecutor(2) as pool:
    together = list(pool.map(magnify, ("linear", "riesz")))
np.testing.assert_array_equal(alone, together)
"""


def test_both_engines_may_run_on_several_threads_at_once() -> None:
    """Two cameras in one process: Numba's fallback threading layer ends it if both launch together."""
    environment = os.environ | {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "2"}
    command = [sys.executable, "-c", TWO_STREAMS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
