"""What a user, and another program, is told: while it runs, while nothing comes, and at the end."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from magnifyme.cli import display as display_module
from magnifyme.cli import summary as summary_module
from magnifyme.cli.display import JsonDisplay, PlainDisplay, QuietDisplay, make_display
from magnifyme.cli.live_view import LiveView
from magnifyme.cli.summary import summarize
from magnifyme.cli.watch import run
from magnifyme.models.face_detector import HaarCascade
from magnifyme.stream.monitor import Monitor, Observation
from stalling import StallingCamera
from test_window import event, observed


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary_module, "_SILENT_S", 0.4)
    monkeypatch.setattr(display_module, "_JSON_STATUS_S", 0.1)


@pytest.fixture
def camera() -> StallingCamera:
    return StallingCamera(5)


@pytest.fixture
def monitor(camera: StallingCamera) -> Iterator[Monitor]:
    """Give a monitor of a camera that stalls after a tenth of a second."""
    with Monitor(camera, detector=HaarCascade()) as monitor:
        yield monitor


def run_for(seconds: float, monitor: Monitor, display: QuietDisplay) -> None:
    stopper = threading.Timer(seconds, monitor.stop)
    stopper.start()
    run(monitor, display)
    stopper.join()


# ---- while nothing comes


def test_plain_lines_tell_a_stall_once_and_soon(monitor: Monitor, capsys: pytest.CaptureFixture[str]) -> None:
    """Missed otherwise: a log that just ends, and nobody knows that the camera froze."""
    run_for(1.2, monitor, PlainDisplay())
    (line,) = capsys.readouterr().out.splitlines()
    assert "stalled, no frame for" in line


def test_json_tells_a_stall_since_when_and_why(
    camera: StallingCamera, monitor: Monitor, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missed otherwise: a program that watches the watcher takes silence for a still face."""
    camera.last_error = "the cable is out"
    run_for(1.2, monitor, JsonDisplay())
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    statuses = [entry for entry in told if entry["type"] == "status"]
    stalled = [entry for entry in statuses if entry["silent_s"] > 0.5 and entry["state"] == "stalled"]
    assert len(stalled) >= 3
    assert stalled[-1]["silent_s"] > stalled[0]["silent_s"]
    assert {entry["last_error"] for entry in stalled} == {"the cable is out"}
    assert {entry["motion_px"] for entry in stalled} == {None}


def test_false_from_the_window_ends_a_stalled_run(monitor: Monitor) -> None:
    """Missed otherwise: q and Esc do nothing while the camera stalls."""
    shown: list[Observation | None] = []

    def show(observation: Observation | None) -> bool:
        shown.append(observation)
        return shown[-3:] != [None, None, None]

    run(monitor, QuietDisplay(), show=show)
    assert monitor.statistics.processed == 5
    assert None in shown


def test_a_warning_that_comes_late_is_told_once(
    camera: StallingCamera, monitor: Monitor, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missed otherwise: a file that breaks off, in silence."""
    threading.Timer(0.3, camera.warnings.append, ["breaks off after 5 pictures [of 9]"]).start()
    run_for(0.8, monitor, PlainDisplay())
    assert capsys.readouterr().err == "note: breaks off after 5 pictures [of 9]\n"


def test_quiet_json_prints_no_notes(capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (True, False):
        make_display(json_lines=True, quiet=quiet).notice("nothing to worry about")
    assert capsys.readouterr().err == "note: nothing to worry about\n"


# ---- the live view


def test_damage_in_a_file_is_told(monitor: Monitor, camera: StallingCamera) -> None:
    """Missed otherwise: a film without events, and nobody knows that it is broken."""
    run_for(0.5, monitor, QuietDisplay())
    camera.live, camera.damaged = False, 7
    assert any("damaged frames: 7" in line for line in summarize(monitor, written=[]))


def drawn(view: LiveView, monitor: Monitor) -> str:
    console = Console(record=True, file=io.StringIO())
    console.print(view.render(monitor))
    return console.export_text()


def view_of(*observations: Observation, monitor: Monitor) -> LiveView:
    view = LiveView()
    for observation in observations:
        view.update(observation, monitor)
    return view


def test_a_small_terminal_shows_the_newest_events(monitor: Monitor) -> None:
    """Missed otherwise: what is just happening, cut off below the first events."""
    names = ("anger", "disgust", "sadness", "surprise")
    view = view_of(observed(time=2.1, events=tuple(map(event, names))), monitor=monitor)
    view._console = Console(height=10, width=100, file=io.StringIO())
    text = drawn(view, monitor)
    assert len(text.splitlines()) < 10
    assert ("surprise" in text, "sadness" in text, "anger" in text) == (True, True, False)


def test_the_live_view_shows_face_motion_and_events(monitor: Monitor) -> None:
    view = view_of(observed(time=2.1, events=(event("surprise"), event(None))), monitor=monitor)
    text = drawn(view, monitor)
    assert "face 1 in 200×160, 80 px wide" in text
    assert "motion  0.50 px ▅" in text
    assert "surprise" in text
    assert "400 ms" in text
    assert "demo model" in text


def test_the_live_view_before_the_first_frame_and_without_a_face(monitor: Monitor) -> None:
    assert "waiting for the first frame" in drawn(LiveView(), monitor)
    seen = observed(time=0.0)
    faceless = Observation(seen.frame, (), (), 1.0)
    text = drawn(view_of(faceless, monitor=monitor), monitor)
    assert "no face in 200×160" in text
    assert "no events yet" in text


def test_the_live_view_tells_since_when_nothing_comes_and_why(
    camera: StallingCamera, monitor: Monitor
) -> None:
    """Missed otherwise: the last face stands there as if it were watched."""
    view = view_of(observed(time=0.0), monitor=monitor)
    monitor.statistics.started -= 7.0
    camera.status, camera.last_error = "waiting", "nothing listens"
    text = drawn(view, monitor)
    assert "waiting, no frame for 7 s: nothing listens" in text
    assert "face 1" not in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_terminal_s_own_ctrl_c_fits_behind_the_panel(
    monitor: Monitor, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missed otherwise: ^C begins a new line, and half a box stays behind."""
    monkeypatch.setenv("COLUMNS", str(width))
    view = view_of(observed(time=2.1, events=(event("surprise"),)), monitor=monitor)
    lines = drawn(view, monitor).splitlines()
    assert max(map(len, lines)) + len("^C^C") <= width


def test_events_may_come_while_the_panel_is_drawn(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missed otherwise: rich's thread dies of "deque mutated during iteration", now and then."""
    more = observed(time=2.0, events=(event("surprise"),))
    view = view_of(more, more, monitor=monitor)
    # Another thread brings an event between two rows.
    monkeypatch.setattr(Table, "add_row", lambda *_, **__: view.update(more, monitor))
    view.render(monitor)


# ---- the summary


def test_nothing_watched_is_told_plainly(camera: StallingCamera, monitor: Monitor) -> None:
    """Missed otherwise: a table of zeros."""
    camera.last_error = "the cable is out"
    empty, line = summarize(monitor, written=[])
    assert empty == ""
    assert line.startswith("no frame came from camera in ")
    assert "the cable is out" in line


def test_a_run_without_a_face_ends_with_what_to_do(monitor: Monitor) -> None:
    run_for(0.4, monitor, QuietDisplay())
    text = "\n".join(summarize(monitor, written=[]))
    assert "no face was found: light it" in text
    assert "--detector-model" in text
    monitor.statistics.with_face = 1
    assert "light it" not in "\n".join(summarize(monitor, written=[]))


def test_drops_are_counted_by_cause(camera: StallingCamera, monitor: Monitor) -> None:
    run_for(0.4, monitor, QuietDisplay())
    monitor.statistics.dropped_at_source, monitor.statistics.dropped_before = 3, 4
    camera.last_error = "the cable was out"
    text = "\n".join(summarize(monitor, written=[]))
    assert "dropped: 3 before they were read, 4 before processing" in text
    assert "the cable was out" in text


def test_the_demo_model_is_named_only_where_it_named_something(monitor: Monitor) -> None:
    run_for(0.4, monitor, QuietDisplay())
    monitor.statistics.events["blink"] = 1
    assert "demo model" not in "\n".join(summarize(monitor, written=[]))
    monitor.statistics.named = 1
    assert "demo model" in "\n".join(summarize(monitor, written=[]))


def test_file_names_are_no_markup(monitor: Monitor, capsys: pytest.CaptureFixture[str]) -> None:
    """Missed otherwise: `[bold].mp4` is told as `.mp4`."""
    PlainDisplay().summary(monitor, written=[Path("[bold]face[/].mp4")])
    assert "written: [bold]face[/].mp4\n" in capsys.readouterr().out
