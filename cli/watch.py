"""`magnifyme watch`: a stream in, named expressions out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from .interrupt import ends_in_order, on_interrupt
from .options import (
    DEFAULT_BAND_HZ,
    DEFAULT_FACTOR,
    Band,
    Denoise,
    DetectorModel,
    Device,
    Factor,
    FolderFps,
    Overwrite,
    Quiet,
    check_files,
    open_any,
)

if TYPE_CHECKING:
    from magnifyme.stream.events import Event
    from magnifyme.stream.monitor import Monitor, Observation
    from magnifyme.stream.pipeline import Region

    from .display import Display

# Python's default switch interval of 5 ms lets a busy neighbour thread hold the reader up for
# tens of milliseconds; at half a millisecond the reader's p99 stays under 80 ms.
_SWITCH_INTERVAL_S = 0.0005
# So often the displays and the window are served while nothing comes.
_TICK_S = 0.1


@ends_in_order
def watch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Camera number or device, rtsp://…, video file, folder of numbered images, or synthetic.",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Classifier (ONNX) made by this project; default: the demo model."),
    ] = None,
    factor: Factor = DEFAULT_FACTOR,
    band: Band = DEFAULT_BAND_HZ,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Magnification engine: linear (fastest), riesz (truest), or auto (riesz if it keeps up).",
        ),
    ] = "auto",
    device: Device = "cpu",
    denoise: Denoise = True,
    region: Annotated[
        str, typer.Option(metavar="NAME", help="What is shown magnified: face, or the whole frame.")
    ] = "face",
    faces: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Follow so many faces, the largest first.")
    ] = 1,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Add events to this file: .jsonl, otherwise SQLite."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a side-by-side video (original | magnified): .mp4, .mov or .mkv."
        ),
    ] = None,
    overwrite: Overwrite = False,
    window: Annotated[bool, typer.Option("--window", help="Show original | magnified in a window.")] = False,
    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop after so much of the stream.")
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(min=1, metavar="NUMBER", help="Stop after so many frames.")
    ] = None,
    fps: FolderFps = None,
    detector_model: DetectorModel = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line on stdout, and nothing else there.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Watch a stream and name the expressions on its face.

    The face is found and held still, and its motion magnified.
    """
    from magnifyme.models.classifier import Classifier, demo_model_path
    from magnifyme.models.face_detector import open_detector
    from magnifyme.stream.events import open_store
    from magnifyme.stream.limited import LimitedSource
    from magnifyme.stream.magnification import Magnification
    from magnifyme.stream.monitor import ASSUMED_FPS, Monitor
    from magnifyme.stream.recorder import Recorder

    from .display import make_display
    from .warm import warm_up

    with ExitStack() as stack:
        display = make_display(json_lines=json_lines, quiet=quiet)
        magnification = Magnification(factor, band, method, device, denoise=denoise)
        show = None
        if window:
            from .window import Window

            show = stack.enter_context(Window()).show
        # Everything that may be wrong is looked at before the kernels are loaded, which takes a while, and
        # before a file is made: the recorder makes its own at the first frame, the store at once.
        check_files(source, events=events, output=output)
        opened = stack.enter_context(open_any(source, fps=fps))
        limited = LimitedSource(opened, frames=max_frames, seconds=duration)
        rate = opened.fps or ASSUMED_FPS  # a recording needs one, though its frames keep their own times
        magnification.magnifier(rate)
        classifier = Classifier(model or demo_model_path())
        labels = ("original", f"magnified x{factor:g}")
        recorder = None
        if output:
            recorder = stack.enter_context(Recorder(output, fps=rate, labels=labels, overwrite=overwrite))
        detector = open_detector(detector_model, notice=display.notice)
        if events:
            stack.enter_context(_no_file_in_vain(events))
        store = stack.enter_context(open_store(events)) if events else None
        with loading(display):
            monitor = Monitor(
                limited,
                magnification=magnification,
                # What a user typed: the monitor itself refuses other words.
                region=cast("Region", region),
                faces=faces,
                classifier=classifier,
                detector=detector,
                events=store,
                recorder=recorder,
            )
            warm_up(monitor)
        run(monitor, display, show=show)
    something_in = ((events, monitor.statistics.events), (output, recorder and recorder.frames))
    display.summary(monitor, written=[path for path, content in something_in if path and content])


def loading(display: Display) -> AbstractContextManager[None]:
    """Tell, while a Monitor is made and warmed up, why it takes a while."""
    return display.working("loading the kernels (the first run compiles them: about half a minute)")


def run(
    monitor: Monitor, display: Display, *, show: Callable[[Observation | None], bool] | None = None
) -> list[Event]:
    """Run a monitor to its end and return its events.

    `show` sees every observation, and None several times a second while there is none; False ends the run.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    events: list[Event] = []
    told: set[str] = set()
    with monitor, display.live(monitor), on_interrupt(monitor.stop):
        for observation in monitor.ticking(every_s=_TICK_S):
            _tell_warnings(monitor, display, told)
            if observation is not None:
                events += observation.events
            display.update(observation, monitor)
            if show is not None and not show(observation):
                monitor.stop()
    _tell_warnings(monitor, display, told)
    return events


def _tell_warnings(monitor: Monitor, display: Display, told: set[str]) -> None:
    """Tell the warnings that are new, and remember them in `told`."""
    for text in monitor.warnings:
        if text not in told:
            told.add(text)
            display.notice(text)


@contextmanager
def _no_file_in_vain(path: Path) -> Iterator[None]:
    """Where the run fails, leave no file of events that was not there before and holds none."""
    from magnifyme.stream.events import read_events

    there = path.exists()
    try:
        yield
    except BaseException:
        if not there and path.exists() and not read_events(path):
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
        raise
