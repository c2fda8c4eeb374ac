"""The Riesz engine: local phase tells how far everything moved, the pixels are moved that much further.

Riesz pyramid and quaternionic phase of Wadhwa et al. 2014 (Riesz Pyramids for Fast Phase-Based Video
Magnification), with another end. There, each octave's phase is shifted by the magnified difference; a shifted
phase moves the waves under an envelope that stays, so that it holds for a fraction of a wavelength only, and
the approximate transform makes the gain short. Here, the phase differences of all octaves and orientations
are brought together, weighted by amplitude, into one displacement; that is band-passed in time, and the
picture is warped by it. There is no wavelength bound, noise is moved and not multiplied, and the finest
detail moves with the rest.

    bands     picture -> octaves (blur less wider blur) of half size and below
    evidence  each octave's triple (L, L_x, L_y) against the last frame's -> sums over cells of 4 by 4 px
    motion    sums smoothed -> displacement since the last frame -> band-pass in time (state: 2 axes)
    warp      picture taken from where the magnified displacement brings it

Displacements are summed up from frame to frame. Phase differences at one place add up to the phase's whole
course and steps of less than half a wave do not wrap, however far the picture drifts in the end; the
band-pass takes differences and forgets them, so the sum itself, which would drift, exists nowhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .noise import NoiseModel, decay_of
from .parts import launch
from .planes import Floats, Table, flat_plane, plane_geometry
from .riesz_formulas import GRID_LEVEL, LAST_LEVEL
from .riesz_shrinkage import Shrinkage
from .riesz_stages import ANALYSIS, STAGES, Step, run_parallel, run_part
from .spline import spline_room
from .temporal import BandPass

_SCRATCH_ROWS = 11


class RieszEngine:
    """State and scratch of one stream of one size; a call allocates nothing.

    `shape` is (height, width) of the picture. `base_level` 1 reads the motion from half size downwards, 0
    from the finest octave too; the picture that is moved is the whole one either way.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        band_pass: BandPass,
        factor: float,
        base_level: int,
        noise: NoiseModel,
        threads: int = 1,
    ) -> None:
        self.shape = shape
        self._band_pass = band_pass
        self._amplitude = np.float32(factor * band_pass.gain)
        self._source = spline_room(shape)
        self._picture = np.zeros(shape, np.float32)
        sizes = octave_sizes(shape)
        self._planes_at, size = _table(sizes[1:])
        self._planes = np.zeros(size, np.float32)
        self._bands_at, size = _table(sizes[base_level:])
        self._before = np.zeros(size, np.float32)
        self._band = np.zeros(size, np.float32)
        self._weights = evidence_weights(base_level)
        grid = sizes[GRID_LEVEL]
        self._cells = np.zeros((2, 5, *grid), np.float32)
        self._state = np.zeros((len(band_pass.sections), 2, 2, *grid), np.float32)
        self._threads = threads
        # Each thread's own.
        self._scratch = np.zeros((threads, _SCRATCH_ROWS, 4 * grid[1] + 24), np.float32)
        self._shrinkage = Shrinkage((grid[0], grid[1]), noise=noise)
        self._whole = np.zeros((threads, 2, shape[1]), np.int32)

    @property
    def state_bytes(self) -> int:
        """Bytes held for this stream, scratch included."""
        scratch = (
            self._picture,
            self._source,
            self._planes,
            self._band,
            self._cells,
            self._scratch,
            self._whole,
        )
        return self.filter_bytes + sum(array.nbytes for array in scratch)

    @property
    def filter_bytes(self) -> int:
        """Bytes that each frame hands to the next: the filter's state and the last frame's bands."""
        return self._state.nbytes + self._before.nbytes + self._shrinkage.state_bytes

    @property
    def noise_px(self) -> float:
        """How far noise alone moves what is shown, estimated from the stream: pixels, rms."""
        return float(self._amplitude) * self._shrinkage.noise_px(self._state[-1])

    def start(self, luma: NDArray[np.uint8]) -> None:
        """Forget everything, and take a picture [H, W] as the one that stands still."""
        self._state.fill(0.0)
        self._shrinkage.start()
        # Nothing is written to it yet.
        out = np.empty(self.shape, np.uint8)
        self._run(ANALYSIS, luma, out, dt=0.0)
        self._before, self._band = self._band, self._before

    def step(self, luma: NDArray[np.uint8], *, dt: float, out: NDArray[np.uint8]) -> None:
        """Magnify the picture that comes `dt` seconds after the last one into `out`, both uint8 [H, W]."""
        self._run(STAGES, luma, out, dt=dt)
        self._before, self._band = self._band, self._before

    def _run(self, stages: int, luma: NDArray[np.uint8], out: NDArray[np.uint8], *, dt: float) -> None:
        step = Step(
            self._picture,
            self._planes,
            self._planes_at,
            self._before,
            self._band,
            self._bands_at,
            self._weights,
            self._cells,
            self._state,
            self._band_pass.coefficients(dt=dt),
            self._shrinkage.steps,
            self._shrinkage.energies,
            self._shrinkage.field,
            np.float32(decay_of(dt)),
            self._shrinkage.held,
            # Two frames of one time: no step that the next one's could have changed from.
            dt > 0.0,
            self._amplitude,
            self._source,
            self._scratch,
            self._whole,
        )
        launch(
            run_part,
            run_parallel,
            self._threads,
            stages,
            flat_plane(luma, writeable=False),
            flat_plane(out, writeable=True),
            plane_geometry(luma, out),
            step,
        )


def octave_sizes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """List the sizes (height, width) of a picture of `shape` and of its halvings that are looked at."""
    sizes = [shape]
    while len(sizes) <= LAST_LEVEL:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def evidence_weights(base_level: int) -> Floats:
    """Compute the weights of each level's motion and stiffness: float32 [levels, 2], from `base_level` on.

    Slopes are per pixel of the level: a level-k displacement is 2^-k of the picture's. All levels' evidence
    is summed over the same area, in which level k has 4^-k as many pixels of 4^-k the noise.
    """
    level = np.arange(base_level, LAST_LEVEL + 1)
    per_cell = 4.0 ** -np.maximum(GRID_LEVEL - level, 0)
    return np.stack([2.0**-level * per_cell, 4.0**-level * per_cell], 1).astype(np.float32)


def _table(sizes: list[tuple[int, int]]) -> tuple[Table, int]:
    """Lay planes one after the other: int64 [n, 3] of offset, height and width, and the whole size."""
    rows: list[tuple[int, int, int]] = []
    offset = 0
    for height, width in sizes:
        rows.append((offset, height, width))
        offset += height * width
    return np.array(rows, np.int64), offset
