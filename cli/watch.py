"""`magnifyme watch`: a stream in, named expressions out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    DEFAULT_BAND_HZ,
    DEFAULT_FACTOR,
    Band,
    DetectorModel,
    Device,
    Factor,
    FolderFps,
    Method,
    Overwrite,
    Quiet,
    check_files,
    open_any,
)

if TYPE_CHECKING:
    from magnifyme.models.face_detector import FaceDetector
    from magnifyme.stream.events import Event
    from magnifyme.stream.magnification import Magnification
    from magnifyme.stream.monitor import Monitor, Observation

    from .display import Display

# Python's default switch interval of 5 ms lets a busy neighbour thread hold the reader up for
# tens of milliseconds; at half a millisecond the reader's p99 stays under 80 ms.
_SWITCH_INTERVAL_S = 0.0005
# A recording needs a rate before the stream has shown its own; frames keep their own times all the same.
_ASSUMED_FPS = 30.0
# The live view hides the cursor; who ends the program at once gets it back.
_SHOW_CURSOR = b"\x1b[?25h\n"


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
    method: Method = "linear",
    device: Device = "cpu",
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
        float | None, typer.Option(min=0.0, metavar="SECONDS", help="Stop after so much of the stream.")
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
    """Watch a stream and name the expressions on the face in it.

    The face is found and held still, and its motion magnified.
    """
    from magnifyme.models.classifier import Classifier, demo_model_path
    from magnifyme.models.face_detector import open_detector
    from magnifyme.stream.events import open_store
    from magnifyme.stream.limited import LimitedSource
    from magnifyme.stream.magnification import Magnification
    from magnifyme.stream.monitor import Monitor
    from magnifyme.stream.recorder import Recorder

    from .display import make_display

    with ExitStack() as stack:
        display = make_display(json_lines=json_lines, quiet=quiet)
        magnification = Magnification(factor, band, method, device)
        show = None
        if window:
            from .window import Window

            show = stack.enter_context(Window()).show
        # Everything that may be wrong is looked at before the kernels are loaded, which takes a while, and
        # before a file is made: the recorder makes its own at the first frame, the store at once.
        check_files(source, events=events, output=output)
        opened = stack.enter_context(open_any(source, fps=fps))
        rate = opened.fps or _ASSUMED_FPS
        magnification.magnifier(rate)
        classifier = Classifier(model or demo_model_path())
        labels = ("original", f"magnified x{factor:g}")
        recorder = None
        if output:
            recorder = stack.enter_context(Recorder(output, fps=rate, labels=labels, overwrite=overwrite))
        for text in opened.warnings:
            display.notice(text)
        detector = open_detector(detector_model, notice=display.notice)
        store = stack.enter_context(open_store(events)) if events else None
        prepare(display, detector=detector, magnification=magnification)
        monitor = Monitor(
            LimitedSource(opened, frames=max_frames, seconds=duration),
            magnification=magnification,
            classifier=classifier,
            detector=detector,
            events=store,
            recorder=recorder,
        )
        run(monitor, display, show=show)
    display.summary(monitor, written=[path for path in (events, output) if path and path.exists()])


def prepare(display: Display, *, detector: FaceDetector, magnification: Magnification) -> None:
    """Load or compile the kernels, telling why it takes a while."""
    from .warm import warm_up

    with display.working("loading the kernels (the first run compiles them: about half a minute)"):
        warm_up(detector, magnification=magnification)


def run(
    monitor: Monitor, display: Display, *, show: Callable[[Observation], bool] | None = None
) -> list[Event]:
    """Run a monitor to its end and return its events; `show` sees every observation, False ends the run."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    events: list[Event] = []
    with monitor, display.live(monitor), _stops_on_interrupt(monitor):
        for observation in monitor:
            events += observation.events
            display.update(observation, monitor)
            if show is not None and not show(observation):
                monitor.stop()
    return events


@contextmanager
def _stops_on_interrupt(monitor: Monitor) -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) end the stream in order, and the second one end the program."""

    asked = False

    def interrupt(number: int, _: Any) -> None:
        nonlocal asked
        if asked:
            if sys.stdout.isatty():
                os.write(1, _SHOW_CURSOR)
            os._exit(128 + number)
        asked = True
        monitor.stop()

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
