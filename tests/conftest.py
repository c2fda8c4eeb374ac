"""Fixtures that several tests share."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from magnifyme.cli.probes import cuda_devices

if TYPE_CHECKING:
    from program import Here

# Without a GPU, CUDA's tests run in Numba's simulator, which must be asked for before Numba is loaded.
if not cuda_devices():
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

# Numba's cache has no lock: two processes that save one kernel at once, each for other types, exchange them.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parent / "__pycache__" / worker))

# A shell starts what runs in its background deaf to Ctrl-C, and so would be the programs that we interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng() -> np.random.Generator:
    """Give the one source of random numbers, the same in every run."""
    return np.random.default_rng(20261123)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Give the program as a function: a process of its own takes more than a second each time."""
    from program import Here

    return Here(monkeypatch, capfd)


@pytest.fixture(scope="session")
def yunet_model() -> Path:
    """Give YuNet's model file, or skip: tests download nothing."""
    name = os.environ.get("MAGNIFYME_DETECTOR_MODEL")
    if not name:
        pytest.skip("MAGNIFYME_DETECTOR_MODEL does not name face_detection_yunet_2023mar.onnx")
    path = Path(name)
    if not path.is_file():
        pytest.fail(f"MAGNIFYME_DETECTOR_MODEL names {path}, which is not a file")
    return path


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the simulator, which makes a Python thread of every thread of a block, and much ado of a call."""
    from numba.core import config

    if not config.ENABLE_CUDASIM:
        return
    from numba.cuda.simulator.kernel import FakeCUDAKernel

    from magnifyme.magnify import (
        cuda_functions,
        cuda_linear,
        cuda_linear_kernels,
        cuda_riesz,
        cuda_riesz_kernels,
        cuda_warp_kernels,
    )

    for module in (cuda_functions, cuda_linear_kernels, cuda_riesz_kernels, cuda_warp_kernels):
        for name, value in list(vars(module).items()):
            # A kernel's module has been prepared when it calls: not again for every small function.
            if isinstance(value, FakeCUDAKernel) and value._device:
                monkeypatch.setattr(module, name, value.fn)
    monkeypatch.setattr(cuda_linear, "TILE_THREADS", 8)
    monkeypatch.setattr(cuda_linear, "COARSE_THREADS", 8)
    monkeypatch.setattr(cuda_riesz, "TILE_THREADS", 8)


@pytest.fixture
def device_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teach the simulator to view an array by its interface, which it cannot."""
    from numba import cuda
    from numba.core import config

    if not config.ENABLE_CUDASIM:
        return
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    def view(interface: dict[str, Any], owner: Any) -> FakeCUDAArray:
        (span,) = interface["shape"]
        memory = (ctypes.c_uint8 * span).from_address(interface["data"][0])
        return FakeCUDAArray(np.ctypeslib.as_array(memory))

    interface = property(lambda array: array._ary.__array_interface__)
    monkeypatch.setattr(FakeCUDAArray, "__cuda_array_interface__", interface, raising=False)
    monkeypatch.setattr(cuda, "from_cuda_array_interface", view, raising=False)
