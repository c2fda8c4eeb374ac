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

from .summary import describe_event, describe_faces, describe_state, drops, silent, summarize, summary_record

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

    def update(self, observation: Observation | None, monitor: Monitor) -> None:
        """Take the next observation, or None several times a second while there is none."""

    def summary(self, monitor: Monitor, *, written: list[Path]) -> None:
        """Tell how it went."""


def make_display(*, json_lines: bool, quiet: bool) -> Display:
    """Choose the display: JSON lines, nothing, a live view in a terminal, plain lines elsewhere."""
    if json_lines:
        return JsonDisplay(quiet=quiet)
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

    def update(self, observation: Observation | None, monitor: Monitor) -> None:
        """Tell nothing."""

    def summary(self, monitor: Monitor, *, written: list[Path]) -> None:
        """Tell nothing."""


class PlainDisplay(QuietDisplay):
    """Lines of text: an event when it is found, a status every few seconds, a summary."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._told = time.monotonic()
        self._latest: Observation | None = None
        self._silent = False

    def notice(self, text: str) -> None:
        """Tell it on stderr."""
        self._errors.print(f"note: {text}", markup=False)

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Tell it on stderr."""
        with self._errors.status(text) if self._errors.is_terminal else nullcontext():
            yield

    @contextmanager
    def live(self, monitor: Monitor) -> Iterator[None]:
        """Begin to count the seconds between two lines."""
        self._told = time.monotonic()
        yield

    def update(self, observation: Observation | None, monitor: Monitor) -> None:
        """Print events, now and then the state, and at once when the stream falls silent or comes back."""
        self._latest = latest = observation or self._latest
        for event in observation.events if observation else ():
            self._print(describe_event(event))
        was_silent, self._silent = self._silent, silent(monitor)
        now = time.monotonic()
        if monitor.source.status == "stopped":
            return
        if self._silent == was_silent and now - self._told < _PLAIN_STATUS_S:
            return
        self._told = now
        text = f"{latest.frame.time if latest else 0.0:8.2f} s  {describe_state(monitor)}"
        if latest is not None and not self._silent:
            statistics = monitor.statistics
            face = describe_faces(latest)
            text += (
                f", {face}, {statistics.current_fps:.1f} fps, latency {latest.latency_ms:.0f} ms, "
                f"{statistics.dropped_at_source + statistics.dropped_before} dropped"
            )
        self._print(text)

    def summary(self, monitor: Monitor, *, written: list[Path]) -> None:
        """Print the summary."""
        for line in summarize(monitor, written=written):
            self._print(line)

    def _print(self, line: str) -> None:
        # File names and addresses may hold what rich takes for markup.
        self._console.print(line, markup=False)


class JsonDisplay(QuietDisplay):
    """One JSON object a line on stdout: `start`, `event`, `status` every second, `summary`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._latest: Observation | None = None
        self._told = time.monotonic()

    def notice(self, text: str) -> None:
        """Tell it on stderr, since stdout holds objects only; nothing if quiet."""
        if not self._quiet:
            print(f"note: {text}", file=sys.stderr, flush=True)  # noqa: T201

    @contextmanager
    def live(self, monitor: Monitor) -> Iterator[None]:
        """Begin with what is watched and how."""
        self._told = time.monotonic()
        self._emit(
            "start",
            source=monitor.source.name,
            fps=monitor.source.fps,
            magnification=asdict(monitor.magnification),
            model=monitor.classifier.model_id,
            made_faces=monitor.classifier.recipe.made_faces,
        )
        yield

    def update(self, observation: Observation | None, monitor: Monitor) -> None:
        """Print events, and the state every second; while nothing comes, what frames tell is null."""
        for event in observation.events if observation else ():
            self._emit("event", **asdict(event))
        self._latest = observation or self._latest
        now = time.monotonic()
        if now - self._told < _JSON_STATUS_S:
            return
        self._told = now
        latest = None if silent(monitor) else self._latest
        statistics = monitor.statistics
        self._emit(
            "status",
            time=latest.frame.time if latest else None,
            state=monitor.source.status,
            silent_s=round(statistics.silent_s, 1),
            last_error=monitor.source.last_error,
            track=latest.face.track_id if latest and latest.face else None,
            tracks=[watched.face.track_id for watched in latest.faces] if latest else [],
            motion_px=latest.motion_px if latest else None,
            fps=round(statistics.current_fps, 2),
            latency_ms=round(latest.latency_ms, 2) if latest else None,
            dropped=drops(monitor),
        )

    def summary(self, monitor: Monitor, *, written: list[Path]) -> None:
        """Print the summary as an object."""
        self._emit("summary", **summary_record(monitor), written=[str(path) for path in written])

    def _emit(self, kind: str, /, **values: object) -> None:
        print(json.dumps({"type": kind, **values}), flush=True)  # noqa: T201
