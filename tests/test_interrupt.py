"""Ctrl-C and SIGTERM in every phase of `magnifyme watch`, mostly in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from magnifyme.cli.interrupt import on_interrupt

SCRIPT = """
import sys, time
import magnifyme.cli.warm, magnifyme.cli.watch, magnifyme.stream.monitor
from magnifyme.cli.app import main
from stalling import StallingCamera

def take_long(*_, **__):
    print("busy", flush=True)
    while True:  # one long sleep would not notice a signal that comes just before it begins
        time.sleep(0.05)

{phase}
sys.argv = ["magnifyme", "watch", "synthetic", "--json", "--events", "events.jsonl", "--output", "pair.mp4"]
main()
"""
PHASES = {
    "opening the source": "magnifyme.cli.watch.open_any = take_long",
    "fetching the detector": "magnifyme.models.face_detector.open_detector = take_long",
    "loading the kernels": "magnifyme.cli.warm.warm_up = take_long",
}
DEAF_CAMERA = "magnifyme.cli.watch.open_any = lambda *_, **__: StallingCamera(5, deaf=True)"


@contextmanager
def started(phase: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the program with something put into its way; what is left of it is killed."""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {key: value for key, value in os.environ.items() if key != "MAGNIFYME_DETECTOR_MODEL"}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(phase=phase)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**environment, "MAGNIFYME_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("phase", "number"),
    [*((phase, signal.SIGINT) for phase in PHASES), ("fetching the detector", signal.SIGTERM)],
)
def test_an_interrupt_before_the_stream_runs_unwinds(
    phase: str, number: signal.Signals, tmp_path: Path
) -> None:
    """Missed otherwise: a traceback, and empty files that look like a recording."""
    with started(PHASES[phase], tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    told = [line for line in errors.splitlines() if not line.startswith("note: ")]
    assert told == ["magnifyme: stopped"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_ends_at_once(number: signal.Signals, tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice has waited long enough: also where the camera does not let go."""
    with started(DEAF_CAMERA, tmp_path) as process:
        assert process.stdout is not None
        while (line := json.loads(process.stdout.readline()))["type"] != "status":
            pass
        assert line["state"] == "stalled"
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1.5)
        again = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=10)
    assert time.monotonic() - again < 2.0
    assert process.returncode == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_ends_at_once_also_later(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missed otherwise: tidying up that hangs, behind the guarded part, can only be killed."""
    ended: list[int] = []
    monkeypatch.setattr("magnifyme.cli.interrupt.os._exit", ended.append)
    first: list[str] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with on_interrupt(lambda: None):
            pass
        assert {number: signal.getsignal(number) for number in before} == before, "no interrupt, no trace"
        with on_interrupt(lambda: first.append("react")):
            signal.raise_signal(number)
        assert (first, ended) == (["react"], [])
        assert signal.getsignal(number) is not before[number]
        signal.raise_signal(number)
        assert (first, ended) == (["react"], [128 + number])
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_a_background_job_stays_deaf_to_ctrl_c() -> None:
    """Missed otherwise: `magnifyme watch … &` in a script ends when the foreground's program is stopped."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heard: list[str] = []
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with on_interrupt(lambda: heard.append("react")):
            signal.raise_signal(signal.SIGINT)
            assert heard == []
            signal.raise_signal(signal.SIGTERM)
        assert heard == ["react"]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
