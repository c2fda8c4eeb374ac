"""The Riesz engine on CUDA against oracle and CPU engine: on a GPU, else in Numba's simulator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import naive_riesz
from busy import Frames
from cuda_stage import OnDevice, apart
from magnifyme.magnify import BatchMagnifier, Magnifier, bench
from magnifyme.magnify.cuda_riesz import CudaRieszEngine
from magnifyme.magnify.riesz import RieszEngine

BAND = (1.0, 5.0)
pytestmark = pytest.mark.usefixtures("small_blocks")


def swaying_clip(
    rng: np.random.Generator, *, count: int, shape: tuple[int, int], size: float = 0.4
) -> tuple[Frames, list[float]]:
    """Make waves of several lengths that sway as a whole by `size` px, under noise, at uneven times."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    times = [k / 30 + 0.004 * (k % 3) for k in range(count)]
    frames = []
    for t in times:
        right, down = size * math.sin(15 * t), -0.5 * size * math.sin(15 * t)
        slanted = 20 * np.sin(0.45 * (x - right) + 0.6 * (y - down))
        picture = 128 + 30 * np.sin(0.9 * (x - right)) + 25 * np.sin(0.7 * (y - down)) + slanted
        frames.append(np.clip(picture + rng.standard_normal(shape), 0, 255).astype(np.uint8))
    return np.array(frames), times


def engines(cpu: Magnifier, gpu: Magnifier) -> tuple[RieszEngine, CudaRieszEngine]:
    assert gpu._cuda is not None
    assert isinstance(cpu._engine, RieszEngine)
    assert isinstance(gpu._cuda.engine, CudaRieszEngine)
    return cpu._engine, gpu._cuda.engine


def shown_fields(cpu: Magnifier, gpu: Magnifier) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give by how many pixels each cell is moved, on the CPU and on the device."""
    here, there = engines(cpu, gpu)
    field = here._shrinkage.field
    return here._amplitude * field, here._amplitude * there._field.copy_to_host().reshape(field.shape)


# One pixel; less than a cell; then pictures that span several blocks of every kernel, down and to the right.
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((1, 1), {}),
        ((2, 3), {"base_level": 0}),
        ((37, 9), {"order": 2}),
        ((7, 134), {"temporal": "acceleration"}),
        ((18, 35), {"base_level": 0, "temporal": "iir", "factor": 50}),
    ],
)
def test_equals_the_cpu(rng: np.random.Generator, shape: tuple[int, int], options: dict[str, Any]) -> None:
    """What a GPU shows is what the CPU shows, at odd sizes, with every filter, and frame after frame."""
    frames, times = swaying_clip(rng, count=3, shape=shape)
    kind: dict[str, Any] = {"fps": 30, "factor": 20, "band_hz": BAND, "method": "riesz", **options}
    cpu, gpu = Magnifier(**kind), Magnifier(device="cuda", **kind)
    for frame, time in zip(frames, times, strict=True):
        out = gpu(frame, time=time)
        assert apart(out, cpu(frame, time=time)) <= 1
    field, ours = shown_fields(cpu, gpu)
    assert np.abs(field - ours).max() < 1e-3
    assert min(shape) < 4 or (np.abs(field).max() > 1 and apart(out, frames[-1]) > 10)
    assert gpu.noise_px == pytest.approx(cpu.noise_px, rel=1e-4)


def test_equals_the_oracle(rng: np.random.Generator) -> None:
    """Were the CPU wrong, and the GPU with it, a slow program in double precision would tell."""
    frames, times = swaying_clip(rng, count=4, shape=(21, 26))
    options: dict[str, Any] = {"fps": 30, "factor": 8, "band_hz": BAND}
    magnifier = Magnifier(device="cuda", method="riesz", **options)
    ours = np.array([magnifier(frame, time=time) for frame, time in zip(frames, times, strict=True)])
    truth = naive_riesz.magnify(frames, times=times, **options)
    assert np.abs(truth - frames).max() > 20
    # SciPy's spline continues the picture otherwise beyond its edge, which reaches a little inwards.
    assert np.abs(ours - truth)[:, 8:-8, 8:-8].max() < 0.75


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_streams_of_a_batch_do_not_know_of_each_other(rng: np.random.Generator, device: Any) -> None:
    """Of two cameras one has a gap and is reset, the other is slow and gives its last frame again."""
    frames, _ = swaying_clip(rng, count=6, shape=(9, 2 * 13), size=1.0)
    pictures = frames.reshape(6, 9, 2, 13).swapaxes(1, 2)
    batch = BatchMagnifier(2, fps=30, factor=20, method="riesz", device=device)
    alone = [Magnifier(fps=30, factor=20, method="riesz") for _ in range(2)]
    expected = [pictures[0, 0], pictures[0, 1]]
    for k in range(6):
        if k == 4:
            batch.reset(0)
            alone[0].reset()
        now = np.array([pictures[k, 0], pictures[k // 2, 1]])
        times = [k / 30 + (0.6 if k > 1 else 0.0), k // 2 / 15]
        out = batch(now, times=times)
        for stream, magnifier in enumerate(alone):
            # The slow one's own magnifier is not given a frame twice.
            if stream == 0 or k % 2 == 0:
                expected[stream] = magnifier(now[stream], time=times[stream])
            assert apart(out[stream], expected[stream]) <= 1
            assert np.array_equal(out[stream], now[stream]) == (k in ((0, 2, 4), (0, 1))[stream])
    assert batch.warm == [magnifier.warm for magnifier in alone]
    assert batch.noise_px == pytest.approx([magnifier.noise_px for magnifier in alone], rel=1e-4)
    assert all(batch.noise_px)


def test_a_still_picture_comes_out_unchanged(rng: np.random.Generator) -> None:
    """No shimmer and no drift on a GPU either, on the hardest picture for the spline; and factor 0 is off."""
    frame = rng.integers(0, 256, (9, 13)).astype(np.uint8)
    magnifier = Magnifier(fps=30, factor=50, method="riesz", device="cuda")
    assert (magnifier.noise_px, magnifier.state_bytes) == (None, 0)
    for k in range(3):
        assert np.array_equal(magnifier(frame, time=k / 29), frame)
    assert magnifier.noise_px == 0.0
    off = Magnifier(fps=30, factor=0, method="riesz", device="cuda")
    for moved in (frame, np.roll(frame, 1)):
        assert np.array_equal(off(moved), moved)


@pytest.mark.usefixtures("device_arrays")
def test_frames_on_the_device_stay_there(rng: np.random.Generator) -> None:
    """A decoder's padded surfaces are read in place, and may be written over."""
    frames, times = swaying_clip(rng, count=3, shape=(9, 13), size=1.0)
    gpu = Magnifier(fps=30, factor=20, method="riesz", device="cuda")
    cpu = Magnifier(fps=30, factor=20, method="riesz")
    for frame, time in zip(frames, times, strict=True):
        room = np.full((9, 20), 7, np.uint8)
        room[:, :13] = frame
        surface = OnDevice(room[:, :13])
        there: Any = surface
        assert gpu(there, time=time, out=there) is there
        written = surface.fetch()
        assert apart(written[:, :13], cpu(frame, time=time)) <= 1
        assert (written[:, 13:] == 7).all()
    assert apart(written[:, :13], frame) > 5
    assert engines(cpu, gpu)[1]._luma is None  # the host's copies were not even made


@pytest.mark.usefixtures("device_arrays")
def test_the_benchmark_counts_what_each_frame_hands_to_the_next() -> None:
    """A share of the floor is worth something if every byte that must move is in it, and no other."""
    result = bench.measure((16, 12), seconds=0.01, method="riesz", device="cuda", on_device=True)
    # Bands of 8 x 6, 4 x 3 and 2 x 2 px; per cell two axes of two states, the last step, two averages.
    state = 4 * (8 * 6 + 4 * 3 + 2 * 2) + 4 * (4 * 3) * (2 * 2 + 2 + 2)
    assert result.bytes_per_frame == 2 * 16 * 12 + 2 * state
    assert (result.method, result.device) == ("riesz", "cuda")
