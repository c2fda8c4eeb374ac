"""The tables of `magnifyme bench track`: how still a face is held, on motion that is known exactly."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from magnifyme.models.face_detector import FaceDetector
    from magnifyme.train.track_bench import Stillness

# Action units at a mouth corner: puller, dimpler, depressor, and a smile with the cheeks.
_UNITS = {"12": {12: 1.0}, "14": {14: 1.0}, "15": {15: 1.0}, "6+12": {6: 0.6, 12: 1.0}}
_HIDDEN_S = (0.3, 1.0, 1.03, 3.07)
_QUICK_S, _LONG_S = 15.0, 60.0


def measure_tracking(detector: FaceDetector, *, quick: bool) -> dict[str, Any]:
    """Measure all that the tables show; `quick` takes a third of the streams and a quarter of the time."""
    from magnifyme.train.track_bench import (
        measure_endurance,
        measure_loss,
        measure_pace,
        measure_recovery,
        measure_renewal,
        measure_stillness,
    )
    from magnifyme.train.track_stage import CASES, FACES, QUICK_CASES, Case

    faces = list(FACES[:2] if quick else FACES)
    lives = [case for case in faces if case.skin == "own" and not case.turned][: 1 if quick else None]
    held = [measure_stillness(case, detector=detector) for case in (QUICK_CASES if quick else CASES)]
    return {
        "held": [_row(each) for each in held],
        "expression_loss": [
            {"face": case.face, **{name: measure_loss(case, units=units, detector=detector)
                                   for name, units in _UNITS.items()}}
            for case in faces
        ],
        "pace": [
            asdict(measure_pace(Case(size=size), detector=detector)) for size in ((640, 480), (1280, 720))
        ],
        "renewal": asdict(measure_renewal(Case(), detector=detector)),
        "natural_motion": [
            asdict(measure_endurance(case, detector=detector, seconds=_QUICK_S if quick else _LONG_S))
            for case in lives
        ],
        "found_again_s": {
            f"{hidden_s:g}": measure_recovery(Case(), hidden_s=hidden_s, detector=detector)
            for hidden_s in _HIDDEN_S
        },
    }  # fmt: skip


def _row(held: Stillness) -> dict[str, Any]:
    case = asdict(held.case)
    case["mbit_s"] = case.pop("encoding")["mbit_s"]
    return asdict(held) | {"case": case | {"face": held.case.face}}


def tracking_tables(figures: dict[str, Any]) -> list[Table]:
    """Show the figures; what is written is in the titles."""
    held = _table(
        "Where the skull strays in the crop, px rms, as the head moves by 3 px a frame, 5° and 5 %",
        ("tracked", "in frame", "as decoded", "landmarks", "box"),
        first=("face", "size", "fps", "σ", "Mbit/s"),
    )
    for row in figures["held"]:
        case, mbit_s = row["case"], row["case"]["mbit_s"]
        held.add_row(
            case["face"],
            f"{case['size'][1]}p",
            f"{case['fps']:g}",
            f"{case['sigma']:g}",
            "–" if mbit_s is None else f"{mbit_s:g}",
            f"{row['tracked_px']:.3f}" + (f", {row['lost']} lost" if row["lost"] else ""),
            f"{row['frame_px']:.3f}",
            "–" if row["shown_px"] is None else f"{row['shown_px']:.3f}",
            f"{row['landmarks_px']:.2f}",
            f"{row['box_px']:.2f}",
        )
    names = [f"AU {name}" for name in figures["expression_loss"][0] if name != "face"]
    loss = _table("Share of a true 0.3 px at a mouth corner that is registered away", names, first=("face",))
    for row in figures["expression_loss"]:
        loss.add_row(row["face"], *(f"{row[name]:.1%}" for name in row if name != "face"))
    life = _table(
        "Natural motion", ("seconds", "tracks lost", "frames without a face", "strays, px"), first=("face",)
    )
    for row in figures["natural_motion"]:
        life.add_row(
            row["face"],
            f"{row['seconds']:g}",
            str(row["lost"]),
            str(row["faceless"]),
            f"{row['tracked_px']:.3f}",
        )
    rest = _table("Time and steps", ("",), first=("what",))
    for row in figures["pace"]:
        width, height = row["size"]
        rest.add_row(f"a frame of {width}×{height}, without detection, CPU", f"{row['frame_ms']:.2f} ms")
        rest.add_row(f"a detection at {width}×{height}", f"{row['detection_ms']:.1f} ms")
    for hidden_s, seconds in figures["found_again_s"].items():
        rest.add_row(f"found again after {hidden_s} s behind a board", f"{seconds:.2f} s")
    renewal = figures["renewal"]
    rest.add_row(f"largest step at {renewal['renewals']} renewals", f"{renewal['step_px']:.3f} px")
    rest.add_row("largest step between other frames", f"{renewal['other_px']:.3f} px")
    return [held, loss, life, rest]


def _table(title: str, columns: tuple[str, ...] | list[str], *, first: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in first:
        table.add_column(name)
    for name in columns:
        table.add_column(name, justify="right")
    return table
