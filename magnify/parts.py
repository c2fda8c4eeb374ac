"""How a frame is spread over threads: in parts of its rows, one a thread.

An engine does a frame in stages. A stage reads what earlier ones wrote, wherever it lies, and writes rows of
its own part only, with scratch of its own; the next begins when all parts are done. What is summed is summed
in one order whatever the parts are, so that any number of threads gives the same bits.
"""

from __future__ import annotations

import threading
from typing import Any

from numba import njit

# Numba's fallback threading layer ends the process when two threads launch parallel kernels at once.
_LAUNCH = threading.Lock()


@njit(cache=True, nogil=True, fastmath=True)
def part_rows(height: int, part: int, parts: int, together: int) -> tuple[int, int]:
    """Give the first row of a part and the first after it; so many rows stay `together`."""
    groups = (height + together - 1) // together
    return groups * part // parts * together, min(groups * (part + 1) // parts * together, height)


def launch(run_part: Any, run_parallel: Any, parts: int, stages: int, *arguments: Any) -> None:
    """Run a frame's first `stages`, whole in this thread or each in so many `parts`."""
    if parts == 1:
        run_part(0, 1, (0, stages), *arguments)
        return
    with _LAUNCH:
        run_parallel(parts, stages, *arguments)
