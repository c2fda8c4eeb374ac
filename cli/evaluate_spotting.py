"""`magnifyme evaluate-spotting ROOT --dataset NAME`: spotting scored on annotated long videos.

A command of its own beside `evaluate`, whose first argument is a run or a model: as a word in that place,
`spotting` could be a run's name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .interrupt import ends_in_order
from .options import DetectorModel, Quiet
from .progress import progress_bar

if TYPE_CHECKING:
    from rich.table import Table

    from magnifyme.train.long_score import Count, LongScore


@ends_in_order
def evaluate_spotting(
    root: Annotated[
        Path,
        typer.Argument(metavar="ROOT", help="Folder of the data set: the annotation sheet and the pictures."),
    ],
    dataset: Annotated[
        Literal["casme-sq", "sammlv"],
        typer.Option(metavar="NAME", help="casme-sq: CAS(ME)²; sammlv: SAMM Long Videos."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Classifier (ONNX) that names the hits: adds STRS; default: none."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    detector_model: DetectorModel = None,
    quiet: Quiet = False,
) -> None:
    """Score the spotter on long videos as MEGC does.

    F1 at IoU 0.5 over the whole set, videos without any event included. The spotter was tuned on made faces
    alone: no fold is needed.
    """
    from magnifyme.models.classifier import Classifier
    from magnifyme.models.face_detector import open_detector
    from magnifyme.train.annotated_videos import load_long_videos
    from magnifyme.train.long_score import evaluate_spotting as evaluate

    classifier = Classifier(model) if model else None
    with progress_bar("watching", quiet=quiet) as (progress, notice):
        videos, problems = load_long_videos(root, dataset=dataset)
        for problem in problems:
            notice(f"left out: {problem}")
        score = evaluate(
            videos,
            detector=open_detector(detector_model, notice=notice),
            classifier=classifier,
            progress=progress,
            notice=notice,
        )
    record = _record(score, rows_left_out=len(problems))
    record["model"] = classifier.model_id if classifier else None
    if as_json:
        typer.echo(json.dumps(record))
    elif not quiet:
        _show(
            score, rows_left_out=len(problems), made_faces=bool(classifier and classifier.recipe.made_faces)
        )


def _record(score: LongScore, *, rows_left_out: int) -> dict[str, Any]:
    kinds = {"micro": score.micro, "macro": score.macro, "both": score.both}
    return {
        "videos": score.videos,
        "minutes": round(score.seconds / 60.0, 3),
        **{name: _counts(count) for name, count in kinds.items()},
        "false_micro_per_minute": score.false_micro_per_minute,
        "recognition_f1": score.recognition_f1,
        "strs": score.strs,
        "rows_left_out": rows_left_out,
        "videos_left_out": score.unread,
    }


def _counts(count: Count) -> dict[str, float]:
    return {
        "true": count.true,
        "tp": count.hits,
        "fp": count.found - count.hits,
        "fn": count.true - count.hits,
        "precision": count.precision,
        "recall": count.recall,
        "f1": count.f1,
    }


def _show(score: LongScore, *, rows_left_out: int, made_faces: bool) -> None:
    from rich.console import Console

    from .summary import DEMO_MODEL

    console = Console(highlight=False)
    console.print(_table(score))
    lines = [
        f"{score.videos} videos, {score.seconds / 60.0:.1f} minutes; "
        f"{score.false_micro_per_minute:.2f} false micro-expressions a minute"
    ]
    if score.strs is not None and score.recognition_f1 is not None:
        lines.append(
            f"named: {len(score.named)} hits of known class, F1 {score.recognition_f1:.3f} (mean of the "
            f"classes); STRS {score.strs:.3f}"
        )
        if made_faces:
            lines.append(f"named by a {DEMO_MODEL}")
    if rows_left_out or score.unread:
        lines.append(f"left out: {rows_left_out} rows of the sheet, {len(score.unread)} videos")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _table(score: LongScore) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for name in ("true", "TP", "FP", "FN", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for name, count in (("micro", score.micro), ("macro", score.macro), ("both", score.both)):
        figures = (count.true, count.hits, count.found - count.hits, count.true - count.hits)
        shares = (count.precision, count.recall, count.f1)
        table.add_row(name, *map(str, figures), *(f"{share:.3f}" for share in shares))
    return table
