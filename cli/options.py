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
    float, typer.Option(help="How many times its own motion is added: 10 shows 0.1 px as 1.1 px.")
]
Band = Annotated[
    tuple[float, float], typer.Option(metavar="LOW HIGH", help="Pass band of the magnified motion in Hz.")
]
Method = Annotated[str, typer.Option(help="Magnification engine: linear (fastest) or riesz (truest).")]
Device = Annotated[str, typer.Option(help="Where to compute: cpu.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
FolderFps = Annotated[
    float | None, typer.Option("--fps", min=0.1, help="Frame rate of a folder of numbered images.")
]
DetectorModel = Annotated[
    Path | None,
    typer.Option(
        "--detector-model",
        envvar="MAGNIFYME_DETECTOR_MODEL",
        help="YuNet's face_detection_yunet_2023mar.onnx; without it, it is downloaded once.",
    ),
]


def open_any(spec: str, *, fps: float | None = None, seconds: float | None = None) -> Source:
    """Open what SOURCE names: `synthetic`, or anything that `open_source` takes."""
    if spec == "synthetic":
        from magnifyme.train.synthetic import SyntheticSource

        return SyntheticSource(seconds=seconds, fps=fps or 30.0)
    from magnifyme.stream.source import open_source

    return open_source(spec, fps=fps)
