"""The magnified face back in its frame."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from magnifyme.magnify.warp import invert_affine, spline_coefficients, warp_affine
from magnifyme.stream.compose import place_back
from magnifyme.stream.face import FaceCrop


def make_crop(
    frame: NDArray[np.uint8], *, middle: tuple[float, float], scale: float, turn: float, size: int = 64
) -> FaceCrop:
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.full(2, (size - 1) / 2.0)
    matrix = np.c_[linear, centre - linear @ np.array(middle)]
    luma = warp_affine(
        spline_coefficients(frame), matrix=invert_affine(matrix), out=np.empty((size, size), np.uint8)
    )
    return FaceCrop(luma, matrix, (0.0, 0.0, 1.0, 1.0), 0.9, 1)


def smooth_frame(rng: np.random.Generator, *, shape: tuple[int, int] = (90, 121)) -> NDArray[np.uint8]:
    noise = gaussian_filter(rng.normal(size=shape), 3.0)
    return np.asarray(128.0 + 60.0 * noise / np.abs(noise).max(), np.uint8)


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.9, 3.2])
@pytest.mark.parametrize("middle", [(60.0, 45.0), (3.0, 80.0), (-400.0, 20.0)])
def test_nothing_magnified_changes_nothing(
    rng: np.random.Generator, scale: float, middle: tuple[float, float]
) -> None:
    """A resting face must look exactly as the camera saw it, at the frame's edge too."""
    frame = smooth_frame(rng)
    crop = make_crop(frame, middle=middle, scale=scale, turn=0.3)
    np.testing.assert_array_equal(place_back(frame, crop=crop, magnified=crop.luma.copy()), frame)


@pytest.mark.parametrize("scale", [0.8, 1.5, 2.5])
def test_only_the_face_changes_and_its_edge_is_soft(rng: np.random.Generator, scale: float) -> None:
    """No frame around the face, and not one pixel of the background touched."""
    frame = np.full((150, 171), 100, np.uint8)
    crop = make_crop(frame, middle=(80.3, 70.6), scale=scale, turn=-0.2)
    magnified = np.full_like(crop.luma, 140)
    result = place_back(frame, crop=crop, magnified=magnified).astype(int)
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    places = np.stack([columns, rows], axis=-1) @ crop.matrix[:, :2].T + crop.matrix[:, 2]
    outside = ((places < 0.0) | (places > 63.0)).any(axis=-1)
    assert outside.any()
    assert (result[outside] == 100).all()
    inside = ((places > 14.0) & (places < 49.0)).all(axis=-1)
    assert inside.any()
    assert (result[inside] == 140).all()
    # 40 levels over an eighth of the crop, at its steepest half as steep again.
    steps = max(np.abs(np.diff(result, axis=0)).max(), np.abs(np.diff(result, axis=1)).max())
    assert steps <= 1 + 1.6 * 40.0 * scale * 1.2 / (0.12 * 64.0)


def test_motion_in_the_crop_is_the_same_motion_in_the_frame(rng: np.random.Generator) -> None:
    """The brow that is raised by two crop pixels is seen raised by two crop pixels' worth of the frame."""
    frame = smooth_frame(rng)
    crop = make_crop(frame, middle=(60.0, 45.0), scale=1.6, turn=0.0)
    moved = np.rint(shift(frame.astype(float), (-1.25, 0.0), order=3, mode="nearest")).astype(np.uint8)
    magnified = make_crop(moved, middle=(60.0, 45.0), scale=1.6, turn=0.0).luma
    result = place_back(frame, crop=crop, magnified=magnified)
    middle = np.s_[34:57, 49:72]
    assert np.abs(moved[middle].astype(int) - frame[middle]).mean() > 1.5
    assert np.abs(moved[middle].astype(int) - result[middle]).mean() < 0.5


def test_values_are_clipped(rng: np.random.Generator) -> None:
    """An overflow would show as black specks in a bright face."""
    for level, magnified_level in ((250, 255), (5, 0)):
        frame = np.full((80, 80), level, np.uint8)
        crop = make_crop(np.full((80, 80), 128, np.uint8), middle=(40.0, 40.0), scale=1.0, turn=0.0)
        result = place_back(frame, crop=crop, magnified=np.full_like(crop.luma, magnified_level))
        assert result[40, 40] == magnified_level
        assert abs(result.astype(int) - level).max() == abs(magnified_level - level)


def test_writes_where_it_is_told_and_nowhere_else(rng: np.random.Generator) -> None:
    """The decoder's own memory is read-only and may be read by others; reusing a buffer saves a copy."""
    frame = smooth_frame(rng)
    before = frame.copy()
    frame.flags.writeable = False
    crop = make_crop(frame, middle=(60.0, 45.0), scale=1.2, turn=0.1)
    magnified = np.asarray(255 - crop.luma, np.uint8)
    fresh = place_back(frame, crop=crop, magnified=magnified)
    assert (fresh != frame).any()
    np.testing.assert_array_equal(frame, before)
    padded = np.zeros((90, 200), np.uint8)
    out = padded[:, :121]
    assert place_back(frame, crop=crop, magnified=magnified, out=out) is out
    np.testing.assert_array_equal(out, fresh)
    assert not padded[:, 121:].any()
    own = before.copy()
    np.testing.assert_array_equal(place_back(own, crop=crop, magnified=magnified, out=own), fresh)


def test_sizes_that_do_not_fit_are_told(rng: np.random.Generator) -> None:
    """A crop of another size would be put back in the wrong place."""
    frame = smooth_frame(rng)
    crop = make_crop(frame, middle=(60.0, 45.0), scale=1.0, turn=0.0)
    with pytest.raises(ValueError, match=r"magnified is \(32, 32\)"):
        place_back(frame, crop=crop, magnified=np.zeros((32, 32), np.uint8))
    with pytest.raises(ValueError, match=r"out is \(9, 9\)"):
        place_back(frame, crop=crop, magnified=crop.luma, out=np.zeros((9, 9), np.uint8))
