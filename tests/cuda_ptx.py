"""Compile the CUDA kernels to PTX without a GPU and print it as JSON; exit with 77 where that cannot be.

A program of its own, because in the tests' process Numba may simulate CUDA, and then compiles nothing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

CAPABILITIES = ((8, 0), (9, 0))


def signatures() -> dict[str, dict[str, Any]]:
    """Give the types that the engines launch each kernel with, by module and kernel."""
    import numba

    types: Any = numba.types
    picture, size, whole = types.uint8[::1], types.UniTuple(types.int64, 2), types.int64
    geometry, table, weights = types.UniTuple(types.int64, 4), types.int32[:, ::1], types.float32[::1]
    previous, levels = types.uint16[:, :, ::1], types.float32[:, ::1]
    steps, state = types.float32[:, :, ::1], types.float32[:, :, :, ::1]
    number, plane, volume = types.float32, levels, steps
    return {
        "cuda_linear_kernels": {
            "filter_base": (picture, geometry, whole, size, previous, state, steps, steps),
            "gate_base": (size, state, steps, number, levels),
            "halve_twice": (levels, size, levels, table),
            "sum_coarse": (levels, table, weights),
            "add_change": (
                *(picture, picture, geometry, geometry, whole, size),
                *(levels, levels, table, weights, number),
            ),
        },
        "cuda_riesz_kernels": {
            "halve_thrice": (picture, geometry, plane, table),
            "compare": (picture, geometry, plane, volume, steps, table, plane, plane),
            "follow": (plane, table, size, types.float32[:, :, :, :, ::1], volume, steps),
            "hold_back": (types.float32[:, :, :, :, ::1], volume, size, number, volume),
        },
        "cuda_warp_kernels": {
            "fit_spline": (picture, geometry, volume),
            "move": (volume, volume, size, number, picture, geometry),
        },
    }


def assemble(ptx: str, target: str) -> str | None:
    """Ask ptxas, where a CUDA toolkit is installed, for registers and spills."""
    program = shutil.which("ptxas")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        command = [program, "-v", f"-arch={target}", str(source), "-o", f"{folder}/kernel.cubin"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def main() -> None:
    """Compile every kernel for every capability."""
    if find_spec("numba_cuda") is None:
        print("numba-cuda is not installed: pip install 'magnifyme[cuda]'", file=sys.stderr)
        sys.exit(77)
    import numba.cuda.dispatcher
    from numba import cuda, types

    compiled = []
    for capability in CAPABILITIES:
        # Numba asks the device for its capability even where it is told for which one to compile.
        device = SimpleNamespace(compute_capability=capability)
        numba.cuda.dispatcher.get_current_device = lambda device=device: device
        target = "sm_{}{}".format(*capability)
        for module, kernels in signatures().items():
            for name, arguments in kernels.items():
                kernel = getattr(import_module(f"magnifyme.magnify.{module}"), name).py_func
                ptx, _ = cuda.compile_ptx(kernel, types.void(*arguments), cc=capability, fastmath=True)
                assembler = assemble(ptx, target)
                compiled.append({"kernel": name, "target": target, "ptx": ptx, "assembler": assembler})
    json.dump(compiled, sys.stdout)


if __name__ == "__main__":
    main()
