"""What a careless user loses: no file, no password, and no time over a traceback."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from films import STEADY, moving, write_video
from magnifyme.stream.address import scrubbed
from magnifyme.stream.errors import SourceError, StoreError
from magnifyme.stream.source import open_source
from magnifyme.stream.whole import refuse_input, whole_file
from magnifyme.train.synthetic import SyntheticSource
from program import ENVIRONMENT, PROGRAM, Here, run
from rtsp_camera import RtspCamera

SECRET = "s3cret"


@pytest.fixture
def home(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Make a folder with a film under several names, and with files that somebody needs."""
    film = write_video(tmp_path / "film.mp4", moving((64, 48), times=STEADY, rng=rng), codec="libx264")
    (tmp_path / "link.mp4").symlink_to(film)
    (tmp_path / "hard.mp4").hardlink_to(film)
    (tmp_path / "keep.mp4").write_bytes(b"mine")
    (tmp_path / "keep.png").write_bytes(b"mine")
    (tmp_path / "keep.db").write_bytes(b"mine")
    (tmp_path / "keep.jsonl").write_bytes(b'{"mine": 1}')
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("not what you think\n" * 50)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    """Read all files of a folder."""
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


NOTHING_LOST = {
    "over the film": ("watch film.mp4 --output film.mp4", "input itself"),
    "over the film, meant": ("watch film.mp4 --output film.mp4 --overwrite", "input itself"),
    "by a link": ("watch film.mp4 --output link.mp4 --overwrite", "input itself"),
    "by a hard link": ("watch film.mp4 --output hard.mp4 --overwrite", "input itself"),
    "by another way": ("watch film.mp4 --output empty/../film.mp4 --overwrite", "input itself"),
    "events over the film": ("watch film.mp4 --events film.mp4", "input itself"),
    "events over the video": ("watch film.mp4 --events new.mp4 --output ./new.mp4", "each a name"),
    "over another film": ("watch film.mp4 --output keep.mp4", "--overwrite"),
    "over a folder": ("watch film.mp4 --output folder.mp4 --overwrite", "is a folder"),
    "then a bad model": ("watch film.mp4 --output keep.mp4 --overwrite --model none.onnx", "none.onnx"),
    "then a bad detector": (
        "watch film.mp4 --output keep.mp4 --events new.db --overwrite --detector-model none.onnx",
        "none.onnx",
    ),
    "events in a foreign file": ("watch film.mp4 --events keep.db --output new.mp4", "keep.db"),
    "events in foreign lines": ("watch film.mp4 --events keep.jsonl", "keep.jsonl"),
    "no events for a bad name": ("watch film.mp4 --events new.db --output new.avi", "new.avi"),
    "demo over a film": ("demo --output keep.mp4", "--overwrite"),
    "magnified over the film": ("magnify film.mp4 link.mp4 --overwrite", "input itself"),
    "preview over a picture": ("magnify film.mp4 new.mp4 --preview keep.png", "--overwrite"),
    "magnified over another": ("magnify film.mp4 keep.mp4", "--overwrite"),
}


@pytest.mark.parametrize("case", NOTHING_LOST)
def test_no_file_is_lost(case: str, home: Path, here: Here) -> None:
    """Whoever names a file twice, or the wrong one, still has it, and finds nothing half beside it."""
    line, words = NOTHING_LOST[case]
    before = contents(home)
    done = here(*shlex.split(line), cwd=home)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert contents(home) == before


SAID = {
    "watch forgotten": (f"rtsp://joe:{SECRET}@camera/x", "magnifyme watch SOURCE"),
    "two addresses": (f"watch synthetic rtsp://joe:{SECRET}@camera/x", "more arguments"),
    "spaces in a password": (f"watch synthetic 'rtsp://joe:my {SECRET}@camera/x'", "more arguments"),
    "a space without quotes": (f"watch rtsp://joe:my {SECRET}@camera/x", "in quotes"),
    "a line's end in a password": (f"watch synthetic 'rtsp://joe:my\n{SECRET}@camera/x'", "more arguments"),
    "a backslash in a password": (f"'rtsp://joe:{SECRET}\\ {SECRET}@camera/x'", "magnifyme watch SOURCE"),
    "a tab in a password": (f"watch synthetic --method 'rtsp://joe:my\t{SECRET} x@camera/x'", "riesz"),
    "a space in an output's": (f"watch synthetic --output 'rtsp://joe:my {SECRET}@camera/x.mp4'", "no such"),
    "a space behind =": (f"watch synthetic --output='rtsp://joe:my {SECRET}@camera/x.mp4'", "no such"),
    "a password in the query": (f"watch 'http://camera/x?password={SECRET}/{SECRET} {SECRET}'", "rtsp://"),
    "one slash": (f"watch rtsp:/joe:{SECRET}@camera/x", "one slash"),
    "no scheme": (f"watch joe:{SECRET}@camera/x", "no such file"),
    "another scheme": (f"watch http://joe:{SECRET}@camera/x", "rtsp://"),
    "an address is no file": (f"magnify rtsp://joe:{SECRET}@camera/x out.mp4", "magnifyme watch"),
    "no address to write to": (f"watch synthetic --output rtmp://joe:{SECRET}@camera/x.mp4", "no such"),
    "an option of its own": (f"watch --rtsp://joe:{SECRET}@camera/x", "No such option"),
    "no host": ("watch rtsp://", "names no host"),
    "no host but a path": ("watch rtsp:///stream", "names no host"),
    "comma in the band": ("watch synthetic --band 1,5", "--band 1 5"),
    "comma and more": ("watch synthetic --band 1,5 --json", "--band 1 5"),
    "band from 0": ("watch synthetic --band 0 5", "above 0"),
    "band upside down": ("watch synthetic --band 5 1", "low edge first"),
    "band without end": ("watch synthetic --band 1 nan", "finite"),
    "rate that is a word": ("watch synthetic --fps fast", "must be a number"),
    "rate without end": ("watch synthetic --fps inf", "at most 2000"),
    "rate that is none": ("watch empty --fps nan", "at most 2000"),
    "rate of a film": ("watch film.mp4 --fps 30", "leave --fps out"),
    "slow motion of no end": ("magnify film.mp4 out.mp4 --fps inf", "at most 2000"),
    "no frames": ("watch synthetic --max-frames 0", "must be 1 or more"),
    "half a frame": ("watch synthetic --max-frames 1.5", "must be a whole number"),
    "seed below 0": ("demo --seed -1", "must be 0 or more"),
    "demo without end": ("demo --seconds inf", "3600 or less"),
    "a film to measure that is none": ("bench --source note.txt", "not a video"),
    "no such part": ("bench wacth", "'wacth'"),
    "empty folder": ("watch empty", "holds no pictures"),
    "empty folder to magnify": ("magnify empty out", "holds no pictures"),
    "a name too long": (f"watch {'x' * 300}.mp4", "file name too long"),
    "an output's name too long": (f"watch film.mp4 --output {'x' * 300}.mp4", "file name too long"),
}


# Also in processes of their own: one for each way that an error takes.
IN_A_PROCESS = (
    "watch forgotten",
    "one slash",
    "comma in the band",
    "empty folder",
    "a film to measure that is none",
)


@pytest.mark.parametrize("case", SAID)
def test_mistakes_are_told_in_our_words(case: str, home: Path, here: Here) -> None:
    """One line that says what is wrong and what to do; no password, no traceback, no library's words."""
    line, words = SAID[case]
    done = (run if case in IN_A_PROCESS else here)(*shlex.split(line), cwd=home)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("magnifyme: ")
    assert words in done.stderr
    for unwanted in (SECRET, "Traceback", "Input should", "Value error", "unable to parse"):
        assert unwanted not in done.stderr


@pytest.mark.parametrize("name", ["note.txt", "keep.mp4", "folder"])
def test_watch_and_magnify_refuse_a_source_in_the_same_words(name: str, home: Path, here: Here) -> None:
    """One mistake, one message, whichever command it was typed for."""
    said = {here(*command, cwd=home).stderr for command in (("watch", name), ("magnify", name, "out.mp4"))}
    assert len(said) == 1, said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such command 'rtsp://joe:s3cret@h/x'.", "No such command 'rtsp://joe:***@h/x'."),
        ("rtsp:/joe:s3cret@h: no such file", "rtsp:/joe:***@h: no such file"),
        ("joe:s3cret@h/x: no such file", "joe:***@h/x: no such file"),
        ("two: rtsp://s3cret@h and http://a:s3cret@h", "two: rtsp://***@h and http://a:***@h"),
        ("give rtsp://USER:PASSWORD@h/...", "give rtsp://USER:PASSWORD@h/..."),
        ("rtsp://joe:***@h/x: nothing listens at h", "rtsp://joe:***@h/x: nothing listens at h"),
        ("C:/films/a@b.mp4 and a@b.mp4: no such file", "C:/films/a@b.mp4 and a@b.mp4: no such file"),
        ("see https://example.org/page: it helps", "see https://example.org/page: it helps"),
    ],
)
def test_scrubbed(text: str, shown: str) -> None:
    """Every address in a message, whoever wrote it, and nothing else."""
    assert scrubbed(text) == shown


def test_a_forgotten_source_is_told_at_once() -> None:
    """Missed otherwise: a second of waiting, for Numba and OpenCV, to be told of a word too few."""
    code = (
        "import sys; from magnifyme.cli.app import main; sys.argv = ['magnifyme', 'watch']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print({'numba', 'cv2', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "magnifyme: Missing argument 'SOURCE'.\n")


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [
        (errno.EMFILE, 2, "too many open files"),
        (errno.ECONNRESET, 2, "connection reset by peer"),
        (errno.EIO, 1, "the output cannot be written: input/output error"),
    ],
)
def test_a_system_error_without_a_name(
    number: int, code: int, told: str, home: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missed otherwise: people look for a full disk when a source cannot be opened."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("magnifyme.stream.source.open_source", fail)
    done = here("watch", "film.mp4", cwd=home)
    assert (done.returncode, done.stderr) == (code, f"magnifyme: {told}\n")


def test_a_bug_does_not_tell_the_password(home: Path) -> None:
    """People paste tracebacks into public places."""
    code = (
        "import magnifyme.stream.source as source\n"
        "def broken(spec, **_): raise RuntimeError(f'cannot happen: {spec}')\n"
        "source.open_source = broken\n"
        "from magnifyme.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "watch", f"rtsp://joe:my {SECRET}@camera/x"],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RuntimeError: cannot happen: rtsp://joe:***@camera/x" in done.stderr
    assert SECRET not in done.stderr + done.stdout


# ---- cameras on the network


def wrong_password(camera: RtspCamera) -> None:
    camera.login = ("joe", "right")


def gone(camera: RtspCamera) -> None:
    camera.kill()


def silent(camera: RtspCamera) -> None:
    camera.silent = True


@pytest.mark.parametrize(
    ("fault", "words"),
    [(wrong_password, "(401)"), (gone, "nothing listens"), (silent, "did not answer within")],
)
def test_a_camera_that_cannot_be_watched(fault: Callable[[RtspCamera], None], words: str, home: Path) -> None:
    """The line says which of the three it is, and holds no password."""
    with RtspCamera() as camera:
        fault(camera)
        url = f"rtsp://joe:{SECRET}@{camera.host}/cam"
        done = run("watch", url, "--output", "new.mp4", "--events", "new.db", cwd=home)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert f"rtsp://joe:***@{camera.host}/cam" in done.stderr
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stderr + done.stdout
    assert not (home / "new.mp4").exists()
    assert not (home / "new.db").exists()


def test_a_camera_is_watched_without_telling_its_password(home: Path) -> None:
    """Neither what is printed nor what is kept names it."""
    with RtspCamera(login=("joe", SECRET)) as camera:
        url = f"rtsp://joe:{SECRET}@{camera.host}/cam"
        done = run("watch", url, "--max-frames", 20, "--json", "--events", "events.jsonl", cwd=home)
    assert done.returncode == 0, done.stderr
    assert f'"source": "rtsp://joe:***@{camera.host}/cam"' in done.stdout
    assert SECRET not in done.stderr + done.stdout + (home / "events.jsonl").read_text()


# ---- outputs that are closed, full or cut off


SHORT = ("watch", "synthetic", "--max-frames", "30")


@pytest.mark.skipif(os.name != "posix", reason="these devices and limits are of POSIX")
@pytest.mark.parametrize("line", [SHORT, (*SHORT, "--json"), ("--help",), ("doctor",)])
def test_a_full_stdout_is_told(line: tuple[str, ...]) -> None:
    """A log on a full disk: a script must see that it is not whole."""
    with Path("/dev/full").open("w") as full:
        done = run(*line, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "magnifyme: the output cannot be written: no space left on device\n"


@pytest.mark.parametrize("line", [SHORT, (*SHORT, "--json"), ("--help",)])
def test_a_pipe_that_is_closed_ends_the_program_in_silence(line: tuple[str, ...]) -> None:
    """`magnifyme watch … | head -1` is no error of anybody's."""
    reading, writing = os.pipe()
    os.close(reading)
    done = run(*line, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(os.name != "posix", reason="the shell is of POSIX")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_done_without(closed: str, home: Path) -> None:
    """A service manager may give none; and no file may take the number of one and get its lines."""
    line = shlex.join([*PROGRAM, *SHORT, "--json", "--events", "events.jsonl", "--output", "new.mp4"])
    done = subprocess.run(
        ["sh", "-c", f"{line} {closed}"], capture_output=True, text=True, check=False, cwd=home, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('{"type": "start"') == (">&-" not in closed.split())
    with open_source(home / "new.mp4") as written:
        assert len(list(written)) == 30
    assert b'"type"' not in (home / "events.jsonl").read_bytes() + (home / "new.mp4").read_bytes()


_LIMITED = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
runpy.run_module("magnifyme.cli", run_name="__main__")
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are of POSIX")
def test_a_disk_that_fills_up_ends_the_watch_in_one_line(home: Path) -> None:
    """And what was recorded until then can be played."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _LIMITED,
            "watch",
            "synthetic",
            "--duration",
            "20",
            "--output",
            "new.mp4",
            "-q",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("magnifyme: new.mp4 cannot be written: ")
    assert done.stderr.count("\n") == 1
    with open_source(home / "new.mp4") as written:
        assert len(list(written)) > 5


def test_the_first_error_is_told_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Missed otherwise: tidying up fails too, with a traceback, and hides what was wrong."""
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "out.mp4"
    with pytest.raises(StoreError, match="ot a directory"), whole_file(target) as partial:
        partial.write_bytes(b"")


def test_one_file_by_two_names_that_are_not_there_yet(tmp_path: Path) -> None:
    """Whoever writes two things to one new file loses one of them."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="input itself"):
        refuse_input(tmp_path / "new.mp4", source=tmp_path / "folder" / ".." / "new.mp4")
    refuse_input(tmp_path / "new.mp4", source=tmp_path / "folder" / "new.mp4")


# ---- rates and help


@pytest.mark.parametrize("fps", [0.0, -1.0, 2001.0, float("inf"), float("nan")])
def test_rates_that_no_camera_has(fps: float, tmp_path: Path) -> None:
    """Missed otherwise: a stream without end, or memory for as many frames."""
    with pytest.raises(SourceError, match="at most 2000"):
        open_source(tmp_path, fps=fps)
    with pytest.raises(ValueError, match="at most 2000"):
        SyntheticSource(fps=fps)


def test_help_is_short_and_fits(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that anybody reads, on a terminal of 80 columns."""
    monkeypatch.setitem(ENVIRONMENT, "COLUMNS", "80")
    bare, asked = run(), run("--help")
    assert (bare.returncode, bare.stderr) == (0, "")
    assert bare.stdout == asked.stdout
    assert "..." not in asked.stdout.partition("Commands:")[2], "a command's line is cut short"
    for command in ("watch", "magnify", "spot", "synthesize", "bench", "doctor", "demo"):
        text = here(command, "--help", cwd=tmp_path).stdout
        assert text.startswith(f"Usage: magnifyme {command} ")
        assert max(map(len, text.splitlines())) <= 80
        assert "range" not in text
