"""The event stores: what was reported must be found again, whatever happened since."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from magnifyme.stream.errors import StoreError
from magnifyme.stream.events import SCHEMA_VERSION, Event, open_store, read_events

NAMES = ["events.db", "events.jsonl"]


def make_event(rng: np.random.Generator) -> Event:
    onset, rise, fall = rng.uniform(0.0, 1e5), *rng.uniform(0.0, 0.3, 2)
    labels = ["anger", "disgust", 'a "quoted"\nlabel', "überraschung 😮"]
    shares = rng.dirichlet(np.ones(len(labels)))
    return Event(
        stream=str(rng.choice(["camera 0", "rtsp://host/Straße", "a,b;c'd\\e"])),
        track=int(rng.integers(0, 2**40)),
        onset=onset,
        apex=onset + rise,
        offset=onset + rise + fall,
        kind=str(rng.choice(["micro", "macro", "blink"])),
        label=None if rng.random() < 0.3 else str(rng.choice(labels)),
        probabilities={} if rng.random() < 0.3 else dict(zip(labels, map(float, shares), strict=True)),
        intensity_px=float(rng.exponential()),
        model_id="vgg16-demo@3f2a",
        made_faces=bool(rng.random() < 0.5),
        wall_time="2026-11-23T12:34:56.789+00:00",
        run_start="2026-11-23T12:30:00.000+00:00",
        motion={"chin": [float(x) for x in rng.normal(size=2)]} if rng.random() < 0.7 else {},
        action_units=[26, 25] if rng.random() < 0.7 else [],
        confidence=float(rng.random()) if rng.random() < 0.7 else None,
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_field_comes_back_exactly(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """A reader would otherwise compare times and intensities that were rounded on the way."""
    events = [make_event(rng) for _ in range(40)]
    with open_store(tmp_path / name) as store:
        for event in events:
            store.add(event)
    assert read_events(tmp_path / name) == events
    assert type(read_events(tmp_path / name)[0].made_faces) is bool


@pytest.mark.parametrize("name", NAMES)
def test_files_of_before_are_read_and_go_on(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Events once had neither motion, nor action units, nor a confidence: those files are somebody's work."""
    path, later = tmp_path / name, ("motion", "action_units", "confidence")
    old = replace(make_event(rng), motion={}, action_units=[], confidence=None)
    new = replace(make_event(rng), motion={"chin": [0.0, 0.5]}, action_units=[26], confidence=0.9)
    with open_store(path) as store:
        store.add(old)
    if name.endswith(".db"):
        with closing(sqlite3.connect(path)) as connection:
            for column in later:
                connection.execute(f"ALTER TABLE events DROP COLUMN {column}")
    else:
        values = json.loads(path.read_text())
        path.write_text(json.dumps({key: value for key, value in values.items() if key not in later}) + "\n")
    assert read_events(path) == [old]
    with open_store(path) as store:
        store.add(new)
    assert read_events(path) == [old, new]


@pytest.mark.parametrize("name", NAMES)
def test_an_existing_store_goes_on(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Yesterday's events must not be lost by watching again today."""
    events = [make_event(rng) for _ in range(6)]
    for pair in (events[:3], events[3:5], [], events[5:]):
        with open_store(str(tmp_path / name)) as store:
            for event in pair:
                store.add(event)
    assert read_events(str(tmp_path / name)) == events


@pytest.mark.parametrize("name", NAMES)
def test_readers_see_each_event_at_once(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """A second program watches the file while the stream goes on, and never waits or locks it."""
    path = tmp_path / name
    with open_store(path) as store:
        assert read_events(path) == []
        seen = []
        for _ in range(5):
            seen.append(make_event(rng))
            store.add(seen[-1])
            assert read_events(path) == seen
        if name.endswith(".db"):
            # A reader in the middle of its transaction holds nothing up.
            reader = sqlite3.connect(path, isolation_level=None)
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM events").fetchone() == (5,)
            store.add(make_event(rng))
            reader.close()


@pytest.mark.parametrize("name", NAMES)
def test_threads_may_add_together(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """The monitor names expressions on a thread that did not open the store."""
    events = [replace(make_event(rng), track=k) for k in range(60)]
    errors: list[BaseException] = []
    with open_store(tmp_path / name) as store:

        def add(part: list[Event]) -> None:
            try:
                for event in part:
                    store.add(event)
            except BaseException as error:  # noqa: BLE001 - shown below
                errors.append(error)

        threads = [threading.Thread(target=add, args=(events[k::4],)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    found = read_events(tmp_path / name)
    assert sorted(found, key=lambda event: event.track) == events
    for k in range(4):
        assert [event for event in found if event.track % 4 == k] == events[k::4]


_CRASH = """
import sys
from dataclasses import replace
from magnifyme.stream.events import Event, open_store
event = Event("s", 0, 1.0, 1.1, 1.3, "micro", "anger", {"anger": 1.0}, 0.5, "m", True, "now", "then")
store = open_store(sys.argv[1])
for number in range(10**6):
    store.add(replace(event, track=number))
    print(number, flush=True)
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
def test_what_was_added_survives_a_kill(name: str, tmp_path: Path) -> None:
    """An event that the user saw on the screen is in the file, even if the machine room pulls the plug."""
    path = tmp_path / name
    process = subprocess.Popen([sys.executable, "-c", _CRASH, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    reported = -1
    for line in process.stdout:
        reported = int(line)
        if reported == 25:
            process.send_signal(signal.SIGKILL)
            break
    rest = process.stdout.read().split()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    reported = int(rest[-1]) if rest else reported
    found = [event.track for event in read_events(path)]
    assert found[: reported + 1] == list(range(reported + 1))
    assert len(found) <= reported + 2  # at most the one that was being reported
    with open_store(path) as store:
        store.add(Event("s", -1, 1.0, 1.0, 1.0, "blink", None, {}, 0.0, "m", False, "later", "then"))
    assert [event.track for event in read_events(path)] == [*found, -1]


def test_a_line_cut_short_is_mended(tmp_path: Path, rng: np.random.Generator) -> None:
    """After a power cut the next run writes whole lines again, and loses none of the earlier."""
    events = [make_event(rng) for _ in range(3)]
    path = tmp_path / "events.jsonl"
    with open_store(path) as store:
        for event in events[:2]:
            store.add(event)
    whole = path.read_bytes()
    torn = json.dumps(asdict(events[2])).encode()
    for length in (1, 7, len(torn) // 2, len(torn) - 1):
        path.write_bytes(whole + torn[:length])
        assert read_events(path) == events[:2]
        with open_store(path) as store:
            store.add(events[2])
        assert read_events(path) == events
        path.write_bytes(whole)


def test_a_last_line_without_its_end_is_an_event(tmp_path: Path, rng: np.random.Generator) -> None:
    """Editors and copies leave the last line end out: no event may be lost for it, nor joined to the next."""
    events = [make_event(rng) for _ in range(3)]
    path = tmp_path / "events.jsonl"
    with open_store(path) as store:
        for event in events[:2]:
            store.add(event)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert read_events(path) == events[:2]
    open_store(path).close()
    assert read_events(path) == events[:2]
    with open_store(path) as store:
        store.add(events[2])
    assert read_events(path) == events


def test_lines_are_plain_json(tmp_path: Path, rng: np.random.Generator) -> None:
    """jq and pandas read it: one object a line, no NaN, no escapes for umlauts."""
    event = replace(make_event(rng), label="überraschung", probabilities={"überraschung": 0.25})
    path = tmp_path / "events.jsonl"
    with open_store(path) as store:
        store.add(event)
    (line,) = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == asdict(event)
    assert "überraschung" in line


def test_events_that_no_reader_could_use_are_refused(rng: np.random.Generator) -> None:
    event = make_event(rng)
    with pytest.raises(ValueError, match="order"):
        replace(event, apex=event.offset + 1.0)
    with pytest.raises(ValueError, match="finite"):
        replace(event, intensity_px=float("nan"))
    with pytest.raises(ValueError, match="finite"):
        replace(event, probabilities={"anger": float("inf")})


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_written_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    folder = tmp_path / f"folder{Path(name).suffix}"
    folder.mkdir()
    for path, wanted in ((tmp_path / "missing" / name, "no folder"), (folder, "is a folder or")):
        with pytest.raises(StoreError, match=wanted) as caught:
            open_store(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    if os.name == "posix" and os.geteuid() != 0:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        with pytest.raises(StoreError, match="closed"):
            open_store(closed / name)
    with pytest.raises(StoreError, match="no such file"):
        read_events(tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", NAMES)
def test_files_of_others_are_left_alone(name: str, tmp_path: Path) -> None:
    """A slip in the file name must not cost somebody a file."""
    path = tmp_path / name
    contents = [
        b"Dear diary,\ntoday nothing moved.\n" * 40,
        b"no newline at all",
        b'{"a": 1}\n',
        b'{"a": 1}',
        b'{"stream": "stdout", "log": "of another program"}',
        b"\x00" * 5000,
    ]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(StoreError):
            open_store(path)
        with pytest.raises(StoreError):
            read_events(path)
        assert path.read_bytes() == content
    assert sorted(item.name for item in tmp_path.iterdir()) == [name]


def test_databases_of_others_and_of_newer_versions_are_left_alone(tmp_path: Path) -> None:
    foreign, newer, older = (tmp_path / name for name in ("other.db", "newer.db", "older.db"))
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE events (id)")
    connection.close()
    for path, version in ((newer, SCHEMA_VERSION + 1), (older, SCHEMA_VERSION - 1)):
        open_store(path).close()
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
    for path, wanted in (
        (foreign, "another program"),
        (newer, f"version {SCHEMA_VERSION + 1}.*update"),
        (older, f"version {SCHEMA_VERSION - 1}.*another path"),
    ):
        before = path.read_bytes()
        with pytest.raises(StoreError, match=wanted):
            open_store(path)
        with pytest.raises(StoreError, match=wanted):
            read_events(path)
        assert path.read_bytes() == before


def test_the_database_is_what_it_says(tmp_path: Path, rng: np.random.Generator) -> None:
    """Any SQLite tool can read it: WAL, a version, plain columns, probabilities as JSON."""
    event = replace(make_event(rng), probabilities={"anger": 0.75, "disgust": 0.25})
    path = tmp_path / "events"
    store = open_store(path)
    store.add(event)
    reader = sqlite3.connect(path)
    assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert reader.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    row = reader.execute(
        "SELECT \"offset\" - onset, json_extract(probabilities, '$.anger') FROM events"
    ).fetchone()
    assert row == (pytest.approx(event.offset - event.onset), 0.75)
    reader.close()
    store.close()
    assert [item.name for item in tmp_path.iterdir()] == ["events"], "closing leaves one file"


@pytest.mark.parametrize("name", NAMES)
def test_a_closed_store_says_so(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    store = open_store(tmp_path / name)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.add(make_event(rng))


def test_two_programs_may_make_the_same_database(tmp_path: Path, rng: np.random.Generator) -> None:
    """Two cameras, one file."""
    path = tmp_path / "events.db"
    with open_store(path) as one, open_store(path) as other:
        one.add(make_event(rng))
        other.add(make_event(rng))
    assert len(read_events(path)) == 2


_FULL = """
import resource, signal, sys
from magnifyme.stream.errors import StoreError
from magnifyme.stream.events import Event, open_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
event = Event("s", 0, 1.0, 1.1, 1.3, "micro", "anger", {"anger": 1.0}, 0.5, "m" * 500, True, "now", "then")
store = open_store(sys.argv[1])
for number in range(1000):
    try:
        store.add(event)
    except StoreError as error:
        print(number, error)
        break
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(os.name != "posix", reason="limits of a process are of POSIX")
def test_a_full_disk_is_told_and_spoils_nothing(name: str, tmp_path: Path) -> None:
    """Otherwise the stream would go on for a night with nothing kept."""
    path = tmp_path / name
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    number, message = done.stdout.strip().split(" ", 1)
    assert "cannot be written" in message
    assert len(read_events(path)) == int(number) > 5
