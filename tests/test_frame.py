"""Frames: the samples that are measured are those of the decoder, and nobody changes them."""

from __future__ import annotations

import gc

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.stream.frame import eight_bit, frame_from_array, frame_from_av, plane_view, write_plane

SIZES = [(1, 1), (5, 3), (16, 16), (37, 53), (320, 240)]


def picture_of(luma: NDArray[np.uint8], *, format: str = "yuv420p") -> av.VideoFrame:
    """Make a picture with exactly this luma, and chroma that differs from plane to plane."""
    picture = av.VideoFrame(luma.shape[1], luma.shape[0], format)
    write_plane(picture.planes[0], luma)
    for index, plane in enumerate(picture.planes[1:]):
        write_plane(plane, np.full((plane.height, plane.width), 100 + 50 * index, np.uint8))
    return picture


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("format", ["yuv420p", "yuvj422p", "yuv444p", "gray"])
def test_luma_is_the_decoders_own_memory(
    rng: np.random.Generator, size: tuple[int, int], format: str
) -> None:
    """Missed otherwise: a copy of every frame, or padding read as picture."""
    values = rng.integers(0, 256, (size[1], size[0]), np.uint8)
    picture = picture_of(values, format=format)
    frame = frame_from_av(picture, time=1.5, sequence=3, epoch=2, arrival=9.0)
    np.testing.assert_array_equal(frame.luma, values)
    assert frame.size == size
    address = frame.luma.__array_interface__["data"][0]
    assert address == picture.planes[0].buffer_ptr
    assert (frame.time, frame.sequence, frame.epoch, frame.arrival, frame.damaged) == (1.5, 3, 2, 9.0, False)


def test_luma_cannot_be_written() -> None:
    """Missed otherwise: a stage that draws into a picture changes those predicted from it."""
    frame = frame_from_av(picture_of(np.zeros((4, 6), np.uint8)), time=0.0)
    with pytest.raises(ValueError, match="read-only"):
        frame.luma[0, 0] = 1
    gray = np.zeros((4, 6), np.uint8)
    with pytest.raises(ValueError, match="read-only"):
        frame_from_array(gray, time=0.0).luma[0, 0] = 1
    gray[0, 0] = 1  # the caller's own array stays writeable


def test_luma_outlives_its_frame(rng: np.random.Generator) -> None:
    """Missed otherwise: pictures in the rolling clip turn into others when the decoder reuses its memory."""
    values = rng.integers(0, 256, (240, 320), np.uint8)
    luma = frame_from_av(picture_of(values), time=0.0).luma
    gc.collect()
    others = [picture_of(np.full((240, 320), 7, np.uint8)) for _ in range(20)]
    np.testing.assert_array_equal(luma, values)
    assert len(others) == 20


@pytest.mark.parametrize("size", SIZES)
def test_another_luma_keeps_the_chroma(rng: np.random.Generator, size: tuple[int, int]) -> None:
    """Missed otherwise: magnified faces in false colours, or the original overwritten."""
    values, other = rng.integers(0, 256, (2, size[1], size[0]), np.uint8)
    picture = picture_of(values)
    picture.colorspace, picture.color_range = 1, 2
    frame = frame_from_av(picture, time=0.0)
    copy = frame.video_frame(luma=other)
    np.testing.assert_array_equal(plane_view(copy.planes[0]), other)
    np.testing.assert_array_equal(frame.luma, values)
    for plane, original in zip(copy.planes[1:], picture.planes[1:], strict=True):
        np.testing.assert_array_equal(plane_view(plane), plane_view(original))
    assert (copy.colorspace, copy.color_range) == (1, 2)
    np.testing.assert_array_equal(plane_view(frame.video_frame().planes[0]), values)


def test_colours_keep_all_gray_levels() -> None:
    """Missed otherwise: RGB pictures squeezed into 219 levels, which is motion lost."""
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    frame = frame_from_array(np.dstack([ramp] * 3), time=0.0)
    np.testing.assert_array_equal(frame.luma, ramp)
    np.testing.assert_array_equal(frame.bgr(), np.dstack([ramp] * 3))


def test_colours_come_back(rng: np.random.Generator) -> None:
    """Missed otherwise: red and blue swapped in the window."""
    colours = rng.integers(0, 256, (31, 17, 3), np.uint8)
    back = frame_from_array(colours, time=0.0).bgr()
    assert back.shape == colours.shape
    assert np.abs(back.astype(int) - colours).max() <= 4
    gray = frame_from_array(colours[..., 0].copy(), time=0.0)
    np.testing.assert_array_equal(gray.bgr(), np.dstack([colours[..., 0]] * 3))
    assert gray.video_frame().format.name == "gray"


def test_brighter_luma_shows_in_bgr() -> None:
    """Missed otherwise: a window that shows the original instead of the magnified picture."""
    frame = frame_from_av(picture_of(np.full((8, 8), 90, np.uint8), format="yuv444p"), time=0.0)
    brighter = frame.bgr(luma=np.full((8, 8), 120, np.uint8))
    assert (brighter.astype(int) - frame.bgr()).mean() > 20


@pytest.mark.parametrize(
    ("format", "becomes"),
    [
        ("gray16le", "gray"),
        ("ya8", "gray"),
        ("rgba", "yuvj444p"),
        ("gbrp", "yuvj444p"),
        ("nv12", "yuv420p"),
        ("yuyv422", "yuv422p"),
        ("yuv420p10le", "yuv420p"),
        ("yuv444p10le", "yuv444p"),
    ],
)
def test_every_format_gets_8_bit_luma(format: str, becomes: str) -> None:
    """Missed otherwise: webcams (YUYV), 10-bit and 16-bit recordings that crash or come out striped."""
    ramp = np.arange(20, 220, dtype=np.uint8).reshape(10, 20)
    source = picture_of(ramp, format="yuv444p")
    for chroma in source.planes[1:]:
        write_plane(chroma, np.full((10, 20), 128, np.uint8))
    if format == "gray16le":
        source = av.VideoFrame.from_ndarray(ramp.astype(np.uint16) * 257, format)
    picture = eight_bit(source.reformat(format=format, threads=1))
    assert picture.format.name == becomes
    luma = plane_view(picture.planes[0]).astype(float)
    assert luma.shape == ramp.shape
    # Formats differ in what they call black and white, but every level must stay apart from the next.
    assert np.corrcoef(luma.ravel(), ramp.ravel())[0, 1] > 0.9999
    assert np.ptp(luma) >= 198
