"""Files and folders magnified: what is not motion must come out as it went in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.magnify import Magnifier, MagnifyError
from magnifyme.stream.errors import NotAVideo, SourceError, SourceNotFound, StoreError
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.planar import display_matrix
from magnifyme.stream.transcode import Transcoded, transcode

Planes = list[NDArray[np.uint8]]

PROGRAM = [sys.executable, "-m", "magnifyme.cli"]
CLOCK = Fraction(1, 90_000)
SETTINGS = Magnification(factor=10.0, band_hz=(1.0, 5.0))
STEADY = [3000 * index for index in range(24)]
# A telephone's rate: 1/30 s, now and then 1/20, and a pause.
UNEVEN = [3000 * index + 1500 * (index // 5) + 9000 * (index > 15) for index in range(24)]


def moving(
    size: tuple[int, int], *, times: Sequence[int], rng: np.random.Generator, chroma: str = "yuv420p"
) -> list[Planes]:
    """Make pictures whose luma sways by a quarter pixel at 2.5 Hz, and whose chroma is noise of its own."""
    width, height = size
    coarse = rng.uniform(60, 200, (height // 8 + 3, width // 8 + 3)).astype(np.float32)
    scene = cv2.resize(coarse, (width + 8, height + 8), interpolation=cv2.INTER_CUBIC)
    layout = av.VideoFrame(width, height, chroma)
    colours = [
        rng.integers(90, 166, (plane.height, plane.width), dtype=np.uint8) for plane in layout.planes[1:]
    ]
    pictures = []
    for ticks in times:
        shift = 0.25 * np.sin(2 * np.pi * 2.5 * float(ticks * CLOCK))
        matrix = np.array([[1.0, 0.0, 4.0 + shift], [0.0, 1.0, 4.0]])
        luma = cv2.warpAffine(scene, matrix, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        pictures.append([np.clip(np.rint(luma), 16, 235).astype(np.uint8), *colours])
    return pictures


def write_video(
    path: Path,
    pictures: list[Planes],
    *,
    times: Sequence[int] = STEADY,
    layout: str = "yuv420p",
    codec: str = "ffv1",
    prepare: Callable[[av.VideoStream], None] = lambda stream: None,
    sound: Sequence[str] = (),
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a video, without loss unless the codec has some, with one audio track per name in `sound`."""
    height, width = pictures[0][0].shape
    with av.open(str(path), "w") as output:
        output.metadata.update(metadata or {})
        stream = output.add_stream(codec, rate=30, options={"crf": "0"} if codec == "libx264" else {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, layout
        stream.time_base = stream.codec_context.time_base = CLOCK
        prepare(stream)
        tracks = [output.add_stream(name, rate=48_000) for name in sound]
        for ticks, planes in zip(times, pictures, strict=True):
            frame = av.VideoFrame(width, height, layout)
            for target, values in zip(frame.planes, planes, strict=True):
                plane_array(target)[:] = values
            frame.pts, frame.time_base = ticks, CLOCK
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        for number, track in enumerate(tracks):
            assert isinstance(track, av.AudioStream)
            write_tone(output, track, hertz=220.0 * (number + 1))
    return path


def write_tone(output: av.container.OutputContainer, track: av.AudioStream, *, hertz: float) -> None:
    """Encode a second of a tone."""
    rate = track.codec_context.sample_rate
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)
    kind = track.codec_context.format.name
    stereo = np.stack([wave, wave])
    for start in range(0, rate, 1024):
        piece = stereo[:, start : start + 1024]
        piece = piece if kind.endswith("p") else piece.T.reshape(1, -1)
        samples = (piece * 30_000).astype(np.int16) if kind == "s16" else piece.astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=kind, layout="stereo")  # type: ignore[arg-type]
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        output.mux(track.encode(frame))
    output.mux(track.encode(None))


def plane_array(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """View a plane as an array that can be written."""
    memory: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)  # type: ignore[arg-type, unused-ignore]
    return memory.reshape(plane.height, plane.line_size)[:, : plane.width]


def frames_of(path: Path) -> list[av.VideoFrame]:
    """Decode a whole video."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def planes_in(frame: av.VideoFrame) -> Planes:
    """Copy a frame's planes."""
    return [plane_array(plane).copy() for plane in frame.planes]


def packets_of(path: Path, *, track: int = 0) -> list[bytes]:
    """Read the encoded packets of an audio track."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=track) if packet.size]


def expected_luma(
    lumas: list[NDArray[np.uint8]], *, seconds: list[float], fps: float = 30.0
) -> list[NDArray[np.uint8]]:
    """Feed a magnifier frame by frame, as the command is to do."""
    magnifier = Magnifier(fps=fps, factor=SETTINGS.factor, band_hz=SETTINGS.band_hz)
    return [magnifier(luma, time=time).copy() for luma, time in zip(lumas, seconds, strict=True)]


def magnified(
    source: Path, name: str, *, crf: int = 0, fps: float | None = None, overwrite: bool = False
) -> tuple[Path, list[str], Transcoded]:
    """Transcode to a neighbour of the source; without loss, so that nothing can hide behind the codec."""
    notices: list[str] = []
    done = transcode(
        source,
        target=source.with_name(name),
        magnification=SETTINGS,
        fps=fps,
        crf=crf,
        overwrite=overwrite,
        notice=notices.append,
    )
    return done.target, notices, done


@pytest.mark.parametrize("times", [STEADY, UNEVEN], ids=["steady", "uneven"])
@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_luma_is_magnified_and_all_else_is_the_same(
    suffix: str, layout: str, times: list[int], tmp_path: Path, rng: np.random.Generator
) -> None:
    """Colours must not shift, and no frame may move in time, or sound and picture come apart."""
    pictures = moving((64, 48), times=times, rng=rng, chroma=layout)
    source = write_video(tmp_path / "in.mp4", pictures, times=times, layout=layout, codec="libx264")
    target, notices, done = magnified(source, f"out{suffix}")
    before, after = frames_of(source), frames_of(target)
    # Matroska counts in milliseconds.
    tolerance = 0.5e-3 + 1e-9 if suffix == ".mkv" else 1e-9
    assert [frame.time for frame in after] == pytest.approx([frame.time for frame in before], abs=tolerance)
    assert after[0].format.name == layout
    assert (done.frames, notices) == (24, [])
    with av.open(str(source)) as container:
        rate = container.streams.video[0].average_rate
    assert rate is not None
    wanted = expected_luma(
        [planes[0] for planes in pictures], seconds=[frame.time for frame in before], fps=float(rate)
    )
    for frame, luma, planes in zip(after, wanted, pictures, strict=True):
        got = planes_in(frame)
        np.testing.assert_array_equal(got[0], luma)
        for chroma, original in zip(got[1:], planes[1:], strict=True):
            np.testing.assert_array_equal(chroma, original)
    assert any(
        np.ptp(luma.astype(int) - planes[0]) > 5 for luma, planes in zip(wanted, pictures, strict=True)
    )


def test_default_quality_is_within_the_codec_s_error(tmp_path: Path, rng: np.random.Generator) -> None:
    """At the default quality the codec must not eat the motion that was just made visible."""
    pictures = moving((64, 48), times=STEADY, rng=rng)
    source = write_video(tmp_path / "in.mp4", pictures, codec="libx264")
    target, _, _ = magnified(source, "out.mp4", crf=16)
    wanted = expected_luma([planes[0] for planes in pictures], seconds=[i / 30 for i in range(24)])
    error = [planes_in(f)[0].astype(float) - luma for f, luma in zip(frames_of(target), wanted, strict=True)]
    assert np.sqrt(np.mean(np.square(error))) < 3.0  # 38.6 dB


@pytest.mark.parametrize(
    ("suffix", "sound", "kept"),
    [
        (".mp4", ["aac", "aac"], [0, 1]),
        (".mov", ["aac", "pcm_s16le"], [0, 1]),
        (".mkv", ["aac", "pcm_s16le"], [0, 1]),
        (".avi", ["pcm_s16le"], [0]),
        (".webm", ["aac", "libopus"], [1]),
    ],
)
def test_sound_is_copied_packet_by_packet(
    suffix: str, sound: list[str], kept: list[int], tmp_path: Path, rng: np.random.Generator
) -> None:
    """What people say in the film is data, too: the tracks stay as they are, or it is said which do not."""
    source = write_video(tmp_path / "in.mkv", moving((64, 48), times=STEADY, rng=rng), sound=sound)
    target, notices, _ = magnified(source, f"out{suffix}")
    with av.open(str(target)) as container:
        assert len(container.streams.audio) == len(kept)
    for place, number in enumerate(kept):
        assert packets_of(target, track=place) == packets_of(source, track=number)
    assert len(notices) == len(sound) - len(kept)
    assert all("audio" in notice and suffix in notice for notice in notices)


def test_subtitles_and_chapters_stay(tmp_path: Path, rng: np.random.Generator) -> None:
    """An interview has both; where a container cannot hold the subtitles, it is said."""
    source = tmp_path / "in.mkv"
    chapters: list[av.container.core.Chapter] = [
        {"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}
    ]
    with av.open(str(source), "w") as output:
        output.set_chapters(chapters)
        stream = output.add_stream("ffv1", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = 64, 48
        text = output.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        line: av.Packet[av.stream.Stream] = av.Packet(b"Hello")
        line.pts = line.dts = 100
        line.duration, line.time_base, line.stream = 300, Fraction(1, 1000), text
        for planes in moving((64, 48), times=STEADY, rng=rng):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for target, values in zip(frame.planes, planes, strict=True):
                plane_array(target)[:] = values
            output.mux(stream.encode(frame))
        output.mux(line)
        output.mux(stream.encode(None))
    for suffix, kept in ((".mkv", True), (".mp4", False)):
        copy, notices, _ = magnified(source, f"out{suffix}")
        with av.open(str(copy)) as container:
            assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["One"]
            lines = [(bytes(p), p.pts) for p in container.demux(subtitles=0) if p.size] if kept else []
        assert lines == ([(b"Hello", 100)] if kept else [])
        assert [suffix in notice and "subtitle" in notice for notice in notices] == [True] * (not kept)


def test_sound_and_picture_stay_together(tmp_path: Path, rng: np.random.Generator) -> None:
    """A film that begins late keeps its offset to the sound."""
    times = [ticks + 45_000 for ticks in STEADY]
    pictures = moving((64, 48), times=times, rng=rng)
    source = write_video(tmp_path / "in.mp4", pictures, times=times, codec="libx264", sound=["aac"])
    target, notices, _ = magnified(source, "out.mp4")
    assert notices == []

    def starts(path: Path) -> list[float]:
        with av.open(str(path)) as container:
            return [float((s.start_time or 0) * (s.time_base or 0)) for s in container.streams]

    assert starts(target) == pytest.approx(starts(source), abs=1e-3)
    assert frames_of(target)[0].time == pytest.approx(0.5)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize(("degrees", "flip"), [(90, False), (-90, False), (180, False), (90, True)])
def test_a_telephone_s_film_stands_upright(
    suffix: str, degrees: int, flip: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Telephones store portraits lying, with a note which way is up: the note stays."""
    source = write_video(
        tmp_path / "in.mp4",
        moving((64, 48), times=STEADY[:4], rng=rng),
        times=STEADY[:4],
        codec="libx264",
        prepare=lambda stream: stream.set_display_rotation(degrees, hflip=flip),
    )
    target, notices, _ = magnified(source, f"out{suffix}")
    before, after = frames_of(source)[0], frames_of(target)[0]
    assert (after.width, after.height) == (64, 48)
    assert after.rotation == before.rotation
    assert flip or after.rotation % 360 == degrees % 360
    if suffix in (".mp4", ".mov"):
        assert display_matrix(after) == display_matrix(before)
    else:
        assert any("mirror" in notice for notice in notices) == flip


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_where_a_container_has_no_note_the_pixels_are_turned(
    degrees: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    """AVI cannot say which way is up."""
    pictures = moving((64, 48), times=STEADY, rng=rng)
    source = write_video(
        tmp_path / "in.mp4",
        pictures,
        codec="libx264",
        prepare=lambda stream: stream.set_display_rotation(degrees),
    )
    target, _, _ = magnified(source, "out.avi")
    first = planes_in(frames_of(target)[0])
    for got, original in zip(first, pictures[0], strict=True):
        np.testing.assert_array_equal(got, np.rot90(original, degrees // 90))


def test_colour_tags_pixel_shape_and_metadata_stay(tmp_path: Path, rng: np.random.Generator) -> None:
    """A player that guesses other colours or another pixel shape shows another face."""

    def prepare(stream: av.VideoStream) -> None:
        stream.colorspace, stream.color_primaries, stream.color_trc, stream.color_range = 5, 5, 6, 2
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)

    source = write_video(
        tmp_path / "in.mov",
        moving((64, 48), times=STEADY, rng=rng),
        codec="libx264",
        prepare=prepare,
        metadata={"title": "The talk", "comment": "Kept"},
    )
    for suffix, shape in ((".mp4", Fraction(4, 3)), (".mkv", Fraction(4, 3)), (".avi", Fraction(3, 4))):
        target, _, _ = magnified(source, f"out{suffix}")
        frame = frames_of(target)[0]
        tags = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
        assert tags == (5, 5, 6, 2), suffix
        with av.open(str(target)) as container:
            assert container.streams.video[0].sample_aspect_ratio == shape, suffix
            names = {name.lower(): value for name, value in container.metadata.items()}
            assert (names["title"], names["comment"]) == ("The talk", "Kept"), suffix


@pytest.mark.parametrize("size", [(65, 47), (65, 48), (64, 47), (1, 1), (2, 2), (127, 31)])
@pytest.mark.parametrize("layout", ["yuv420p", "gray"])
def test_any_size_keeps_its_size(
    size: tuple[int, int], layout: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    """H.264 in its usual form has even sizes only: not a row or column may be lost or made up."""
    pictures = moving(size, times=STEADY, rng=rng, chroma=layout)
    source = write_video(tmp_path / "in.mkv", pictures, layout=layout)
    target, notices, _ = magnified(source, "out.mp4")
    frames = frames_of(target)
    assert (frames[0].width, frames[0].height) == size
    seconds = [frame.time for frame in frames_of(source)]
    wanted = expected_luma([planes[0] for planes in pictures], seconds=seconds)
    width, height = size
    for frame, luma, planes in zip(frames, wanted, pictures, strict=True):
        got = planes_in(frame)
        np.testing.assert_array_equal(got[0], luma)
        for chroma, original in zip(got[1:], planes[1:], strict=layout != "gray"):
            doubled = chroma.shape != original.shape
            shown = original.repeat(2, 0).repeat(2, 1)[:height, :width] if doubled else original
            np.testing.assert_array_equal(chroma, shown)
        if layout == "gray":
            assert all((chroma == 128).all() for chroma in got[1:])
    odd = bool(width % 2 or height % 2)
    assert any("odd size" in notice for notice in notices) == (odd and layout != "gray")


def test_gray_keeps_its_brightness(tmp_path: Path, rng: np.random.Generator) -> None:
    """Gray is black at 0 and white at 255; without a tag a player would take 16 and 235 for them."""
    source = write_video(
        tmp_path / "in.mkv", moving((64, 48), times=STEADY, rng=rng, chroma="gray"), layout="gray"
    )
    target, _, _ = magnified(source, "out.mp4")
    before, after = (frames_of(path)[0].to_ndarray(format="rgb24") for path in (source, target))
    np.testing.assert_allclose(after.astype(int), before.astype(int), atol=1)


def test_rgb_keeps_its_colours(tmp_path: Path) -> None:
    """Screen recordings are RGB: what has no motion looks as before."""
    path = tmp_path / "in.mkv"
    colours = np.array([[200, 30, 40], [20, 180, 60], [40, 60, 220], [250, 250, 250]], np.uint8)
    picture = np.repeat(np.repeat(colours[None], 48, axis=0), 16, axis=1)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for _ in range(5):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(stream.encode(None))
    target, _, _ = magnified(path, "out.mp4")
    shown = frames_of(target)[-1].to_ndarray(format="rgb24")
    np.testing.assert_allclose(shown[:, 8::16].astype(int), picture[:, 8::16].astype(int), atol=3)


def test_ten_bits_become_eight_and_are_told(tmp_path: Path) -> None:
    """New telephones film with 10 bits."""
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv422p10le"
        for _ in range(5):
            frame = av.VideoFrame(64, 48, "yuv422p10le")
            for plane, value in zip(frame.planes, (400, 600, 500), strict=True):
                plane.update(np.full(plane.buffer_size // 2, value, "<u2").tobytes())
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    target, notices, _ = magnified(path, "out.mp4")
    assert any("10 bits" in notice for notice in notices)
    last = frames_of(target)[-1]
    assert last.format.name == "yuv422p"
    for values, value in zip(planes_in(last), (100, 150, 125), strict=True):
        np.testing.assert_allclose(values.astype(int), value, atol=1)


def test_a_slow_motion_film_is_magnified_at_the_camera_s_rate(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Filmed at 240 and stored at 30 frames a second, 20 Hz of the scene is 2.5 Hz of the film."""
    pictures = moving((64, 48), times=STEADY, rng=rng)
    source = write_video(tmp_path / "in.mp4", pictures, codec="libx264")
    target = tmp_path / "out.mp4"
    transcode(source, target=target, magnification=Magnification(10.0, (10.0, 40.0)), fps=240.0, crf=0)
    magnifier = Magnifier(fps=240.0, factor=10.0, band_hz=(10.0, 40.0))
    for index, frame in enumerate(frames_of(target)):
        assert frame.time == pytest.approx(index / 30)
        np.testing.assert_array_equal(planes_in(frame)[0], magnifier(pictures[index][0], time=index / 240.0))


def test_uneven_times_in_avi_are_told(tmp_path: Path, rng: np.random.Generator) -> None:
    """AVI has one rate for all frames."""
    source = write_video(
        tmp_path / "in.mp4", moving((64, 48), times=UNEVEN, rng=rng), times=UNEVEN, codec="libx264"
    )
    target, notices, _ = magnified(source, "out.avi")
    assert any("times vary" in notice for notice in notices)
    assert len(frames_of(target)) == 24


def test_a_cut_off_file_gives_what_is_in_it(tmp_path: Path, rng: np.random.Generator) -> None:
    """A recording that broke off is still worth having."""
    source = write_video(tmp_path / "whole.mkv", moving((64, 48), times=STEADY, rng=rng))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    target, _, done = magnified(cut, "out.mp4")
    assert 8 <= done.frames < 24
    assert len(frames_of(target)) == done.frames


def write_folder(
    folder: Path, *, kind: str, shape: tuple[int, ...], numbers: Sequence[int], rng: np.random.Generator
) -> list[NDArray[np.uint8]]:
    """Write numbered pictures of a swaying scene."""
    folder.mkdir()
    times = [round(number * 450) for number in numbers]  # 200 frames a second
    lumas = [planes[0] for planes in moving((shape[1], shape[0]), times=times, rng=rng, chroma="gray")]
    tint = rng.integers(-40, 41, shape)
    pictures = []
    for number, luma in zip(numbers, lumas, strict=True):
        picture = luma if len(shape) == 2 else np.clip(luma[..., None] + tint, 0, 255).astype(np.uint8)
        if len(shape) == 3 and shape[2] == 4:
            picture[..., 3] = 77
        cv2.imwrite(str(folder / f"006_{number}.{kind}"), picture)
        pictures.append(picture)
    return pictures


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("png", (47, 65)),
        ("png", (48, 64, 3)),
        ("png", (48, 64, 4)),
        ("tif", (47, 65)),
        ("tif", (48, 64, 3)),
        ("bmp", (48, 64, 3)),
        ("jpg", (48, 64)),
        ("jpg", (48, 64, 3)),
    ],
)
def test_folder_of_pictures(
    kind: str, shape: tuple[int, ...], tmp_path: Path, rng: np.random.Generator
) -> None:
    """Data sets are folders: same names, same kind, gray stays gray, hue stays, transparency stays."""
    numbers = list(range(95, 110))  # sorted as text, 100 would come before 95
    source = tmp_path / "in"
    write_folder(source, kind=kind, shape=shape, numbers=numbers, rng=rng)
    (source / "notes.txt").write_text("left alone")
    target, notices, done = magnified(source, "out", fps=200.0)
    assert (done.frames, notices) == (len(numbers), [])
    assert sorted(path.name for path in target.iterdir()) == sorted(f"006_{n}.{kind}" for n in numbers)
    magnifier = Magnifier(fps=200.0, factor=SETTINGS.factor, band_hz=SETTINGS.band_hz)
    for number in numbers:
        flag = cv2.IMREAD_UNCHANGED
        before = cv2.imread(str(source / f"006_{number}.{kind}"), flag)
        after = cv2.imread(str(target / f"006_{number}.{kind}"), flag)
        assert before is not None
        assert after is not None
        assert after.shape == before.shape
        assert after.dtype == np.uint8
        luma = before if before.ndim == 2 else cv2.cvtColor(before[..., :3], cv2.COLOR_BGR2GRAY)
        change = magnifier(np.asarray(luma, np.uint8), time=(number - 95) / 200).astype(int) - luma
        wanted = before.astype(int)
        wanted[..., : 3 if before.ndim == 3 else None] += change if before.ndim == 2 else change[..., None]
        error = np.abs(after.astype(int) - np.clip(wanted, 0, 255))
        assert error.max() == 0 if kind != "jpg" else np.sqrt((error**2).mean()) < 3.0


def test_sixteen_bits_gaps_and_orientation_in_folders(tmp_path: Path, rng: np.random.Generator) -> None:
    """Deep pictures become 8 bits and holes in the numbering are told, with their count."""
    source = tmp_path / "in"
    source.mkdir()
    for number in (1, 2, 3, 7, 8):
        deep = np.full((32, 48), 257 * 10 * number, np.uint16)
        cv2.imwrite(str(source / f"{number:03}.png"), deep)
    target, notices, _ = magnified(source, "out", fps=100.0)
    assert "gaps in the numbering: 1, pictures missing: 3" in notices
    assert any("16 bits" in notice for notice in notices)
    first = cv2.imread(str(target / "001.png"), cv2.IMREAD_UNCHANGED)
    assert first is not None
    assert first.dtype == np.uint8
    assert (first == 10).all()


def test_a_broken_picture_ends_the_work_without_half_a_folder(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """One unreadable file among thousands is named, and nothing that looks finished is left."""
    source = tmp_path / "in"
    write_folder(source, kind="png", shape=(16, 16), numbers=range(30), rng=rng)
    (source / "006_20.png").write_bytes(b"not a picture")
    with pytest.raises(NotAVideo, match=r"006_20\.png"):
        magnified(source, "out", fps=200.0)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_overwriting_a_folder_costs_no_other_file(tmp_path: Path, rng: np.random.Generator) -> None:
    """Somebody's notes in the output folder are still there afterwards."""
    source, target = tmp_path / "in", tmp_path / "out"
    write_folder(source, kind="png", shape=(16, 16), numbers=range(3), rng=rng)
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    (target / "006_1.png").write_bytes(b"old")
    with pytest.raises(StoreError, match="--overwrite"):
        magnified(source, "out", fps=200.0)
    assert (target / "006_1.png").read_bytes() == b"old"
    magnified(source, "out", fps=200.0, overwrite=True)
    assert (target / "notes.txt").read_text() == "mine"
    assert (target / "006_1.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


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
    before = sorted(path.name for path in tmp_path.iterdir())
    for source, name, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            transcode(source, target=tmp_path / name, magnification=SETTINGS, fps=30.0)
        assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="--fps"):
        transcode(twice, target=tmp_path / "out", magnification=SETTINGS)
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

    with pytest.raises(StoreError, match="No space left"):
        transcode(film, target=target, magnification=SETTINGS, overwrite=True, progress=fail)
    assert target.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]
    transcode(film, target=target, magnification=SETTINGS, overwrite=True)
    assert len(frames_of(target)) == 24


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, without a terminal."""
    return subprocess.run(
        [*PROGRAM, "magnify", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_command(film: Path, tmp_path: Path) -> None:
    """One line says what was done; errors are one line and exit code 2."""
    done = run(film, tmp_path / "out.mp4", "--factor", 5, "--band", 1, 5)
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
        failed = run(*arguments)
        assert failed.returncode == 2, failed.stderr
        assert words in failed.stderr
        assert failed.stderr.count("\n") == 1
        assert "Traceback" not in failed.stderr
    quiet = run(film, tmp_path / "out.mp4", "--overwrite", "--quiet")
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
