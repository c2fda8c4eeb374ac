"""`magnifyme magnify`: what it refuses, what it says, and what is left when it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from films import (
    SETTINGS,
    STEADY,
    frames_of,
    moving,
    write_video,
)
from magnifyme.magnify import MagnifyError
from magnifyme.stream.errors import NotAVideo, SourceError, SourceNotFound, StoreError
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.transcode import transcode
from program import Here, run


@pytest.fixture
def film(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Make a small film."""
    return write_video(tmp_path / "in.mp4", moving((64, 48), times=STEADY, rng=rng), codec="libx264")


def test_bad_requests_are_told_before_any_work(film: Path, tmp_path: Path) -> None:
    """Whoever mistypes learns it at once, and loses nothing."""
    text = tmp_path / "note.txt"
    text.write_text("not a film " * 100)
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.zeros((16, 16), np.uint8))
    empty = tmp_path / "empty"
    empty.mkdir()
    twice = tmp_path / "twice"
    twice.mkdir()
    for name in ("a1.png", "b1.png"):
        (twice / name).write_bytes(photo.read_bytes())
    there = tmp_path / "there.mp4"
    there.write_bytes(b"mine")
    cases: list[tuple[Path, str, type[Exception], str]] = [
        (tmp_path / "nowhere.mp4", "out.mp4", SourceNotFound, "nowhere.mp4"),
        (text, "out.mp4", NotAVideo, "note.txt"),
        (photo, "out.mp4", NotAVideo, "folder"),
        (film, "missing/out.mp4", StoreError, "missing"),
        (film, "out.xyz", StoreError, r"\.mp4.*\.mkv"),
        (film, "out", StoreError, r"\.mp4"),
        (film, "there.mp4", StoreError, "--overwrite"),
        (film, "in.mp4", StoreError, "input itself"),
        (empty, "out", NotAVideo, "empty"),
        (twice, "out", NotAVideo, "a1.png"),
        (empty, "out.mp4", StoreError, "folder"),
    ]
    numbered = tmp_path / "numbered"
    numbered.mkdir()
    (numbered / "1.png").write_bytes(photo.read_bytes())
    before = sorted(path.name for path in tmp_path.iterdir())
    for source, name, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            transcode(source, target=tmp_path / name, magnification=SETTINGS, fps=30.0)
        assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="--fps"):
        transcode(numbered, target=tmp_path / "out", magnification=SETTINGS)
    with pytest.raises(MagnifyError, match="40"):
        transcode(film, target=tmp_path / "out.mp4", magnification=Magnification(10.0, (1.0, 20.0)))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert there.read_bytes() == b"mine"


def test_an_error_on_the_way_leaves_the_old_file(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle costs the new file, never the old one."""
    target = tmp_path / "out.mp4"
    target.write_bytes(b"mine")

    def fail(done: int, total: int | None) -> None:
        assert total == 24
        if done == 10:
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="no space left"):
        transcode(film, target=target, magnification=SETTINGS, overwrite=True, progress=fail)
    assert target.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]
    transcode(film, target=target, magnification=SETTINGS, overwrite=True)
    assert len(frames_of(target)) == 24


def test_the_command(film: Path, tmp_path: Path, here: Here) -> None:
    """One line says what was done; errors are one line and exit code 2."""
    done = run("magnify", film, tmp_path / "out.mp4", "--factor", 5, "--band", 1, 5)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("24 frames in ")
    assert "frames a second" in done.stdout
    assert str(tmp_path / "out.mp4") in done.stdout
    assert done.stdout.count("\n") == 1
    for arguments, words in (
        ((film, tmp_path / "out.mp4"), "--overwrite"),
        ((film, tmp_path / "other.mp4", "--band", 1, 20), "40"),
        ((film, tmp_path / "other.mp4", "--factor", -1), "factor"),
    ):
        failed = here("magnify", *arguments, cwd=tmp_path)
        assert failed.returncode == 2, failed.stderr
        assert words in failed.stderr
        assert failed.stderr.count("\n") == 1
        assert "Traceback" not in failed.stderr
    quiet = here("magnify", film, tmp_path / "out.mp4", "--overwrite", "--quiet", cwd=tmp_path)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_leaves_nothing_half(
    number: signal.Signals, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Ctrl-C in the middle: no half film under OUT's name, no leftovers, the old one untouched."""
    times = [3000 * index for index in range(60)]
    film = write_video(
        tmp_path / "in.mp4", moving((640, 480), times=times, rng=rng), times=times, codec="libx264"
    )
    with av.open(str(film)) as whole:
        packets = [bytes(packet) for packet in whole.demux(video=0) if packet.size]
    assert packets
    target = tmp_path / "out.mp4"
    target.write_bytes(b"mine")
    code = (
        "import sys, time, magnifyme.stream.video_writer as writer\n"
        "write = writer.VideoWriter.write\n"
        "def slowly(self, picture, *, luma):\n"
        "    write(self, picture, luma=luma); print('frame', flush=True); time.sleep(0.05)\n"
        "writer.VideoWriter.write = slowly\n"
        "from magnifyme.cli.app import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "magnify", str(film), str(target), "--overwrite"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(5):
        assert process.stdout.readline() == "frame\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "not written" in errors
    assert target.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]
