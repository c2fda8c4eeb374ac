"""Sources that are no network: files, folders of pictures, cameras, and the clock they share."""

from __future__ import annotations

import re
import struct
import sys
import threading
import time
import wave
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.stream import live_source
from magnifyme.stream.camera import Camera, OpenCvConnection
from magnifyme.stream.demuxer import Picture
from magnifyme.stream.errors import NotAVideo, SourceError, SourceNotFound, SourceRefused
from magnifyme.stream.frame import Frame
from magnifyme.stream.image_folder import ImageFolder
from magnifyme.stream.live_source import LiveSource
from magnifyme.stream.source import open_source
from magnifyme.stream.timeline import Timeline
from magnifyme.stream.video_file import VideoFile

Luma = NDArray[np.uint8]


def noise(rng: np.random.Generator, *, frames: int, size: tuple[int, int]) -> Luma:
    """Make [T, H, W] of noise: any mixed-up row, column, frame or stride shows."""
    return rng.integers(0, 256, (frames, size[1], size[0]), np.uint8)


def write_video(
    path: Path,
    lumas: Luma,
    *,
    fps: int = 25,
    codec: str = "ffv1",
    pixels: str = "gray",
    times_ms: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write [T, H, W] luma, without loss unless `options` say otherwise."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = lumas.shape[1:]
        stream.pix_fmt = pixels
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, luma in enumerate(lumas):
            picture = av.VideoFrame.from_ndarray(luma, "gray")
            if pixels != "gray":
                picture = planar(picture, pixels)
            picture.pts = number if times_ms is None else times_ms[number]
            picture.time_base = Fraction(1, fps) if times_ms is None else Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def planar(gray: av.VideoFrame, pixels: str) -> av.VideoFrame:
    """Put exact gray values into the luma plane of another format, with flat chroma."""
    picture = av.VideoFrame(gray.width, gray.height, pixels)
    for index, plane in enumerate(picture.planes):
        values = np.full((plane.height, plane.line_size), 128, np.uint8)
        if index == 0:
            values[:, : gray.width] = gray.to_ndarray()
        plane.update(values.tobytes())
    return picture


class Coding(TypedDict):
    """How to write a video."""

    codec: str
    pixels: str
    options: dict[str, str]


EXACT: Coding = {"codec": "libx264", "pixels": "yuv420p", "options": {"qp": "0", "bf": "2"}}
IN_ORDER: Coding = {"codec": "libx264", "pixels": "yuv420p", "options": {"qp": "0", "bf": "0"}}


def check_equal(frames: Sequence[Frame], lumas: Luma) -> None:
    assert len(frames) == len(lumas)
    for frame, luma in zip(frames, lumas, strict=True):
        np.testing.assert_array_equal(frame.luma, luma)


# ---- files


@pytest.mark.parametrize("size", [(64, 48), (62, 34), (130, 2)])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_file_gives_every_sample_and_every_frame(
    tmp_path: Path, rng: np.random.Generator, size: tuple[int, int], name: str
) -> None:
    """Missed otherwise: dropped or doubled frames, and resampled pictures."""
    lumas = noise(rng, frames=23, size=size)
    with open_source(write_video(tmp_path / name, lumas, **EXACT)) as source:
        assert source.fps == pytest.approx(25)
        assert not source.live
        frames = list(source)
        assert source.status == "ended"
    check_equal(frames, lumas)
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(23)], abs=1.1e-3)
    assert [frame.sequence for frame in frames] == list(range(23))
    assert {frame.epoch for frame in frames} == {0}
    assert not any(frame.luma.flags.writeable for frame in frames)


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (7, 61)])
def test_odd_sizes(tmp_path: Path, rng: np.random.Generator, size: tuple[int, int]) -> None:
    """Missed otherwise: padding read as picture where the width is no multiple of anything."""
    lumas = noise(rng, frames=3, size=size)
    with VideoFile(write_video(tmp_path / "odd.mkv", lumas)) as source:
        frames = list(source)
    check_equal(frames, lumas)
    assert frames[0].size == size


def test_time_is_the_files_own(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: telephones record at a changing rate; onset and offset would be wrong."""
    times_ms = [500, 533, 566, 620, 700, 701, 1900, 5000, 5033]
    lumas = noise(rng, frames=len(times_ms), size=(16, 16))
    with VideoFile(write_video(tmp_path / "vfr.mkv", lumas, times_ms=times_ms)) as source:
        frames = list(source)
    assert [frame.time for frame in frames] == pytest.approx([(t - 500) / 1000 for t in times_ms], abs=1e-9)
    assert {frame.epoch for frame in frames} == {0}


def test_missing_times_are_filled_in_from_the_rate(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: raw H.264, as cameras dump it, stands still at time 0."""
    lumas = noise(rng, frames=12, size=(32, 32))
    path = write_video(tmp_path / "raw.h264", lumas, **IN_ORDER)
    with VideoFile(path) as source:
        frames = list(source)
    check_equal(frames, lumas)
    steps = np.diff([frame.time for frame in frames])
    np.testing.assert_allclose(steps, 1 / 25, atol=1e-6)


def test_change_of_size_begins_an_epoch(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: filters that mix pictures of two sizes, or crash."""
    both = [noise(rng, frames=5, size=size) for size in ((32, 48), (64, 16))]
    parts = [write_video(tmp_path / f"{n}.h264", lumas, **IN_ORDER) for n, lumas in enumerate(both)]
    joined = tmp_path / "joined.h264"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with VideoFile(joined) as source:
        frames = list(source)
    assert [frame.size for frame in frames] == [(32, 48)] * 5 + [(64, 16)] * 5
    assert [frame.epoch for frame in frames] == [0] * 5 + [1] * 5
    check_equal(frames[5:], both[1])


@pytest.mark.parametrize(("matrix", "quarters"), [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2)])
def test_telephone_portrait_comes_upright(
    tmp_path: Path, rng: np.random.Generator, matrix: tuple[int, ...], quarters: int
) -> None:
    """Missed otherwise: faces that lie on their side, which no detector finds."""
    lumas = noise(rng, frames=4, size=(64, 32))
    path = write_video(tmp_path / "phone.mp4", lumas, **EXACT)
    data = bytearray(path.read_bytes())
    # The matrix of the track header: a b u, c d v, x y w, after 40 bytes of other fields.
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    with VideoFile(path) as source:
        frames = list(source)
    check_equal(frames, np.rot90(lumas, quarters, axes=(1, 2)))
    assert frames[0].bgr().shape[:2] == frames[0].luma.shape
    with VideoFile(path, upright=False) as source:
        check_equal(list(source), lumas)


def test_damage_shows_until_the_next_key_frame(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: concealed errors are false motion that is magnified and named."""
    lumas = noise(rng, frames=40, size=(64, 48))
    path = write_video(
        tmp_path / "a.h264",
        lumas,
        codec="libx264",
        pixels="yuv420p",
        options={"crf": "20", "bf": "0", "g": "10", "sc_threshold": "0", "x264-params": "slices=1:keyint=10"},
    )
    data = bytearray(path.read_bytes())
    predicted = [match.start() for match in re.finditer(rb"\x00\x00\x01\x41", data)]
    at = predicted[10] + 60  # the second one after the second key frame: frame 12
    del data[at : at + 400]
    path.write_bytes(data)
    with VideoFile(path) as source:
        damaged = [frame.sequence for frame in source if frame.damaged]
        assert damaged == list(range(12, 20))
        assert source.damaged == len(damaged)


def test_stop_from_another_thread(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: Ctrl-C that waits for the end of a long film."""
    path = write_video(tmp_path / "long.mkv", noise(rng, frames=50, size=(16, 16)))
    with VideoFile(path) as source:
        seen = 0
        for _ in source:
            seen += 1
            if seen == 5:
                stopper = threading.Thread(target=source.stop)
                stopper.start()
                stopper.join()
        assert seen == 5
        assert source.status == "stopped"


# ---- what is no video


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"nowhere\.mp4: no such file"):
        open_source(tmp_path / "nowhere.mp4")


@pytest.mark.parametrize("kind", ["text.mp4", "text.txt", "empty.mp4", "sound.wav", "cut.mp4", "picture.png"])
def test_not_a_video(tmp_path: Path, rng: np.random.Generator, kind: str) -> None:
    """Missed otherwise: a traceback, or FFmpeg's pictures of a text file."""
    path = tmp_path / kind
    if kind.startswith("text"):
        path.write_text("Dear diary,\n" * 200)
    elif kind == "empty.mp4":
        path.touch()
    elif kind == "sound.wav":
        with wave.open(str(path), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(bytes(16000))
    elif kind == "cut.mp4":
        write_video(path, noise(rng, frames=20, size=(64, 48)), **EXACT)
        path.write_bytes(path.read_bytes()[:20000])
    else:
        cv2.imwrite(str(path), noise(rng, frames=1, size=(20, 20))[0])
    with pytest.raises(NotAVideo) as caught:
        open_source(path)
    assert kind in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["http://joe:s3cret@host/x.mp4", "ftp://host/?token=s3cret", ""])
def test_unknown_kind_of_source(spec: str) -> None:
    with pytest.raises(SourceNotFound) as caught:
        open_source(spec)
    assert "rtsp://" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("fps", 0.0), ("fps", float("nan")), ("timeout_s", 0.0), ("size", (0, 9))]
)
def test_impossible_wishes(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(SourceError, match="not possible"):
        open_source(tmp_path, **{name: value})  # type: ignore[arg-type]


# ---- folders of pictures


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "webp", "PNG"])
def test_pictures_come_in_the_order_of_their_numbers(
    tmp_path: Path, rng: np.random.Generator, suffix: str
) -> None:
    """Missed otherwise: img10 before img9, as plain sorting has it, is motion that never was."""
    lumas = noise(rng, frames=12, size=(31, 19))
    for number, luma in enumerate(lumas):
        ok, data = cv2.imencode(f".{suffix.lower()}", luma, [cv2.IMWRITE_WEBP_QUALITY, 101])
        assert ok
        (tmp_path / f"img{number + 5}.{suffix}").write_bytes(data.tobytes())
    (tmp_path / "Thumbs.db").touch()
    with open_source(tmp_path, fps=200) as source:
        assert source.fps == 200
        frames = list(source)
        assert source.warnings == []
        assert source.status == "ended"
    check_equal(frames, lumas)
    assert [frame.time for frame in frames] == pytest.approx([n / 200 for n in range(12)], abs=1e-12)


def test_jpeg_luma_is_the_files_own(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a way through RGB and back, which rounds twice."""
    colours = rng.integers(0, 256, (48, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "006_05562.jpg"), colours)
    [frame] = ImageFolder(tmp_path, fps=200)
    with av.open(str(tmp_path / "006_05562.jpg")) as container:
        picture = next(container.decode(video=0))
    assert frame.picture is not None
    assert frame.picture.format.name == "yuvj420p"
    own = np.frombuffer(bytes(picture.planes[0]), np.uint8).reshape(48, -1)[:, :64]
    np.testing.assert_array_equal(frame.luma, own)


def test_gaps_are_told_and_keep_their_time(tmp_path: Path) -> None:
    """Missed otherwise: a hole in a data set shortens every motion across it."""
    for number in (98, 99, 100, 103, 104, 110):
        cv2.imwrite(str(tmp_path / f"006_{number:05d}.png"), np.full((8, 8), number, np.uint8))
    cv2.imwrite(str(tmp_path / "cover.png"), np.zeros((8, 8), np.uint8))
    with ImageFolder(tmp_path, fps=100) as source:
        assert source.warnings == [
            "1 picture without a number left out",
            "2 gaps in the numbering: 7 pictures missing",
        ]
        frames = list(source)
    assert [int(frame.luma[0, 0]) for frame in frames] == [98, 99, 100, 103, 104, 110]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.01, 0.02, 0.05, 0.06, 0.12])


def test_folder_without_rate_names_the_option(tmp_path: Path) -> None:
    """Missed otherwise: a rate typed for a folder that turns out to be empty."""
    with pytest.raises(NotAVideo, match="holds no pictures"):
        open_source(tmp_path)
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((8, 8), np.uint8))
    with pytest.raises(SourceError, match="--fps"):
        open_source(tmp_path)


def test_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes1.txt").touch()
    with pytest.raises(NotAVideo, match="holds no pictures"):
        open_source(tmp_path, fps=30)
    cv2.imwrite(str(tmp_path / "face.png"), np.zeros((8, 8), np.uint8))
    with pytest.raises(NotAVideo, match="no numbers"):
        open_source(tmp_path, fps=30)
    for name in ("a1.png", "b01.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8), np.uint8))
    with pytest.raises(NotAVideo, match=r"two pictures with number 1, a1\.png and b01\.png"):
        open_source(tmp_path, fps=30)


def test_broken_picture_is_named(tmp_path: Path) -> None:
    """Missed otherwise: a data set with one bad file among thousands."""
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((8, 8), np.uint8))
    (tmp_path / "2.png").write_bytes(b"\x89PNG and then nothing")
    with ImageFolder(tmp_path, fps=30) as source:
        frames = iter(source)
        next(frames)
        next(frames)
        with pytest.raises(NotAVideo, match=r"2\.png is not a picture"):
            next(frames)
    (tmp_path / "0.png").write_bytes(b"")
    with pytest.raises(NotAVideo, match=r"0\.png"):
        ImageFolder(tmp_path, fps=30)


def test_pictures_of_two_sizes(tmp_path: Path) -> None:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((8, 8 + 4 * (number // 2)), np.uint8))
    with ImageFolder(tmp_path, fps=30) as source:
        assert [frame.epoch for frame in source] == [0, 0, 1, 1]


# ---- the clock


def place_all(
    timeline: Timeline, pts: Sequence[float | None], arrivals: Sequence[float]
) -> list[tuple[float, int]]:
    placed = []
    for stamp, arrival in zip(pts, arrivals, strict=True):
        seconds = timeline.place(stamp, size=(4, 4), arrival=arrival)
        placed.append((round(seconds, 6), timeline.epoch))
    return placed


def test_first_timestamp_may_be_missing() -> None:
    """Missed otherwise: RTSP gives none with the first picture."""
    times = place_all(Timeline(live=True, fps=10), [None, 50.1, 50.2], [0, 0.1, 0.2])
    assert times == [(0, 0), (0.1, 0), (0.2, 0)]


@pytest.mark.parametrize("jump", [-40.0, -0.5, 2.5, 1000.0])
def test_live_jump_begins_an_epoch_and_time_goes_on_by_arrival(jump: float) -> None:
    """Missed otherwise: events with times in the past, or hours ahead."""
    pts = [7.0, 7.1, 7.2 + jump, 7.3 + jump]
    assert place_all(Timeline(live=True, fps=10), pts, [0, 0.1, 0.2, 0.3]) == [
        (0, 0),
        (0.1, 0),
        (0.2, 1),
        (0.3, 1),
    ]


def test_bursts_and_small_jitter_are_no_jump() -> None:
    """Missed otherwise: trackers that start anew with every hiccup of the network."""
    pts = [0, 0.1, 0.2, 0.3, 0.29, 0.4]
    placed = place_all(Timeline(live=True, fps=10), pts, [0, 1.5, 1.5, 1.5, 1.6, 1.7])
    assert [epoch for _, epoch in placed] == [0] * 6
    assert [seconds for seconds, _ in placed] == [0, 0.1, 0.2, 0.3, 0.301, 0.4]


def test_silence_without_timestamp_is_a_gap() -> None:
    """Missed otherwise: the picture after a freeze counts as the next one, and all motion in between."""
    placed = place_all(Timeline(live=True, fps=10), [0, 0.1, None, 1.6], [0.3, 0.4, 1.8, 1.9])
    assert placed == [(0, 0), (0.1, 0), (1.5, 0), (1.6, 0)]


def test_file_that_jumps_back_goes_on_by_its_rate() -> None:
    """Missed otherwise: two recordings in one file read as a motion between them."""
    placed = place_all(Timeline(live=False, fps=10), [9, 9.1, 0, 0.1, 5], [0] * 5)
    assert placed == [(0, 0), (0.1, 0), (0.2, 1), (0.3, 1), (5.2, 1)]


# ---- what live sources share


class FakeConnection:
    """Give pictures of a rising gray level, as fast as they are taken, then end."""

    fps: float | None = 30.0

    def __init__(self, *, frames: int, damaged: range = range(0), pause_s: float = 0.0) -> None:
        self.frames, self.damaged, self.pause_s = frames, damaged, pause_s
        self.given = 0
        self.closed_by: str | None = None

    def read(self) -> list[Picture]:
        time.sleep(self.pause_s)
        if self.given == self.frames:
            raise EOFError
        picture = av.VideoFrame.from_ndarray(np.full((4, 4), self.given, np.uint8), "gray")
        picture.pts, picture.time_base = self.given, Fraction(1, 30)
        self.given += 1
        return [Picture(picture, self.given - 1 in self.damaged)]

    def close(self) -> None:
        self.closed_by = threading.current_thread().name


def test_slow_reader_gets_the_newest_frames() -> None:
    """Missed otherwise: a picture that lags further and further behind the face."""
    connection = FakeConnection(frames=100)
    with LiveSource("fake", connect=lambda: connection, timeout_s=1) as source:
        while connection.given < 100 or source.status != "waiting":
            time.sleep(0.01)
        frames = [frame for _, frame in zip(range(8), source, strict=False)]
        assert [frame.sequence for frame in frames] == list(range(92, 100))
        assert source.dropped == 92
    assert connection.closed_by == "read fake"


def test_damaged_frames_are_withheld_and_counted() -> None:
    """Missed otherwise: false motion from a bad network."""
    connection = FakeConnection(frames=30, damaged=range(3, 9), pause_s=0.003)
    with LiveSource("fake", connect=lambda: connection, timeout_s=1) as source:
        frames = [frame for _, frame in zip(range(24), source, strict=False)]
        assert source.damaged == 6
    assert [frame.sequence for frame in frames] == [0, 1, 2, *range(9, 30)]
    assert not any(frame.damaged for frame in frames)


def test_a_bug_in_the_reading_thread_is_raised_where_frames_are_taken() -> None:
    """Missed otherwise: a stream that silently never ends."""
    connection = FakeConnection(frames=2, pause_s=0.1)
    connection.close = lambda: 1 / 0  # type: ignore[method-assign,assignment]
    with LiveSource("fake", connect=lambda: connection, timeout_s=1) as source:
        frames = iter(source)
        next(frames)
        next(frames)
        with pytest.raises(ZeroDivisionError):
            next(frames)


def test_a_refusal_waits_longest_and_stop_does_not() -> None:
    """Missed otherwise: cameras that lock the account, or Ctrl-C that waits for the back-off."""
    attempts: list[FakeConnection] = []

    def connect() -> FakeConnection:
        if attempts:
            raise SourceRefused("no")
        attempts.append(FakeConnection(frames=3))
        return attempts[0]

    with LiveSource("fake", connect=connect, timeout_s=1) as source:
        threading.Timer(1.0, source.stop).start()
        start = time.monotonic()
        assert len(list(source)) == 3
        assert 0.9 < time.monotonic() - start < 1.5
        assert source.last_error == "no"
        assert source.status == "stopped"
        start = time.monotonic()
    assert time.monotonic() - start < 0.5


def test_silence_is_a_stall_and_then_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missed otherwise: a camera that lost its power keeps the stream frozen for ever."""
    monkeypatch.setattr(live_source, "_STALLED_S", 0.1)
    monkeypatch.setattr(live_source, "_GIVE_UP_S", 0.4)

    class Silent(FakeConnection):
        def read(self) -> list[Picture]:
            if self.given == 2:
                time.sleep(0.05)
                return []
            return super().read()

    with LiveSource("fake", connect=lambda: Silent(frames=9), timeout_s=1) as source:
        seen: set[str] = set()
        frames = []
        watcher_done = threading.Event()

        def watch() -> None:
            while not watcher_done.wait(0.02):
                seen.add(source.status)

        watcher = threading.Thread(target=watch)
        watcher.start()
        frames = [frame for _, frame in zip(range(4), source, strict=False)]
        watcher_done.set()
        watcher.join()
        assert source.reconnects == 1
    assert {"live", "stalled", "waiting"} <= seen
    assert [frame.epoch for frame in frames] == [0, 0, 1, 1]
    assert all(later.time > earlier.time for earlier, later in pairwise(frames))


# ---- cameras


def test_camera_gives_frames_and_comes_back() -> None:
    """Missed otherwise: a pulled plug that ends the watch. FFmpeg's test picture stands for the camera."""
    picture = "testsrc=size=64x48:rate=50:duration=0.4,realtime"
    with Camera(picture, input_format="lavfi") as source:
        assert source.live
        assert source.fps == 50
        frames = [frame for _, frame in zip(range(30), source, strict=False)]
        assert source.reconnects == 1
    assert {frame.size for frame in frames} == {(64, 48)}
    assert [frame.epoch for frame in frames] == [0] * 20 + [1] * 10
    assert np.diff([frame.time for frame in frames[:20]]) == pytest.approx(0.02)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read ")]


def test_missing_camera_says_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceNotFound, match="no camera /dev/video97: "):
        open_source("97" if sys.platform == "linux" else "/dev/video97")
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [self / "video1", self / "video0"])
    with pytest.raises(SourceNotFound, match="there is /dev/video0, /dev/video1"):
        open_source("/dev/video97")


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (16, SourceRefused, "another program"),
        (13, SourceRefused, "group 'video'"),
        (1, SourceRefused, "group 'video'"),
        (22, SourceError, "640x480"),
        (2, SourceNotFound, "no camera /dev/video0: "),
        (19, SourceNotFound, "no camera /dev/video0: "),
        (6, SourceNotFound, "no camera /dev/video0: "),
        (5, NotAVideo, "not a camera that gives pictures"),
    ],
)
def test_camera_that_will_not(
    monkeypatch: pytest.MonkeyPatch, code: int, error: type[SourceError], words: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(error, match=words) as caught:
        open_source("/dev/video0", size=(640, 480))
    assert "\n" not in str(caught.value)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read ")]


@pytest.mark.parametrize("name", ["/dev/null", "/dev/zero", "link"])
def test_a_device_is_a_camera_by_whatever_name(name: str, tmp_path: Path) -> None:
    """Missed otherwise: /dev/v4l/by-id/..., the one name of a camera that stays, opened as a file."""
    if name == "link":
        (tmp_path / "link").symlink_to("/dev/null")
        name = str(tmp_path / "link")
    with pytest.raises(NotAVideo, match="is not a camera that gives pictures"):
        open_source(name)


def test_a_camera_that_is_not_plugged_in_by_its_long_name() -> None:
    with pytest.raises(SourceNotFound, match="there is no camera /dev/v4l/by-id/usb-cam: "):
        open_source("/dev/v4l/by-id/usb-cam")


def test_opencv_camera_keeps_the_contract(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: macOS and Windows, whose cameras PyAV's wheels do not open. A file stands for one."""
    lumas = noise(rng, frames=6, size=(64, 48))
    path = write_video(tmp_path / "a.mkv", lumas)
    connection = OpenCvConnection(cv2.VideoCapture(str(path)))
    with LiveSource("camera 0", connect=lambda: connection, timeout_s=2) as source:
        frames = [frame for _, frame in zip(range(6), source, strict=False)]
    assert len(frames) == 6
    assert all(later.time > earlier.time for earlier, later in pairwise(frames))
    assert np.abs(frames[-1].luma.astype(int) - lumas[-1]).max() <= 1
