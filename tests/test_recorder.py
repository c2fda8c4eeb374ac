"""The recorder: the video shows what was watched, when it was watched, and can be played."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from magnifyme.stream.errors import StoreError
from magnifyme.stream.frame import Frame, frame_from_array, frame_from_av, plane_view, write_plane
from magnifyme.stream.recorder import Recorder

Plane = NDArray[np.uint8]
SUFFIXES = [".mp4", ".mkv", ".mov"]


def smooth(rng: np.random.Generator, *, width: int, height: int) -> Plane:
    """Make a smooth picture over the middle of the grey levels: codecs keep it to a level or two."""
    noise = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), 6.0)
    return np.asarray(np.clip(120.0 + 40.0 * noise / max(1e-6, float(np.std(noise))), 30, 220), np.uint8)


def colour_frame(
    luma: Plane, *, time: float, layout: str = "yuv420p", blue: int = 150, red: int = 90, epoch: int = 0
) -> Frame:
    """Make a decoded picture with flat chroma."""
    picture = av.VideoFrame(luma.shape[1], luma.shape[0], layout)
    for plane, values in zip(picture.planes, (luma, blue, red), strict=True):
        write_plane(plane, np.broadcast_to(np.asarray(values, np.uint8), (plane.height, plane.width)))
    return frame_from_av(picture, time=time, epoch=epoch)


def decode(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times_of(pictures: list[av.VideoFrame]) -> NDArray[np.float64]:
    return np.array([float((picture.pts or 0) * (picture.time_base or Fraction(1))) for picture in pictures])


def error(picture: av.VideoFrame, wanted: Plane, *, plane: int = 0) -> float:
    """Tell how far a plane of a decoded picture is from what it should be, in grey levels on average."""
    found = plane_view(picture.planes[plane]).astype(np.float64)
    assert found.shape == wanted.shape
    return float(np.abs(found - wanted).mean())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_both_halves_and_all_times_are_kept(suffix: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Somebody who looks for an event at 0:17 must find it there, original left, magnified right."""
    path = tmp_path / f"out{suffix}"
    times = np.cumsum(rng.uniform(0.004, 0.08, 40)) + 1234.5
    lumas = [smooth(rng, width=160, height=120) for _ in range(4)]
    with Recorder(path, fps=30, labels=None) as recorder:
        for k, time in enumerate(times):
            frame = colour_frame(lumas[k % 4], time=float(time))
            recorder.write(frame, magnified=lumas[(k + 1) % 4])
        assert recorder.frames == 40
    pictures = decode(path)
    assert len(pictures) == 40
    # Matroska counts milliseconds, the others 90000ths.
    limit = 0.0006 if suffix == ".mkv" else 1.5 / 90_000
    assert np.abs(times_of(pictures) - (times - times[0])).max() < limit
    for k, picture in enumerate(pictures):
        assert error(picture, np.hstack([lumas[k % 4], lumas[(k + 1) % 4]])) < 3.0
        assert error(picture, np.full((60, 160), 150, np.uint8), plane=1) < 1.5
        assert error(picture, np.full((60, 160), 90, np.uint8), plane=2) < 1.5


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (2, 2), (3, 5), (33, 47), (161, 97), (97, 161), (64, 48)]
)
@pytest.mark.parametrize("layout", ["gray", "yuv420p", "yuvj420p", "yuv422p", "yuv444p", "bgr"])
def test_every_size_and_pixel_format(
    width: int, height: int, layout: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    """A cropped camera or a gray one is recorded too; yuv420p has even sizes only, so a line is repeated."""
    path = tmp_path / "out.mp4"
    luma = smooth(rng, width=width, height=height)
    if layout == "gray":
        frame = frame_from_array(luma, time=0.0)
    elif layout == "bgr":
        frame = frame_from_array(np.repeat(luma[:, :, None], 3, axis=2), time=0.0)
    else:
        frame = colour_frame(luma, time=0.0, layout=layout, blue=128, red=128)
    magnified = np.asarray(255 - frame.luma, np.uint8)
    with Recorder(path, fps=30) as recorder:
        recorder.write(frame, magnified=magnified)
    (picture,) = decode(path)
    even = (height + height % 2, width + width % 2)
    assert (picture.height, picture.width) == (even[0], 2 * even[1])
    assert picture.format.name in ("yuv420p", "yuvj420p")
    full = layout in ("gray", "yuvj420p", "bgr")
    assert (int(picture.color_range) == 2) == full, "grey levels would be stretched"
    padding = ((0, height % 2), (0, width % 2))
    wanted = np.hstack([np.pad(half, padding, mode="edge") for half in (frame.luma, magnified)])
    top = 24 if min(width, height) >= 96 else 0
    found = plane_view(picture.planes[0])[top:]
    assert np.abs(found.astype(int) - wanted[top:]).mean() < 4.0
    assert np.abs(plane_view(picture.planes[1]).astype(int) - 128).max() <= 3


def test_labels_say_which_half_is_which(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    luma = np.full((240, 320), 100, np.uint8)
    with Recorder(path, fps=30, labels=("original", "magnified x10")) as recorder:
        recorder.write(frame_from_array(luma, time=0.0), magnified=luma)
    shown = plane_view(decode(path)[0].planes[0]).astype(int)
    for half in (shown[:, :320], shown[:, 320:]):
        strip = half[:24]
        assert strip.max() > 200
        assert strip.min() < 50
        assert np.abs(half[32:] - 100).max() <= 3, "nothing but the strip is touched"
    ink = [(np.abs(half - 100) > 40).any(axis=0).sum() for half in (shown[:24, :320], shown[:24, 320:])]
    assert ink[1] > 1.3 * ink[0], "the longer label stands on the right"


def test_epochs_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """A camera that reconnects counts from zero, or from years ahead; the video just goes on."""
    path = tmp_path / "out.mp4"
    luma = np.full((48, 64), 100, np.uint8)
    with Recorder(path, fps=25) as recorder:
        for epoch, start in ((0, 50.0), (1, 0.0), (2, 1e9), (3, -5.0)):
            for k in range(3):
                frame = frame_from_array(luma, time=start + 0.1 * k, epoch=epoch)
                recorder.write(frame, magnified=luma)
    wanted = np.concatenate([n * 0.24 + 0.1 * np.arange(3) for n in range(4)])
    assert times_of(decode(path)) == pytest.approx(wanted, abs=1e-4)


def test_times_that_stand_still_do_not_end_the_video(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    luma = np.full((48, 64), 100, np.uint8)
    with Recorder(path, fps=25) as recorder:
        for time in (0.0, 0.04, 0.04, 0.02, 0.08):
            recorder.write(frame_from_array(luma, time=time), magnified=luma)
    times = times_of(decode(path))
    assert len(times) == 5
    assert (np.diff(times) > 0.0).all()
    assert times[-1] == pytest.approx(0.08, abs=1e-4)


@pytest.mark.parametrize("size", [(80, 60), (640, 480), (60, 80), (321, 99), (1, 1)])
def test_another_size_is_fitted_into_the_first(
    size: tuple[int, int], tmp_path: Path, rng: np.random.Generator
) -> None:
    """A camera that changes its resolution in mid-stream goes on, with its shape kept."""
    path = tmp_path / "out.mp4"
    first, second = smooth(rng, width=160, height=120), np.full(size[::-1], 200, np.uint8)
    with Recorder(path, fps=25, labels=None) as recorder:
        recorder.write(colour_frame(first, time=0.0), magnified=first)
        recorder.write(colour_frame(second, time=0.0, epoch=1), magnified=second)
        recorder.write(colour_frame(first, time=0.0, epoch=2), magnified=first)
    pictures = decode(path)
    assert [(p.width, p.height) for p in pictures] == [(320, 120)] * 3
    assert error(pictures[2], np.hstack([first, first])) < 3.0, "the bars are gone again"
    halves = np.hsplit(plane_view(pictures[1].planes[0]), 2)
    assert np.abs(halves[0].astype(int) - halves[1]).mean() < 3.0
    bright = halves[0] > 110
    height, width = bright.any(axis=1).sum(), bright.any(axis=0).sum()
    scale = min(160 / size[0], 120 / size[1])
    assert abs(width - scale * size[0]) <= 3
    assert abs(height - scale * size[1]) <= 3
    rows = np.flatnonzero(bright.any(axis=1))
    assert abs(rows[0] + rows[-1] - 119) <= 4, "in the middle"


def test_a_change_of_range_keeps_the_grey_levels_seen(tmp_path: Path) -> None:
    """Full-range white and limited-range white are the same white."""
    path = tmp_path / "out.mp4"
    limited = colour_frame(np.full((48, 64), 235, np.uint8), time=0.0, blue=128, red=128)
    full = frame_from_array(np.full((48, 64), 255, np.uint8), time=0.0, epoch=1)
    for frames, white in (((limited, full), 235), ((full, limited), 255)):
        with Recorder(path, fps=25, overwrite=True) as recorder:
            for k, frame in enumerate(frames):
                recorder.write(
                    Frame(frame.luma, 0.1 * k, epoch=k, picture=frame.picture), magnified=frame.luma
                )
        for picture in decode(path):
            assert abs(float(plane_view(picture.planes[0]).mean()) - white) < 2.0


def test_without_libx264_the_video_is_mpeg4(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg is built without x264 where its licence is not wanted; the recording must not fail there."""
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    path = tmp_path / "out.mp4"
    luma = smooth(rng, width=96, height=64)
    times = [0.0, 0.033, 0.05, 0.2]
    with Recorder(path, fps=29.97) as recorder:
        for time in times:
            recorder.write(colour_frame(luma, time=time), magnified=luma)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    pictures = decode(path)
    assert times_of(pictures) == pytest.approx(times, abs=1e-4)
    assert error(pictures[-1], np.hstack([luma, luma])) < 4.0


def test_a_closed_file_is_an_ordinary_one(tmp_path: Path) -> None:
    """Players and browsers can seek in it, and know its length and frame count."""
    path = tmp_path / "out.mp4"
    luma = np.full((48, 64), 100, np.uint8)
    recorder = Recorder(path, fps=25)
    for k in range(100):
        recorder.write(frame_from_array(luma, time=k / 25), magnified=luma)
    recorder.close()
    recorder.close()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.frames == 100
        assert stream.duration is not None
        assert stream.time_base is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(4.0, abs=0.05)
        container.seek(3_000_000)
        assert 1.9 < (next(container.decode(video=0)).time or 0.0) <= 3.0
    with pytest.raises(StoreError, match="closed"):
        recorder.write(frame_from_array(luma, time=9.0), magnified=luma)


_WATCH = """
import sys
import numpy as np
from magnifyme.stream.frame import frame_from_array
from magnifyme.stream.recorder import Recorder
rng = np.random.default_rng(0)
with Recorder(sys.argv[1], fps=30) as recorder:
    for k in range(10**6):
        luma = rng.integers(0, 255, (48, 64), dtype=np.uint8)
        recorder.write(frame_from_array(luma, time=k / 30), magnified=luma)
        print(k, flush=True)
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("way", ["SIGKILL", "SIGINT"])
@pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")
def test_a_recording_that_was_cut_off_plays(suffix: str, way: str, tmp_path: Path) -> None:
    """Ctrl-C loses nothing; a crash loses the last two seconds and not the hours before."""
    path = tmp_path / f"out{suffix}"
    process = subprocess.Popen(
        [sys.executable, "-c", _WATCH, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 150:
            process.send_signal(getattr(signal, way))
            break
    written = max([150, *map(int, process.stdout.read().split())]) + 1
    process.stdout.close()
    process.wait()
    pictures = decode(path)
    if way == "SIGINT":
        assert written <= len(pictures) <= written + 1
    else:
        # The fragment that was being filled, and what the encoder held back.
        assert len(pictures) >= written - 60
    assert times_of(pictures) == pytest.approx(np.arange(len(pictures)) / 30, abs=6e-4)


def test_what_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    """A wrong name costs a second and not an hour of watching."""
    for name in ("out.foo", "out", "out.avi", "missing/out.mp4"):
        with pytest.raises(StoreError, match="out") as caught:
            Recorder(tmp_path / name, fps=30)
        assert "\n" not in str(caught.value)
    folder = tmp_path / "folder.mp4"
    folder.mkdir()
    with pytest.raises(StoreError, match="folder"):
        Recorder(folder, fps=30)
    with pytest.raises(StoreError, match="rate above 0"):
        Recorder(tmp_path / "out.mp4", fps=0.0)
    assert [item.name for item in tmp_path.iterdir()] == ["folder.mp4"]


def test_an_existing_file_stays_until_the_first_frame(tmp_path: Path) -> None:
    """A run that fails before it sees a picture must not cost the recording of yesterday."""
    path, luma = tmp_path / "out.mp4", np.full((48, 64), 100, np.uint8)
    path.write_bytes(b"mine")
    with pytest.raises(StoreError, match="--overwrite"):
        Recorder(path, fps=30)
    with Recorder(path, fps=30, overwrite=True):
        pass
    assert path.read_bytes() == b"mine"
    with Recorder(path, fps=30, overwrite=True) as recorder:
        recorder.write(frame_from_array(luma, time=0.0), magnified=luma)
    assert len(decode(path)) == 1


def test_the_file_of_another_is_not_removed(tmp_path: Path) -> None:
    """Two programs with one name: the one that recorded nothing takes nothing away."""
    with Recorder(tmp_path / "out.mp4", fps=30):
        assert list(tmp_path.iterdir()) == [], "nothing is made before the first frame"
        (tmp_path / "out.mp4").write_bytes(b"theirs")
    assert (tmp_path / "out.mp4").read_bytes() == b"theirs"


def test_a_file_that_another_made_meanwhile_stays(tmp_path: Path) -> None:
    """Loading takes half a minute at first: two programs started with one name must not both write."""
    luma = np.full((48, 64), 100, np.uint8)
    with Recorder(tmp_path / "out.mp4", fps=30) as recorder:
        (tmp_path / "out.mp4").write_bytes(b"theirs")
        with pytest.raises(StoreError, match="--overwrite"):
            recorder.write(frame_from_array(luma, time=0.0), magnified=luma)
    assert (tmp_path / "out.mp4").read_bytes() == b"theirs"


def test_no_frames_leave_no_file(tmp_path: Path) -> None:
    """An empty file would look like a broken video."""
    with Recorder(tmp_path / "out.mp4", fps=30):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_magnified_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    frame = frame_from_array(np.zeros((48, 64), np.uint8), time=0.0)
    with Recorder(tmp_path / "out.mp4", fps=30) as recorder, pytest.raises(ValueError, match=r"\(48, 64\)"):
        recorder.write(frame, magnified=np.zeros((64, 48), np.uint8))


_FULL = """
import resource, signal, sys
import numpy as np
from magnifyme.stream.errors import StoreError
from magnifyme.stream.frame import frame_from_array
from magnifyme.stream.recorder import Recorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
rng = np.random.default_rng(0)
try:
    with Recorder(sys.argv[1], fps=30) as recorder:
        for k in range(1000):
            luma = rng.integers(0, 255, (96, 128), dtype=np.uint8)
            recorder.write(frame_from_array(luma, time=k / 30), magnified=luma)
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.skipif(os.name != "posix", reason="limits of a process are of POSIX")
def test_a_full_disk_is_told(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert "cannot be written" in done.stdout, done.stderr
    assert len(done.stdout.strip().splitlines()) == 1
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).width == 256, "what was written before can be played"
