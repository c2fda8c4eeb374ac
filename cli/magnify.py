"""`magnifyme magnify IN OUT`: motion in a file or a folder of pictures made visible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .interrupt import ends_in_order
from .options import DEFAULT_BAND_HZ, DEFAULT_FACTOR, Band, Denoise, Device, Method, Overwrite, Quiet
from .progress import progress_bar

if TYPE_CHECKING:
    from magnifyme.stream.picture_tree import TreeDone
    from magnifyme.stream.transcode import Transcoded


@ends_in_order
def magnify(
    source: Annotated[
        Path,
        # Unreadable files are told in our words, as `watch` does.
        typer.Argument(metavar="IN", readable=False, help="Video file, or folder of numbered pictures."),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Video file (.mp4 .mov .mkv .webm .avi), or folder where IN is a folder."
        ),
    ],
    factor: Annotated[
        list[float] | None,
        typer.Option(
            metavar="NUMBER",
            help="How many times its own motion is added; named several times: one tree OUT/x<factor> each; "
            f"default: {DEFAULT_FACTOR:g}.",
        ),
    ] = None,
    band: Band = DEFAULT_BAND_HZ,
    method: Method = "linear",
    device: Device = "cpu",
    temporal: Annotated[
        str, typer.Option(help="Filter in time: butterworth, acceleration (large motion beneath) or iir.")
    ] = "butterworth",
    stabilize: Annotated[
        bool, typer.Option("--stabilize", help="Take the whole picture's sway out before, put it back after.")
    ] = False,
    denoise: Denoise = True,
    fps: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="The camera's rate: needed for pictures, and for films that play in slow motion.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw what was done into this .png or .jpg: a frame and a time slice, before and after.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Magnify motion in a video, pictures, or a data set.

    Sound, frame times, rotation, colours and names stay as they are. A data set (a folder of folders of
    pictures, however deep) becomes a tree OUT/x<factor> for each --factor; work that was stopped goes on.
    """
    from magnifyme.stream.errors import StoreError
    from magnifyme.stream.magnification import Magnification
    from magnifyme.stream.picture_tree import holds_clips, is_tree, magnify_tree
    from magnifyme.stream.preview import write_preview
    from magnifyme.stream.sheet import check_sheet
    from magnifyme.stream.transcode import transcode
    from magnifyme.stream.whole import refuse_existing

    factors = factor or [DEFAULT_FACTOR]
    magnifications = [
        Magnification(value, band, method, device, stabilize, temporal, denoise) for value in factors
    ]
    in_tree = len(factors) > 1 or is_tree(source)
    if preview is not None:
        if in_tree:
            raise StoreError("--preview shows one film or folder of pictures: name one, and one --factor")
        check_sheet(preview)
        refuse_existing(preview, overwrite=overwrite)

    done: Transcoded | None = None
    try:
        with progress_bar("magnifying", quiet=quiet) as (progress, notice):
            if in_tree:
                tree = magnify_tree(
                    source,
                    target=target,
                    magnifications=magnifications,
                    fps=fps,
                    overwrite=overwrite,
                    progress=progress,
                    notice=notice,
                )
                told, failed = _describe_tree(tree, target=target), tree.failed
            else:
                done = transcode(
                    source,
                    target=target,
                    magnification=magnifications[0],
                    fps=fps,
                    overwrite=overwrite,
                    progress=progress,
                    notice=notice,
                )
                if holds_clips(source):
                    notice(f"{source} holds pictures itself: those in folders below it are left out")
                if preview is not None:
                    write_preview(preview, original=source, magnified=target, fps=fps)
                speed = f"{done.frames / done.seconds:.1f} frames a second"
                told = f"{done.frames} frames in {done.seconds:.1f} s, {speed}, written to {done.target}"
                failed = []
    except KeyboardInterrupt:
        if in_tree:
            rest = f"the same command {'without --overwrite ' if overwrite else ''}goes on"
        else:
            rest = f"{target if done is None else preview} was not written"
        raise KeyboardInterrupt(rest) from None
    if not quiet:
        typer.echo(told)
    if failed:
        told = f"{_counted(len(failed), 'folder')} could not be magnified: {', '.join(failed)}"
        typer.echo(f"magnifyme: {told}", err=True)
        raise typer.Exit(2)


def _describe_tree(done: TreeDone, *, target: Path) -> str:
    counts = f"{_counted(done.clips, 'clip')}, {_counted(done.pictures, 'picture')}"
    text = f"{counts} in {done.seconds:.1f} s, written to {target}"
    there = "was" if done.skipped == 1 else "were"
    return f"{text}; {done.skipped} {there} there already" if done.skipped else text


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
