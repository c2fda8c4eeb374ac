"""What the compiler made of the kernels: a double where a single was meant halves the speed silently."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numba import njit

from magnifyme.magnify import (
    Magnifier,
    linear_stages,
    riesz_stages,
    spline,
    stabilizer_kernels,
)

PIXEL_LOOPS = [
    linear_stages.run_part,
    riesz_stages.run_part,
    spline.fit_spline,
    stabilizer_kernels.difference,
]
# Positions are doubles, row by row; pixels are not.
POSED_LOOPS = [stabilizer_kernels.hold, stabilizer_kernels.put_back]


@pytest.fixture(scope="module", autouse=True)
def in_use() -> None:
    """Let every kernel be called as it is in earnest."""
    for method, base_level in (("linear", 0), ("linear", 1), ("riesz", 0), ("riesz", 1)):
        magnifier = Magnifier(fps=30, method=method, base_level=base_level, stabilize=True)  # type: ignore[arg-type]
        for _ in range(2):
            magnifier(np.full((64, 64), 90, np.uint8))


def code_of(kernel: Any) -> str:
    """Compile a kernel, with all that it calls, and give the optimised code."""
    fresh = njit(nogil=True, fastmath=True)(kernel.py_func)
    assert kernel.signatures, "the kernel is not in use"
    for signature in kernel.signatures:
        fresh.compile(signature)
    return "".join(fresh.inspect_llvm().values())


@pytest.mark.parametrize(
    "kernel", PIXEL_LOOPS, ids=lambda kernel: kernel.py_func.__module__ + "." + kernel.__name__
)
def test_kernels_compute_in_single_precision(kernel: Any) -> None:
    code = code_of(kernel)
    assert re.search(r"f(add|sub|mul)\b.* <\d+ x float>", code), "nothing is vectorised"
    found = re.search(r"\n.*(f(add|sub|mul|div|ma)\b.*double|x double>|fpext).*", code)
    assert not found, found.group(0)


@pytest.mark.parametrize("kernel", POSED_LOOPS, ids=lambda kernel: kernel.__name__)
def test_posed_kernels_compute_pixels_in_single_precision(kernel: Any) -> None:
    code = code_of(kernel)
    assert re.search(r"f(add|sub|mul)\b.* <\d+ x float>", code), "nothing is vectorised"
    found = re.search(r"\n.*f(add|sub|mul|div|ma)\b.*<\d+ x double>.*", code)
    assert not found, found.group(0)
