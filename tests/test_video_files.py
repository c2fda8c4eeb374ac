"""Video files that are odd, cut off, or no video at all: each is told in one line."""

from __future__ import annotations

import random
import re
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from films import (
    STEADY,
    magnified,
    moving,
    shuffled,
    watched,
    write_tone,
    write_video,
)
from magnifyme.stream.demuxer import Demuxer
from magnifyme.stream.errors import NotAVideo, SourceError, SourceRefused
from magnifyme.stream.source import open_source
from magnifyme.stream.video_file import VideoFile

Writer = Callable[[Path, np.random.Generator], None]


def cut(path: Path, *, share: float = 0.6) -> Path:
    """Copy the first part of a file, as an interrupted copy does; the index of an mp4 is put in front."""
    whole = path.with_stem("whole")
    fast = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path)) as source, av.open(str(whole), "w", options=fast) as target:
        copies = [target.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    part = path.with_stem("cut")
    part.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    return part


# ---- names that are not UTF-8


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_titles_of_old_cameras(suffix: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a film whose title is in Latin-1 cannot be opened at all."""
    pictures = moving((64, 48), times=STEADY, rng=rng)
    path = write_video(
        tmp_path / f"in{suffix}", pictures, codec="libx264", metadata={"title": "Gesprach mit Jorg"}
    )
    data = path.read_bytes()
    assert b"Gesprach mit Jorg" in data
    path.write_bytes(data.replace(b"Gesprach mit Jorg", "Gespräch mit Jörg".encode("latin-1")))
    frames, warnings = watched(path)
    assert (len(frames), warnings) == (24, [])
    _, notices, done = magnified(path, "out.mkv")
    assert (done.frames, notices) == (24, [])


# ---- cut off


@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [
        (".mp4", "libx264", ["aac"]),
        (".mov", "mjpeg", []),
        (".mkv", "libx264", ["aac"]),
        (".mkv", "ffv1", []),
        (".webm", "libvpx-vp9", ["libopus"]),
        (".avi", "mjpeg", ["pcm_s16le"]),
        (".flv", "libx264", []),
    ],
)
def test_a_file_that_was_cut_off_says_so(
    suffix: str, codec: str, sound: list[str], tmp_path: Path, rng: np.random.Generator
) -> None:
    """Missed otherwise: half an interview, analysed as if it were the whole; or a whole one, called half."""
    layout = "yuvj420p" if codec == "mjpeg" else "yuv420p"

    def at_rate(stream: av.VideoStream) -> None:
        if suffix == ".avi":  # it has no clock but its rate
            stream.time_base = stream.codec_context.time_base = Fraction(1, 30)

    times = [3000 * number for number in range(48)]
    pictures = moving((64, 48), times=times, rng=rng, chroma=layout)
    path = write_video(
        tmp_path / f"in{suffix}",
        pictures,
        times=times,
        layout=layout,
        codec=codec,
        sound=sound,
        prepare=at_rate,
    )
    frames, warnings = watched(path)
    assert (len(frames), warnings) == (48, [])
    part = cut(path)
    frames, warnings = watched(part)
    assert 4 < len(frames) < 45
    # FLV does not count the last picture.
    assert any(re.search(r"cut\.\w+ breaks off after [01]\.\d\d of 1\.(60|57) s", line) for line in warnings)
    _, notices, done = magnified(part, "out.mkv")
    assert abs(done.frames - len(frames)) <= 1
    assert any("breaks off after" in line for line in notices)
    assert not any("breaks off" in line for line in magnified(path, "all.mkv")[1])


def test_sound_that_outlasts_the_picture_is_no_cut(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a false alarm at the end of many a film."""
    for suffix in (".mkv", ".mp4"):
        pictures = moving((64, 48), times=STEADY[:9], rng=rng)
        path = write_video(
            tmp_path / f"in{suffix}", pictures, times=STEADY[:9], codec="libx264", sound=["aac"]
        )
        frames, warnings = watched(path)
        assert (len(frames), warnings) == (9, [])


def test_a_film_that_begins_late_is_whole(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a false alarm where the clock does not begin at 0."""
    for suffix in (".mkv", ".mp4", ".mov", ".flv"):
        times = [ticks + 450_000 for ticks in STEADY]
        pictures = moving((64, 48), times=times, rng=rng)
        path = write_video(tmp_path / f"in{suffix}", pictures, times=times, codec="libx264")
        frames, warnings = watched(path)
        assert (len(frames), warnings) == (24, []), suffix
        assert frames[-1].time == pytest.approx(23 / 30, abs=1e-3)


def test_a_torn_picture_is_damaged_and_a_lost_one_is_told(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a hole in a film of single pictures, which no key frame after it remembers."""
    pictures = shuffled((64, 48), frames=12, rng=rng, layout="yuvj420p")
    path = write_video(tmp_path / "in.mov", pictures, times=STEADY[:12], layout="yuvj420p", codec="mjpeg")
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    where, size = packets[5]
    assert where is not None
    data[where : where + size] = bytes(size)
    path.write_bytes(data)
    with VideoFile(path) as source:
        frames = list(source)
        assert len(frames) == 11
        assert source.damaged == 1
        assert source.warnings == [f"{path}: packets that could not be decoded: 1; pictures are missing"]
    assert [round(frame.time * 30) for frame in frames] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    _, notices, _ = magnified(path, "out.mkv")
    assert any("could not be decoded: 1" in notice for notice in notices)


@pytest.mark.parametrize(
    "clock",
    [[None] * 5, [0, 1, None, 3, 1]],
    ids=["without time stamps", "a clock that begins anew"],
)
def test_a_torn_packet_spoils_its_own_picture_only(
    clock: list[int | None], tmp_path: Path, rng: np.random.Generator
) -> None:
    """Missed otherwise: good pictures are withheld, in a stream without time stamps all that follow."""
    path = write_video(tmp_path / "in.mp4", moving((64, 48), times=STEADY, rng=rng), codec="libx264")
    packets = []
    for number, pts in enumerate(clock):
        torn, lost = number in (1, 2), number == 2  # a lost one gives no picture
        picture = SimpleNamespace(pts=pts, is_corrupt=torn, key_frame=not torn)
        packet = SimpleNamespace(stream_index=0, dts=None, pts=pts, time_base=1, duration=1, is_corrupt=torn)
        packet.pictures = [] if lost else [picture]
        packets.append(packet)
    with Demuxer(av.open(str(path)), name="in.mp4") as demuxer:
        demuxer.stream = SimpleNamespace(index=0, decode=lambda packet: packet.pictures)  # type: ignore[assignment]
        demuxer._packets = iter(packets)  # type: ignore[assignment]
        assert [picture.damaged for picture in demuxer] == [False, True, False, False]


# ---- what is no video


def _text(path: Path, rng: np.random.Generator) -> None:
    path.write_text("Dear diary,\n" * 400)


def _source_code(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(Path(__file__).read_bytes())


def _program(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(Path(sys.executable).resolve().read_bytes()[:300_000])


def _archive(path: Path, rng: np.random.Generator) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello " * 1000)


def _database(path: Path, rng: np.random.Generator) -> None:
    with sqlite3.connect(path) as base:
        base.execute("create table faces (name)")
        base.executemany("insert into faces values (?)", [(number,) for number in range(2000)])
    base.close()


def _document(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer <<>>\n%%EOF\n" * 30)


def _zeros(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(bytes(100_000))


def _ansi(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(b"XBIN\x1a" + bytes([80, 0, 25, 0, 16, 0]) + bytes(4000))


def _playlist(path: Path, rng: np.random.Generator) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n")


def _cartoon(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(cv2.imencode(".gif", rng.integers(0, 256, (20, 20, 3), np.uint8))[1].tobytes())


@pytest.mark.parametrize("suffix", [".mp4", ".txt", ".bin", ".xb", ".adf", ".idf", ".ans", ".avi", ".h264"])
@pytest.mark.parametrize(
    "write",
    [_text, _source_code, _program, _archive, _database, _document, _zeros, _ansi, _playlist, _cartoon],
)
def test_what_is_no_video(write: Writer, suffix: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a traceback, or a watch of FFmpeg's rendering of a text as a terminal."""
    path = tmp_path / f"thing{suffix}"
    write(path, rng)
    with pytest.raises(NotAVideo) as caught:
        open_source(path)
    assert str(caught.value).startswith(f"{path} ")
    assert "\n" not in str(caught.value)
    with pytest.raises(NotAVideo):
        magnified(path, "out.mp4")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_random_bytes_are_no_video(tmp_path: Path) -> None:
    """Missed otherwise: one file in a thousand that some reader of FFmpeg's takes for its own."""
    path = tmp_path / "noise.mp4"
    for seed in range(200):
        numbers = random.Random(seed)
        path.write_bytes(numbers.randbytes(numbers.choice([1, 300, 5000, 60_000])))
        with pytest.raises(NotAVideo):
            open_source(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tiff", "webp", "avif", "ppm"])
def test_a_picture_under_a_wrong_name(suffix: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a photograph that is watched for a fraction of a second."""
    done, data = cv2.imencode(f".{suffix}", rng.integers(0, 256, (40, 60, 3), np.uint8))
    assert done
    path = tmp_path / "film.mp4"
    path.write_bytes(data.tobytes())
    with pytest.raises(NotAVideo, match="a single picture, not a video"):
        open_source(path)


@pytest.mark.parametrize("cover", [False, True])
def test_a_song_says_that_it_is_one(cover: bool, tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a cover picture that is watched as a film of one frame."""
    path = tmp_path / "song.flac"
    with av.open(str(path), "w") as output:
        track = output.add_stream("flac", rate=48_000)
        if cover:
            art = output.add_stream("png", rate=1)
            assert isinstance(art, av.VideoStream)
            art.width, art.height, art.pix_fmt = 20, 20, "rgb24"
            art.disposition = av.stream.Disposition.attached_pic
            output.mux(art.encode(av.VideoFrame.from_ndarray(np.zeros((20, 20, 3), np.uint8), "rgb24")))
        write_tone(output, track, hertz=220.0)
    only = "sound and a cover picture" if cover else "sound"
    with pytest.raises(NotAVideo, match=f"song.flac holds no video, only {only}: give one"):
        open_source(path)


def test_a_video_that_cannot_be_decoded(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: a traceback for a codec that FFmpeg does not know."""
    path = write_video(tmp_path / "in.mkv", moving((64, 48), times=STEADY, rng=rng))
    path.write_bytes(path.read_bytes().replace(b"V_FFV1", b"V_WHAT"))
    with pytest.raises(NotAVideo, match="cannot decode"):
        open_source(path)


def test_a_file_that_must_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missed otherwise: a traceback. Root may read all, so that the refusal is played."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "in.mp4").touch()
    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(SourceRefused, match=r"in\.mp4 must not be read by you"):
        open_source(tmp_path / "in.mp4")
    monkeypatch.setattr(Path, "stat", refuse)
    for name in ("in.mp4", "folder/in.mp4"):
        with pytest.raises(SourceRefused, match=r"in\.mp4 must not be read by you"):
            open_source(tmp_path / name)


def test_a_folder_that_must_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missed otherwise: a traceback for another user's data set."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(SourceRefused, match="must not be read by you"):
        open_source(tmp_path, fps=30)


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path / ("a" * 300))
    assert "\n" not in str(caught.value)
