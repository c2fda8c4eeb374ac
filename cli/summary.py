"""The words for an event and for a whole run, the same in every display."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magnifyme.stream.events import Event
    from magnifyme.stream.monitor import Monitor

DEMO_MODEL = "demo model, trained on made faces: its names say nothing about real people"


def describe_event(event: Event) -> str:
    """Tell an event in one line."""
    span_ms = (event.offset - event.onset) * 1e3
    text = f"{event.onset:8.2f} s  {event.kind}"
    if event.label:
        text += f"  {event.label} {event.probabilities[event.label]:.2f}"
        if event.made_faces:
            text += " (demo model)"
    return f"{text}  {span_ms:.0f} ms, apex {event.apex:.2f} s, {event.intensity_px:.2f} px"


def summary_record(monitor: Monitor) -> dict[str, Any]:
    """Gather a run's figures as plain values."""
    statistics = monitor.statistics
    return {
        "source": monitor.source.name,
        "frames": statistics.processed,
        "seconds": round(statistics.elapsed_s, 3),
        "fps": round(statistics.mean_fps, 2),
        "with_face": statistics.with_face,
        "latency_ms": {
            "p50": round(statistics.latency.percentile(0.50), 2),
            "p99": round(statistics.latency.percentile(0.99), 2),
            "max": round(statistics.latency.maximum_ms, 2),
        },
        "stages_ms": {name: round(times.mean_ms, 3) for name, times in statistics.stages.items()},
        "dropped": {
            "before_processing": statistics.dropped_before,
            "from_video": statistics.unrecorded,
            "from_display": statistics.dropped_behind,
        },
        "damaged": monitor.source.damaged,
        "reconnects": monitor.source.reconnects,
        "events": dict(statistics.events),
        "model": monitor.classifier.model_id,
        "made_faces": monitor.classifier.recipe.made_faces,
    }


def summarize(monitor: Monitor, *, written: list[Path]) -> list[str]:
    """Tell a run in a few lines."""
    figures = summary_record(monitor)
    latency, dropped = figures["latency_ms"], figures["dropped"]
    share = figures["with_face"] / figures["frames"] if figures["frames"] else 0.0
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(figures["events"].items())) or "none"
    stages = ", ".join(f"{name} {mean:.2f}" for name, mean in figures["stages_ms"].items())
    lines = [
        "",
        f"{figures['frames']} frames in {figures['seconds']:.1f} s: {figures['fps']:.1f} frames a second, "
        f"a face in {share:.0%} of them",
    ]
    if monitor.source.live:
        lines.append(
            f"latency from arrival to result: p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms, "
            f"longest {latency['max']:.1f} ms"
        )
        lines.append(
            f"dropped: {dropped['before_processing']} before processing, {dropped['from_video']} from the "
            f"video; {figures['damaged']} damaged; reconnected {figures['reconnects']} times"
        )
    lines += [f"stages, mean ms: {stages}", f"events: {kinds}"]
    if figures["made_faces"]:
        lines.append(f"named by a {DEMO_MODEL}")
    lines += [f"written: {path}" for path in written]
    return lines
