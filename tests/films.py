"""Films and folders of pictures whose motion, colours and sound are known, made for the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from magnifyme.magnify import Magnifier
from magnifyme.stream.frame import Frame
from magnifyme.stream.magnification import Magnification
from magnifyme.stream.transcode import Transcoded, transcode
from magnifyme.stream.video_file import VideoFile

Planes = list[NDArray[np.uint8]]

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


def watched(path: Path) -> tuple[list[Frame], list[str]]:
    """Read a file to its end; gives the frames and the warnings."""
    with VideoFile(path) as source:
        return list(source), source.warnings


def shuffled(size: tuple[int, int], *, frames: int, rng: np.random.Generator, layout: str) -> list[Planes]:
    """Make pictures of noise, whose order cannot be mistaken."""
    shapes = [(plane.height, plane.width) for plane in av.VideoFrame(*size, layout).planes]
    return [[rng.integers(16, 236, shape, dtype=np.uint8) for shape in shapes] for _ in range(frames)]


def stairs(size: tuple[int, int], *, frames: int, layout: str) -> list[Planes]:
    """Make flat pictures, each a step lighter than the one before: what x264 stores as B-frames."""
    planes = av.VideoFrame(*size, layout).planes
    return [
        [
            np.full((plane.height, plane.width), 128 if index else 40 + 7 * number, np.uint8)
            for index, plane in enumerate(planes)
        ]
        for number in range(frames)
    ]


def with_b_frames(stream: av.VideoStream) -> None:
    """Ask x264 for B-frames, which it does not make without loss."""
    stream.codec_context.options = {"crf": "5", "bf": "2"}
