"""How far each part of the held face has moved, in pixels of the crop.

Grey levels say nothing about motion: the same smile changes a dark brow by forty levels and a cheek by
two. So displacement is solved for, by one step of Lucas and Kanade (1981) against a reference crop of the
same face, in Gaussian windows about 24 pixels wide on a grid of 16. With d = picture - reference, g the
reference's gradient and R the reference itself, each patch takes the least-squares solution of

    d = -g·u + gain·R + offset,        u in pixels, to the right and down,

so that light that flickers or drifts over the face is no motion. All of it that depends on the reference
alone is computed when the reference changes; a frame costs one pass over its pixels and some small sums.
What the registration left over (the same similarity transform for all of the face) is fitted to the rigid
patches, robustly, and taken away.

The reference is renewed every second from the mean of quiet frames, which keeps the step small and the
noise low. What is reported goes on without a step: each renewal adds the way from the old reference to the
new one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .face import CANONICAL_LANDMARKS, CROP_SIZE

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

REGIONS = (
    "brow_left",
    "brow_inner",
    "brow_right",
    "eye_left",
    "eye_right",
    "nose",
    "cheek_left",
    "cheek_right",
    "mouth_left",
    "mouth_right",
    "upper_lip",
    "lower_lip",
    "chin",
)
"""The parts of the face; left and right are those of the picture."""

_BLOCK = 8  # px; sums are taken over blocks, patches are Gaussian windows over blocks
_GRID = 16  # px between the centres of patches
_WINDOW_SIGMA = 7.0  # px: the smallest window in which skin at 256 px still has structure both ways
# Gradient energy, (grey levels / px)², at which a patch's answer is halved: the noise of a mean of some
# frames stays well below it, pores and wrinkles above it.
_FLAT_ENERGY = 0.25
_GAIN_SCALE = 64.0  # grey levels: brings the gain's column to the size of the offset's
_RENEW_S = 1.0  # the head turns and light wanders: a reference of more than about a second is an old one
_MEAN_S = 0.4  # of frames in the mean that becomes the reference: noise falls to a third at 30 fps
_FIRST_RENEWAL_S = 0.25  # a single noisy frame is a poor reference: the first is replaced soon
_FIT_ROUNDS = 3
_FIT_FLOOR_PX = 0.01  # residuals below this are noise: they get full weight


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Displacement of the face's parts in crop pixels (x to the right, y down), free of the head's motion.

    `regions` float64 [len(REGIONS), 2]; `patches` float64 [P, 2], in the order of `patch_centres`. The zero
    is arbitrary but the same until `reset()`: only differences in time mean something. `unexplained` float64
    [len(REGIONS)] is the change that is no small displacement, as the square of the displacement in px² that
    would change as much: noise, and what one step cannot follow, such as a lid that closes.
    """

    regions: Float64Array
    patches: Float64Array
    unexplained: Float64Array


class RegionalMotion:
    """Measure the motion of the regions of one registered face, frame by frame."""

    def __init__(self) -> None:
        self._centres, self._inside = _patch_grid()
        self._blur = _window_weights()
        self._membership = _memberships(self._centres)
        rigidity = _rigidity(self._centres)
        self._rigid_patches = np.flatnonzero(rigidity)
        self._rigidity = rigidity[self._rigid_patches]
        self._basis = _similarity_basis(self._centres)
        blocks = CROP_SIZE // _BLOCK
        self._sums: Float32Array = np.zeros((5, blocks, blocks), np.float32)
        self._mean: Float32Array = np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
        self._reference: _Reference | None = None
        self.reset()

    @property
    def patch_centres(self) -> Float64Array:
        """Centres of the patches in crop pixels (x, y), float64 [P, 2]."""
        return self._centres

    @property
    def patch_regions(self) -> Float64Array:
        """How much each patch belongs to each region, 0 to 1, float64 [len(REGIONS), P]."""
        return self._membership

    def reset(self) -> None:
        """Forget the reference: the next frame becomes it, and the zero."""
        self._reference = None
        self._region_offset = np.zeros((len(REGIONS), 2))
        self._patch_offset = np.zeros((len(self._centres), 2))
        self._mean_frames = 0
        self._mean_from = self._renew_at = 0.0

    def measure(self, luma: NDArray[np.uint8], *, time: float, quiet: bool) -> Motion:
        """Measure a registered crop, uint8 [CROP_SIZE, CROP_SIZE], at `time` in seconds.

        `quiet` says that no expression is under way: only then is the reference renewed.
        """
        picture = np.ascontiguousarray(luma, dtype=np.float32)
        if self._reference is None:
            self._reference = self._make_reference(picture)
            self._mean_from, self._renew_at = time, time + _FIRST_RENEWAL_S
        motion = self._displacement(picture)
        if not quiet:
            self._mean_frames = 0
            self._mean_from, self._renew_at = time, max(self._renew_at, time + _MEAN_S)
        elif time >= self._mean_from:
            if self._mean_frames == 0:
                self._mean[:] = 0.0
            self._mean += picture
            self._mean_frames += 1
            if time >= self._renew_at:
                self._renew(time)
        return motion

    def _renew(self, time: float) -> None:
        self._mean *= np.float32(1.0 / self._mean_frames)
        way = self._displacement(self._mean)
        self._region_offset, self._patch_offset = way.regions, way.patches
        self._reference = self._make_reference(self._mean.copy())
        self._mean_from, self._renew_at = time + _RENEW_S - _MEAN_S, time + _RENEW_S
        self._mean_frames = 0

    def _displacement(self, picture: Float32Array) -> Motion:
        reference = self._reference
        assert reference is not None
        _block_sums(picture, reference.picture, reference.gradient, self._sums)
        # Separable Gaussian windows over the blocks: [5, grid, grid] -> [P, 5].
        sums = (self._blur @ self._sums @ self._blur.T).reshape(5, -1).T[self._inside].astype(np.float64)
        solution = np.matmul(reference.solve, sums[:, :4, None])[:, :, 0]
        rest = np.maximum(sums[:, 4] - (solution * sums[:, :4]).sum(axis=1), 0.0)
        unexplained = (self._membership @ rest) / reference.region_energy
        patches = solution[:, :2]
        patches = patches - self._head_motion(patches, reference=reference)
        regions = (reference.regions @ patches.reshape(-1)).reshape(-1, 2)
        return Motion(regions + self._region_offset, patches + self._patch_offset, unexplained)

    def _head_motion(self, patches: Float64Array, *, reference: _Reference) -> Float64Array:
        """Fit one similarity transform to the rigid patches of [P, 2]; return its displacement [P, 2]."""
        rigid = patches[self._rigid_patches]
        basis = self._basis[self._rigid_patches]
        right = np.matmul(reference.rigid_right, rigid[:, :, None])[:, :, 0]  # [Q, 4]
        # The face has been registered: that nothing moved is the best first guess, and it lets the robust
        # weights leave out a raised brow from the first round on.
        residual = rigid
        parameters = np.zeros(4)
        for _ in range(_FIT_ROUNDS):
            length = np.hypot(residual[:, 0], residual[:, 1])
            scale = max(_FIT_FLOOR_PX, 1.5 * float(np.median(length)))
            weights = 1.0 / (1.0 + (length / scale) ** 2) ** 2
            # A ridge far below any real patch: a crop without structure has no motion.
            normal = (weights @ reference.rigid_normal).reshape(4, 4) + np.eye(4)
            parameters = np.linalg.solve(normal, weights @ right)
            residual = rigid - basis @ parameters
        return np.asarray(self._basis @ parameters)

    def _make_reference(self, picture: Float32Array) -> _Reference:
        gradient = np.stack([_derivative(picture, axis=1), _derivative(picture, axis=0)])
        columns = np.stack(
            [
                -gradient[0],
                -gradient[1],
                (picture - np.float32(128.0)) * np.float32(1.0 / _GAIN_SCALE),
                np.ones_like(picture),
            ]
        )
        blocks = CROP_SIZE // _BLOCK
        tiles = columns.reshape(4, blocks, _BLOCK, blocks, _BLOCK).transpose(1, 3, 0, 2, 4)
        tiles = np.ascontiguousarray(tiles).reshape(blocks, blocks, 4, -1)
        normal = np.matmul(tiles, tiles.swapaxes(2, 3)).transpose(2, 3, 0, 1)
        normal = (self._blur @ normal @ self._blur.T).reshape(4, 4, -1).transpose(2, 0, 1)
        normal = normal[self._inside].astype(np.float64)
        pixels = normal[:, 3, 3]
        flat = _FLAT_ENERGY * pixels
        ridge = np.zeros_like(normal)
        ridge[:, 0, 0] = ridge[:, 1, 1] = flat
        ridge[:, 2, 2] = ridge[:, 3, 3] = 1e-3 * pixels
        inverse = np.linalg.inv(normal + ridge)
        # The displacement's inverse covariance for unit noise: what is left of the gradient's energy once
        # gain and offset have taken their share.
        information = np.linalg.inv(inverse[:, :2, :2]) - flat[:, None, None] * np.eye(2)
        trace = np.trace(information, axis1=1, axis2=2) / 2.0
        member = self._membership[:, :, None, None] * information  # [R, P, 2, 2]
        total = member.sum(axis=1) + 0.1 * float(flat.mean()) * np.eye(2)
        regions = np.matmul(np.linalg.inv(total)[:, None], member)  # [R, P, 2, 2]
        regions = np.ascontiguousarray(regions.transpose(0, 2, 1, 3)).reshape(2 * len(REGIONS), -1)
        basis = self._basis[self._rigid_patches]
        weighted = information[self._rigid_patches] * self._rigidity[:, None, None]
        rigid_right = np.ascontiguousarray(np.matmul(basis.swapaxes(1, 2), weighted))
        rigid_normal = np.matmul(rigid_right, basis).reshape(-1, 16)
        region_energy = self._membership @ (trace + flat)
        return _Reference(picture, gradient, inverse, regions, region_energy, rigid_right, rigid_normal)


@dataclass(frozen=True, slots=True, eq=False)
class _Reference:
    """A reference crop and all that follows from it alone."""

    picture: Float32Array  # [S, S]
    gradient: Float32Array  # [2, S, S], x and y, grey levels per px
    solve: Float64Array  # [P, 4, 4]: from a patch's sums to its displacement, gain and offset
    regions: Float64Array  # [2 R, 2 P]: from the patches' displacement to the regions'
    region_energy: Float64Array  # [R]: the energy of the gradient in one direction
    rigid_right: Float64Array  # [Q, 4, 2]: from a rigid patch's displacement to its share in the fit
    rigid_normal: Float64Array  # [Q, 16]: and that share's normal matrix


def _derivative(picture: Float32Array, *, axis: int) -> Float32Array:
    """Differentiate by the five-point rule, exact to fourth order; edges repeat."""
    padding = [(2, 2) if k == axis else (0, 0) for k in range(2)]
    p = np.pad(picture, padding, mode="edge")
    n = picture.shape[axis]

    def shifted(k: int) -> Float32Array:
        return p[:, k : k + n] if axis == 1 else p[k : k + n]

    difference = np.float32(8.0) * (shifted(3) - shifted(1)) - (shifted(4) - shifted(0))
    return np.asarray(difference * np.float32(1.0 / 12.0), np.float32)


def _landmarks() -> tuple[Float64Array, float]:
    """Give the landmarks in crop pixels and the distance of the eyes, the face's own unit of length."""
    points = CANONICAL_LANDMARKS * CROP_SIZE
    return points, float(points[1, 0] - points[0, 0])


def _patch_grid() -> tuple[Float64Array, NDArray[np.bool_]]:
    """Give the centres [P, 2] of the patches inside the face, and which of the whole grid they are."""
    points, eyes = _landmarks()
    line = np.arange(CROP_SIZE // _GRID) * _GRID + (_GRID - 1) / 2.0
    x, y = np.meshgrid(line, line)
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    # From the hairline to the chin and from temple to temple; hair and background move on their own.
    centre = np.array([points[:2, 0].mean(), points[2, 1] - 0.12 * eyes])
    inside = (((grid - centre) / np.array([1.0 * eyes, 1.28 * eyes])) ** 2).sum(axis=1) <= 1.0
    return grid[inside], inside


def _window_weights() -> Float32Array:
    """Give the Gaussian weight of each row (or column) of blocks in each row of patches."""
    blocks = np.arange(CROP_SIZE // _BLOCK) * _BLOCK + (_BLOCK - 1) / 2.0
    patches = np.arange(CROP_SIZE // _GRID) * _GRID + (_GRID - 1) / 2.0
    weights = np.exp(-0.5 * ((blocks[None, :] - patches[:, None]) / _WINDOW_SIGMA) ** 2)
    weights[weights < 0.03] = 0.0
    return weights.astype(np.float32)


def _region_shapes() -> dict[str, tuple[float, float, float, float]]:
    """Give centre and half-widths (x, y, sigma x, sigma y) of each region, in crop pixels."""
    points, eyes = _landmarks()
    (left_x, left_y), (right_x, right_y), (nose_x, nose_y), (ml_x, ml_y), (mr_x, mr_y) = points
    middle_x, mouth_y = (ml_x + mr_x) / 2.0, (ml_y + mr_y) / 2.0
    shares = {
        "brow_left": (left_x - 0.05 * eyes, left_y - 0.30 * eyes, 0.17, 0.09),
        "brow_inner": ((left_x + right_x) / 2.0, (left_y + right_y) / 2.0 - 0.26 * eyes, 0.13, 0.11),
        "brow_right": (right_x + 0.05 * eyes, right_y - 0.30 * eyes, 0.17, 0.09),
        "eye_left": (left_x, left_y, 0.17, 0.08),
        "eye_right": (right_x, right_y, 0.17, 0.08),
        "nose": (nose_x, nose_y - 0.08 * eyes, 0.14, 0.16),
        "cheek_left": (left_x - 0.04 * eyes, nose_y, 0.14, 0.16),
        "cheek_right": (right_x + 0.04 * eyes, nose_y, 0.14, 0.16),
        "mouth_left": (ml_x, ml_y, 0.12, 0.12),
        "mouth_right": (mr_x, mr_y, 0.12, 0.12),
        "upper_lip": (middle_x, mouth_y - 0.10 * eyes, 0.17, 0.08),
        "lower_lip": (middle_x, mouth_y + 0.13 * eyes, 0.17, 0.08),
        "chin": (middle_x, mouth_y + 0.38 * eyes, 0.18, 0.10),
    }
    return {name: (x, y, eyes * sx, eyes * sy) for name, (x, y, sx, sy) in shares.items()}


def _memberships(centres: Float64Array) -> Float64Array:
    shapes = _region_shapes()
    rows = []
    for name in REGIONS:
        x, y, sigma_x, sigma_y = shapes[name]
        row = np.exp(-0.5 * (((centres[:, 0] - x) / sigma_x) ** 2 + ((centres[:, 1] - y) / sigma_y) ** 2))
        row[row < 0.05] = 0.0
        rows.append(row / row.max())
    return np.stack(rows)


def _rigidity(centres: Float64Array) -> Float64Array:
    """Say how much each patch moves with the skull alone, 0 to 1: the forehead, the temples, the nose."""
    shapes = _region_shapes()
    moved = np.zeros(len(centres))
    for name, (x, y, sigma_x, sigma_y) in shapes.items():
        # Muscles pull on more than the region itself; nose and cheeks move, but seldom and little.
        share = 0.6 if name.startswith(("nose", "cheek")) else 1.0
        up = 2.5 if name.startswith("brow") else 1.5  # a raised brow lifts the forehead with it
        spread = np.where(centres[:, 1] < y, up, 1.5) * sigma_y
        wide = ((centres[:, 0] - x) / (1.5 * sigma_x)) ** 2 + ((centres[:, 1] - y) / spread) ** 2
        moved = np.maximum(moved, share * np.exp(-0.5 * wide))
    rigid = 1.0 - moved
    rigid[rigid < 0.2] = 0.0
    # Below the nose nothing is bound to the skull.
    points, eyes = _landmarks()
    rigid[centres[:, 1] > points[2, 1] + 0.2 * eyes] = 0.0
    return rigid


def _similarity_basis(centres: Float64Array) -> Float64Array:
    """Give the displacement fields [P, 2, 4] of a unit shift in x, in y, a turn and a growth."""
    x, y = ((centres - CROP_SIZE / 2.0) / (CROP_SIZE / 2.0)).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    return np.stack([np.stack([one, zero, -y, x], axis=1), np.stack([zero, one, x, y], axis=1)], axis=1)


@njit(cache=True, nogil=True, fastmath=True)
def _block_sums(
    picture: Float32Array, reference: Float32Array, gradient: Float32Array, sums: Float32Array
) -> None:
    """Sum -gx·d, -gy·d, R·d, d and d² over blocks into `sums` [5, H / 8, W / 8]."""
    scale, middle = np.float32(1.0 / _GAIN_SCALE), np.float32(128.0)
    for block_row in range(sums.shape[1]):
        for block_column in range(sums.shape[2]):
            sx = sy = sr = s1 = s2 = np.float32(0.0)
            for row in range(block_row * _BLOCK, (block_row + 1) * _BLOCK):
                for k in range(_BLOCK):
                    column = block_column * _BLOCK + k
                    r = reference[row, column]
                    d = picture[row, column] - r
                    sx -= gradient[0, row, column] * d
                    sy -= gradient[1, row, column] * d
                    sr += (r - middle) * d
                    s1 += d
                    s2 += d * d
            sums[0, block_row, block_column] = sx
            sums[1, block_row, block_column] = sy
            sums[2, block_row, block_column] = sr * scale
            sums[3, block_row, block_column] = s1
            sums[4, block_row, block_column] = s2
