"""Films magnified: what is not motion must come out as it went in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from films import (
    STEADY,
    UNEVEN,
    expected_luma,
    frames_of,
    magnified,
    moving,
    packets_of,
    plane_array,
    planes_in,
    write_video,
)
from magnifyme.magnify import Magnifier
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.planar import display_matrix
from magnifyme.stream.transcode import transcode


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
