"""`magnifyme spot FILE`: when the face in a film moved, and how, without a name for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .interrupt import ends_in_order
from .options import DetectorModel, Overwrite, Quiet
from .progress import progress_bar

if TYPE_CHECKING:
    from rich.table import Table

    from magnifyme.stream.source import Source
    from magnifyme.stream.spotting import Spotted

# Where a part of the face went, eight ways, from the right and on downwards.
_ARROWS = "→↘↓↙←↖↑↗"
_MOST_UNITS = 3  # Of the candidates; the files have all.
_STYLES = {"micro": "bold red", "macro": "blue", "blink": "dim"}


@ends_in_order
def spot(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Video file, or folder of numbered images.")
    ],
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the intervals into this file.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the motion of the face's parts over time, the intervals marked: .png or .jpg.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Classifier (ONNX) that names the expressions; default: none."),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(metavar="RATE", help="Rate of a folder of numbered images.")
    ] = None,
    overwrite: Overwrite = False,
    detector_model: DetectorModel = None,
    quiet: Quiet = False,
) -> None:
    """Find when the face in a film moved.

    Onset, apex, offset, how far, and which of its parts. Frames are counted from 0; those of a folder have
    the numbers in the pictures' names.
    """
    from magnifyme.models.classifier import Classifier
    from magnifyme.models.face_detector import open_detector
    from magnifyme.stream.sheet import check_sheet, write_sheet
    from magnifyme.stream.spot_plot import draw_spotted
    from magnifyme.stream.spot_report import spotted_record, write_csv
    from magnifyme.stream.spotting import spot_source

    if plot is not None:
        check_sheet(plot)
    _check_outputs(source, csv=csv, plot=plot, overwrite=overwrite)
    with (
        _open_file(source, fps=fps) as opened,
        progress_bar("watching", quiet=quiet) as (progress, notice),
    ):
        detector = open_detector(detector_model, notice=notice)
        total = round(opened.fps * duration) if opened.fps and (duration := _duration(opened)) else None
        spotted = spot_source(
            opened,
            detector=detector,
            classifier=Classifier(model) if model else None,
            progress=lambda frames: progress(frames, total),
            notice=notice,
        )
        if not spotted.with_face:
            from .summary import no_face

            notice(no_face(detector.name))
    if csv is not None:
        write_csv(csv, spotted)
    if plot is not None:
        write_sheet(plot, draw_spotted(spotted))
    if as_json:
        typer.echo(json.dumps(spotted_record(spotted)))
    elif not quiet:
        _show(spotted, written=[path for path in (csv, plot) if path is not None])


def _check_outputs(source: str, *, csv: Path | None, plot: Path | None, overwrite: bool) -> None:
    """Refuse, before any work, what could not be written or would be written over something else."""
    from magnifyme.stream.errors import StoreError
    from magnifyme.stream.whole import refuse_existing, refuse_input, same_file

    for target in (csv, plot):
        if target is None:
            continue
        refuse_input(target, source=source)
        if not target.absolute().parent.is_dir():
            raise StoreError(f"{target} cannot be written: there is no folder {target.parent}; make it first")
        if target.is_dir():
            raise StoreError(f"{target} is a folder: give the name of a file")
        refuse_existing(target, overwrite=overwrite)
    if csv is not None and plot is not None and same_file(csv, plot):
        raise StoreError(f"{plot} is named for the table and for the picture: give each a name of its own")


def _open_file(source: str, *, fps: float | None) -> Source:
    """Open a file or a folder; what has no end is refused."""
    from magnifyme.stream.address import redacted
    from magnifyme.stream.errors import SourceError
    from magnifyme.stream.source import is_live, open_source

    if is_live(source):
        raise SourceError(
            f"{redacted(source)} has no end: magnifyme watch it, with --events FILE; spot is for files"
        )
    return open_source(source, fps=fps)


def _duration(source: Source) -> float | None:
    """Give what a file or a folder says of its length, in seconds."""
    return getattr(source, "duration", None)


def _show(spotted: Spotted, *, written: list[Path]) -> None:
    """Tell people what was found."""
    from rich.console import Console

    from .summary import DEMO_MODEL

    console = Console(highlight=False)
    if spotted.found:
        console.print(_table(spotted))
    kinds = [found.interval.kind for found in spotted.found]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in _STYLES if kind in kinds) or "nothing found"
    share = spotted.with_face / len(spotted.times)
    lines = [
        f"{counts} in {spotted.seconds:.1f} s, {len(spotted.times)} frames, a face in {share:.0%} of them"
    ]
    if spotted.made_faces and any(found.prediction for found in spotted.found):
        lines.append(f"named by a {DEMO_MODEL}")
    lines += [f"written: {path}" for path in written]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _table(spotted: Spotted) -> Table:
    from rich.table import Table
    from rich.text import Text

    named = any(found.prediction for found in spotted.found)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("onset s", "apex s", "offset s", "frames"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("kind")
    table.add_column("px", justify="right")
    table.add_column("sure", justify="right")
    table.add_column("what moved")
    table.add_column("may be AU", no_wrap=True)
    if named:
        table.add_column("name")
    for found in spotted.found:
        interval, prediction = found.interval, found.prediction
        row: list[str | Text] = [
            f"{interval.onset:.3f}",
            f"{interval.apex:.3f}",
            f"{interval.offset:.3f}",
            " ".join(map(str, found.frames)),
            Text(interval.kind, _STYLES[interval.kind]),
            f"{interval.intensity_px:.2f}",
            "" if interval.confidence is None else f"{interval.confidence:.2f}",
            _moved(interval.regions, interval.motion) if interval.kind != "blink" else "lids",
            " ".join(map(str, interval.action_units[:_MOST_UNITS])),
        ]
        if named:
            label = prediction and f"{prediction.label} {prediction.probabilities[prediction.label]:.2f}"
            row.append(label or "")
        table.add_row(*row)
    return table


def _moved(regions: tuple[str, ...], motion: tuple[tuple[float, float], ...]) -> str:
    """Name the parts that moved, with arrows that say where each side of them went in the picture."""
    from math import atan2, pi

    ways: dict[str, str] = {}
    for region, (x, y) in sorted(zip(regions, motion, strict=True), key=lambda way: "right" in way[0]):
        part = region.removesuffix("_left").removesuffix("_right").replace("_", " ")
        ways[part] = ways.get(part, "") + _ARROWS[round(atan2(y, x) / (pi / 4)) % 8]
    return ", ".join(f"{part} {arrows}" for part, arrows in ways.items())
