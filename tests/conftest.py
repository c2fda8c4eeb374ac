"""Fixtures that several tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

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
