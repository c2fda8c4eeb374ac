"""A made stream as a video, with the truth beside it: OUT.mp4, OUT.csv and OUT.json."""

from __future__ import annotations

import csv
import json
from bisect import bisect_left
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from magnifyme.stream.errors import StoreError
from magnifyme.stream.video_writer import CONTAINERS
from magnifyme.stream.whole import refuse_existing, whole_file

from .synthetic import SyntheticSource
from .timeline import TrueEvent

_CLOCK_HZ = 90_000  # The clock of MPEG: any camera's times fit to 11 µs.
_KINDS = tuple(
    kind for kind, container in CONTAINERS.items() if container.encoder == "libx264" and not container.steady
)
_COLUMNS = (
    *("onset", "apex", "offset", "onset_frame", "apex_frame", "offset_frame"),
    *("kind", "label", "action_units", "amplitude_px", "asymmetry"),
)


def is_video(path: Path) -> bool:
    """Tell whether a name is one of a video, as opposed to one of a folder."""
    return path.suffix.lower() in CONTAINERS


def write_made_video(
    source: SyntheticSource,
    path: Path,
    *,
    crf: int = 18,
    made_of: Mapping[str, object],
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> list[Path]:
    """Write a made stream as H.264 of quality `crf` (0: without loss, 51: worst), and its truth.

    The truth stands beside it, under the same name, as .csv (a row an event) and .json (the same, with the
    syllables of speech, and `made_of`: what the stream was made of). Times are seconds; frames are counted
    from 0 in the file, and are those next to the times. Nothing is there until all is. Gives the names of
    the three files. Raises StoreError where they cannot be written or are there already.
    """
    targets = check_made_video(path, size=source.face.size, overwrite=overwrite)
    total = source.frames
    times: list[float] = []
    with ExitStack() as stack:
        # The video is the last to be entered, and so the first to take its name.
        record, sheet, film = (stack.enter_context(whole_file(target)) for target in reversed(targets))
        try:
            with av.open(str(film.absolute()), "w", format=CONTAINERS[path.suffix.lower()].muxer) as output:
                encoder = _encoder(output, source, crf=crf)
                for frame in source:
                    picture = frame.video_frame()
                    picture.pts, picture.time_base = round(frame.time * _CLOCK_HZ), Fraction(1, _CLOCK_HZ)
                    output.mux(encoder.encode(picture))
                    times.append(frame.time)
                    progress(len(times), total)
                output.mux(encoder.encode(None))
        except av.FFmpegError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from error
        rows = [_row(event, times=times) for event in source.truth]
        with sheet.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows({**row, "action_units": ";".join(map(str, row["action_units"]))} for row in rows)
        for row, event in zip(rows, source.truth, strict=True):
            row["shares"] = {str(number): share for number, share in event.action_units.items()}
            row["syllables"] = [_row(part, times=times) for part in event.parts]
        facts = {
            "source": path.name,
            "frames": len(times),
            "seconds": round(len(times) / (source.fps or 1.0), 4),
            "lost_frames": source.dropped,
            "made_of": dict(made_of),
            "intervals": rows,
        }
        record.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return targets


def check_made_video(path: Path, *, size: tuple[int, int], overwrite: bool) -> list[Path]:
    """Give the names of the video and of its truth; raise StoreError where they cannot be written."""
    if path.suffix.lower() not in _KINDS:
        raise StoreError(f"{path.name}: made videos end in one of {', '.join(_KINDS)}")
    if size[0] % 2 or size[1] % 2:
        raise StoreError(f"a video of {size[0]}×{size[1]} cannot be written: width and height must be even")
    if not path.parent.is_dir():
        raise StoreError(f"{path} cannot be written: there is no folder {path.parent}; make it first")
    targets = [path, path.with_suffix(".csv"), path.with_suffix(".json")]
    for target in targets:
        if target.is_dir():
            raise StoreError(f"{target} is a folder: give the output a file name")
        refuse_existing(target, overwrite=overwrite)
    return targets


def _encoder(output: av.container.OutputContainer, source: SyntheticSource, *, crf: int) -> VideoStream:
    rate = Fraction(source.fps or 30.0).limit_denominator(1001)
    encoder = output.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "veryfast"})
    assert isinstance(encoder, VideoStream)
    encoder.width, encoder.height = source.face.size
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = encoder.codec_context.time_base = Fraction(1, _CLOCK_HZ)
    # The colours of `MadeFace.draw`.
    context = encoder.codec_context
    context.colorspace, context.color_range = Colorspace.ITU601, ColorRange.MPEG
    return encoder


def _row(event: TrueEvent, *, times: list[float]) -> dict[str, Any]:
    onset, apex, offset = event.onset, event.apex, event.offset
    frames = (_nearest(times, at) for at in (onset, apex, offset))
    return dict(
        zip(
            _COLUMNS,
            (
                *(round(at, 4) for at in (onset, apex, offset)),
                *frames,
                event.kind,
                event.label,
                sorted(event.action_units),
                round(event.amplitude_px, 4),
                round(event.asymmetry, 4),
            ),
            strict=True,
        )
    )


def _nearest(times: list[float], at: float) -> int:
    """Give the number of the frame whose time is next to `at`."""
    after = min(bisect_left(times, at), len(times) - 1)
    return after - 1 if after and at - times[after - 1] < times[after] - at else after
