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


def launch(serial: Any, parallel: Any, parts: int, *arguments: Any) -> None:
    """Run a frame's stages with the kernel for one part or for several; both take their number first."""
    if parts == 1:
        serial(parts, *arguments)
        return
    with _LAUNCH:
        parallel(parts, *arguments)
