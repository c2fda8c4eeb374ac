"""The linear Eulerian engine: band-pass in time, weight the octaves in space, add to the picture.

Both filters are linear, so their order is free: the band-pass runs once a pixel on the base plane, and the
pyramid is made of what passed. A frame is three sweeps over the picture, each over rows that stay in cache:

    in      luma -> half size -> band-pass; the last section's v is the band-passed plane itself
    middle  the pyramid below the base, weighted and added up
    out     base and pyramid -> full size, times the factor, added to luma, clipped

State is the band-pass's two values a section and the previous base plane, 16-bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .linear_kernels import load
from .linear_shrinkage import BLOCK, Gate
from .linear_stages import STAGES, Step, run_parallel, run_part
from .noise import NoiseModel, decay_of
from .parts import launch
from .planes import flat_plane, plane_geometry
from .pyramid import level_shapes, level_weights, octave_gains
from .temporal import BandPass

# Scratch rows of a block: a ring of five base rows, a line, a full-size row, and two interpolated lines.
_SCRATCH_ROWS = 9


class LinearEngine:
    """State and scratch of one stream of one size; a call allocates nothing.

    `shape` is (height, width) of the picture. `base_level` 1 works at half size and leaves the finest octave
    (wavelengths of 2 to 4 px) as it is, 0 works at full size.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        band_pass: BandPass,
        factor: float,
        base_level: int,
        cutoff_wavelength_px: float,
        noise: NoiseModel,
        threads: int = 1,
    ) -> None:
        self.shape = shape
        self._band_pass = band_pass
        height, width = shape
        base = shape if base_level == 0 else ((height + 1) // 2, (width + 1) // 2)
        order = len(band_pass.sections)
        self._noise = noise
        self._previous = np.zeros(base, np.uint16)
        # Where nothing is held back, the gate has no planes of its own.
        held = noise.held > 0.0
        self._before = np.zeros(base, np.uint16) if held else self._previous
        blocks = (-(-base[0] // BLOCK), -(-base[1] // BLOCK)) if held else (0, 0)
        self._energies = np.zeros((2, *blocks), np.float32)
        self._shares = np.zeros(blocks, np.float32)
        self._shown = np.zeros(base if held else (0, 0), np.float32)
        self._state = np.zeros((order, 2, *base), np.float32)
        self._shapes = level_shapes(base)
        gains = octave_gains(
            len(self._shapes), base_level=base_level, factor=factor, cutoff_wavelength_px=cutoff_wavelength_px
        )
        self._weights = level_weights(gains)
        self._amplitude = np.float32(factor * band_pass.gain)
        self._levels = np.zeros(int(self._shapes[:, 1] @ self._shapes[:, 2]), np.float32)
        self._threads = threads
        # One block of rows a thread, each with rows of scratch of its own.
        self._scratch = np.zeros((self._threads, _SCRATCH_ROWS, 2 * base[1] + 8), np.float32)
        self._sums = np.zeros((self._threads, 2, 2 * base[1] + 2), np.uint16)
        self._base_level = base_level

    @property
    def state_bytes(self) -> int:
        """Bytes held for this stream, scratch included."""
        arrays = (self._levels, self._scratch, self._sums, self._shares, self._shown)
        return self.filter_bytes + sum(array.nbytes for array in arrays)

    @property
    def filter_bytes(self) -> int:
        """Bytes that each frame hands to the next: the filter's state and the last base planes."""
        before = 0 if self._before is self._previous else self._before.nbytes
        return self._previous.nbytes + before + self._state.nbytes + self._energies.nbytes

    @property
    def noise_px(self) -> None:
        """Not known: noise is not motion here, but brightness, multiplied."""
        return None

    def start(self, luma: NDArray[np.uint8]) -> None:
        """Forget everything, and take a picture [H, W] as the one that stands still."""
        self._state.fill(0.0)
        self._energies.fill(0.0)
        load(
            flat_plane(luma, writeable=False),
            plane_geometry(luma, luma),
            self._base_level,
            self._previous,
            self._sums,
        )
        np.copyto(self._before, self._previous)

    def step(self, luma: NDArray[np.uint8], *, dt: float, out: NDArray[np.uint8]) -> None:
        """Magnify the picture that comes `dt` seconds after the last one into `out`, both uint8 [H, W]."""
        # Two frames of one time: no step that the next one's could have changed from.
        anew = dt > 0.0
        gate = Gate(
            self._previous,
            self._before if anew else self._previous,
            self._energies,
            self._shares,
            self._shown,
            np.float32(decay_of(dt)),
            np.float32(self._noise.held),
        )
        step = Step(
            self._base_level,
            self._state,
            self._band_pass.coefficients(dt=dt),
            self._levels,
            self._shapes,
            self._weights,
            self._amplitude,
            self._scratch,
            self._sums,
        )
        launch(
            run_part,
            run_parallel,
            self._threads,
            STAGES,
            flat_plane(luma, writeable=False),
            flat_plane(out, writeable=True),
            plane_geometry(luma, out),
            gate,
            step,
        )
        if anew:
            self._previous, self._before = self._before, self._previous
