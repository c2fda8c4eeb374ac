"""Folders of numbered pictures magnified: data sets come so, and must come out so."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from films import (
    SETTINGS,
    magnified,
    write_folder,
)
from magnifyme.magnify import Magnifier
from magnifyme.stream.errors import NotAVideo, StoreError
from magnifyme.stream.frame import eight_bit, plane_view
from magnifyme.stream.image_folder import ImageFolder
from magnifyme.stream.picture_file import exchange_luma, read_picture
from magnifyme.stream.transcode import transcode


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("png", (47, 65)),
        ("png", (48, 64, 3)),
        ("png", (48, 64, 4)),
        ("tif", (47, 65)),
        ("tif", (48, 64, 3)),
        ("tif", (48, 64, 4)),
        ("bmp", (48, 64)),
        ("bmp", (48, 64, 3)),
        ("webp", (48, 64, 3)),
        ("webp", (48, 64, 4)),
        ("jpg", (48, 64)),
        ("jpg", (48, 64, 3)),
    ],
)
def test_folder_of_pictures(
    kind: str, shape: tuple[int, ...], tmp_path: Path, rng: np.random.Generator
) -> None:
    """Data sets are folders: same names, same kind, gray stays gray, hue stays, transparency stays."""
    numbers = list(range(95, 110))  # sorted as text, 100 would come before 95
    source = tmp_path / "in"
    write_folder(source, kind=kind, shape=shape, numbers=numbers, rng=rng)
    (source / "notes.txt").write_text("left alone")
    target, notices, done = magnified(source, "out", fps=200.0)
    assert (done.frames, notices) == (len(numbers), [])
    assert sorted(path.name for path in target.iterdir()) == sorted(f"006_{n}.{kind}" for n in numbers)
    magnifier = Magnifier(fps=200.0, factor=SETTINGS.factor, band_hz=SETTINGS.band_hz)
    # What is watched is what is magnified: the same picture has one luma.
    lumas = [frame.luma for frame in ImageFolder(source, fps=200)]
    for number, luma in zip(numbers, lumas, strict=True):
        flag = cv2.IMREAD_UNCHANGED
        before = cv2.imread(str(source / f"006_{number}.{kind}"), flag)
        after = cv2.imread(str(target / f"006_{number}.{kind}"), flag)
        assert before is not None
        assert after is not None
        assert after.shape == before.shape
        assert after.dtype == np.uint8
        change = magnifier(luma, time=(number - 95) / 200).astype(int) - luma
        wanted = before.astype(int)
        wanted[..., : 3 if before.ndim == 3 else None] += change if before.ndim == 2 else change[..., None]
        error = np.abs(after.astype(int) - np.clip(wanted, 0, 255))
        assert error.max() == 0 if kind != "jpg" else np.sqrt((error**2).mean()) < 3.0


def test_sixteen_bits_gaps_and_orientation_in_folders(tmp_path: Path, rng: np.random.Generator) -> None:
    """Deep pictures become 8 bits and holes in the numbering are told, with their count."""
    source = tmp_path / "in"
    source.mkdir()
    for number in (1, 2, 3, 7, 8):
        deep = np.full((32, 48), 257 * 10 * number, np.uint16)
        cv2.imwrite(str(source / f"{number:03}.png"), deep)
    target, notices, _ = magnified(source, "out", fps=100.0)
    assert "1 gap in the numbering: 3 pictures missing" in notices
    assert any("16 bits" in notice for notice in notices)
    first = cv2.imread(str(target / "001.png"), cv2.IMREAD_UNCHANGED)
    assert first is not None
    assert first.dtype == np.uint8
    assert (first == 10).all()


def test_a_broken_picture_ends_the_work_without_half_a_folder(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """One unreadable file among thousands is named, and nothing that looks finished is left."""
    source = tmp_path / "in"
    write_folder(source, kind="png", shape=(16, 16), numbers=range(30), rng=rng)
    (source / "006_20.png").write_bytes(b"not a picture")
    with pytest.raises(NotAVideo, match=r"006_20\.png"):
        magnified(source, "out", fps=200.0)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_overwriting_a_folder_costs_no_other_file(tmp_path: Path, rng: np.random.Generator) -> None:
    """Somebody's notes in the output folder are still there afterwards."""
    source, target = tmp_path / "in", tmp_path / "out"
    write_folder(source, kind="png", shape=(16, 16), numbers=range(3), rng=rng)
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    (target / "006_1.png").write_bytes(b"old")
    with pytest.raises(StoreError, match="--overwrite"):
        magnified(source, "out", fps=200.0)
    assert (target / "006_1.png").read_bytes() == b"old"
    magnified(source, "out", fps=200.0, overwrite=True)
    assert (target / "notes.txt").read_text() == "mine"
    assert (target / "006_1.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 3), (48, 64, 4), (47, 61, 3)])
def test_colours_are_those_of_the_file(suffix: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Missed otherwise: smeared or shifted colours, in pictures that store them at half the resolution."""
    if len(shape) == 3 and shape[2] == 4 and suffix in ("jpg", "bmp"):
        pytest.skip("has no transparency")
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (6, 8, *shape[2:]), np.uint8)
    path = tmp_path / f"1.{suffix}"
    cv2.imwrite(str(path), cv2.resize(coarse, shape[1::-1], interpolation=cv2.INTER_CUBIC))
    stored = read_picture(path)
    planar = eight_bit(stored)
    luma = plane_view(planar.planes[0])
    same = exchange_luma(stored, planar=planar, luma=luma)
    wanted = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert wanted is not None
    np.testing.assert_allclose(
        same.astype(int), wanted, atol=4 if suffix == "jpg" else 0 if suffix != "webp" else 3
    )
    lighter = exchange_luma(stored, planar=planar, luma=luma + np.uint8(10) * (luma < 200))
    change = lighter.astype(int)[..., :3] - same.astype(int)[..., :3] if lighter.ndim == 3 else lighter - same
    assert 9 <= np.median(change[luma < 200]) <= 12


def test_photographs_come_upright(tmp_path: Path) -> None:
    """Missed otherwise: a telephone's series of photographs, all on their side or a traceback."""
    picture = np.zeros((48, 64), np.uint8)
    picture[:, :16] = 200
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    # Exif with one entry: orientation (0x0112), one short, 6: turn a quarter clockwise.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    (tmp_path / "1.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + jpeg[2:])
    [frame] = ImageFolder(tmp_path, fps=30)
    assert frame.size == (48, 64)
    np.testing.assert_allclose(frame.luma.astype(int), np.rot90(picture, -1), atol=3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp"])
def test_a_picture_that_was_cut_off_is_named(suffix: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a picture whose lower half is gray, as a motion of the whole face."""
    data = cv2.imencode(f".{suffix}", rng.integers(0, 256, (64, 64, 3), np.uint8))[1].tobytes()
    source = tmp_path / "in"
    source.mkdir()
    (source / f"1.{suffix}").write_bytes(data)
    assert len(list(ImageFolder(source, fps=30))) == 1
    if suffix == "jpg":  # some cameras leave the mark of the end away
        (source / "1.jpg").write_bytes(data[:-2])
        assert len(list(ImageFolder(source, fps=30))) == 1
    (source / f"1.{suffix}").write_bytes(data[: len(data) // 2])
    with pytest.raises(NotAVideo, match="not a picture that can be decoded"):
        ImageFolder(source, fps=30)
    with pytest.raises(NotAVideo, match="not a picture that can be decoded"):
        magnified(source, "out", fps=30.0)


def test_an_output_inside_the_input_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    """A data set stays as it was: nothing is written into it."""
    source = tmp_path / "in"
    write_folder(source, kind="png", shape=(16, 16), numbers=range(3), rng=rng)
    with pytest.raises(StoreError, match="lies in the input"):
        transcode(source, target=source / "out", magnification=SETTINGS, fps=200.0)
    assert len(list(source.iterdir())) == 3
