"""The live view in a terminal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .display import PlainDisplay
from .summary import DEMO_MODEL, describe_state, silent

if TYPE_CHECKING:
    from magnifyme.stream.events import Event
    from magnifyme.stream.monitor import Monitor, Observation

_REFRESH_HZ = 8
_EVENTS_SHOWN = 8
# Lines that are no events: the frame, rates, face, motion, a blank one, the table's head, the cursor.
_OTHER_LINES = 8
_BARS = "▁▂▃▄▅▆▇█"
# One bar of the motion trace stands for so much stream time, and a full bar for so much motion.
_BAR_S = 0.1
_FULL_BAR_PX = 1.0
# The terminal writes ^C behind the panel: if that did not fit, the next drawing would begin a line too low.
_SPARE = 4
_STATUS_STYLE = {"live": "green", "ended": "dim", "stopped": "dim"}


class LiveView(PlainDisplay):
    """A panel that is drawn anew several times a second, also while nothing comes."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(highlight=False)
        self._events: deque[Event] = deque(maxlen=_EVENTS_SHOWN)
        self._trace: deque[float] = deque(maxlen=400)
        self._bar = -1

    @contextmanager
    def live(self, monitor: Monitor) -> Iterator[None]:
        """Show the panel while the monitor runs, and leave its last state on the screen."""
        with Live(
            get_renderable=lambda: self.render(monitor),
            console=self._console,
            refresh_per_second=_REFRESH_HZ,
        ):
            yield

    def notice(self, text: str) -> None:
        """Print it above the panel."""
        self._console.print(Text(f"note: {text}", style="yellow"))

    def update(self, observation: Observation | None, monitor: Monitor) -> None:
        """Remember what the next drawing shows."""
        if observation is None:
            return
        self._latest = observation
        self._events.extend(observation.events)
        bar = int(observation.frame.time / _BAR_S)
        if bar != self._bar or not self._trace:
            self._trace.append(observation.motion_px)
            self._bar = bar
        else:
            self._trace[-1] = max(self._trace[-1], observation.motion_px)

    def render(self, monitor: Monitor) -> RenderableType:
        """Draw the panel."""
        width = max(min(self._console.width - _SPARE, 110) - 4, 40)
        parts: list[RenderableType] = [self._rates(monitor), self._face(monitor), self._motion(width)]
        parts += [Text(), self._table() if self._events else Text("no events yet", style="dim")]
        status = monitor.source.status
        minutes, seconds = divmod(int(time.monotonic() - monitor.statistics.started), 60)
        title = Text.assemble(
            ("MagnifyMe", "bold"),
            f"  {monitor.source.name}  ",
            (status, _STATUS_STYLE.get(status, "yellow")),
            f"  {minutes:02d}:{seconds:02d}",
        )
        made = monitor.classifier.recipe.made_faces
        named_by, style = (DEMO_MODEL, "yellow") if made else (monitor.classifier.model_id, "dim")
        return Panel(
            Group(*parts),
            title=title,
            subtitle=Text(named_by, style=style),
            title_align="left",
            subtitle_align="left",
            width=width + 4,
        )

    def _rates(self, monitor: Monitor) -> Text:
        statistics = monitor.statistics
        dropped = statistics.dropped_at_source + statistics.dropped_before
        latency = statistics.latency
        return Text.assemble(
            (f"{statistics.current_fps:5.1f}", "bold"),
            " frames/s    latency ",
            (f"{latency.percentile(0.5):.0f}", "bold"),
            f" ms, p99 {latency.percentile(0.99):.0f} ms    dropped ",
            (str(dropped), "red" if dropped else "bold"),
            f"    reconnected {monitor.source.reconnects}" if monitor.source.reconnects else "",
        )

    def _face(self, monitor: Monitor) -> Text:
        observation = self._latest
        if silent(monitor):
            return Text(describe_state(monitor), style="yellow")
        if observation is None:
            return Text("waiting for the first frame", style="yellow")
        width, height = observation.frame.size
        if observation.face is None:
            return Text(f"no face in {width}×{height}", style="yellow")
        face = observation.face
        return Text.assemble(
            "face ",
            (", ".join(str(watched.face.track_id) for watched in observation.faces), "bold"),
            f" in {width}×{height}, {face.box[2]:.0f} px wide, held to {face.quality.residual_px:.2f} px, "
            f"detector {face.score:.2f}",
            (f", {face.quality.flaw}" if face.quality.flaw else "", "yellow"),
        )

    def _motion(self, width: int) -> Text:
        observation = self._latest
        now = observation.motion_px if observation else 0.0
        label = f"motion {now:5.2f} px "
        room = max(width - len(label), 10)
        bars = "".join(_bar(value) for value in list(self._trace)[-room:])
        active = observation is not None and observation.active
        return Text.assemble(label, (bars, "bold magenta" if active else "cyan"))

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("onset", "lasted", "kind", "expression", "probability", "motion"):
            table.add_column(name, justify="left" if name in ("kind", "expression") else "right")
        # The newest that fit; a copy, since the panel is drawn by another thread.
        room = max(self._console.height - _OTHER_LINES, 1)
        for event in list(self._events)[-room:]:
            table.add_row(
                f"{event.onset:.2f} s",
                f"{(event.offset - event.onset) * 1e3:.0f} ms",
                event.kind,
                Text(event.label or "–", style="bold" if event.label else "dim"),
                f"{event.probabilities[event.label]:.2f}" if event.label else "–",
                f"{event.intensity_px:.2f} px",
                style="dim" if event.kind == "blink" else "",
            )
        return table


def _bar(motion_px: float) -> str:
    return _BARS[min(int(motion_px / _FULL_BAR_PX * len(_BARS)), len(_BARS) - 1)]
