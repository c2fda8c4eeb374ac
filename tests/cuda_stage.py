"""What the CUDA tests of both engines share: arrays on the device, and how far pictures are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda
from numba.core import config

from busy import Frames


class OnDevice:
    """An array on the device with any strides: the simulator's device is the host's memory."""

    def __init__(self, array: Frames) -> None:
        self.array = array
        self.shape = array.shape
        if config.ENABLE_CUDASIM:
            self.__cuda_array_interface__ = array.__array_interface__
            return
        memory = array if array.base is None else array.base
        self._memory = cuda.to_device(memory)
        interface = dict(self._memory.__cuda_array_interface__)
        offset = array.ctypes.data - memory.ctypes.data
        interface |= {"shape": array.shape, "strides": array.strides}
        interface["data"] = (interface["data"][0] + offset, False)
        self.__cuda_array_interface__ = interface

    def fetch(self) -> Frames:
        """Bring what is there now back, with all of the memory about it."""
        memory = self.array if self.array.base is None else self.array.base
        if not config.ENABLE_CUDASIM:
            memory[...] = self._memory.copy_to_host()
        return memory


def apart(a: Any, b: Any) -> int:
    """Tell by how many grey levels two pictures differ at most."""
    return int(np.abs(np.asarray(a).astype(int) - b).max())
