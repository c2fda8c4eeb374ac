"""How true the spotter's events are, on made streams whose truth is known, clean and through a video encoder.

Every stream goes the way of a live one: face tracker, magnifier, spotter. What compression takes away nothing
gives back; what it adds must not be taken for expressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median

import av

from magnifyme.models.face_detector import FaceDetector
from magnifyme.stream.frame import Frame, frame_from_av
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.pipeline import FacePipeline
from magnifyme.stream.spotter import Interval
from magnifyme.stream.statistics import Statistics

from .score import match
from .synthetic import SyntheticSource, TrueEvent

# A blink's ends are soft and its kind is all that matters.
_BLINK_OVERLAP = 0.2
_CLOCK_HZ = 90_000


@dataclass(frozen=True, slots=True)
class Encoding:
    """H.264 with a key frame every `key_s` seconds, of constant quality `crf` or of `mbit_s`; else nothing.

    Constant quality is a recording's (B-frames, looks ahead); a bit rate is a camera's, which does neither.
    """

    crf: int | None = None
    mbit_s: float | None = None
    key_s: float = 1.0

    def __str__(self) -> str:
        """Name it for people."""
        if self.crf is None and self.mbit_s is None:
            return "uncompressed"
        rate = f"crf {self.crf}" if self.mbit_s is None else f"{self.mbit_s:g} Mbit/s"
        return f"{rate}, key {self.key_s:g} s"

    def code(self, frames: Sequence[Frame], *, fps: float) -> Iterator[Frame]:
        """Encode frames, `fps` a second, and decode them again; times and order stay."""
        if self.crf is None and self.mbit_s is None:
            yield from frames
            return
        for sequence, picture in enumerate(self._pictures(frames, fps=fps)):
            assert picture.pts is not None
            yield frame_from_av(picture, time=picture.pts / _CLOCK_HZ, sequence=sequence)

    def _pictures(self, frames: Sequence[Frame], *, fps: float) -> Iterator[av.VideoFrame]:
        encoder = av.CodecContext.create("libx264", "w")
        decoder = av.CodecContext.create("h264", "r")
        assert isinstance(encoder, av.VideoCodecContext)
        assert isinstance(decoder, av.VideoCodecContext)
        encoder.width, encoder.height = frames[0].size
        encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, _CLOCK_HZ)
        encoder.framerate = Fraction(fps).limit_denominator(1001)
        encoder.options = self._options(fps)
        # One thread each: the same bytes in, the same bytes out.
        encoder.thread_count = decoder.thread_count = 1
        for frame in frames:
            picture = frame.video_frame()
            picture.pts, picture.time_base = round(frame.time * _CLOCK_HZ), encoder.time_base
            for packet in encoder.encode(picture):
                yield from decoder.decode(packet)
        for packet in encoder.encode(None):
            yield from decoder.decode(packet)
        yield from decoder.decode(None)

    def _options(self, fps: float) -> dict[str, str]:
        distance = str(max(1, round(self.key_s * fps)))
        options = {"preset": "veryfast", "g": distance, "keyint_min": distance, "sc_threshold": "0"}
        if self.mbit_s is None:
            return {**options, "crf": str(self.crf)}
        rate = round(self.mbit_s * 1e6)
        # As GStreamer's x264enc does it: 0.6 s of buffer.
        sizes = {"b": str(rate), "maxrate": str(rate), "bufsize": str(round(0.6 * rate))}
        return {**options, **sizes, "tune": "zerolatency"}


ENCODINGS = (
    Encoding(),
    Encoding(mbit_s=2.0, key_s=1.0),
    Encoding(mbit_s=2.0, key_s=2.0),
    Encoding(crf=18, key_s=1.0),
    Encoding(crf=23, key_s=2.0),
    Encoding(crf=28, key_s=2.0),
)


@dataclass(slots=True)
class SpotScore:
    """Found events held against true ones; scores of several streams are added with `+`.

    A hit is an event found with an intersection over union of half with a true expression, whether it is
    called micro or macro; `named_micro` counts the hits that were called what they are. `errors_s` are onset,
    apex and offset of each hit minus the true ones, `delays_s` how long after its true end each was told.
    `work_s` is what tracker and spotter took for all `frames`.
    """

    expressions: int = 0
    hits: int = 0
    named_micro: int = 0
    false_micro: int = 0
    false_macro: int = 0
    blinks: int = 0
    blinks_told: int = 0
    seconds: float = 0.0
    errors_s: list[tuple[float, float, float]] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    frames: int = 0
    work_s: float = 0.0

    def __add__(self, other: SpotScore) -> SpotScore:
        """Add the counts of two streams, as if they were one long one."""
        names = self.__dataclass_fields__
        return SpotScore(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def recall(self) -> float:
        """Share of the true expressions that were found; 1 if there are none."""
        return self.hits / self.expressions if self.expressions else 1.0

    @property
    def precision(self) -> float:
        """Share of the found expressions that are true; 1 if none was found."""
        found = self.hits + self.false_micro + self.false_macro
        return self.hits / found if found else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        total = self.recall + self.precision
        return 2.0 * self.recall * self.precision / total if total else 0.0

    @property
    def false_micro_per_minute(self) -> float:
        """False micro-expressions in a minute of the stream."""
        return 60.0 * self.false_micro / self.seconds if self.seconds else 0.0

    @property
    def false_per_hour(self) -> float:
        """False expressions of any length in an hour of the stream."""
        return 3600.0 * (self.false_micro + self.false_macro) / self.seconds if self.seconds else 0.0

    @property
    def median_errors_ms(self) -> tuple[float, float, float] | None:
        """How far onset, apex and offset of a hit are off: the medians of the absolute errors."""
        if not self.errors_s:
            return None
        onset, apex, offset = (
            median(abs(error) for error in column) for column in zip(*self.errors_s, strict=True)
        )
        return 1e3 * onset, 1e3 * apex, 1e3 * offset


def score(
    found: Sequence[Interval],
    *,
    true: Sequence[TrueEvent],
    seconds: float,
    told: Sequence[float] | None = None,
) -> SpotScore:
    """Hold what was found in a stream of `seconds`, and when each was `told`, against what was in it."""
    when = {id(event): time for event, time in zip(found, told or (), strict=False)}
    named = [event for event in found if event.kind != "blink"]
    expressions = [event for event in true if event.kind != "blink"]
    pairs = match(named, true=expressions)
    hits = {i for i, _ in pairs}
    false = [event.kind for i, event in enumerate(named) if i not in hits]
    found_blinks = [event for event in found if event.kind == "blink"]
    blinks = [event for event in true if event.kind == "blink"]
    return SpotScore(
        expressions=len(expressions),
        hits=len(pairs),
        named_micro=sum(named[i].kind == expressions[k].kind for i, k in pairs),
        false_micro=false.count("micro"),
        false_macro=false.count("macro"),
        blinks=len(blinks),
        blinks_told=len(match(found_blinks, true=blinks, least_overlap=_BLINK_OVERLAP)),
        seconds=seconds,
        errors_s=[
            (
                named[i].onset - expressions[k].onset,
                named[i].apex - expressions[k].apex,
                named[i].offset - expressions[k].offset,
            )
            for i, k in pairs
        ],
        delays_s=[when[id(named[i])] - expressions[k].offset for i, k in pairs if id(named[i]) in when],
    )


def watch(
    frames: Iterable[Frame], *, fps: float, detector: FaceDetector, statistics: Statistics | None = None
) -> list[tuple[Interval, float]]:
    """Watch frames as a live stream is watched; give all that was found, and at what time it was told."""
    pipeline = FacePipeline(
        detector, fps=fps, shown=Magnification(method="linear"), statistics=statistics or Statistics()
    )
    found: list[tuple[Interval, float]] = []
    time = 0.0
    for frame in frames:
        time = frame.time
        found += [(marked.interval, time) for marked in pipeline.step(frame).marked]
    return found + [(marked.interval, time) for marked in pipeline.finish()]


def spot(frames: Iterable[Frame], *, fps: float, detector: FaceDetector) -> list[Interval]:
    """Watch frames as a live stream is watched and give all that was found."""
    return [interval for interval, _ in watch(frames, fps=fps, detector=detector)]


def measure(
    source: SyntheticSource, *, encodings: Sequence[Encoding] = ENCODINGS, detector: FaceDetector
) -> dict[Encoding, SpotScore]:
    """Watch a made stream through each of the encodings; it is drawn once and kept in memory."""
    fps = source.fps
    assert fps is not None
    frames = list(source)
    seconds = len(frames) / fps
    return {
        encoding: score(
            spot(encoding.code(frames, fps=fps), fps=fps, detector=detector),
            true=source.truth,
            seconds=seconds,
        )
        for encoding in encodings
    }


def measure_amplitude(
    amplitude_px: float, *, fps: float, seed: int, seconds: float, detector: FaceDetector
) -> SpotScore:
    """Watch a made stream whose expressions all go `amplitude_px`, uncompressed, as it is drawn.

    Each seed is another of six identities.
    """
    statistics = Statistics()
    with SyntheticSource(
        seconds=seconds,
        fps=fps,
        seed=seed,
        identity=seed % 6,
        paced=False,
        amplitude_px=(amplitude_px, amplitude_px),
    ) as source:
        watched = watch(source, fps=fps, detector=detector, statistics=statistics)
        scored = score(
            [interval for interval, _ in watched],
            true=source.truth,
            seconds=seconds,
            told=[time for _, time in watched],
        )
    stages = statistics.stages
    scored.frames = stages["track"].count
    scored.work_s = 1e-3 * (stages["track"].total_ms + stages["spot"].total_ms)
    return scored
