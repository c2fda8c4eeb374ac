"""The words for an event and for a whole run, the same in every display."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magnifyme.stream.events import Event
    from magnifyme.stream.monitor import Monitor, Observation

DEMO_MODEL = "demo model, trained on made faces: its names say nothing about real people"
# A stream that gives nothing for so long is called silent.
_SILENT_S = 2.0
_NO_FACE = (
    "no face was found: light it from the front, and let it look into the camera and fill a tenth of the "
    "picture's width or more"
)
_NO_YUNET = "; with YuNet (--detector-model) turned and tilted faces are found too"
_BROKEN = ("waiting", "connecting")


def describe_event(event: Event) -> str:
    """Tell an event in one line."""
    span_ms = (event.offset - event.onset) * 1e3
    text = f"{event.onset:8.2f} s  {event.kind}"
    if event.label:
        text += f"  {event.label} {event.probabilities[event.label]:.2f}"
        if event.made_faces:
            text += " (demo model)"
    return f"{text}  {span_ms:.0f} ms, apex {event.apex:.2f} s, {event.intensity_px:.2f} px"


def describe_faces(observation: Observation) -> str:
    """Tell which faces are followed."""
    numbers = ", ".join(str(watched.face.track_id) for watched in observation.faces)
    return f"face {numbers}" if numbers else "no face"


def no_face(detector: str) -> str:
    """Say that no face was found, and what helps; `detector` is the name of the one that looked."""
    return _NO_FACE + ("" if detector == "YuNet" else _NO_YUNET)


def silent(monitor: Monitor) -> bool:
    """Tell whether a stream that runs gives nothing."""
    return monitor.statistics.silent_s >= _SILENT_S and monitor.source.status not in ("ended", "stopped")


def describe_state(monitor: Monitor) -> str:
    """Tell how the stream is doing: since when nothing comes, and why."""
    source = monitor.source
    if not silent(monitor):
        return source.status
    text = f"{source.status}, no frame for {monitor.statistics.silent_s:.0f} s"
    # While it is connected, the last error is that of an earlier break.
    return f"{text}: {source.last_error}" if source.last_error and source.status in _BROKEN else text


def drops(monitor: Monitor) -> dict[str, int]:
    """Count the frames that were dropped, by cause."""
    statistics = monitor.statistics
    return {
        "at_source": statistics.dropped_at_source,
        "before_processing": statistics.dropped_before,
        "from_video": statistics.unrecorded,
        "from_display": statistics.dropped_behind,
    }


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
        "dropped": drops(monitor),
        "damaged": monitor.source.damaged,
        "reconnects": monitor.source.reconnects,
        "last_error": monitor.source.last_error,
        "events": dict(statistics.events),
        "named": statistics.named,
        "model": monitor.classifier.model_id,
        "made_faces": monitor.classifier.recipe.made_faces,
    }


def summarize(monitor: Monitor, *, written: list[Path]) -> list[str]:
    """Tell a run in a few lines."""
    figures = summary_record(monitor)
    lines = ["", *(_describe_run(figures, monitor) if figures["frames"] else [_describe_nothing(figures)])]
    return [*lines, *(f"written: {path}" for path in written)]


def _describe_nothing(figures: dict[str, Any]) -> str:
    why = f" ({figures['last_error']})" if figures["last_error"] else ""
    return f"no frame came from {figures['source']} in {figures['seconds']:.1f} s{why}: nothing was watched"


def _describe_run(figures: dict[str, Any], monitor: Monitor) -> list[str]:
    latency, dropped = figures["latency_ms"], figures["dropped"]
    lines = [
        f"{figures['frames']} frames in {figures['seconds']:.1f} s: {figures['fps']:.1f} frames a second, "
        f"a face in {figures['with_face'] / figures['frames']:.0%} of them",
    ]
    if not figures["with_face"]:
        lines.append(no_face(monitor.detector.name))
    if monitor.source.live:
        lines.append(
            f"latency from arrival to result: p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms, "
            f"longest {latency['max']:.1f} ms"
        )
        lines.append(
            f"dropped: {dropped['at_source']} before they were read, {dropped['before_processing']} before "
            f"processing, {dropped['from_video']} from the video; {figures['damaged']} damaged; "
            f"reconnects: {figures['reconnects']}"
            + (f", last after: {figures['last_error']}" if figures["last_error"] else "")
        )
    elif figures["damaged"]:
        lines.append(f"damaged frames: {figures['damaged']}; what hides the damage may look like motion")
    stages = ", ".join(f"{name} {mean:.2f}" for name, mean in figures["stages_ms"].items())
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(figures["events"].items())) or "none"
    lines += [f"stages, mean ms: {stages}", f"events: {kinds}"]
    if figures["made_faces"] and figures["named"]:
        lines.append(f"named by a {DEMO_MODEL}")
    return lines
