"""Periodic test pictures that can be moved by any fraction of a pixel, exactly.

A periodic picture without detail beyond the pixel grid is moved by turning the phases of its Fourier
coefficients: no interpolation is involved, so what a magnifier shows can be held against the truth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Drawn finer by this and then band-limited, so that edges lie between pixels as a lens leaves them.
_FINER = 4
_BLUR_PX = 0.6
# Wavelengths of the gratings, px.
_FINEST_PX, _COARSEST_PX = 4.0, 64.0


class Scene:
    """A periodic colour picture, float [N, N, 3], of which frames show the middle, `size` pixels wide."""

    def __init__(self, picture: Floats, *, size: int) -> None:
        self.size = size
        self._first = (picture.shape[0] - size) // 2
        self._side = picture.shape[0]
        self._colour = np.fft.rfft2(picture, axes=(0, 1))
        luma = np.fft.rfft2(picture @ np.array([0.299, 0.587, 0.114]))
        fy, fx = np.fft.fftfreq(self._side)[:, None], np.fft.rfftfreq(self._side)[None]
        self._fx, self._fy = fx, fy
        self._luma = np.stack([luma, 2j * np.pi * fx * luma, 2j * np.pi * fy * luma])

    def frame(self, dx: float, dy: float = 0.0) -> Floats:
        """Give the picture [size, size, 3] moved right and down by `dx` and `dy` pixels."""
        moved = np.fft.irfft2(self._colour * self._turn(dx, dy)[..., None], s=(self._side,) * 2, axes=(0, 1))
        return self._middle(moved)

    def luma(self, dx: float, dy: float) -> tuple[Floats, Floats, Floats]:
        """Give the moved picture's luma [size, size] and its slopes right and down."""
        planes = np.fft.irfft2(self._luma * self._turn(dx, dy), s=(self._side,) * 2, axes=(1, 2))
        value, right, down = (self._middle(plane) for plane in planes)
        return value, right, down

    def _turn(self, dx: float, dy: float) -> NDArray[np.complex128]:
        turn: NDArray[np.complex128] = np.exp(-2j * np.pi * (self._fx * dx + self._fy * dy))
        return turn

    def _middle(self, plane: Floats) -> Floats:
        inner = slice(self._first, self._first + self.size)
        return plane[inner, inner]


def dead_leaves(side: int, *, seed: int) -> Floats:
    """Draw discs of all sizes over each other: edges and a spectrum as pictures of the world have them."""
    rng = np.random.default_rng(seed)
    fine = side * _FINER
    count = side * side // 15
    # Radii from 2 px to a fifth of the picture, density r^-3.
    smallest, largest = 2.0 * _FINER, 0.18 * fine
    share = rng.random(count)
    radii = 1.0 / np.sqrt((1.0 - share) / largest**2 + share / smallest**2)
    picture = np.full((fine, fine, 3), 128.0, np.float32)
    for radius in radii:
        middle = rng.random(2) * fine
        colour = rng.uniform(40.0, 215.0) + rng.normal(0.0, 12.0, 3)
        rows, columns = (np.arange(int(c - radius), int(c + radius) + 2) for c in middle)
        inside = (rows[:, None] - middle[0]) ** 2 + (columns[None] - middle[1]) ** 2 <= radius**2
        at = np.nonzero(inside)
        picture[rows[at[0]] % fine, columns[at[1]] % fine] = np.clip(colour, 5.0, 250.0)
    return _with_headroom(_band_limited(picture, side))


def gratings(side: int, *, seed: int, count: int = 12) -> Floats:
    """Add up waves of all directions from 4 to 64 px: each tells the motion across it only."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[:side, :side] / side
    picture = np.zeros((side, side))
    wavelengths = np.geomspace(_FINEST_PX, _COARSEST_PX, count)
    for wavelength, angle in zip(wavelengths, rng.uniform(0.0, np.pi, count), strict=True):
        # Whole periods, so that the picture is periodic.
        kx, ky = np.rint(side / wavelength * np.array([np.cos(angle), np.sin(angle)]))
        picture += np.sin(2.0 * np.pi * (kx * xs + ky * ys) + rng.uniform(0.0, 2.0 * np.pi))
    picture *= 35.0 / picture.std()
    return _with_headroom(np.repeat(picture[..., None] + 128.0, 3, axis=2))


def mirrored(picture: NDArray[np.uint8], side: int) -> Floats:
    """Make the middle of a picture [H, W, 3], `side` pixels wide, periodic by mirroring: twice as wide.

    Its contrast is taken back a little: on whole grey levels, where no lens puts a scene, rounding would undo
    every motion that changes a pixel by less than half of one.
    """
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    part = picture[top : top + side, left : left + side].astype(np.float64)
    half = np.concatenate([part, part[::-1]], 0)
    whole = np.concatenate([half, half[:, ::-1]], 1)
    whole = 0.96 * (whole - 128.0) + 128.0
    return np.roll(whole, (side // 2, side // 2), axis=(0, 1))


def _band_limited(picture: NDArray[np.float32], side: int) -> Floats:
    fy = np.fft.fftfreq(picture.shape[0])[:, None] * _FINER
    fx = np.fft.rfftfreq(picture.shape[1])[None] * _FINER
    radius = np.hypot(fx, fy)
    passed = np.exp(-2.0 * (np.pi * _BLUR_PX * radius) ** 2) / (1.0 + (radius / 0.42) ** 16)
    smooth = np.fft.irfft2(
        np.fft.rfft2(picture, axes=(0, 1)) * passed[..., None], s=picture.shape[:2], axes=(0, 1)
    )
    return smooth[::_FINER, ::_FINER][:side, :side]


def _with_headroom(picture: Floats) -> Floats:
    """Leave room around the grey levels used, so that what moves by a fraction of a pixel does not clip."""
    scale = min(1.0, 0.85 * 125.0 / np.abs(picture - picture.mean()).max())
    moved: Floats = (picture - picture.mean()) * max(scale, 0.6) + 128.0
    return np.clip(moved, 4.0, 251.0)
