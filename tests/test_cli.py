"""The program as a user runs it: mostly in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from magnifyme.cli.watch import _no_file_in_vain
from magnifyme.stream.events import Event, open_store, read_events
from program import ENVIRONMENT, PROGRAM, Here, run


def frames_in(video: Path) -> int:
    """Count the frames that a player would show."""
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Make a folder of twelve numbered pictures without a face."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 13):
        cv2.imwrite(str(folder / f"img{number:04d}.png"), rng.integers(0, 256, (64, 80), dtype=np.uint8))
    return folder


def test_version_and_help() -> None:
    """The first thing that anybody types."""
    assert re.fullmatch(r"magnifyme \d+\.\d+\.\d+\S*\n", run("--version").stdout)
    text = run("--help").stdout
    for command in ("watch", "magnify", "bench", "doctor", "demo"):
        assert command in text
    for later in ("train", "evaluate", "export", "prepare"):
        assert not re.search(rf"^\W*{later} ", text, re.MULTILINE)


BAD_INPUT = {
    "no such file": (["watch", "nowhere.mp4"], "nowhere.mp4"),
    "not a video": (["watch", "{text}"], "note.txt"),
    "no such camera": (["watch", "/dev/video97"], "video97"),
    "no such camera number": (["watch", "97"], "97"),
    "nobody listens": (["watch", "rtsp://me:secret@127.0.0.1:9/stream"], "127.0.0.1"),
    "empty folder": (["watch", "{empty}", "--fps", "30"], "empty"),
    "folder without a rate": (["watch", "{folder}"], "--fps"),
    "factor below zero": (["watch", "synthetic", "--factor", "-1"], "-1"),
    "factor out of range": (["watch", "synthetic", "--factor", "1e9"], "factor"),
    "no such region": (["watch", "synthetic", "--region", "head"], "'head'"),
    "no such engine": (["bench", "fidelity", "--method", "magic"], "'magic'"),
    "no duration": (["watch", "synthetic", "--duration", "0"], "--duration"),
    "band upside down": (["watch", "synthetic", "--band", "5", "1"], "band"),
    "band above half the rate": (["watch", "{folder}", "--fps", "8"], "more than 10"),
    "no such model": (["watch", "synthetic", "--model", "none.onnx"], "none.onnx"),
    "not a model": (["watch", "synthetic", "--model", "{text}"], "note.txt"),
    "unknown engine": (["watch", "synthetic", "--method", "magic"], "magic"),
    "unknown device": (["watch", "synthetic", "--device", "abacus"], "abacus"),
    "events in a missing folder": (["watch", "synthetic", "--events", "missing/events.db"], "missing"),
    "video in a missing folder": (["watch", "synthetic", "--output", "missing/pair.mp4"], "missing"),
    "no screen": (["watch", "synthetic", "--window"], "--window"),
    "unknown option": (["watch", "synthetic", "--fast"], "--fast"),
    "no source": (["watch"], "SOURCE"),
    "unknown command": (["wacth"], "wacth"),
}

# In processes of their own: where a library has opened something, it may have a last word at the end.
IN_A_PROCESS = (
    "not a video",
    "no such camera",
    "nobody listens",
    "band above half the rate",
    "not a model",
    "video in a missing folder",
)


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_told_in_one_line(
    case: str, tmp_path: Path, folder: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every mistake gets one clear line on stderr, exit code 2, and never a traceback or a password."""
    (tmp_path / "note.txt").write_text("not what you think\n" * 50)
    (tmp_path / "empty").mkdir()
    names = {"text": tmp_path / "note.txt", "empty": tmp_path / "empty", "folder": folder}
    arguments, expected = BAD_INPUT[case]
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    arguments = [argument.format(**names) for argument in arguments]
    done = (run if case in IN_A_PROCESS else here)(*arguments, cwd=tmp_path)
    said = [line for line in done.stderr.splitlines() if not line.startswith("note:")]
    assert done.returncode == 2, done.stderr
    assert len(said) == 1, done.stderr
    assert said[0].startswith("magnifyme: ")
    assert expected in said[0]
    assert "secret" not in done.stderr + done.stdout
    assert done.stdout == ""
    assert not (tmp_path / "missing").exists()


def test_watching_a_folder_with_gaps_warns_and_counts(folder: Path, here: Here) -> None:
    """Missing pictures are told, with their count, and the rest is still watched."""
    for number in (3, 7, 8):
        (folder / f"img{number:04d}.png").unlink()
    done = here("watch", folder, "--fps", 30, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\b3\b", done.stderr)
    assert "9 frames" in done.stdout


def test_only_what_was_written_is_told(folder: Path, tmp_path: Path) -> None:
    """Who reads "written: events.db" looks for events in it."""
    events, pair = tmp_path / "events.jsonl", tmp_path / "pair.mp4"
    done = run("watch", folder, "--fps", 30, "--events", events, "--output", pair)
    assert done.returncode == 0, done.stderr
    assert f"written: {pair}" in done.stdout
    assert str(events) not in done.stdout
    assert frames_in(pair) == 12


def test_json_is_nothing_but_json_lines(tmp_path: Path) -> None:
    """Another program reads stdout: one object a line, the events among them, the same as in the file."""
    events = tmp_path / "events.jsonl"
    done = run("watch", "synthetic", "--duration", 8, "--json", "--events", events)
    assert done.returncode == 0, done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [objects[0]["type"], objects[-1]["type"]] == ["start", "summary"]
    told = [entry["onset"] for entry in objects if entry["type"] == "event"]
    assert told
    assert told == [event.onset for event in read_events(events)]
    assert objects[-1]["made_faces"] is True
    assert objects[-1]["frames"] + objects[-1]["dropped"]["before_processing"] == 240


def test_max_frames_is_exact(tmp_path: Path) -> None:
    """Asked for forty frames, it writes forty."""
    pair = tmp_path / "pair.mp4"
    done = run("watch", "synthetic", "--max-frames", 40, "--output", pair, "--quiet")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert frames_in(pair) == 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_in_order(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C: the video plays to its end, the events are stored, a summary is printed, exit code 0."""
    pair, events = tmp_path / "pair.mp4", tmp_path / "events.db"
    process = subprocess.Popen(
        [*PROGRAM, "watch", "synthetic", "--json", "--output", str(pair), "--events", str(events)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(json.loads(line))
        if lines[-1]["type"] == "event":
            break
    process.send_signal(number)
    rest, errors = process.communicate(timeout=30)
    lines += [json.loads(line) for line in rest.splitlines()]
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert lines[-1]["type"] == "summary"
    assert frames_in(pair) == lines[-1]["frames"] - lines[-1]["dropped"]["from_video"]
    stored = read_events(events)
    assert [event.onset for event in stored] == [line["onset"] for line in lines if line["type"] == "event"]
    with sqlite3.connect(events) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()


def test_demo_runs_to_its_end(tmp_path: Path) -> None:
    """`make demo` is the first thing that anybody sees: it finds what it put in and says so honestly."""
    pair = tmp_path / "demo.mp4"
    done = run("demo", "--seconds", 12, "--output", pair)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    put_in = re.search(r"put in: (\d+) expressions, (\d+) blinks", text)
    found = re.search(r"found: (\d+) of (\d+) expressions .* (\d+) named .* (\d+) false alarms", text)
    assert put_in, text
    assert found, text
    hits, of, named, false_alarms = map(int, found.groups())
    assert of == int(put_in[1]) >= 3
    assert hits >= of - 1
    assert named >= hits - 1
    assert false_alarms <= 1
    assert "frames a second" in text
    assert re.search(r"latency .* p50 [\d.]+ ms, p99 [\d.]+ ms", text)
    assert "demo model" in text
    assert "made faces" in text
    assert str(pair) in text
    assert "\x1b" not in text
    with av.open(str(pair)) as container:
        stream = container.streams.video[0]
        assert stream.width == 2 * 640
        assert 300 <= sum(1 for _ in container.decode(stream)) <= 360


@pytest.mark.parametrize("name", ["events.jsonl", "events.db"])
def test_a_run_that_fails_leaves_only_files_that_tell_something(name: str, tmp_path: Path) -> None:
    """Yesterday's events stay, and somebody's empty file; a file that this run made for nothing goes."""
    told = Event("s", 0, 1.0, 1.1, 1.2, "micro", None, {}, 0.3, "m", False, "now", "then")
    path = tmp_path / name

    def run_into_trouble(*events: Event) -> None:
        with _no_file_in_vain(path), open_store(path) as store:
            for event in events:
                store.add(event)
            raise KeyboardInterrupt

    def fail(*events: Event) -> bool:
        with pytest.raises(KeyboardInterrupt):
            run_into_trouble(*events)
        return path.exists()

    assert not fail()
    assert list(tmp_path.iterdir()) == []
    assert fail(told)
    assert fail()
    assert read_events(path) == [told]
    path.unlink()
    path.touch()
    assert fail()
