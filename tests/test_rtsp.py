"""RTSP: a camera that freezes, dies, jumps, loses packets and refuses, and passwords that stay secret."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import cast
from urllib.parse import quote

import numpy as np
import pytest

from magnifyme.stream.address import encoded, host_and_port, redacted
from magnifyme.stream.errors import NotAVideo, SourceError, SourceNotFound, SourceRefused, SourceTimeout
from magnifyme.stream.frame import Frame
from magnifyme.stream.rtsp import RtspStream
from magnifyme.stream.source import open_source
from rtsp_camera import RtspCamera, gray_of

SECRET = "s3cr3t"


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Missed otherwise: a watch that cannot end, or one thread more with every reconnect."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def frames_of(stream: RtspStream, count: int) -> list[Frame]:
    return list(islice(stream, count))


def level(frame: Frame) -> float:
    """The gray of the flat upper half, which says what frame it is."""
    return float(np.mean(frame.luma[: frame.luma.shape[0] // 2 - 8]))


@contextmanager
def watching(camera: RtspCamera, *, timeout_s: float = 2.0) -> Iterator[RtspStream]:
    with RtspStream(camera.url, timeout_s=timeout_s) as stream:
        yield stream


# ---- the good case


def test_frames_arrive_soon_whole_and_in_time() -> None:
    """Missed otherwise: a second of black at the start, wrong sizes, or times that are not the camera's."""
    with RtspCamera(size=(160, 120), fps=30) as camera:
        start = time.monotonic()
        with open_source(camera.url) as source:
            stream = cast(RtspStream, source)
            frames = frames_of(stream, 1)
            assert time.monotonic() - start < 1.0
            frames += frames_of(stream, 30)
            assert stream.live
            assert stream.fps == 30
            assert stream.status == "live"
            assert (stream.reconnects, stream.dropped, stream.damaged) == (0, 0, 0)
        assert stream.status == "stopped"
    assert {frame.size for frame in frames} == {(160, 120)}
    assert {frame.epoch for frame in frames} == {0}
    assert [frame.sequence for frame in frames] == list(range(31))
    np.testing.assert_allclose(np.diff([frame.time for frame in frames]), 1 / 30, atol=1e-4)
    for number, frame in enumerate(frames):
        assert abs(level(frame) - gray_of(number)) < 3
    waits = np.array([frame.arrival - frame.time for frame in frames])
    assert np.median(waits) - waits.min() < 0.05  # nothing piles up


# ---- faults


def test_killed_camera_comes_back_in_a_new_epoch() -> None:
    """Missed otherwise: the watch ends, or filters bridge the hole, when a camera restarts."""
    with RtspCamera(fps=60) as camera, watching(camera) as stream:
        before = frames_of(stream, 10)
        camera.kill()
        back_at = time.monotonic() + 0.4
        restart = threading.Timer(0.4, camera.restart)
        restart.start()
        rest = []
        for frame in stream:
            rest.append(frame)
            if frame.epoch == 1 and len(rest) > 10:
                break
        restart.join()
        first = next(frame for frame in rest if frame.epoch == 1)
        assert first.arrival - back_at < 1.2
        assert stream.reconnects == 1
        assert "nothing listens" in str(stream.last_error)
        frames = before + rest
        assert all(later.time > earlier.time for earlier, later in pairwise(frames))
        # The hole is as long as it was.
        last = next(frame for frame in reversed(frames) if frame.epoch == 0)
        assert first.time - last.time == pytest.approx(first.arrival - last.arrival, abs=0.1)


@pytest.mark.parametrize("freeze_s", [0.5, 1.3])
def test_short_freeze_is_a_gap_in_time_and_nothing_else(freeze_s: float) -> None:
    """Missed otherwise: a picture after a freeze that counts as the next one: all its motion in one frame."""
    with RtspCamera(fps=60) as camera, watching(camera) as stream:
        frames = frames_of(stream, 10)
        camera.freeze()
        thaw = threading.Timer(freeze_s, camera.thaw)
        thaw.start()
        frames += frames_of(stream, 10)
        thaw.join()
        steps = np.diff([frame.time for frame in frames])
        assert freeze_s - 0.1 < steps.max() < freeze_s + 0.6
        assert np.sum(steps > 0.1) == 1
        assert stream.reconnects == 0
        assert {frame.epoch for frame in frames} == {0}
        offsets = [frame.time * 60 for frame in frames]
        assert all(abs(level(f) - gray_of(round(n))) < 3 for f, n in zip(frames, offsets, strict=True))


def test_long_freeze_stalls_and_begins_an_epoch() -> None:
    """Missed otherwise: a status that says live while nothing moves."""
    with RtspCamera(fps=60) as camera, watching(camera) as stream:
        frames_of(stream, 5)
        camera.freeze()
        deadline = time.monotonic() + 5
        while stream.status != "stalled" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert stream.status == "stalled"
        camera.thaw()
        frames = frames_of(stream, 15)
        assert frames[-1].epoch == 1
        assert stream.status == "live"


def test_silence_within_a_packet_tears_nothing() -> None:
    """Missed otherwise: a slow network's short pauses end the connection."""
    with RtspCamera(fps=60) as camera, watching(camera) as stream:
        frames = frames_of(stream, 10)
        camera.split_pause = 0.7
        frames += frames_of(stream, 30)
        assert stream.reconnects == 0
        assert stream.damaged == 0
        # What piled up comes at once: a slow machine may drop some of it, which is told.
        assert frames[-1].sequence + 1 - len(frames) <= stream.dropped
    assert {frame.epoch for frame in frames} == {0}
    for frame in frames:
        assert frame.time == pytest.approx(frame.sequence / 60, abs=1e-4)
        assert abs(level(frame) - gray_of(frame.sequence)) < 3


@pytest.mark.parametrize("jump", [-5.0, 30.0])
def test_camera_that_sets_its_clock(jump: float) -> None:
    """Missed otherwise: events in the past, or a filter fed with 30 s of nothing."""
    with RtspCamera(fps=60) as camera, watching(camera) as stream:
        frames = frames_of(stream, 10)
        camera.jump_seconds = jump
        frames += frames_of(stream, 20)
    assert frames[0].epoch == 0
    assert frames[-1].epoch == 1
    steps = np.diff([frame.time for frame in frames])
    assert steps.min() > 0
    assert steps.max() < 0.3


def test_camera_that_changes_its_size() -> None:
    with RtspCamera(size=(160, 120), fps=60) as camera, watching(camera) as stream:
        frames = frames_of(stream, 5)
        camera.resize((96, 64))
        frames += frames_of(stream, 30)
    assert {(frame.epoch, frame.size) for frame in frames} == {(0, (160, 120)), (1, (96, 64))}


def test_lost_packets_are_withheld_until_the_next_key_frame() -> None:
    """Missed otherwise: what the decoder invents for lost packets is motion, magnified and named."""
    with RtspCamera(key_every=10, fps=60) as camera, watching(camera) as stream:
        frames = frames_of(stream, 13)
        camera.lose = 1
        frames += frames_of(stream, 20)
        holes = [(a.sequence, b.sequence) for a, b in pairwise(frames) if b.sequence != a.sequence + 1]
        assert len(holes) == 1
        last, following = holes[0]
        assert following % 10 == 0
        assert stream.damaged == following - last - 1 > 0
    assert not any(frame.damaged for frame in frames)
    assert all(abs(level(frame) - gray_of(frame.sequence)) < 3 for frame in frames)


# ---- stopping


@pytest.mark.parametrize("state", ["frozen", "killed", "silent after a restart"])
def test_stop_ends_at_once_whatever_the_camera_does(state: str) -> None:
    """Missed otherwise: Ctrl-C that does nothing."""
    with RtspCamera(fps=60) as camera, watching(camera, timeout_s=1.2) as stream:
        frames_of(stream, 5)
        if state == "frozen":
            camera.freeze()
        else:
            camera.kill()
            if state.startswith("silent"):
                camera.silent = True
                camera.restart()
        stopped_at = 0.0

        def stop() -> None:
            nonlocal stopped_at
            time.sleep(0.7)
            stopped_at = time.monotonic()
            stream.stop()

        stopper = threading.Thread(target=stop)
        stopper.start()
        for _ in stream:
            pass
        assert time.monotonic() - stopped_at < 0.5
        stopper.join()
        start = time.monotonic()
        stream.close()
        assert time.monotonic() - start < 2.5


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux lists them")
@pytest.mark.parametrize("end", ["closed", "refused", "not found", "nothing there", "silent", "lost"])
def test_nothing_leaks(end: str) -> None:
    """Missed otherwise: a watch that dies after a thousand reconnects, for want of files or threads."""

    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    with RtspCamera(fps=60, login=("joe", "x")) as camera:
        url = f"rtsp://joe:x@{camera.host}/" + ("other" if end == "not found" else "cam")
        if end == "refused":
            url = camera.url

        def once() -> None:
            if end in ("closed", "lost"):
                with RtspStream(url, timeout_s=2) as stream:
                    assert frames_of(stream, 1)
                    if end == "lost":
                        camera.kill()
                        camera.restart()
                        next(frame for frame in stream if frame.epoch == 1)
            else:
                with pytest.raises(SourceError):
                    RtspStream(url, timeout_s=0.2 if end == "silent" else 2)

        if end == "nothing there":
            camera.kill()
        camera.silent = end == "silent"
        once()  # libraries keep what they need for good
        before = settled(held)
        for _ in range(8 if end in ("silent", "lost") else 20):
            once()
        after = settled(held)
        assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


def settled(count: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """Count until two counts in a row are equal: the camera's side of a connection ends a little later."""
    last = count()
    for _ in range(20):
        time.sleep(0.2)
        now = count()
        if now == last:
            break
        last = now
    return last


# ---- refusals


@contextmanager
def answering(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """Serve something that is no RTSP; gives host and port."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # that is how closing the server looks from here
                while True:
                    connection, _ = server.accept()
                    kept.append(connection)
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in kept:
        connection.close()


def refusal(url: str, error: type[SourceError], *, timeout_s: float = 1.0) -> str:
    """Open what must be refused with this error, in one line, within the time; gives the line."""
    start = time.monotonic()
    with pytest.raises(SourceError) as caught:
        open_source(url, timeout_s=timeout_s)
    assert time.monotonic() - start < 2 * timeout_s + 1
    assert type(caught.value) is error
    text = str(caught.value)
    assert "\n" not in text
    everything = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert SECRET not in everything
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return text


@pytest.mark.parametrize("digest", [False, True], ids=["basic", "digest"])
def test_wrong_and_missing_password(digest: bool) -> None:
    with RtspCamera(login=("joe", "right"), digest=digest) as camera:
        assert "401" in refusal(f"rtsp://joe:{SECRET}@{camera.host}/cam", SourceRefused)
        assert "USER:PASSWORD" in refusal(camera.url, SourceRefused)


@pytest.mark.parametrize("digest", [False, True], ids=["basic", "digest"])
@pytest.mark.parametrize("password", ["plain", "p@ss", "a/b?c#d", "50%", "a%40b", "a:b&c+d =", "größe"])
def test_passwords_of_all_kinds_open(password: str, digest: bool) -> None:
    """Missed otherwise: a right password, refused because of a sign in it."""
    with (
        RtspCamera(login=("joe", "a@b" if password == "a%40b" else password), digest=digest) as camera,
        RtspStream(f"rtsp://joe:{password}@{camera.host}/cam", timeout_s=2) as stream,
    ):
        assert frames_of(stream, 1)
        assert password not in stream.name or password == "plain"


def test_no_such_stream() -> None:
    with RtspCamera() as camera:
        text = refusal(f"rtsp://joe:{SECRET}@{camera.host}/other", SourceNotFound)
    assert "404" in text
    assert "other" in text


def test_server_in_trouble_and_server_that_says_no() -> None:
    with RtspCamera() as camera:
        camera.answer = b"RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n"
        assert "trouble" in refusal(f"rtsp://joe:{SECRET}@{camera.host}/cam", SourceError)
        camera.answer = b"RTSP/1.0 403 Forbidden\r\nCSeq: 1\r\n\r\n"
        assert "says no" in refusal(f"rtsp://joe:{SECRET}@{camera.host}/cam", SourceRefused)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    text = refusal(f"rtsp://joe:{SECRET}@127.0.0.1:{port}/cam", SourceNotFound)
    assert f"nothing listens at 127.0.0.1:{port}" in text


def test_no_such_host() -> None:
    text = refusal(f"rtsp://joe:{SECRET}@camera.invalid/cam", SourceNotFound, timeout_s=20)
    assert "camera.invalid cannot be found" in text


def test_silent_server() -> None:
    with answering(lambda connection: None) as host:
        text = refusal(f"rtsp://joe:{SECRET}@{host}/cam", SourceTimeout, timeout_s=0.7)
    assert "0.7 s" in text


def test_server_that_speaks_something_else() -> None:
    def web_page(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n<html>hello</html>")
        connection.close()

    with answering(web_page) as host:
        assert "does not speak RTSP" in refusal(f"rtsp://joe:{SECRET}@{host}/cam", NotAVideo)


def test_unknown_option_is_told() -> None:
    """Missed otherwise: FFmpeg takes `stimeout` in silence, and a frozen camera hangs for ever."""
    with pytest.raises(SourceError, match="unknown RTSP option 'stimeout'"):
        RtspStream("rtsp://127.0.0.1/cam", options={"stimeout": "1"})


# ---- passwords


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"rtsp://joe:{SECRET}@host:554/cam", "rtsp://joe:***@host:554/cam"),
        (f"rtsp://joe:{SECRET}@x/y?z#{SECRET}@host/cam", "rtsp://joe:***@host/cam"),
        (f"rtsp://joe:{SECRET}/{SECRET}@host/cam", "rtsp://joe:***@host/cam"),
        (f"rtsp://joe:123/{SECRET}@host/cam", "rtsp://joe:***@host/cam"),
        (f"rtsp://{SECRET}@host/cam", "rtsp://***@host/cam"),
        (f"rtsp://host/cam?user=joe&password={SECRET}&ch=1", "rtsp://host/cam?user=joe&password=***&ch=1"),
        (f"rtsp://host/user=joe_password={SECRET}_ch=1", "rtsp://host/user=joe_password=***"),
        (f"rtsp://host/cam?token={SECRET}", "rtsp://host/cam?token=***"),
        (f"rtsp://host/cam?password={SECRET}/{SECRET}&ch=1", "rtsp://host/cam?password=***&ch=1"),
        (f"rtsp://host/cam?pwd={SECRET}?{SECRET};ch=1", "rtsp://host/cam?pwd=***;ch=1"),
        (f"rtsp://host/cam?pwd={SECRET} {SECRET}#1", "rtsp://host/cam?pwd=***#1"),
        (f"rtsp://host/pwd={SECRET}/cam?psw={SECRET}", "rtsp://host/pwd=***/cam?psw=***"),
        ("rtsp://10.0.0.5:554/stream@1", "rtsp://10.0.0.5:554/stream@1"),
        ("rtsp://[fe80::1]:554/a", "rtsp://[fe80::1]:554/a"),
        ("face.mp4", "face.mp4"),
    ],
)
def test_redacted(url: str, shown: str) -> None:
    assert redacted(url) == shown
    assert SECRET not in host_and_port(url)


@pytest.mark.parametrize("password", ["a@b", "a/b", "a?b", "a#b", "a b", "50%", "%zz", "a@b@c"])
def test_encoded(password: str) -> None:
    assert encoded(f"rtsp://joe:{password}@host/cam") == f"rtsp://joe:{quote(password, safe='')}@host/cam"
    assert encoded(f"rtsp://joe:{quote(password, safe='')}@host/cam") == encoded(
        f"rtsp://joe:{password}@host/cam"
    )


def test_encoded_leaves_hosts_alone() -> None:
    for url in ("rtsp://host/a@b", "rtsp://10.0.0.5:554/a@b", "rtsp://[::1]:554/a%20b?c=d"):
        assert encoded(url) == url


def test_password_is_nowhere_while_a_stream_runs_and_breaks(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Missed otherwise: what other systems were blamed for: camera passwords in logs and on screens."""
    caplog.set_level(logging.DEBUG)
    texts = []
    with RtspCamera(login=("joe", SECRET)) as camera:
        url = f"rtsp://joe:{SECRET}@{camera.host}/cam"
        with RtspStream(url, timeout_s=2) as stream:
            frames_of(stream, 5)
            camera.login = ("joe", "changed")
            camera.kill()
            camera.restart()
            deadline = time.monotonic() + 3
            while "401" not in str(stream.last_error) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert "401" in str(stream.last_error)
            texts += [stream.name, repr(stream), str(stream.last_error), *stream.warnings, stream.status]
            texts += [thread.name for thread in threading.enumerate()]
    captured = capfd.readouterr()
    for text in [*texts, captured.out, captured.err, caplog.text]:
        assert SECRET not in text


# ---- somebody else's server


@contextmanager
def gstreamer(*login: str) -> Iterator[str]:
    """Run GStreamer's server; gives host and port. Skips where there is none, unless that is forbidden."""
    script = Path(__file__).with_name("gst_server.py")
    python = "/usr/bin/python3"
    try:
        probe = "import gi; gi.require_version('GstRtspServer', '1.0'); import gi.repository.GstRtspServer"
        subprocess.run([python, "-c", probe], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        if os.environ.get("MAGNIFYME_REQUIRE_GSTREAMER") == "1":
            pytest.fail("GStreamer's RTSP server is required here, but cannot be imported")
        pytest.skip("GStreamer's RTSP server is not installed (see tests/gst_server.py)")
    command = [python, str(script), *login]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def test_gstreamer_stream() -> None:
    """Missed otherwise: a source that understands our own test camera only."""
    with gstreamer() as host:
        start = time.monotonic()
        with RtspStream(f"rtsp://{host}/test") as stream:
            frames = frames_of(stream, 1)
            assert time.monotonic() - start < 3
            assert stream.fps == 25
            frames += frames_of(stream, 30)
            assert stream.damaged == 0
    assert {frame.size for frame in frames} == {(320, 240)}
    np.testing.assert_allclose(np.diff([frame.time for frame in frames]), 0.04, atol=0.002)
    assert frames[-1].arrival - frames[0].arrival == pytest.approx(1.2, abs=0.3)


def test_gstreamer_password() -> None:
    with gstreamer("joe", "p@ss/word") as host:
        with RtspStream(f"rtsp://joe:p@ss%2Fword@{host}/test") as stream:
            assert frames_of(stream, 1)
        assert "401" in refusal(f"rtsp://joe:{SECRET}@{host}/test", SourceRefused)
        assert "404" in refusal(f"rtsp://joe:p%40ss%2Fword@{host}/other", SourceNotFound)
