"""The still picture behind a made face: the portrait, or one of its made-up relatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from magnifyme.magnify.warp import sample_cubic, spline_coefficients

from .expressions import displacement, move_points
from .looks import Glasses, Looks, Portrait, draw_glasses, tone_skin

PORTRAIT_LANDMARKS: NDArray[np.float64] = np.array(
    [[202.0, 101.0], [246.2, 102.6], [222.0, 127.0], [202.5, 140.5], [245.5, 140.2]]
)
"""Pupils, nose tip and mouth corners of the portrait, read off the picture by eye, in its pixels: a
detector's answer is two to four pixels off. Order of `stream.face.CANONICAL_LANDMARKS`."""

EYE_DISTANCE = 0.205
"""The eyes' distance as a share of the frame's height, or of 3/4 of its width: 98 px in 640×480."""

# Where the face's middle stands in the frame, as a share of its height.
_FACE_HEIGHT = 0.47
# Filling the frame may make the face so many times larger than that; then the picture is mirrored at its
# edges instead.
_MOST_LARGER = 2.0
# The skin's own texture: the portrait enlarged is soft, and a real camera sees pores. Grey levels rms, and
# the band's two Gaussians in pixels: finer would alias under the warp, coarser is in the portrait already.
_TEXTURE_LEVELS, _TEXTURE_FINE, _TEXTURE_COARSE = 2.5, 0.8, 2.0
# BT.601, limited range: rows Y, U, V of full-range B, G, R.
_TO_YUV = np.array([[24.966, 128.553, 65.481], [112.0, -74.203, -37.797], [-18.214, -93.786, 112.0]]) / 255.0
_YUV_OFFSET = np.array([16.0, 128.0, 128.0])


@dataclass(frozen=True, slots=True, eq=False)
class FacePicture:
    """A resting face as B-spline coefficients, at the frame's scale with a margin around.

    `luma` is float32 [H + 2·margin, W + 2·margin], `u` and `v` half of that. `landmarks` [5, 2] are in
    frame pixels. `matrix` [2, 3] takes the portrait's pixels to frame pixels (mirrored for some identities),
    but for the identity's own warp. `margin` is even. `glasses` are a layer of their own.
    """

    luma: NDArray[np.float32]
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    landmarks: NDArray[np.float64]
    matrix: NDArray[np.float64]
    margin: int
    glasses: Glasses | None = None


def face_picture(size: tuple[int, int], *, identity: int = 0, looks: Looks | None = None) -> FacePicture:
    """Make the picture of one identity for frames of `size` (width, height); 0 is the portrait itself."""
    rng = np.random.default_rng([0x6D61, identity])
    looks = looks or Looks()
    portrait = looks.portrait or Portrait(load_portrait(), PORTRAIT_LANDMARKS)
    bgr, landmarks = portrait.bgr.astype(np.float32), portrait.landmarks
    matrix = _placement(size, landmarks=landmarks, picture=(bgr.shape[1], bgr.shape[0]))
    if identity:
        bgr = _another_tone(bgr, rng)
    if looks.skin is not None:
        bgr = tone_skin(bgr, landmarks=landmarks, skin=looks.skin)
    if identity and rng.random() < 0.5:
        matrix = matrix * [[-1.0], [1.0]] + [[0.0, 0.0, size[0] - 1.0], [0.0, 0.0, 0.0]]
        landmarks = landmarks[[1, 0, 2, 4, 3]]
    placed = landmarks @ matrix[:, :2].T + matrix[:, 2]
    shape = _another_shape(placed, rng) if identity else np.zeros((0, 7))

    unit = float(np.hypot(*(placed[1] - placed[0])))
    # Room for what moves in from outside: a fifth of the eyes' distance, even for the half-size chroma.
    margin = 2 * round(8.0 + unit / 10.0)
    width, height = size[0] + 2 * margin, size[1] + 2 * margin
    width, height = width + width % 2, height + height % 2
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1) - float(margin)
    for row in range(height):
        grid[row] -= displacement(grid[row], bumps=shape)
    inverse = np.linalg.inv(matrix[:, :2])
    source = (grid - matrix[:, 2]) @ inverse.T
    bgr, source = _fitted(bgr, source, scale=float(matrix[1, 1]))

    yuv = bgr @ _TO_YUV.T.astype(np.float32) + _YUV_OFFSET.astype(np.float32)
    luma, u, v = (
        _sample_at(spline_coefficients(np.ascontiguousarray(yuv[..., k])), source) for k in range(3)
    )
    luma += _texture((height, width), centre=placed.mean(axis=0) + margin, unit=unit, rng=rng)
    np.clip(luma, 16.0, 235.0, out=luma)
    half = (width // 2, height // 2)
    landmarks = move_points(placed, bumps=shape)
    return FacePicture(
        luma=spline_coefficients(luma),
        u=spline_coefficients(np.asarray(cv2.resize(u, half, interpolation=cv2.INTER_AREA), np.float32)),
        v=spline_coefficients(np.asarray(cv2.resize(v, half, interpolation=cv2.INTER_AREA), np.float32)),
        landmarks=landmarks,
        matrix=matrix,
        margin=margin,
        glasses=draw_glasses((height, width), landmarks=landmarks + margin) if looks.glasses else None,
    )


@cache
def load_portrait() -> NDArray[np.uint8]:
    """Read the portrait that comes with the package, BGR uint8 [512, 512, 3]; see portrait.md."""
    data = np.frombuffer(files(__package__).joinpath("portrait.png").read_bytes(), np.uint8)
    picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    picture.flags.writeable = False
    return picture


def _placement(
    size: tuple[int, int], *, landmarks: NDArray[np.float64], picture: tuple[int, int]
) -> NDArray[np.float64]:
    """Scale and move the portrait so that the face has its size and the portrait fills the frame."""
    frame = np.array(size, np.float64)
    extent = np.array(picture, np.float64)
    unit = float(np.hypot(*(landmarks[1] - landmarks[0])))
    wanted = EYE_DISTANCE * min(frame[1], 0.75 * frame[0]) / unit
    scale = min(max(wanted, *(frame / extent)), _MOST_LARGER * wanted)
    face = (landmarks[:2].mean(axis=0) + landmarks[3:].mean(axis=0)) / 2.0
    corner = face - np.array([0.5, _FACE_HEIGHT]) * frame / scale
    room = extent - frame / scale
    # A picture smaller than the frame stands in its middle.
    corner = np.where(room < 0.0, room / 2.0, np.clip(corner, 0.0, np.maximum(room, 0.0)))
    return np.array([[scale, 0.0, -scale * corner[0]], [0.0, scale, -scale * corner[1]]])


def _fitted(
    bgr: NDArray[np.float32], source: NDArray[np.float64], *, scale: float
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Prepare a picture to be sampled at `source` [H, W, 2]: averaged where it is much finer than the frame,
    mirrored where it is smaller. Gives it and the places in it."""
    if scale <= 0.5:
        finer = int(1.0 / scale)
        height, width = (length // finer for length in bgr.shape[:2])
        whole = np.ascontiguousarray(bgr[: height * finer, : width * finer])
        bgr = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        source = (source - (finer - 1) / 2.0) / finer
    last = np.array([bgr.shape[1] - 1.0, bgr.shape[0] - 1.0])
    return bgr, np.ascontiguousarray(last - np.abs(last - np.abs(source) % (2.0 * last)))


def _another_tone(bgr: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change the tone curve, from fair to dark skin as under another exposure, and the colour a little."""
    gamma = rng.uniform(0.75, 1.9)
    cast = rng.uniform(0.96, 1.04, 3)
    return np.clip(255.0 * (bgr / 255.0) ** gamma * cast, 0.0, 255.0).astype(np.float32)


def _another_shape(landmarks: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw wide bumps that make the face longer, broader, its jaw or its brow stronger: another head."""
    unit = float(np.hypot(*(landmarks[1] - landmarks[0])))
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    rows = []
    for down in (-0.7, 0.0, 0.6, 1.1, 1.7):
        for out in (0.35, 0.85):
            move = rng.normal(0.0, 0.045 * unit, 2)
            for side in (-1.0, 1.0):
                # Faces are not quite symmetric.
                own = move + rng.normal(0.0, 0.012 * unit, 2)
                centre = eyes + unit * np.array([side * out, 0.0]) + down * (mouth - eyes) / 0.88
                rows.append([*centre, *(unit * rng.uniform(0.8, 1.2, 3)), side * own[0], own[1]])
    return np.array(rows)


def _texture(
    shape: tuple[int, int], *, centre: NDArray[np.float64], unit: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw band-limited texture, full on the face and weak elsewhere, float32 [H, W]."""
    white = rng.standard_normal(shape).astype(np.float32)
    band = cv2.GaussianBlur(white, (0, 0), _TEXTURE_FINE) - cv2.GaussianBlur(white, (0, 0), _TEXTURE_COARSE)
    band *= _TEXTURE_LEVELS / max(float(np.std(band)), 1e-6)
    y, x = np.ogrid[: shape[0], : shape[1]]
    distance = ((x - centre[0]) / (1.05 * unit)) ** 2 + ((y - centre[1]) / (1.35 * unit)) ** 2
    mask = np.clip(2.0 - distance, 0.25, 1.0)
    textured: NDArray[np.float32] = (band * mask).astype(np.float32)
    return textured


def _sample_at(coefficients: NDArray[np.float32], positions: NDArray[np.float64]) -> NDArray[np.float32]:
    out = np.empty(positions.shape[:2], np.float32)
    _sample_rows(coefficients, positions, out)
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _sample_rows(
    coefficients: NDArray[np.float32], positions: NDArray[np.float64], out: NDArray[np.float32]
) -> None:
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = sample_cubic(
                coefficients, positions[row, column, 0], positions[row, column, 1]
            )
