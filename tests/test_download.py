"""Fetching a file: what a user on a bad line, a full disk or a wrong address would meet."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from magnifyme.models.download import cache_dir, fetch
from magnifyme.models.errors import ModelError

CONTENT = np.random.default_rng(1).bytes(300_007)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT; `faults` says how each coming request goes wrong, `ranges` what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[str] = []
        self.ranges: list[str | None] = []
        self.knows_ranges = True
        self.content = CONTENT

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/model.onnx"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        fault = self.server.faults.pop(0) if self.server.faults else ""
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if fault == "nonsense":
            self.wfile.write(b"220 this is another service\r\n")
            return
        if fault == "404":
            self.send_error(404)
            return
        content, start = self.server.content, 0
        if asked and self.server.knows_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if fault == "cut":
            self.wfile.write(rest[: len(rest) // 2])
        elif fault == "nothing":
            pass
        elif fault == "silent":
            self.wfile.write(rest[:1000])
            self.wfile.flush()
            time.sleep(1.0)
        elif fault == "trickle":
            for index in range(0, len(rest), 100):
                try:
                    self.wfile.write(rest[index : index + 100])
                except OSError:
                    return
                time.sleep(0.02)
        else:
            self.wfile.write(rest)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(server: Server, path: Path, *, sha256: str = SHA256, timeout_s: float = 5.0) -> Path:
    return fetch(server.url, sha256=sha256, path=path, timeout_s=timeout_s)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_arrives_once_and_nothing_else_is_left(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "model.onnx"
    told: list[tuple[int, int | None]] = []
    fetch(server.url, sha256=SHA256, path=path, progress=lambda have, total: told.append((have, total)))
    assert path.read_bytes() == CONTENT
    assert files(path.parent) == ["model.onnx"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [have for have, _ in told] == sorted({have for have, _ in told})
    get(server, path)
    assert len(server.ranges) == 1, "a file that is there was fetched again"


def test_a_spoilt_file_in_the_cache_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(CONTENT[:-1] + b"?")
    assert get(server, path).read_bytes() == CONTENT


def test_a_line_that_breaks_off_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.faults = ["cut", "cut"]
    path = get(server, tmp_path / "model.onnx")
    assert path.read_bytes() == CONTENT
    assert server.ranges[0] is None
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in server.ranges[1:] if asked]
    assert starts == [150_003, 225_005]


def test_the_next_call_goes_on_where_the_last_gave_up(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    server.faults = ["cut", "nothing", "nothing"]
    with pytest.raises(ModelError, match="150003 bytes"):
        get(server, path)
    assert files(tmp_path) == ["model.onnx.part"]
    server.faults, server.ranges = [], []
    assert get(server, path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=150003-"]
    assert files(tmp_path) == ["model.onnx"]


def test_what_a_killed_process_left_is_taken_over_but_not_what_a_living_one_writes(
    server: Server, tmp_path: Path
) -> None:
    dead, alive = tmp_path / "model.onnx.1-dead.part", tmp_path / "model.onnx.2-alive.part"
    dead.write_bytes(CONTENT[:1000])
    os.utime(dead, (time.time() - 3600,) * 2)
    alive.write_bytes(CONTENT[:2000])
    get(server, tmp_path / "model.onnx")
    assert server.ranges == ["bytes=1000-"]
    assert files(tmp_path) == ["model.onnx", "model.onnx.2-alive.part"]


def test_a_server_without_ranges_sends_the_whole_file_again(server: Server, tmp_path: Path) -> None:
    server.knows_ranges = False
    (tmp_path / "model.onnx.part").write_bytes(b"x" * 1000)
    assert get(server, tmp_path / "model.onnx").read_bytes() == CONTENT


@pytest.mark.parametrize("stale", [b"x" * 1000, b"x" * 400_000], ids=["shorter", "longer than the file"])
def test_a_part_of_another_version_does_not_stand_in_the_way(
    server: Server, tmp_path: Path, stale: bytes
) -> None:
    (tmp_path / "model.onnx.part").write_bytes(stale)
    assert get(server, tmp_path / "model.onnx").read_bytes() == CONTENT


def test_two_fetches_at_once_both_succeed(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    server.faults = ["cut"] * 3
    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(get, server, path) for _ in range(6)]:
            assert future.result().read_bytes() == CONTENT
    assert files(tmp_path) == ["model.onnx"]


def assert_one_line(error: pytest.ExceptionInfo[ModelError]) -> None:
    assert "\n" not in str(error.value)


def test_another_content_than_promised_is_never_used(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(ModelError, match="another file than expected.*" + SHA256) as error:
        get(server, tmp_path / "model.onnx")
    assert_one_line(error)
    assert files(tmp_path) == []


def test_an_address_that_is_gone_is_told(server: Server, tmp_path: Path) -> None:
    server.faults = ["404"]
    with pytest.raises(ModelError, match=r"model\.onnx answers 404 Not Found") as error:
        get(server, tmp_path / "model.onnx")
    assert_one_line(error)
    assert files(tmp_path) == []


def test_a_server_that_is_none_is_told(server: Server, tmp_path: Path) -> None:
    server.faults = ["nonsense"]
    with pytest.raises(ModelError, match="does not answer as a web server does") as error:
        get(server, tmp_path / "model.onnx")
    assert_one_line(error)
    assert files(tmp_path) == []


def test_offline_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/model.onnx"
        begin = time.monotonic()
        with pytest.raises(ModelError, match=r"refused; is this machine offline\?") as error:
            fetch(url, sha256=SHA256, path=tmp_path / "model.onnx")
    assert time.monotonic() - begin < 2.0
    assert_one_line(error)


def test_a_silent_server_does_not_hold_the_start_up(server: Server, tmp_path: Path) -> None:
    server.faults = ["silent"] * 9
    begin = time.monotonic()
    with pytest.raises(ModelError, match="in time"):
        fetch(server.url, sha256=SHA256, path=tmp_path / "model.onnx", timeout_s=0.1, limit_s=0.4)
    assert time.monotonic() - begin < 1.0


def test_a_server_that_trickles_does_not_either(server: Server, tmp_path: Path) -> None:
    server.faults = ["trickle"]
    begin = time.monotonic()
    with pytest.raises(ModelError, match="time limit is over"):
        fetch(server.url, sha256=SHA256, path=tmp_path / "model.onnx", timeout_s=5.0, limit_s=0.3)
    assert time.monotonic() - begin < 1.0


def test_a_full_disk_is_told_before_it_is_full(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int = 1000

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    with pytest.raises(ModelError, match=r"no room for .*MAGNIFYME_CACHE") as error:
        get(server, tmp_path / "model.onnx")
    assert_one_line(error)
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match=r"cannot write to .*MAGNIFYME_CACHE"):
        get(server, tmp_path / "file" / "model.onnx")


def test_offline_by_wish_asks_nobody(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNIFYME_OFFLINE", "1")
    with pytest.raises(ModelError, match="MAGNIFYME_OFFLINE"):
        get(server, tmp_path / "model.onnx")
    assert server.ranges == []
    (tmp_path / "model.onnx").write_bytes(CONTENT)
    assert get(server, tmp_path / "model.onnx").read_bytes() == CONTENT


def test_the_cache_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGNIFYME_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("MAGNIFYME_CACHE")
    assert cache_dir().name == "magnifyme"
