"""What a person, or another program, sees of a running monitor."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.markup import escape

from .summary import describe_event, summarize, summary_record

if TYPE_CHECKING:
    from magnifyme.stream.monitor import Monitor, Observation

# Without a terminal a line every five seconds says that it is still alive.
_PLAIN_STATUS_S = 5.0
_JSON_STATUS_S = 1.0


class Display(Protocol):
    """Where a monitor's progress is told."""

    def notice(self, text: str) -> None:
        """Tell something that the user should know but that does not end the run."""

    def working(self, text: str) -> AbstractContextManager[None]:
        """Tell what is being done while it takes long."""

    def live(self, monitor: Monitor) -> AbstractContextManager[None]:
        """Show the monitor while it runs."""

    def update(self, observation: Observation, monitor: Monitor) -> None:
        """Take the next observation."""

    def summary(self, monitor: Monitor, *, written: list[Path]) -> None:
        """Tell how it went."""


def make_display(*, json_lines: bool, quiet: bool) -> Display:
    """Choose the display: JSON lines, nothing, a live view in a terminal, plain lines elsewhere."""
    if json_lines:
        return JsonDisplay()
    if quiet:
        return QuietDisplay()
    if sys.stdout.isatty():
        from .live_view import LiveView

        return LiveView()
    return PlainDisplay()


class QuietDisplay:
    """Tells nothing."""

    def notice(self, text: str) -> None:
        """Tell nothing."""

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Tell nothing."""
        yield

    @contextmanager
    def live(self, monitor: Monitor) -> Iterator[None]:
        """Show nothing."""
        yield

    def update(self, observation: Observation, monitor: Monitor) -> None:
        """Tell nothing."""

    def summary(self, monitor: Monitor, *, written: list[Path]) -> None:
        """Tell nothing."""


class PlainDisplay(QuietDisplay):
    """Lines of text: an event when it is found, a status every few seconds, a summary."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._told = time.monotonic()

    def notice(self, text: str) -> None:
        """Tell it on stderr."""
        self._errors.print(f"note: {escape(text)}")

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Tell it on stderr."""
        with self._errors.status(text) if self._errors.is_terminal else nullcontext():
            yield

    def update(self, observation: Observation, monitor: Monitor) -> None:
        """Print events, and now and then the state."""
        for event in observation.events:
            self._console.print(escape(describe_event(event)))
        now = time.monotonic()
        if now - self._told >= _PLAIN_STATUS_S:
            self._told = now
            statistics = monitor.statistics
            face = f"face {observation.face.track_id}" if observation.face else "no face"
            self._console.print(
                f"{observation.frame.time:8.2f} s  {monitor.source.status}, {face}, "
                f"{statistics.current_fps:.1f} fps, latency {observation.latency_ms:.0f} ms, "
                f"{statistics.dropped_before} dropped"
            )

    def summary(self, monitor: Monitor, *, written: list[Path]) -> None:
        """Print the summary."""
        for line in summarize(monitor, written=written):
            self._console.print(line)


class JsonDisplay(QuietDisplay):
    """One JSON object a line on stdout: `start`, `event`, `status` every second, `summary`."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def notice(self, text: str) -> None:
        """Tell it on stderr, since stdout holds objects only."""
        print(f"note: {text}", file=sys.stderr, flush=True)  # noqa: T201

    @contextmanager
    def live(self, monitor: Monitor) -> Iterator[None]:
        """Begin with what is watched and how."""
        self._emit(
            "start",
            source=monitor.source.name,
            fps=monitor.source.fps,
            magnification=asdict(monitor.magnification),
            model=monitor.classifier.model_id,
            made_faces=monitor.classifier.recipe.made_faces,
        )
        yield

    def update(self, observation: Observation, monitor: Monitor) -> None:
        """Print events, and the state every second."""
        for event in observation.events:
            self._emit("event", **asdict(event))
        now = time.monotonic()
        if now - self._told >= _JSON_STATUS_S:
            self._told = now
            self._emit(
                "status",
                time=observation.frame.time,
                state=monitor.source.status,
                track=observation.face.track_id if observation.face else None,
                motion_px=observation.motion_px,
                fps=round(monitor.statistics.current_fps, 2),
                latency_ms=round(observation.latency_ms, 2),
                dropped=monitor.statistics.dropped_before,
            )

    def summary(self, monitor: Monitor, *, written: list[Path]) -> None:
        """Print the summary as an object."""
        self._emit("summary", **summary_record(monitor), written=[str(path) for path in written])

    def _emit(self, kind: str, /, **values: object) -> None:
        print(json.dumps({"type": kind, **values}), flush=True)  # noqa: T201
