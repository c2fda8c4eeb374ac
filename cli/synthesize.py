"""`magnifyme synthesize OUT`: made faces as a video or as a data set, with the truth about them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .interrupt import ends_in_order
from .options import DetectorModel, Overwrite, Quiet
from .progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from magnifyme.train.looks import Looks
    from magnifyme.train.timeline import TrueEvent


_SMALLEST, _LARGEST = 64, 4096


@ends_in_order
def synthesize(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Video (.mp4 .mov .mkv), or a folder: then a data set in SAMM's layout."
        ),
    ],
    seconds: Annotated[
        float, typer.Option(min=1.0, max=36_000.0, metavar="SECONDS", help="How long the video lasts.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="Another seed, other events.")] = 0,
    fps: Annotated[
        float, typer.Option(metavar="RATE", help="Frames a second of the video; a data set has 200.")
    ] = 30.0,
    size: Annotated[tuple[int, int], typer.Option(metavar="WIDTH HEIGHT", help="Size of the pictures.")] = (
        640,
        480,
    ),
    amplitude: Annotated[
        tuple[float, float],
        typer.Option(metavar="LOW HIGH", help="How far micro-expressions move the skin, in pixels."),
    ] = (0.2, 1.5),
    portrait: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A picture of the face to use, instead of ours.")
    ] = None,
    identity: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="0 is the portrait itself, others are relatives.")
    ] = 0,
    skin: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, metavar="TONE", help="Skin tone: 0 is the darkest, 1 the lightest."),
    ] = None,
    glasses: Annotated[bool, typer.Option("--glasses", help="Draw glasses on.")] = False,
    turn: Annotated[
        float, typer.Option(min=0.0, max=10.0, metavar="DEGREES", help="How far the head turns, at most.")
    ] = 5.0,
    flicker: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="SHARE", help="Share of the light that flickers.")
    ] = 0.01,
    noise: Annotated[
        float, typer.Option(min=0.0, max=50.0, metavar="LEVELS", help="Sensor noise, in gray levels.")
    ] = 1.0,
    crf: Annotated[
        int,
        typer.Option(
            min=0, max=51, metavar="NUMBER", help="Quality of the video: 0 is without loss, 51 the worst."
        ),
    ] = 18,
    subjects: Annotated[
        int, typer.Option(min=1, max=900, metavar="NUMBER", help="People in the data set.")
    ] = 5,
    clips: Annotated[int, typer.Option(min=1, max=99, metavar="NUMBER", help="Clips of each.")] = 4,
    pictures: Annotated[
        str, typer.Option(metavar="KIND", help="Pictures of the data set: jpg or png.")
    ] = "jpg",
    overwrite: Overwrite = False,
    detector_model: DetectorModel = None,
    quiet: Quiet = False,
) -> None:
    """Make faces that move, and write exactly how they moved.

    A video gets a .csv and a .json beside it: micro- and macro-expressions, blinks and speech, with onset,
    apex, offset, action units and amplitude. A data set gets SAMM's annotation sheet; its work, if stopped,
    goes on. Nothing measured on made faces says how well it goes with people.
    """
    from magnifyme.stream.errors import StoreError
    from magnifyme.stream.rate import check_rate
    from magnifyme.train.made_samm import write_made_samm
    from magnifyme.train.made_video import check_made_video, is_video, write_made_video
    from magnifyme.train.synthetic import Script, Shortcomings, SyntheticSource

    _check(size=size, amplitude=amplitude, pictures=pictures)
    check_rate(fps)
    script = Script(micro_px=amplitude)
    in_video = is_video(target)
    if in_video:
        check_made_video(target, size=size, overwrite=overwrite)
    elif target.suffix and not target.is_dir():
        raise StoreError(f"{target.name} is no video (.mp4 .mov .mkv), nor a folder: name one of them")
    try:
        with progress_bar("drawing", quiet=quiet) as (progress, notice):
            looks = _looks(portrait, skin=skin, glasses=glasses, detector_model=detector_model, notice=notice)
            if in_video:
                made_of = {
                    "seed": seed,
                    "fps": fps,
                    "size": list(size),
                    "amplitude_px": list(amplitude),
                    "portrait": None if portrait is None else portrait.name,
                    "identity": identity,
                    "skin": skin,
                    "glasses": glasses,
                    "turn_deg": turn,
                    "flicker": flicker,
                    "noise": noise,
                    "crf": crf,
                }
                source = SyntheticSource(
                    seconds=seconds,
                    fps=fps,
                    size=size,
                    seed=seed,
                    paced=False,
                    events=script,
                    identity=identity,
                    looks=looks,
                    turn_deg=turn,
                    noise=noise,
                    shortcomings=Shortcomings(flicker=flicker),
                )
                written = write_made_video(
                    source, target, crf=crf, made_of=made_of, overwrite=overwrite, progress=progress
                )
                names = ", ".join(map(str, written))
                told = f"{source.frames} frames, {_count(source.truth)}, written to {names}"
            else:
                done = write_made_samm(
                    target,
                    subjects=subjects,
                    clips=clips,
                    seed=seed,
                    size=size,
                    pictures=pictures,
                    noise=noise,
                    script=script,
                    looks=looks,
                    overwrite=overwrite,
                    progress=progress,
                )
                told = f"{done.clips} clips, {done.pictures} pictures, written to {target}"
                told += f"; {done.skipped} were there already" if done.skipped else ""
    except KeyboardInterrupt:
        rest = f"{target} was not written" if in_video else "the same command without --overwrite goes on"
        raise KeyboardInterrupt(rest) from None
    if not quiet:
        typer.echo(told)


def _check(*, size: tuple[int, int], amplitude: tuple[float, float], pictures: str) -> None:
    from magnifyme.train.acting import MOST_EYES
    from magnifyme.train.portrait import EYE_DISTANCE

    if min(size) < _SMALLEST or max(size) > _LARGEST:
        raise typer.BadParameter(
            f"{size[0]} {size[1]}: each must be {_SMALLEST} to {_LARGEST}", param_hint="--size"
        )
    # Relatives may have their eyes closer together than the portrait.
    most = 0.8 * MOST_EYES * EYE_DISTANCE * min(size[1], 0.75 * size[0])
    if not 0.0 < amplitude[0] <= amplitude[1] <= most:
        raise typer.BadParameter(
            f"{amplitude[0]:g} {amplitude[1]:g}: must be the lowest and the highest, above 0 and, at this "
            f"size, at most {most:.1f}, or the skin folds",
            param_hint="--amplitude",
        )
    if pictures not in ("jpg", "png"):
        raise typer.BadParameter(f"{pictures}: must be jpg or png", param_hint="--pictures")


def _looks(
    portrait: Path | None,
    *,
    skin: float | None,
    glasses: bool,
    detector_model: Path | None,
    notice: Callable[[str], None],
) -> Looks:
    from magnifyme.train.looks import Looks

    if portrait is None:
        return Looks(skin=skin, glasses=glasses)
    from magnifyme.models.face_detector import open_detector
    from magnifyme.train.own_portrait import read_portrait

    detector = open_detector(detector_model, notice=notice)
    return Looks(read_portrait(portrait, detector=detector), skin=skin, glasses=glasses)


def _count(events: Sequence[TrueEvent]) -> str:
    kinds = Counter(event.kind for event in events)
    return (
        f"{kinds['micro']} micro- and {kinds['macro']} macro-expressions, {kinds['blink']} blinks, "
        f"{kinds['speech']} times of speech"
    )
