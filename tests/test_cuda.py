"""The CUDA engine against oracle and CPU engine: on a GPU where there is one, else in Numba's simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import cuda
from numba.core import config

import naive_magnify
from busy import busy_clip
from cuda_stage import OnDevice, apart
from magnifyme.magnify import (
    BatchMagnifier,
    Magnifier,
    MagnifyError,
    bench,
    cuda_device,
    cuda_engine,
    magnify_frames,
)

BAND = (1.0, 5.0)
HERE = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("small_blocks")


# The larger ones span several blocks, and levels of which each of the four kernels makes some.
SHAPES = [(1, 1), (1, 2), (2, 1), (3, 5), (13, 31), (19, 70), (47, 29)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("base_level", [0, 1])
def test_equals_the_oracle_at_any_size(
    rng: np.random.Generator, shape: tuple[int, int], base_level: int
) -> None:
    """What a GPU shows is what the formula says, at odd, prime, portrait and one-pixel sizes too."""
    frames = busy_clip(rng, count=4, shape=shape)
    options: dict[str, Any] = {"fps": 30, "factor": 6, "band_hz": BAND, "base_level": base_level}
    out = magnify_frames(frames, device="cuda", denoise=False, **options)
    assert np.abs(out - naive_magnify.magnify(frames, **options)).max() < 0.51
    assert apart(out, magnify_frames(frames, denoise=False, **options)) <= 1
    assert apart(out[1:], frames[1:]) > 3 or max(shape) < 3


def test_equals_the_oracle_with_many_levels(rng: np.random.Generator) -> None:
    """Pictures of video size have coarse levels that small ones have not, and magnify as truly."""
    frames = busy_clip(rng, count=3, shape=(63, 58))
    options: dict[str, Any] = {"fps": 30, "factor": 6, "band_hz": BAND, "base_level": 0}
    out = magnify_frames(frames, device="cuda", denoise=False, **options)
    assert np.abs(out - naive_magnify.magnify(frames, **options)).max() < 0.51


@pytest.mark.parametrize(("order", "cutoff", "base_level"), [(1, 9.0, 0), (2, 0.0, 1), (3, 30.0, 1)])
def test_equals_the_oracle_for_every_option(
    rng: np.random.Generator, order: int, cutoff: float, base_level: int
) -> None:
    """The filter's order, the wavelength bound and irregular frames do what their formulas say."""
    frames = busy_clip(rng, count=9, shape=(18, 20))
    times = np.cumsum(rng.choice([0.8, 1.0, 2.0, 3.0, 0.0], len(frames))) / 30
    options: dict[str, Any] = {"fps": 30, "factor": 8, "band_hz": BAND, "order": order}
    magnifier = Magnifier(
        device="cuda", base_level=base_level, cutoff_wavelength_px=cutoff, denoise=False, **options
    )
    out = np.array([magnifier(frame, time=float(t)) for frame, t in zip(frames, times, strict=True)])
    true = naive_magnify.magnify(
        frames, times=times.tolist(), base_level=base_level, cutoff=cutoff, **options
    )
    assert np.abs(out - true).max() < 0.51


@pytest.mark.parametrize(("base_level", "order"), [(0, 2), (1, 1)])
def test_noise_is_held_back_as_on_the_cpu(rng: np.random.Generator, base_level: int, order: int) -> None:
    """From noise alone on the left to motion alone on the right, over frames lost, late and given again."""
    count, shape = 14, (19, 42)
    times = np.cumsum(rng.choice([0.8, 1.0, 2.0, 0.0], count, p=[0.3, 0.4, 0.2, 0.1])) / 60
    share = np.linspace(0, 1, shape[1])
    course = 25 * share * np.sin(2 * np.pi * 3 * times)[:, None, None]
    noise = 6 * (1 - share) * rng.standard_normal((count, *shape))
    frames = np.rint(rng.integers(90, 166, shape) + course + noise).astype(np.uint8)
    options: dict[str, Any] = {"fps": 60, "factor": 8, "base_level": base_level, "order": order}
    on_gpu, on_cpu = Magnifier(device="cuda", **options), Magnifier(**options)
    free = Magnifier(denoise=False, **options)
    held = 0
    for frame, moment in zip(frames, times.tolist(), strict=True):
        out = on_gpu(frame, time=moment)
        assert apart(out, on_cpu(frame, time=moment)) <= 1
        held = max(held, apart(out, free(frame, time=moment)))
    assert held > 5


@pytest.mark.parametrize("texture", ["edges", "blob", "grain"])
def test_moving_textures_equal_the_cpu(rng: np.random.Generator, texture: str) -> None:
    """Clipped edges, faint blobs and noisy grain come out as on the CPU, frame after frame."""
    y, x = np.mgrid[:22, :34].astype(float)
    grain = rng.integers(0, 256, (22, 40)).astype(float)
    frames = []
    for k in range(7):
        d = 2 * np.sin(k / 2)
        picture = {
            "edges": 255.0 * ((np.sin((x + d) / 3) > 0) ^ (np.sin(y / 4) > 0)),
            "blob": 100 + 40 * np.exp(-((x + d - 17) ** 2 + (y - 11) ** 2) / 30),
            "grain": grain[:, 3 + round(d) :][:, :34],
        }[texture]
        frames.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    clip = np.array(frames)
    out = magnify_frames(clip, fps=30, factor=20, device="cuda")
    assert apart(out, magnify_frames(clip, fps=30, factor=20)) <= 1
    assert apart(out, clip) > 10


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_streams_of_a_batch_do_not_know_of_each_other(rng: np.random.Generator, device: Any) -> None:
    """Four cameras in one launch: one even, one jittering, one with a gap, one reset; each as if alone."""
    frames = busy_clip(rng, count=8, shape=(4, 10, 13))
    times = np.arange(8)[:, None] / 30 + np.array([0.0, 100.0, 7.0, 3.0])
    times[:, 1] += rng.uniform(-0.01, 0.01, 8)
    times[5:, 2] += 0.6
    batch = BatchMagnifier(4, fps=30, factor=9, device=device)
    alone = [Magnifier(fps=30, factor=9) for _ in range(4)]
    for k, (pictures, moments) in enumerate(zip(frames, times.tolist(), strict=True)):
        if k == 6:
            batch.reset(3)
            alone[3].reset()
        out = batch(pictures, times=moments)
        for magnifier, picture, moment, result in zip(alone, pictures, moments, out, strict=True):
            assert apart(result, magnifier(picture, time=moment)) <= 1
        assert np.array_equal(out[2], pictures[2]) == (k in (0, 5))
        assert np.array_equal(out[3], pictures[3]) == (k in (0, 6))
        assert batch.warm == [magnifier.warm for magnifier in alone]
    batch.reset()
    assert np.array_equal(batch(frames[0]), frames[0])


def test_a_stream_that_has_no_new_frame_stands_still(rng: np.random.Generator) -> None:
    """Of two cameras the slower one's last frame is given again: its state must not move on by that."""
    frames = busy_clip(rng, count=6, shape=(2, 9, 10))
    batch, alone = BatchMagnifier(2, fps=30, device="cuda"), Magnifier(fps=30)
    for k in range(6):
        slow = k // 2
        out = batch(np.array([frames[k, 0], frames[slow, 1]]), times=[k / 30, slow / 15])
        if k % 2 == 0:
            expected = alone(frames[slow, 1], time=slow / 15)
        assert apart(out[1], expected) <= 1


def test_a_still_picture_comes_out_unchanged(rng: np.random.Generator) -> None:
    """No shimmer and no drift on a GPU either; and factor 0 is off."""
    frame = rng.integers(0, 256, (13, 21)).astype(np.uint8)
    magnifier = Magnifier(fps=30, factor=50, order=2, device="cuda")
    for k in range(4):
        assert np.array_equal(magnifier(frame, time=k / 29), frame)
    clip = busy_clip(rng, count=3, shape=(13, 21))
    assert np.array_equal(magnify_frames(clip, fps=30, factor=0, device="cuda"), clip)


def test_another_size_starts_anew_and_any_layout_is_read(rng: np.random.Generator) -> None:
    """Decoders give padded read-only planes, and a stream may change its size: neither ends the program."""
    frames = busy_clip(rng, count=4, shape=(12, 15))
    expected = magnify_frames(frames, fps=30, device="cuda")
    magnifier = Magnifier(fps=30, device="cuda")
    assert magnifier.state_bytes == 0
    magnifier(busy_clip(rng, count=1, shape=(5, 6))[0])
    padded = np.zeros((4, 12, 32), np.uint8)
    padded[:, :, :15] = frames
    padded.flags.writeable = False
    canvas = np.full((20, 20), 7, np.uint8)
    for frame, true in zip(padded[:, :, :15], expected, strict=True):
        magnifier(frame, out=canvas[4:16, 3:18])
        assert np.array_equal(canvas[4:16, 3:18], true)
    canvas[4:16, 3:18] = 7
    assert (canvas == 7).all()
    assert magnifier.filter_bytes == 6 * 8 * (4 + 4 + 2 + 2) + 2 * 2 * 2 * 4


@pytest.mark.usefixtures("device_arrays")
@pytest.mark.parametrize("streams", [1, 2])
def test_frames_on_the_device_stay_there(rng: np.random.Generator, streams: int) -> None:
    """A decoder's surfaces and a classifier's input lie on the GPU, padded: read and written in place."""
    shape = (streams, 11, 14) if streams > 1 else (11, 14)
    frames = busy_clip(rng, count=4, shape=shape)
    batch = BatchMagnifier(streams, fps=30, factor=8, device="cuda")
    alone = BatchMagnifier(streams, fps=30, factor=8)
    for picture in frames:
        room = np.zeros((*shape[:-1], 24), np.uint8)
        room[..., :14] = picture
        target = OnDevice(np.full((*shape[:-1], 19), 7, np.uint8)[..., :14])
        assert batch(OnDevice(room[..., :14]), out=target) is target
        written = target.fetch()
        assert apart(written[..., :14], alone(picture)) <= 1
        assert (written[..., 14:] == 7).all()
    made = batch(OnDevice(frames[0]))
    assert made.shape == frames[0].shape
    assert cuda_device.lies_on_device(made)
    assert apart(made.copy_to_host(), alone(frames[0])) <= 1
    assert batch._cuda is not None
    assert batch._cuda.engine is not None
    assert batch._cuda.engine._luma is None  # the host's copies were not even made


@pytest.mark.parametrize("locked", ["both", "frame", "out"])
def test_page_locked_frames_are_not_copied_on_the_way(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, locked: str
) -> None:
    """Sixteen streams of video need what a copy in the host's memory would take longest for."""
    frame, out = cuda_device.page_locked((7, 8)), cuda_device.page_locked((7, 8))
    if locked == "frame":
        out = np.zeros((7, 8), np.uint8)
    if locked == "out":
        frame = np.zeros((7, 8), np.uint8)
    if config.ENABLE_CUDASIM:  # which knows no such memory
        known = {"both": (frame, out), "frame": (frame,), "out": (out,)}[locked]
        asked = [array.ctypes.data for array in known]
        monkeypatch.setattr(cuda_engine, "is_page_locked", lambda array: array.ctypes.data in asked)
    magnifier, alone = Magnifier(fps=30, device="cuda"), Magnifier(fps=30)
    for picture in busy_clip(rng, count=3, shape=(7, 8)):
        frame[...] = picture
        assert magnifier(frame, out=out) is out
        assert apart(out, alone(picture)) <= 1
    assert magnifier._cuda is not None
    engine = magnifier._cuda.engine
    assert engine is not None
    assert (engine._sent is None) == (locked != "out")
    assert (engine._received is None) == (locked != "frame")


@pytest.mark.usefixtures("device_arrays")
def test_says_what_is_wrong_with_a_frame_on_the_device() -> None:
    """A float or a transposed array, or an out elsewhere, is named and not turned into noise."""
    good = np.zeros((4, 6), np.uint8)
    magnifier = Magnifier(fps=30, device="cuda")
    for wrong in (good.astype(np.float32), np.zeros((2, 3, 4, 6), np.uint8), good[:0]):
        with pytest.raises(MagnifyError, match="the frame on the device is"):
            magnifier(OnDevice(wrong))  # type: ignore[arg-type]
    with pytest.raises(MagnifyError, match="not contiguous"):
        magnifier(OnDevice(good.T))  # type: ignore[arg-type]
    with pytest.raises(MagnifyError, match="lies on the device"):
        magnifier(OnDevice(good), out=good)  # type: ignore[arg-type]
    with pytest.raises(MagnifyError, match="each of the 1 streams"):
        magnifier(OnDevice(np.zeros((2, 4, 6), np.uint8)))  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_says_what_is_wrong_with_a_batch(device: Any) -> None:
    """A missing picture or time is told before any stream has moved on."""
    with pytest.raises(MagnifyError, match="streams is 0"):
        BatchMagnifier(0, fps=30)
    batch, good = BatchMagnifier(3, fps=30, device=device), np.zeros((3, 4, 6), np.uint8)
    with pytest.raises(MagnifyError, match="2 frames; give one of each of the 3"):
        batch(good[:2])
    with pytest.raises(MagnifyError, match=r"uint8 \[streams, H, W\]"):
        batch(good[0])
    with pytest.raises(MagnifyError, match="2 times"):
        batch(good, times=[0.0, 1.0])
    with pytest.raises(MagnifyError, match="out is"):
        batch(good, out=good[:2])
    batch(good, times=[0.0, 0.0, 0.0])
    with pytest.raises(MagnifyError, match="time is nan"):
        batch(good, times=[5.0, 0.1, np.nan])
    moving = np.full((3, 4, 6), 9, np.uint8)
    moving[:, 1, 1:3] = 90
    assert not np.array_equal(batch(moving, times=[0.1, 0.1, 0.1])[0], moving[0])


def test_says_what_cuda_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for a GPU and has none reads one line with the way out; `auto` takes the CPU."""
    lacking: list[tuple[str, bool, str | None]] = [
        ("numba-cuda is not installed", False, None),
        ("no NVIDIA GPU or no driver for it (nothing found)", True, "\nnothing found.\nat all"),
        ("(NVVM) is not installed", True, None),
    ]
    for told, installed, error in lacking:
        monkeypatch.setattr(config, "ENABLE_CUDASIM", 0)
        monkeypatch.setattr(cuda_device, "find_spec", lambda name, found=installed: found or None)
        monkeypatch.setattr(cuda, "cuda_error", lambda error=error: error, raising=False)
        monkeypatch.setattr(cuda, "is_available", lambda: False)
        with pytest.raises(MagnifyError) as caught:
            Magnifier(fps=30, device="cuda")
        assert told in str(caught.value)
        assert "\n" not in str(caught.value)
        assert Magnifier(fps=30, device="auto").device == "cpu"


def test_auto_takes_the_gpu_for_what_runs_there() -> None:
    """`auto` magnifies on the GPU where it can, and what is to be stabilized, which cannot, on the CPU."""
    assert Magnifier(fps=30, device="auto").device == "cuda"
    assert Magnifier(fps=30, device="auto", method="riesz").device == "cuda"
    assert Magnifier(fps=30, device="auto", stabilize=True).device == "cpu"
    with pytest.raises(MagnifyError, match="stabilize runs on the CPU only"):
        Magnifier(fps=30, device="cuda", stabilize=True)


def test_equal_launches_are_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call a frame instead of seven: recorded at the second time, and never another array's."""
    sent: list[tuple[str, Any]] = []

    class Graph:
        def __init__(self, work: Any) -> None:
            sent.append(("record", work))
            self.work = work

        def launch(self, stream: Any) -> None:
            sent.append(("replay", self.work))

    def launch(key: str) -> None:
        launcher.run(key, lambda stream: sent.append(("launch", key)))

    monkeypatch.setattr(config, "ENABLE_CUDASIM", 0)
    monkeypatch.setattr(cuda_device, "_Graph", Graph)
    launcher = cuda_device.Launcher()
    for key in ("a", "a", "b", "a", "b"):
        launch(key)
    kinds = [kind for kind, _ in sent]
    assert kinds == ["launch", "record", "replay", "launch", "replay", "record", "replay"]
    assert sent[2][1] is sent[4][1] is not sent[6][1]
    for number in range(cuda_device._MAX_RECORDINGS):
        launch(str(number))
    sent.clear()
    launch("a")
    assert sent == [("launch", "a")]  # forgotten, since too many came after it


@pytest.mark.usefixtures("device_arrays")
@pytest.mark.parametrize(("streams", "on_device"), [(1, False), (2, True)])
def test_the_benchmark_counts_what_crosses_the_bus_or_the_memory(streams: int, on_device: bool) -> None:
    """A share of the floor is only worth something if bytes and bandwidth are those of the same way."""
    result = bench.measure((16, 12), seconds=0.01, device="cuda", streams=streams, on_device=on_device)
    assert (result.device, result.streams, result.on_device) == ("cuda", streams, on_device)
    # Filter, two base planes, and the averages of two by two blocks.
    state = 8 * 6 * (4 + 4 + 2 + 2) + 2 * 2 * 2 * 4
    assert result.bytes_per_frame == 2 * 16 * 12 + (2 * state if on_device else 0)
    assert result.fps == pytest.approx(1000 * streams / result.ms_per_frame)
    copying_ms = 1000 * streams * result.bytes_per_frame / result.copy_bytes_per_s
    assert result.share_of_floor == pytest.approx(copying_ms / result.ms_per_frame)
    with pytest.raises(MagnifyError, match="give device 'cuda'"):
        bench.measure((16, 12), on_device=True)


@pytest.mark.timeout(300)
def test_kernels_compile_to_single_precision_code_that_spills_nothing() -> None:
    """Every kernel becomes PTX for Ampere and Hopper; a float64 constant would make it many times slower."""
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_ENABLE_CUDASIM"}
    done = subprocess.run(
        [sys.executable, HERE / "cuda_ptx.py"], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    compiled = json.loads(done.stdout)
    linear = {"filter_base", "gate_base", "halve_twice", "sum_coarse", "add_change"}
    riesz = {"halve_thrice", "compare", "follow", "hold_back", "fit_spline", "move"}
    assert {(entry["kernel"], entry["target"]) for entry in compiled} == {
        (kernel, target) for kernel in linear | riesz for target in ("sm_80", "sm_90")
    }
    for entry in compiled:
        assert f".target {entry['target']}" in entry["ptx"]
        assert ".f32" in entry["ptx"]
        assert ".f64" not in entry["ptx"], entry["kernel"]
        assert ".local" not in entry["ptx"], entry["kernel"]
        if entry["assembler"] is not None:
            assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in entry["assembler"]
