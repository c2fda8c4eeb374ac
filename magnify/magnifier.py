"""Magnify motion in a stream: one luma frame in, one out."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .errors import MagnifyError
from .linear import LinearEngine
from .riesz import RieszEngine
from .stabilizer import POSE_ORDER, POSE_WARM_SHARE, Engine, StabilizedEngine
from .temporal import Temporal, design_band_pass

Method = Literal["linear", "riesz"]
Device = Literal["cpu"]
METHODS: tuple[Method, ...] = ("linear", "riesz")

# Enough for every use (papers end at 150); beyond it there is only noise.
MAX_FACTOR = 1000.0
# A stream that pauses for longer starts anew: what the filter remembers is another motion's.
MAX_GAP_SECONDS = 0.5
# ... but never for less than a few frames, where frames are far apart.
_MAX_GAP_FRAMES = 4.0
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

    `stabilize` is for a camera or a head that sways: the whole picture's slow motion is taken out before and
    put back after, so that it is not magnified; its motion within the band is. Costs as much again as riesz.

    Linear only: `cutoff_wavelength_px` lets octaves of shorter wavelengths be magnified less (Wu et al.
    2012): set it to about 8 (1 + factor) d for motion of d pixels if the picture breaks up. `threads` spreads
    a frame over that many; one does 1080p in a millisecond or two, and on a busy machine waiting for the
    others costs far more.

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
        threads: int = 1,
    ) -> None:
        _check_choices(method=method, device=device)
        _check_range("factor", factor, low=0.0, high=MAX_FACTOR)
        _check_range("cutoff_wavelength_px", cutoff_wavelength_px, low=0.0, high=1e6)
        _check_whole("base_level", base_level, low=0, high=1)
        _check_whole("order", order, low=1, high=_MAX_ORDER)
        _check_whole("threads", threads, low=1, high=_MAX_THREADS)
        _check_riesz(method, cutoff_wavelength_px=cutoff_wavelength_px, threads=threads)
        self._band_pass = design_band_pass(band_hz, fps=fps, order=order, temporal=temporal)
        self._pose_band_pass = None
        if stabilize:
            self._pose_band_pass = design_band_pass(band_hz, fps=fps, order=max(order, POSE_ORDER))
        self._period = 1.0 / fps
        self._high_hz = float(band_hz[1])
        self._max_gap = max(MAX_GAP_SECONDS, _MAX_GAP_FRAMES / fps)
        self._method = method
        self._factor = float(factor)
        self._base_level = base_level
        self._cutoff = float(cutoff_wavelength_px)
        self._threads = threads
        self._engine: Engine | None = None
        self._packed: NDArray[np.uint8] | None = None
        self._fresh = True
        self._time: float | None = None
        self._seen = 0.0

    def __call__(
        self, luma: NDArray[np.uint8], *, time: float | None = None, out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Magnify the stream's next frame, uint8 [H, W] with any strides, and return it.

        `time` is in seconds of the stream's own clock; without it the frame comes 1 / fps after the last
        one. Two frames of the same time are allowed: no time passes between them. `out` (uint8 [H, W] with
        contiguous rows, may be `luma` itself) receives the result; otherwise a new array does.
        """
        _check_luma(luma)
        if out is None:
            out = np.empty(luma.shape, np.uint8)
        else:
            _check_out(out, luma)
        dt = self._advance(time)
        luma = self._readable(luma, out)
        engine = self._engine
        if engine is None or engine.shape != luma.shape:
            engine = self._engine = self._make_engine((luma.shape[0], luma.shape[1]))
            self._fresh = True
        if self._fresh:
            self._fresh = False
            self._seen = 0.0
            engine.start(luma)
            np.copyto(out, luma)
            return out
        self._seen += dt
        if self._factor == 0.0:
            np.copyto(out, luma)
        else:
            engine.step(luma, dt=dt, out=out)
        return out

    def reset(self) -> None:
        """Start anew: the next frame is taken for one that stands still."""
        self._fresh = True
        self._time = None
        self._seen = 0.0

    @property
    def warm(self) -> bool:
        """Whether the filter has seen enough, `warm_seconds` of unbroken stream, for its gain to be true."""
        return self._seen >= self.warm_seconds

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
        return 0 if self._engine is None else self._engine.state_bytes

    @property
    def filter_bytes(self) -> int:
        """Bytes of the temporal filter's state, which each frame reads and writes; 0 before the first."""
        return 0 if self._engine is None else self._engine.filter_bytes

    @property
    def noise_px(self) -> float | None:
        """How far noise alone moves what is shown, estimated from the stream: pixels, rms over all places.

        None where it cannot be told: for linear, and before the first frame.
        """
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
            return RieszEngine(
                shape,
                band_pass=self._band_pass,
                fps=1.0 / self._period,
                high_hz=self._high_hz,
                factor=self._factor,
                base_level=self._base_level,
            )
        return LinearEngine(
            shape,
            band_pass=self._band_pass,
            factor=self._factor,
            base_level=self._base_level,
            cutoff_wavelength_px=self._cutoff,
            threads=self._threads,
        )

    def _advance(self, time: float | None) -> float:
        """Move the clock to the frame's time and return the seconds passed; a break makes the state fresh."""
        last = self._time
        if time is None:
            self._time = None if last is None else last + self._period
            return self._period
        if not math.isfinite(time):
            raise MagnifyError(f"time is {time}; give seconds of the stream's clock, or None for 1 / fps")
        self._time = float(time)
        if last is None:
            return self._period
        passed = self._time - last
        if passed < 0.0 or passed > self._max_gap:
            self._fresh = True
        return passed

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


def _check_choices(*, method: str, device: str) -> None:
    if method not in METHODS:
        raise MagnifyError(f"method is {method!r}; this version has 'linear' and 'riesz'")
    if device != "cpu":
        raise MagnifyError(f"device is {device!r}; this version has 'cpu'")


def _check_riesz(method: Method, *, cutoff_wavelength_px: float, threads: int) -> None:
    if method != "riesz":
        return
    if cutoff_wavelength_px != 0.0:
        raise MagnifyError(
            f"cutoff_wavelength_px is {cutoff_wavelength_px}; riesz has no wavelength bound, leave it at 0"
        )
    if threads != 1:
        raise MagnifyError(f"threads is {threads}; riesz runs in one, give 1")


def _check_range(name: str, value: float, *, low: float, high: float) -> None:
    if not low <= value <= high:
        raise MagnifyError(f"{name} is {value}; give a number from {low:g} to {high:g}")


def _check_whole(name: str, value: int, *, low: int, high: int) -> None:
    if value != int(value) or not low <= value <= high:
        raise MagnifyError(f"{name} is {value}; give a whole number from {low} to {high}")


def _check_luma(luma: NDArray[np.uint8]) -> None:
    if not isinstance(luma, np.ndarray) or luma.dtype != np.uint8 or luma.ndim != 2 or luma.size == 0:
        raise MagnifyError(
            f"the frame is {_describe(luma)}; give one plane of luma, uint8 [H, W], at least 1x1"
        )


def _check_out(out: NDArray[np.uint8], luma: NDArray[np.uint8]) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != np.uint8 or out.shape != luma.shape:
        raise MagnifyError(f"out is {_describe(out)}; give uint8 of the frame's shape {luma.shape}")
    height, width = out.shape
    packed_rows = (width == 1 or out.strides[1] == 1) and (height == 1 or out.strides[0] >= width)
    if not out.flags.writeable or not packed_rows:
        raise MagnifyError("out is read-only or its rows are not contiguous; give a plain array, or None")


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    return f"a {type(value).__name__}"
