"""Options that several commands share, and the sources that only the command line can make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from magnifyme.stream.source import Source

DEFAULT_FACTOR = 10.0
DEFAULT_BAND_HZ = (1.0, 5.0)

Factor = Annotated[
    float,
    typer.Option(metavar="NUMBER", help="How many times its own motion is added: 10 shows 0.1 px as 1.1 px."),
]
Band = Annotated[
    tuple[float, float], typer.Option(metavar="LOW HIGH", help="Pass band of the magnified motion in Hz.")
]
Method = Annotated[
    str, typer.Option(metavar="NAME", help="Magnification engine: linear (fastest) or riesz (truest).")
]
Denoise = Annotated[
    bool,
    typer.Option(
        "--denoise/--no-denoise", help="Magnify only what stands out of the noise that the stream shows."
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Where to magnify: cpu, cuda (NVIDIA GPU), or auto (cuda if there is one).",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is written if it exists.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
FolderFps = Annotated[
    float | None,
    typer.Option("--fps", metavar="RATE", help="Rate of a folder of numbered images, or asked of a camera."),
]
DetectorModel = Annotated[
    Path | None,
    typer.Option(
        "--detector-model",
        metavar="FILE",
        envvar="MAGNIFYME_DETECTOR_MODEL",
        help="Face detector: face_detection_yunet_2023mar.onnx; without it, it is downloaded once.",
    ),
]


def check_files(source: str, *, events: Path | None, output: Path | None) -> None:
    """Refuse, before any of them is opened, files that would be written over the source or each other."""
    from magnifyme.stream.errors import StoreError
    from magnifyme.stream.whole import refuse_input, same_file

    for target in (events, output):
        if target is not None:
            refuse_input(target, source=source)
    if events is not None and output is not None and same_file(events, output):
        raise StoreError(f"{output} is named for the events and for the video: give each a name of its own")


def open_any(spec: str, *, fps: float | None = None, seconds: float | None = None) -> Source:
    """Open what SOURCE names: `synthetic`, or anything that `open_source` takes."""
    if spec == "synthetic":
        from magnifyme.stream.rate import check_rate
        from magnifyme.train.synthetic import SyntheticSource

        check_rate(fps)
        return SyntheticSource(seconds=seconds, fps=fps or 30.0)
    from magnifyme.stream.source import open_source

    return open_source(spec, fps=fps)
