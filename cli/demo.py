"""`magnifyme demo`: the whole way on a made face, and how much of what was put in was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .interrupt import ends_in_order
from .options import DetectorModel, Overwrite

if TYPE_CHECKING:
    from magnifyme.stream.events import Event
    from magnifyme.train.synthetic import TrueEvent

_FPS = 30.0
# The demo's own file, which it writes anew each time.
_OUTPUT = Path("magnifyme-demo.mp4")


@ends_in_order
def demo(
    seconds: Annotated[
        float,
        typer.Option(min=5.0, max=3600.0, metavar="SECONDS", help="How long the made stream lasts."),
    ] = 20.0,
    seed: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="Another seed puts in other expressions.")
    ] = 0,
    output: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Where the side-by-side video (original | magnified) is written."),
    ] = _OUTPUT,
    overwrite: Overwrite = False,
    detector_model: DetectorModel = None,
    plain: Annotated[bool, typer.Option("--plain", help="Print lines also in a terminal.")] = False,
) -> None:
    """Watch a made live face, and tell what of it is found."""
    from magnifyme.models.face_detector import open_detector
    from magnifyme.stream.magnification import Magnification
    from magnifyme.stream.monitor import Monitor
    from magnifyme.stream.recorder import Recorder
    from magnifyme.train.synthetic import SyntheticSource

    from .display import PlainDisplay, make_display
    from .warm import warm_up
    from .watch import loading, run

    display = PlainDisplay() if plain else make_display(json_lines=False, quiet=False)
    magnification = Magnification(method="auto")
    labels = ("original", f"magnified x{magnification.factor:g}")
    # It is made first, which looks at the file's name, and opens the file at the first frame.
    recorder = Recorder(output, fps=_FPS, labels=labels, overwrite=overwrite or output == _OUTPUT)
    detector = open_detector(detector_model, notice=display.notice)
    with recorder, SyntheticSource(seconds=seconds, fps=_FPS, seed=seed) as source:
        with loading(display):
            monitor = Monitor(source, magnification=magnification, detector=detector, recorder=recorder)
            warm_up(monitor)
        found = run(monitor, display)
    display.summary(monitor, written=[output] if recorder.frames else [])
    watched = monitor.statistics.read / _FPS
    for line in compare(found, true=[event for event in source.truth if event.offset < watched]):
        typer.echo(line)


def compare(found: list[Event], *, true: list[TrueEvent]) -> list[str]:
    """Hold found events against those put in, in words; a hit overlaps by half (IoU ≥ 0.5)."""
    from magnifyme.train.score import match

    expressions = [event for event in true if event.kind != "blink"]
    blinks = [event for event in true if event.kind == "blink"]
    named = [event for event in found if event.kind != "blink"]
    pairs = match(named, true=expressions)
    right = sum(named[i].label == expressions[k].label for i, k in pairs)
    found_blinks = [event for event in found if event.kind == "blink"]
    told_apart = len(match(found_blinks, true=blinks, least_overlap=0.2))
    return [
        f"put in: {len(expressions)} expressions, {len(blinks)} blinks",
        f"found: {len(pairs)} of {len(expressions)} expressions (overlap of half or more), {right} named as "
        f"they were made; {len(named) - len(pairs)} false alarms; {told_apart} of {len(blinks)} blinks told "
        "apart",
    ]
