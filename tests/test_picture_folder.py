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


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("png", (47, 65)),
        ("png", (48, 64, 3)),
        ("png", (48, 64, 4)),
        ("tif", (47, 65)),
        ("tif", (48, 64, 3)),
        ("bmp", (48, 64, 3)),
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
    for number in numbers:
        flag = cv2.IMREAD_UNCHANGED
        before = cv2.imread(str(source / f"006_{number}.{kind}"), flag)
        after = cv2.imread(str(target / f"006_{number}.{kind}"), flag)
        assert before is not None
        assert after is not None
        assert after.shape == before.shape
        assert after.dtype == np.uint8
        luma = before if before.ndim == 2 else cv2.cvtColor(before[..., :3], cv2.COLOR_BGR2GRAY)
        change = magnifier(np.asarray(luma, np.uint8), time=(number - 95) / 200).astype(int) - luma
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
