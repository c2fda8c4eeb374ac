"""Resampling to the sub-pixel: what it shifts by is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from magnifyme.magnify.warp import invert_affine, spline_coefficients, warp_affine

IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def warp(
    plane: NDArray[np.uint8], matrix: NDArray[np.float64], *, shape: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    out = np.zeros(shape or plane.shape, np.uint8)
    return warp_affine(spline_coefficients(plane), matrix=matrix, out=out)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (17, 31), (64, 48)])
def test_identity_gives_the_plane_back(rng: np.random.Generator, shape: tuple[int, int]) -> None:
    """A face that does not move keeps every pixel, at any size."""
    plane = rng.integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(warp(plane, IDENTITY), plane)


@pytest.mark.parametrize("seed", range(3))
def test_equals_scipy_for_any_affine_map(seed: int) -> None:
    """Rotation, scale and shift at once land where an independent spline lands."""
    rng = np.random.default_rng(seed)
    plane = rng.integers(20, 236, (53, 71)).astype(np.uint8)
    matrix = IDENTITY + rng.uniform(-1, 1, (2, 3)) * [[0.08, 0.08, 3.0], [0.08, 0.08, 3.0]]
    out = warp(plane, matrix, shape=(50, 64))
    y, x = np.mgrid[:50, :64].astype(float)
    sx = np.clip(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2], 0, 70)
    sy = np.clip(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2], 0, 52)
    true = ndimage.map_coordinates(plane.astype(float), [sy, sx], order=3, mode="mirror")
    # Rounding to whole grey levels is half a level; float32 coefficients add almost nothing.
    assert np.abs(out - np.clip(true, 0, 255)).max() < 0.51


@pytest.mark.parametrize("shift", [0.003, 0.01, 0.02, 0.25, 0.5, 0.77])
def test_shifts_by_what_was_asked_for(shift: float) -> None:
    """A shift of a hundredth of a pixel is one: OpenCV's would be none, and a factor of 50 would show it."""
    # Whole periods within the window that is compared, 224 by 256, and no two alike.
    size, wavelength = 256, 224 / 13
    x = np.arange(size)
    phase = 2 * np.pi * 5 / size * np.arange(size)[:, None]
    plane = np.rint(128 + 100 * np.sin(2 * np.pi * x / wavelength + phase)).astype(np.uint8)
    basis = np.exp(-1j * (2 * np.pi * x / wavelength + phase))[:, 16:-16]
    # Rounding to grey levels hides small shifts of whole-level pictures: compare two in-between positions.
    matrices = [np.array([[1.0, 0.0, 0.37 + s], [0.0, 1.0, 0.21]]) for s in (0.0, shift)]
    before, after = ((warp(plane, matrix)[:, 16:-16] * basis).sum() for matrix in matrices)
    moved = np.angle(after / before) * wavelength / (2 * np.pi)
    assert moved == pytest.approx(shift, abs=0.0015)


def test_outside_repeats_the_edge(rng: np.random.Generator) -> None:
    """A face at the picture's edge gets no black border that would count as motion."""
    plane = rng.integers(0, 256, (12, 14)).astype(np.uint8)
    out = warp(plane, np.array([[1.0, 0.0, -5.0], [0.0, 1.0, -3.0]]), shape=(20, 24))
    assert np.array_equal(out[3:15, 5:19], plane)
    assert (out[3:15, :5] == plane[:, :1]).all()
    assert (out[:3, 5:19] == plane[:1]).all()
    assert (out[15:, 19:] == plane[-1, -1]).all()


def test_overshoot_is_clipped() -> None:
    """A cubic spline swings beyond black and white at an edge; it must not wrap around to the other end."""
    plane = np.zeros((16, 16), np.uint8)
    plane[:, 8:] = 255
    out = warp(plane, np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]))
    assert (out[:, :7] < 40).all()
    assert (out[:, 8:] > 215).all()


def test_there_and_back(rng: np.random.Generator) -> None:
    """The inverse map undoes the map: what is magnified in the crop returns to its place in the frame."""
    matrix = np.array([[0.9, -0.2, 12.0], [0.2, 0.9, -7.0]])
    back = invert_affine(matrix)
    points = rng.uniform(0, 300, (20, 2))
    there = points @ matrix[:, :2].T + matrix[:, 2]
    assert np.allclose(there @ back[:, :2].T + back[:, 2], points)
