"""The CUDA device: whether there is one, frames that lie on it, and launches recorded for repetition."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numba import cuda
from numba.core import config
from numpy.typing import NDArray

from .errors import MagnifyError

# Height, width, and the distances in memory between rows and between streams.
Geometry = tuple[int, int, int, int]
# A decoder's pool of surfaces is smaller.
_MAX_RECORDINGS = 32
_COPY_RUNS = 5


def what_is_missing() -> str | None:
    """Say what CUDA lacks on this machine and what to do, in one line; None if it is all there."""
    if config.ENABLE_CUDASIM:
        return None
    install = "install it: pip install 'magnifyme[cuda]'"
    if find_spec("numba_cuda") is None:
        return f"the package numba-cuda is not installed; {install}"
    error = cuda.cuda_error()
    if error is not None:
        first = str(error).strip().splitlines()[0].rstrip(".")
        return f"there is no NVIDIA GPU or no driver for it ({first}); `nvidia-smi` should list the GPU"
    if not cuda.is_available():
        return f"CUDA's compiler (NVVM) is not installed; {install}"
    return None


@dataclass(frozen=True)
class DeviceFrames:
    """Frames uint8 [streams, H, W] on the device, as the stretch of its memory that they span."""

    flat: Any
    geometry: Geometry
    address: int

    @property
    def key(self) -> Hashable:
        """What a recorded launch holds on to."""
        return (self.address, self.geometry)


def lies_on_device(frames: object) -> bool:
    """Tell whether an object is an array in a GPU's memory."""
    return hasattr(frames, "__cuda_array_interface__")


def device_frames(frames: Any, name: str) -> DeviceFrames:
    """View what has a `__cuda_array_interface__`, uint8 [H, W] or [streams, H, W]; rows must be contiguous.

    Waits for the array's own CUDA stream, if it names one. Raises MagnifyError, naming the array `name`.
    """
    interface = frames.__cuda_array_interface__
    shape = tuple(interface["shape"])
    if interface["typestr"] not in ("|u1", "<u1") or len(shape) not in (2, 3) or 0 in shape:
        raise MagnifyError(
            f"{name} on the device is {interface['typestr']} {list(shape)}; give uint8 [H, W] "
            f"or [streams, H, W]"
        )
    height, width = shape[-2:]
    strides = interface.get("strides") or (height * width, width, 1)[-len(shape) :]
    pitch, step = strides[-2:]
    plane = strides[0] if len(shape) == 3 else height * pitch
    if (width > 1 and step != 1) or (height > 1 and pitch < width) or plane < 0:
        raise MagnifyError(f"{name} on the device has rows that are not contiguous; give a copy of it")
    count = shape[0] if len(shape) == 3 else 1
    span = (count - 1) * plane + (height - 1) * pitch + width
    flat = cuda.from_cuda_array_interface({**interface, "shape": (span,), "strides": None}, owner=frames)
    return DeviceFrames(flat, (height, width, pitch, plane), interface["data"][0])


def page_locked(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Make an array uint8 in memory of the host that the GPU reads and writes by itself.

    Frames and results that lie in such arrays, packed, are not copied within the host's memory.
    """
    made: NDArray[np.uint8] = cuda.pinned_array(shape, np.uint8)
    return made


def is_page_locked(array: NDArray[np.uint8]) -> bool:
    """Tell whether the GPU can copy a packed array of the host's memory by itself."""
    if config.ENABLE_CUDASIM or not array.flags.c_contiguous:
        return False
    from cuda.bindings import driver

    wanted = driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_MEMORY_TYPE
    # For memory that CUDA does not know this is an error.
    error, kind = driver.cuPointerGetAttribute(wanted, array.ctypes.data)
    return int(error) == 0 and int(kind) == int(driver.CUmemorytype.CU_MEMORYTYPE_HOST)


class Launcher:
    """Launch the same work again and again; from the second time on as one recorded CUDA graph.

    The first time compiles and loads the kernels, which cannot be recorded.
    """

    def __init__(self) -> None:
        # Ordered with the default stream, on which other libraries may have made the frames.
        self._stream = cuda.stream()
        self._graphs: OrderedDict[Hashable, Any] = OrderedDict()

    def run(self, key: Hashable, work: Callable[[Any], None]) -> None:
        """Do `work`, which launches into the stream that it is given, and wait for its end.

        Equal keys must mean equal work on equal addresses; only memory's content may differ.
        """
        if key not in self._graphs:
            work(self._stream)
            self._graphs[key] = None
            if len(self._graphs) > _MAX_RECORDINGS:
                self._graphs.popitem(last=False)
        elif config.ENABLE_CUDASIM:
            work(self._stream)
        else:
            graph = self._graphs[key]
            if graph is None:
                graph = self._graphs[key] = _Graph(work)
            graph.launch(self._stream)
        self._stream.synchronize()


class _Graph:
    """Launches recorded once, to be sent to the device with one call."""

    def __init__(self, work: Callable[[Any], None]) -> None:
        from cuda.bindings import driver

        cuda.current_context()
        # A stream that nothing else waits for: other threads go on using the device meanwhile.
        recorder = _call(driver.cuStreamCreate, driver.CUstream_flags.CU_STREAM_NON_BLOCKING.value)
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        _call(driver.cuStreamBeginCapture, recorder, mode)
        try:
            # Memory that Numba frees meanwhile would spoil the recording.
            with cuda.defer_cleanup():
                work(cuda.external_stream(int(recorder)))
        finally:
            graph = _call(driver.cuStreamEndCapture, recorder)
        self._executable = _call(driver.cuGraphInstantiate, graph, 0)
        _call(driver.cuGraphDestroy, graph)
        _call(driver.cuStreamDestroy, recorder)
        self._driver = driver

    def launch(self, stream: Any) -> None:
        cuda.current_context()
        _call(self._driver.cuGraphLaunch, self._executable, int(stream.handle))

    def __del__(self) -> None:
        if hasattr(self, "_executable"):
            self._driver.cuGraphExecDestroy(self._executable)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the driver and return what it gives besides its error code."""
    error, *results = function(*arguments)
    if int(error) != 0:
        raise RuntimeError(f"CUDA: {function.__name__} failed with {error.name}")
    return results[0] if results else None


def place(array: NDArray[np.uint8], *, on_device: bool) -> Any:
    """Copy an array to the device or into page-locked memory."""
    if on_device:
        return cuda.to_device(array)
    copy = page_locked(array.shape)
    np.copyto(copy, array)
    return copy


def device_bandwidth(size: int) -> float:
    """Measure how many bytes a second the device reads and writes when it copies `size` bytes."""
    source, target = (cuda.device_array(size, np.uint8) for _ in range(2))
    return 2.0 * size / _least_seconds(lambda: target.copy_to_device(source))


def bus_bandwidth(size: int) -> float:
    """Measure how many bytes a second cross the bus when page-locked memory is sent and fetched in turn."""
    here, there = cuda.pinned_array(size, np.uint8), cuda.device_array(size, np.uint8)
    here.fill(1)

    def to_and_fro() -> None:
        there.copy_to_device(here)
        there.copy_to_host(here)

    return 2.0 * size / _least_seconds(to_and_fro)


def _least_seconds(work: Callable[[], object]) -> float:
    best = math.inf
    for _ in range(_COPY_RUNS):
        start = time.perf_counter()
        work()
        cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def blocks(size: int, tile: int) -> int:
    """Count the tiles that cover a length."""
    return math.ceil(size / tile)
