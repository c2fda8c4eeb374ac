"""The part of `magnifyme bench spot` that asks how small a motion may be: figures and table."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from magnifyme.models.face_detector import FaceDetector

AMPLITUDES_PX = (0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5)
RATES = (30.0, 100.0)
# Nothing was tuned on seeds from 200 on.
_SEEDS, _SECONDS = (200, 201), 24.0


def measure_amplitudes(
    detector: FaceDetector,
    *,
    rates: tuple[float, ...] = RATES,
    amplitudes_px: tuple[float, ...] = AMPLITUDES_PX,
    seeds: tuple[int, ...] = _SEEDS,
    seconds: float = _SECONDS,
) -> list[dict[str, Any]]:
    """Measure the spotter at each rate and amplitude, a row each, as plain values."""
    from magnifyme.train.spot_bench import SpotScore, measure_amplitude

    rows = []
    for fps in rates:
        for amplitude in amplitudes_px:
            score = SpotScore()
            for seed in seeds:
                score += measure_amplitude(amplitude, fps=fps, seed=seed, seconds=seconds, detector=detector)
            errors = score.median_errors_ms
            rows.append(
                {
                    "fps": fps,
                    "amplitude_px": amplitude,
                    "expressions": score.expressions,
                    "hits": score.hits,
                    "hits_named_micro": score.named_micro,
                    "recall": score.recall,
                    "precision": score.precision,
                    "f1": score.f1,
                    "false_micro_per_minute": score.false_micro_per_minute,
                    "apex_error_ms": None if errors is None else errors[1],
                    "delay_ms": 1e3 * median(score.delays_s) if score.delays_s else None,
                    "longest_delay_ms": 1e3 * max(score.delays_s) if score.delays_s else None,
                    "ms_per_frame": 1e3 * score.work_s / max(score.frames, 1),
                }
            )
    return rows


def amplitude_table(rows: list[dict[str, Any]]) -> Table:
    """Lay the rows out for people."""
    from rich.table import Table

    title = "How small a motion may be (made faces, 640×480, uncompressed)"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in (
        "fps",
        "px",
        "true",
        "F1",
        "micro",
        "false/min",
        "apex off ms",
        "told after ms",
        "ms a frame",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            f"{row['fps']:g}",
            f"{row['amplitude_px']:g}",
            str(row["expressions"]),
            f"{row['f1']:.2f}",
            str(row["hits_named_micro"]),
            f"{row['false_micro_per_minute']:.1f}",
            _ms(row["apex_error_ms"]),
            _ms(row["delay_ms"]),
            f"{row['ms_per_frame']:.1f}",
        )
    return table


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
