"""Data sets magnified as they lie: one tree a factor, complete, resumable, never mixed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from films import magnified, write_folder
from magnifyme.magnify import MagnifyError
from magnifyme.stream.errors import SourceError, SourceNotFound, StoreError, StreamError
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.picture_tree import TreeDone, is_tree, magnify_tree

PROGRAM = [sys.executable, "-m", "magnifyme.cli"]
CLIPS = {"006/006_1_2": 12, "006/006_1_10": 9, "007/007_3_1": 15}


@pytest.fixture
def data(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Make a data set in SAMM's layout: subject, clip, numbered frames; sheet at the top."""
    root = tmp_path / "SAMM"
    for name, count in CLIPS.items():
        folder = root / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_folder(folder, kind="png", shape=(24, 33), numbers=range(95, 95 + count), rng=rng)
    (root / "codes.xlsx").write_bytes(b"sheet")
    (root / "licence.pdf").write_bytes(b"stays")
    return root


def trees(
    source: Path, *, target: Path, factors: tuple[float, ...] = (10.0, 25.0), **options: object
) -> tuple[TreeDone, list[str], list[tuple[int, int | None]]]:
    """Magnify a data set; gives what was done, told, and shown as progress."""
    notices: list[str] = []
    seen: list[tuple[int, int | None]] = []
    done = magnify_tree(
        source,
        target=target,
        magnifications=[Magnification(factor, (1.0, 5.0)) for factor in factors],
        fps=200.0,
        overwrite=bool(options.get("overwrite")),
        progress=lambda count, total: seen.append((count, total)),
        notice=notices.append,
    )
    return done, notices, seen


def contents(root: Path) -> dict[str, bytes]:
    """Read every file of a tree."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_each_factor_gets_a_tree_like_the_data_set(data: Path, tmp_path: Path) -> None:
    """Who trains on x25 finds each picture where the original lies, as `magnify` of its folder makes it."""
    done, notices, seen = trees(data, target=tmp_path / "out")
    assert (done.clips, done.skipped, done.pictures, done.failed) == (3, 0, 2 * 36, [])
    assert notices == []
    assert seen[0] == (0, 72)
    assert seen[-1] == (72, 72)
    assert [count for count, _ in seen] == sorted(count for count, _ in seen)
    for name in ("x10", "x25"):
        expected = {path for path in contents(data) if not path.endswith(".pdf")} | {"magnification.json"}
        assert set(contents(tmp_path / "out" / name)) == expected
    single, _, _ = magnified(data / "006/006_1_2", "single", fps=200.0)
    assert contents(tmp_path / "out/x10/006/006_1_2") == contents(single)
    assert contents(tmp_path / "out/x25/006/006_1_2") != contents(single)
    recipe = json.loads((tmp_path / "out/x25/magnification.json").read_text())
    assert (recipe["factor"], recipe["band_hz"], recipe["fps"]) == (25.0, [1.0, 5.0], 200.0)


def test_what_is_missing_is_done_and_nothing_else(data: Path, tmp_path: Path) -> None:
    """After a power cut the same command goes on: a clip that lacks one picture is done again."""
    out = tmp_path / "out"
    trees(data, target=out)
    before = contents(out)
    kept = out / "x10/006/006_1_10/006_95.png"
    kept.write_bytes(b"not touched")
    (out / "x25/007/007_3_1/006_100.png").unlink()
    done, _, seen = trees(data, target=out)
    assert (done.clips, done.skipped, done.pictures) == (1, 2, 15)
    assert seen[-1] == (15, 15)
    assert kept.read_bytes() == b"not touched"
    kept.write_bytes(before["x10/006/006_1_10/006_95.png"])
    assert contents(out) == before
    # A further factor later stands beside the others.
    done, _, _ = trees(data, target=out, factors=(10.0, 50.0))
    assert (done.clips, done.pictures) == (3, 36)
    assert {path.name for path in out.iterdir()} == {"x10", "x25", "x50"}


def test_colour_pictures_stand_several_factors(tmp_path: Path, rng: np.random.Generator) -> None:
    """Each picture is converted for all trees at once, by several threads: that must not end the process."""
    (tmp_path / "set/s1").mkdir(parents=True)
    write_folder(tmp_path / "set/s1/c1", kind="jpg", shape=(480, 640, 3), numbers=range(40), rng=rng)
    command = [*PROGRAM, "magnify", "set", "out", "--fps", "200", "--factor", "4", "--factor", "8"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 80


def test_linked_clips_are_found_and_circles_end(data: Path, tmp_path: Path) -> None:
    """Large data sets are often folders of links; a link to the set itself must not go round for ever."""
    links = tmp_path / "links"
    links.mkdir()
    (links / "a").symlink_to(data / "006/006_1_2")
    (links / "circle").symlink_to(links)
    assert is_tree(links)
    done, _, _ = trees(links, target=tmp_path / "out", factors=(10.0,))
    assert (done.clips, done.pictures) == (1, 12)
    assert len(list((tmp_path / "out/x10/a").glob("*.png"))) == 12


def test_overwriting_brings_the_new_sheets(data: Path, tmp_path: Path) -> None:
    """Annotations that were corrected go with their pictures."""
    out = tmp_path / "out"
    trees(data, target=out, factors=(10.0,))
    (data / "codes.xlsx").write_bytes(b"corrected")
    trees(data, target=out, factors=(10.0,))
    assert (out / "x10/codes.xlsx").read_bytes() == b"sheet"
    trees(data, target=out, factors=(10.0,), overwrite=True)
    assert (out / "x10/codes.xlsx").read_bytes() == b"corrected"


def test_two_recipes_never_mix(data: Path, tmp_path: Path) -> None:
    """Half a tree of another band would spoil a training run without a word."""
    out = tmp_path / "out"
    trees(data, target=out, factors=(10.0,))
    before = contents(out)
    other = [Magnification(10.0, (1.0, 8.0))]
    with pytest.raises(StoreError, match=r"magnified otherwise \(band_hz \[1\.0, 5\.0\]\)"):
        magnify_tree(
            data,
            target=out,
            magnifications=other,
            fps=200.0,
            progress=lambda done, total: None,
            notice=lambda line: None,
        )
    assert contents(out) == before
    # Overwriting that breaks off leaves none of the old pictures behind.
    (data / "007/007_3_1/006_99.png").write_bytes(b"broken")
    done = magnify_tree(
        data,
        target=out,
        magnifications=other,
        fps=200.0,
        overwrite=True,
        progress=lambda done, total: None,
        notice=lambda line: None,
    )
    assert done.failed == ["007/007_3_1"]
    after = contents(out)
    assert not any("007_3_1" in path for path in after)
    assert after["x10/006/006_1_2/006_106.png"] != before["x10/006/006_1_2/006_106.png"]


def test_somebodys_pictures_are_never_taken_for_ours(data: Path, tmp_path: Path) -> None:
    """--overwrite empties trees of ours: a photo album that happens to be called x10 stays."""
    album = tmp_path / "out" / "x10"
    album.mkdir(parents=True)
    cv2.imwrite(str(album / "holiday1.jpg"), np.zeros((8, 8), np.uint8))
    before = contents(album)
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="did not make"):
            trees(data, target=tmp_path / "out", overwrite=overwrite)
    assert contents(album) == before


def test_a_broken_clip_costs_no_other(data: Path, tmp_path: Path) -> None:
    """One bad file among 11 000 is named, and the night's work is not lost."""
    (data / "006/006_1_2/006_99.png").write_bytes(b"not a picture")
    done, notices, _ = trees(data, target=tmp_path / "out")
    assert done.failed == ["006/006_1_2"]
    assert [line for line in notices if "006_99.png" in line]
    assert not (tmp_path / "out/x10/006/006_1_2").exists()
    assert (done.clips, done.pictures) == (2, 2 * 24)
    hidden = list((tmp_path / "out").rglob(".*"))
    assert hidden == []


def test_bad_requests_are_told_before_any_work(data: Path, tmp_path: Path) -> None:
    """Whoever mistypes learns it at once."""
    empty = tmp_path / "empty"
    (empty / "sub").mkdir(parents=True)
    cases: list[tuple[Path, Path, tuple[float, ...], type[Exception], str]] = [
        (tmp_path / "nowhere", tmp_path / "out", (10.0,), SourceNotFound, "no such folder"),
        (empty, tmp_path / "out", (10.0,), StreamError, "no pictures"),
        (data, data / "out", (10.0,), StoreError, "in one another"),
        (data, tmp_path, (10.0,), StoreError, "in one another"),
        (data, tmp_path / "out", (10.0, 10.0), StoreError, "twice"),
        (data, tmp_path / "out", (10.0, -1.0), MagnifyError, "factor"),
    ]
    before = sorted(tmp_path.rglob("*"))
    for source, target, factors, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            trees(source, target=target, factors=factors)
        assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="--fps"):
        magnify_tree(
            data,
            target=tmp_path / "out",
            magnifications=[Magnification()],
            fps=None,
            progress=lambda done, total: None,
            notice=lambda line: None,
        )
    assert sorted(tmp_path.rglob("*")) == before
    assert is_tree(data)
    assert not is_tree(data / "006/006_1_2")
    assert not is_tree(empty)


def test_the_command_stops_and_goes_on(data: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    """Ctrl-C in a long run leaves whole clips only, says so, and the same command finishes the work."""
    for clip in range(12):
        write_folder(data / f"007/007_9_{clip}", kind="png", shape=(300, 400), numbers=range(1, 40), rng=rng)
    command = [*PROGRAM, "magnify", "SAMM", "out", "--factor", "10", "--factor", "25", "--fps", "200"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        limit = time.monotonic() + 120
        while not (tmp_path / "out/x25/007/007_9_0").exists() and time.monotonic() < limit:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors.strip() == "magnifyme: stopped; the same command goes on"
    finished = list((tmp_path / "out/x25/007").iterdir())
    assert not any(folder.name.startswith(".") for folder in finished)
    assert all(len(list(folder.iterdir())) in (15, 39) for folder in finished)
    assert len(finished) < 13, "it was not stopped in the middle"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "were there already" in done.stdout
    assert len(list((tmp_path / "out").rglob("*.png"))) == 2 * (36 + 12 * 39)
