"""Magnify motion in a stream: one luma frame in, one out."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .checks import check_luma, check_out, check_range, check_whole
from .clock import StreamClock
from .errors import MagnifyError
from .linear import LinearEngine
from .noise import model_noise
from .riesz import RieszEngine
from .stabilizer import POSE_ORDER, POSE_WARM_SHARE, Engine, StabilizedEngine
from .temporal import Temporal, design_band_pass

if TYPE_CHECKING:
    from .cuda_streams import CudaStreams

Method = Literal["linear", "riesz"]
Device = Literal["cpu", "cuda", "auto"]
METHODS: tuple[Method, ...] = ("linear", "riesz")
DEVICES: tuple[Device, ...] = ("cpu", "cuda", "auto")

# Enough for every use (papers end at 150); beyond it there is only noise.
MAX_FACTOR = 1000.0
_MAX_ORDER = 4
_MAX_THREADS = 1024


class Magnifier:
    """Magnify small motion in a stream of luma frames uint8 [H, W].

    At the geometric middle of `band_hz`, motion by d pixels becomes motion by (1 + `factor`) d, without
    delay; at the band's edges the added motion is 0.7 times that; a still picture comes out unchanged.

    `fps` is the nominal frame rate: it tells whether the band can be met, and stands in where frames have no
    time. Frames that come with their `time` keep the band whatever their real rate is.

    `method` "linear" adds the band-passed changes of brightness, many times: the fastest, for motion that
    stays below an eighth of the detail's wavelength when magnified. "riesz" reads the motion from local phase
    and moves the pixels: the truest, for large factors; nothing is moved by more than 24 px.

    `base_level` 1 (default) leaves linear's finest octave, wavelengths of 2 to 4 px, as it is: four times
    less work and half the noise of 0, which magnifies that octave too. riesz moves the whole picture either
    way; 0 reads the motion from that octave too.

    `temporal` is the filter in time. "butterworth" is flat within the band; `order` is the number of its
    sections: 2 rejects slow motion better and answers to short motion later and with more ringing.
    "acceleration" (Zhang et al. 2017) is blind to motion of constant speed, for faces that also move at
    large; the band tells it its middle only. "iir" is the pair of low-passes of Wu et al. 2012, the broadest.

    `denoise` magnifies only what stands out of the noise, whose level is told from the stream itself, place
    by place: what strays from frame to frame is noise, what takes a course is motion. Motion that does not
    stand out is lost with it, and comes back with False.

    `stabilize` is for a camera or a head that sways: the whole picture's slow motion is taken out before and
    put back after, so that it is not magnified; its motion within the band is. Costs as much again as riesz.

    Linear only: `cutoff_wavelength_px` lets octaves of shorter wavelengths be magnified less (Wu et al.
    2012): set it to about 8 (1 + factor) d for motion of d pixels if the picture breaks up.

    `threads` spreads a frame over that many on the CPU, which gives the same bits: two take half the time of
    one, but on a busy machine waiting for each other costs far more. What `stabilize` adds stays on one.

    `device` "cuda" magnifies on an NVIDIA GPU, "auto" does where there is one and `stabilize` is off;
    results differ from the CPU's by at most a grey level, where a sum is rounded otherwise.

    A change of the frames' size, time that runs backwards or a gap of more than half a second (or four
    frames, if that is longer) makes it start anew. One Magnifier serves one stream and one thread at a time;
    different ones may run in different threads.

    Raises MagnifyError, a ValueError, for arguments out of range.
    """

    def __init__(
        self,
        *,
        fps: float,
        factor: float = 10.0,
        band_hz: tuple[float, float] = (1.0, 5.0),
        method: Method = "linear",
        device: Device = "cpu",
        base_level: int = 1,
        cutoff_wavelength_px: float = 0.0,
        temporal: Temporal = "butterworth",
        order: int = 1,
        stabilize: bool = False,
        denoise: bool = True,
        threads: int = 1,
    ) -> None:
        if method not in METHODS:
            raise MagnifyError(f"method is {method!r}; this version has 'linear' and 'riesz'")
        self._device = _choose_device(device, stabilize=stabilize)
        check_range("factor", factor, low=0.0, high=MAX_FACTOR)
        check_range("cutoff_wavelength_px", cutoff_wavelength_px, low=0.0, high=1e6)
        check_whole("base_level", base_level, low=0, high=1)
        check_whole("order", order, low=1, high=_MAX_ORDER)
        check_whole("threads", threads, low=1, high=_MAX_THREADS)
        _check_riesz(method, cutoff_wavelength_px=cutoff_wavelength_px)
        self._band_pass = design_band_pass(band_hz, fps=fps, order=order, temporal=temporal)
        self._pose_band_pass = None
        if stabilize:
            self._pose_band_pass = design_band_pass(band_hz, fps=fps, order=max(order, POSE_ORDER))
        self._clock = StreamClock(fps=fps)
        noise = model_noise(self._band_pass, dt=1.0 / fps, high_hz=band_hz[1])
        self._noise = noise if denoise else noise.unheld()
        self._method = method
        self._factor = float(factor)
        self._base_level = base_level
        self._cutoff = float(cutoff_wavelength_px)
        self._threads = threads
        self._engine: Engine | None = None
        self._packed: NDArray[np.uint8] | None = None
        self._cuda: CudaStreams | None = None
        if self._device == "cuda":
            self._cuda = self._make_cuda_streams([self._clock])

    def __call__(
        self, luma: NDArray[np.uint8], *, time: float | None = None, out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Magnify the stream's next frame, uint8 [H, W] with any strides, and return it.

        `time` is in seconds of the stream's own clock; without it the frame comes 1 / fps after the last
        one. Two frames of the same time are allowed: no time passes between them. `out` (uint8 [H, W] with
        contiguous rows, may be `luma` itself) receives the result; otherwise a new array does.

        With device "cuda" the frame may also lie on the GPU (any array with `__cuda_array_interface__` and
        contiguous rows); then the result does too, nothing is copied, and it is there on return. Reusing the
        same few arrays for `luma` and `out` is fastest.
        """
        if self._cuda is not None:
            magnified: NDArray[np.uint8] = self._cuda(luma, times=[time], out=out)
            return magnified
        check_luma(luma)
        if out is None:
            out = np.empty(luma.shape, np.uint8)
        else:
            check_out(out, luma)
        engine = self._engine
        anew = engine is None or engine.shape != luma.shape
        dt = self._clock.advance(time, anew=anew)
        luma = self._readable(luma, out)
        if engine is None or anew:
            engine = self._engine = self._make_engine((luma.shape[0], luma.shape[1]))
        if dt is None:
            engine.start(luma)
            np.copyto(out, luma)
        elif self._factor == 0.0:
            np.copyto(out, luma)
        else:
            engine.step(luma, dt=dt, out=out)
        return out

    def reset(self) -> None:
        """Start anew: the next frame is taken for one that stands still."""
        self._clock.reset()

    @property
    def warm(self) -> bool:
        """Whether the filter has seen enough, `warm_seconds` of unbroken stream, for its gain to be true."""
        return self._clock.seen >= self.warm_seconds

    @property
    def warm_seconds(self) -> float:
        """How long the filter needs: one period of the low edge and one of the band's width.

        Half as long again if stabilized.
        """
        share = 1.0 if self._pose_band_pass is None else POSE_WARM_SHARE
        return share * self._band_pass.warm_seconds

    @property
    def middle_hz(self) -> float:
        """The frequency where the gain is `factor` and the phase zero: the band's geometric middle."""
        return self._band_pass.middle / (2.0 * math.pi)

    @property
    def state_bytes(self) -> int:
        """Bytes of memory held for the stream, scratch included; 0 before the first frame."""
        engine = self._engine if self._cuda is None else self._cuda.engine
        return 0 if engine is None else engine.state_bytes

    @property
    def filter_bytes(self) -> int:
        """Bytes of the temporal filter's state, which each frame reads and writes; 0 before the first."""
        engine = self._engine if self._cuda is None else self._cuda.engine
        return 0 if engine is None else engine.filter_bytes

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where frames are magnified; of "auto", what it came to."""
        return self._device

    @property
    def noise_px(self) -> float | None:
        """How far noise alone moves what is shown, estimated from the stream: pixels, rms over all places.

        None where it cannot be told: for linear, and before the first frame. On a GPU each asking costs a
        download.
        """
        if self._cuda is not None and self._cuda.engine is not None:
            return self._cuda.engine.noise_px(0)
        return None if self._engine is None else self._engine.noise_px

    @property
    def threads(self) -> int:
        """How many threads a frame is spread over."""
        return self._threads

    def _make_engine(self, shape: tuple[int, int]) -> Engine:
        engine = self._make_plain_engine(shape)
        if self._pose_band_pass is None:
            return engine
        return StabilizedEngine(engine, pose_band_pass=self._pose_band_pass, factor=self._factor)

    def _make_plain_engine(self, shape: tuple[int, int]) -> Engine:
        if self._method == "riesz":
            return RieszEngine(shape, threads=self._threads, **self._engine_options())
        return LinearEngine(shape, threads=self._threads, **self._engine_options())

    def _engine_options(self) -> dict[str, Any]:
        """Give what the method's engine takes besides size, threads and streams, on the CPU and on a GPU."""
        options = {
            "band_pass": self._band_pass,
            "factor": self._factor,
            "base_level": self._base_level,
            "noise": self._noise,
        }
        return options if self._method == "riesz" else options | {"cutoff_wavelength_px": self._cutoff}

    def _make_cuda_streams(self, clocks: list[StreamClock]) -> CudaStreams:
        from .cuda_linear import CudaLinearEngine
        from .cuda_riesz import CudaRieszEngine
        from .cuda_streams import CudaStreams

        make = partial(CudaRieszEngine if self._method == "riesz" else CudaLinearEngine, streams=len(clocks))
        return CudaStreams(clocks, make_engine=partial(make, **self._engine_options()))

    def _readable(self, luma: NDArray[np.uint8], out: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the frame as it is if the kernels can read it in place, otherwise a packed copy."""
        height, width = luma.shape
        in_place = (width == 1 or luma.strides[1] == 1) and (height == 1 or luma.strides[0] > 0)
        if in_place and luma is not out and np.may_share_memory(luma, out):
            in_place = luma.ctypes.data == out.ctypes.data and luma.strides == out.strides
        if in_place:
            return luma
        if self._packed is None or self._packed.shape != luma.shape:
            self._packed = np.empty(luma.shape, np.uint8)
        np.copyto(self._packed, luma)
        return self._packed


def _choose_device(device: Device, *, stabilize: bool) -> Literal["cpu", "cuda"]:
    """Check the device and decide what "auto" means; CUDA is not looked for unless it is wanted."""
    if device not in DEVICES:
        raise MagnifyError(f"device is {device!r}; this version has 'cpu', 'cuda' and 'auto'")
    if device == "cpu" or (device == "auto" and stabilize):
        return "cpu"
    if stabilize:
        raise MagnifyError(f"device is {device!r}; stabilize runs on the CPU only, give 'cpu' or 'auto'")
    from .cuda_device import what_is_missing

    missing = what_is_missing()
    if missing is None:
        return "cuda"
    if device == "auto":
        return "cpu"
    raise MagnifyError(f"device is 'cuda', but {missing}; or give 'cpu' or 'auto'")


def _check_riesz(method: Method, *, cutoff_wavelength_px: float) -> None:
    if method != "riesz":
        return
    if cutoff_wavelength_px != 0.0:
        raise MagnifyError(
            f"cutoff_wavelength_px is {cutoff_wavelength_px}; riesz has no wavelength bound, leave it at 0"
        )
