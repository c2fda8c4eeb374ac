"""`magnifyme magnify IN OUT`: motion in a file or a folder of pictures made visible."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from .options import DEFAULT_BAND_HZ, DEFAULT_FACTOR, Band, Device, Factor, Method, Quiet


def magnify(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="Video file, or folder of numbered pictures."),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Video file (.mp4 .mov .mkv .webm .avi), or folder where IN is a folder."
        ),
    ],
    factor: Factor = DEFAULT_FACTOR,
    band: Band = DEFAULT_BAND_HZ,
    method: Method = "linear",
    device: Device = "cpu",
    temporal: Annotated[
        str, typer.Option(help="Filter in time: butterworth, acceleration (large motion beneath) or iir.")
    ] = "butterworth",
    stabilize: Annotated[
        bool, typer.Option("--stabilize", help="Take the whole picture's sway out before, put it back after.")
    ] = False,
    fps: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="The camera's rate: needed for pictures, and for films that play in slow motion."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
    quiet: Quiet = False,
) -> None:
    """Magnify the motion in a video file or a folder of numbered pictures.

    Sound, frame times, rotation, colours and names stay as they are.
    """
    from magnifyme.stream.magnification import Magnification
    from magnifyme.stream.transcode import transcode

    # What a service manager sends to end a program ends it as Ctrl-C does: nothing half stays behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _display(quiet=quiet) as (progress, notice):
            done = transcode(
                source,
                target=target,
                magnification=Magnification(factor, band, method, device, stabilize, temporal),
                fps=fps,
                overwrite=overwrite,
                progress=progress,
                notice=notice,
            )
    except KeyboardInterrupt:
        typer.echo(f"magnifyme: stopped; {target} was not written", err=True)
        raise typer.Exit(130) from None
    if not quiet:
        speed = f"{done.frames / done.seconds:.1f} frames a second"
        typer.echo(f"{done.frames} frames in {done.seconds:.1f} s, {speed}, written to {done.target}")


@contextmanager
def _display(*, quiet: bool) -> Iterator[tuple[Callable[[int, int | None], None], Callable[[str], None]]]:
    """Give what shows progress and what shows a notice: a bar in a terminal, lines elsewhere."""
    if quiet:
        yield lambda done, total: None, lambda line: None
        return
    if not sys.stderr.isatty():
        yield lambda done, total: None, lambda line: typer.echo(f"note: {line}", err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("left"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("preparing", total=None)
        yield (
            lambda done, total: bar.update(task, completed=done, total=total, description="magnifying"),
            lambda line: bar.console.print(f"note: {line}", markup=False, highlight=False),
        )
