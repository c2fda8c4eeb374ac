"""Films of all kinds: every picture once, exact, in time and the right way up."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from films import (
    CLOCK,
    STEADY,
    UNEVEN,
    magnified,
    shuffled,
    stairs,
    watched,
    with_b_frames,
    write_video,
)
from magnifyme.stream.planar import build_picture
from magnifyme.stream.video_file import VideoFile


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p", "gray", "yuvj420p"])
def test_uneven_times_and_pictures_out_of_order(suffix: str, layout: str, tmp_path: Path) -> None:
    """Missed otherwise: B-frames doubled, lost or swapped, and the edit list that mp4 needs for them."""
    pictures = stairs((64, 48), frames=24, layout=layout)
    path = write_video(
        tmp_path / f"in{suffix}",
        pictures,
        times=UNEVEN,
        layout=layout,
        codec="libx264",
        prepare=with_b_frames,
    )
    with av.open(str(path)) as container:
        kinds = {frame.pict_type for frame in container.decode(video=0)}
    assert av.video.frame.PictureType.B in kinds
    frames, warnings = watched(path)
    assert warnings == []
    seconds = [float(ticks * CLOCK) for ticks in UNEVEN]
    assert [frame.time for frame in frames] == pytest.approx(seconds, abs=1e-3 if suffix == ".mkv" else 1e-9)
    for frame, planes in zip(frames, pictures, strict=True):
        np.testing.assert_allclose(frame.luma.astype(int), planes[0], atol=1)
        assert not frame.damaged


def test_a_film_that_was_trimmed(tmp_path: Path) -> None:
    """Missed otherwise: what the user cut away on the telephone is watched, or a warning that it is lost."""
    pictures = stairs((64, 48), frames=24, layout="yuv420p")
    path = write_video(tmp_path / "in.mp4", pictures, codec="libx264", prepare=with_b_frames)
    data = bytearray(path.read_bytes())
    # The edit list: length in the film's clock, first moment in the track's, after 8 bytes of other fields.
    at = data.index(b"elst") + 4 + 8
    length, first = struct.unpack_from(">Ii", data, at)
    assert first > 0  # where the clock of a film with B-frames begins
    struct.pack_into(">Ii", data, at, length * 15 // 24, first + 5 * 3000)
    path.write_bytes(data)
    frames, warnings = watched(path)
    assert warnings == []
    for frame, planes in zip(frames, pictures[5:20], strict=True):
        np.testing.assert_allclose(frame.luma.astype(int), planes[0], atol=1)
    assert [frame.time for frame in frames] == pytest.approx([number / 30 for number in range(15)], abs=1e-9)


@pytest.mark.parametrize("kind", ["interlaced=1", "tff=1", "bff=1"])
def test_interlaced_films_come_whole(kind: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: half pictures, or each one twice, from an older camera."""
    pictures = shuffled((64, 64), frames=12, rng=rng, layout="yuv420p")

    def interlaced(stream: av.VideoStream) -> None:
        stream.codec_context.options = {"qp": "0", "x264-params": kind}

    for name in ("in.mkv", "in.ts"):
        path = write_video(tmp_path / name, pictures, times=STEADY[:12], codec="libx264", prepare=interlaced)
        frames, warnings = watched(path)
        assert warnings == []
        for frame, planes in zip(frames, pictures, strict=True):
            assert frame.picture is not None
            assert frame.picture.interlaced_frame
            np.testing.assert_array_equal(frame.luma, planes[0])


@pytest.mark.parametrize("layout", ["yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "gray10le"])
@pytest.mark.parametrize("full", [False, True])
def test_deep_pictures_lose_their_last_bits_only(
    layout: str, full: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Missed otherwise: new telephones' films too dark, too flat or striped."""
    bits = 12 if "12" in layout else 10
    deep = rng.integers(64, 940, (5, 48, 64)).astype("<u2") << (bits - 10)
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, layout
        stream.color_range = 2 if full else 1
        for values in deep:
            picture = av.VideoFrame(64, 48, layout)
            picture.color_range = 2 if full else 1
            for number, plane in enumerate(picture.planes):
                samples = np.full((plane.height, plane.line_size // 2), 1 << (bits - 1), "<u2")
                if number == 0:
                    samples[:, :64] = values
                plane.update(samples.tobytes())
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    frames, warnings = watched(path)
    assert warnings == []
    whole = full or layout.startswith("gray")
    for frame, values in zip(frames, deep, strict=True):
        exact = values * (255 / (2**bits - 1) if whole else 2.0 ** (8 - bits))
        assert np.abs(frame.luma - exact).max() <= 1.0
        assert abs(np.mean(frame.luma - exact)) < 0.1


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p10le"])
@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_every_way_up(
    mirrored: bool, degrees: int, layout: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Missed otherwise: selfies, which are stored mirrored, upside down."""
    pictures = shuffled((64, 48), frames=3, rng=rng, layout="yuv420p")
    path = tmp_path / "in.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"qp": "0"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, layout
        stream.set_display_rotation(degrees, hflip=mirrored)
        for planes in pictures:
            picture = build_picture(planes, layout="yuv420p").reformat(format=layout, threads=1)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    frames, _ = watched(path)
    for frame, planes in zip(frames, pictures, strict=True):
        shown = np.rot90(planes[0], degrees // 90)
        shown = shown[:, ::-1] if mirrored else shown
        np.testing.assert_allclose(frame.luma.astype(int), shown, atol=1)  # x264 has no lossless 10 bits
    # AVI has no note which way is up: there the pixels are turned.
    _, notices, _ = magnified(path, "out.avi")
    assert not any("mirror" in notice for notice in notices)
    with VideoFile(path) as source, VideoFile(tmp_path / "out.avi") as turned:
        np.testing.assert_array_equal(next(iter(turned)).luma, next(iter(source)).luma)


def test_full_range_stays_full(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: luma squeezed into 219 levels, which is motion lost."""
    pictures = [
        [rng.integers(0, 256, (48, 64), np.uint8), *planes[1:]]
        for planes in shuffled((64, 48), frames=6, rng=rng, layout="yuv420p")
    ]

    def full(stream: av.VideoStream) -> None:
        stream.color_range = 2

    path = write_video(tmp_path / "in.mp4", pictures, times=STEADY[:6], codec="libx264", prepare=full)
    frames, _ = watched(path)
    for frame, planes in zip(frames, pictures, strict=True):
        assert frame.picture is not None
        assert frame.picture.color_range == 2
        np.testing.assert_array_equal(frame.luma, planes[0])


def test_a_film_that_changes_its_size(tmp_path: Path, rng: np.random.Generator) -> None:
    """Missed otherwise: pictures squeezed into another shape, in silence."""
    parts = [
        write_video(
            tmp_path / f"{number}.h264",
            shuffled(size, frames=6, rng=rng, layout="yuv420p"),
            times=STEADY[:6],
            codec="libx264",
        )
        for number, size in enumerate([(64, 48), (32, 80)])
    ]
    path = tmp_path / "in.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, _ = watched(path)
    assert [(frame.size, frame.epoch) for frame in frames] == [((64, 48), 0)] * 6 + [((32, 80), 1)] * 6
    _, notices, done = magnified(path, "out.mkv")
    assert done.frames == 12
    assert any("change their size" in notice for notice in notices)
    assert not any("change their size" in notice for notice in magnified(parts[0], "same.mkv")[1])
