"""`magnifyme bench`: how many frames a second this machine does, stage by stage."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .interrupt import ends_in_order
from .options import DetectorModel, Device

if TYPE_CHECKING:
    from rich.table import Table

    from magnifyme.magnify.magnifier import Method
    from magnifyme.models.face_detector import FaceDetector

What = Literal["all", "magnify", "watch", "spot", "track", "fidelity"]
_MAGNIFY_SIZES = ((256, 256), (640, 360), (1280, 720), (1920, 1080))
# Streams a call, and whether the frames lie on the GPU, where that is measured.
_CPU_CASES = ((1, False),)
_CUDA_CASES = ((1, False), (1, True), (16, False), (16, True))
_PATIENCE = "measuring on made pictures: this takes some minutes"
_WATCH_SIZES = ((640, 480), (1280, 720))
# Long enough for a few expressions, so that the classifier has work.
_WATCH_SECONDS = 10.0
# Made streams that nothing was tuned on: about twenty expressions, and as much time without any.
_SPOT_SEEDS, _SPOT_SECONDS = (100, 101), 24.0


@ends_in_order
def bench(
    what: Annotated[
        What,
        typer.Argument(
            metavar="WHAT",
            help="magnify: arrays; watch: the whole way from a file; all: these two; "
            "spot: how true the found events are; track: how still a face is held; "
            "fidelity: how true the magnification (minutes each).",
        ),
    ] = "all",
    seconds: Annotated[
        float,
        typer.Option(min=0.1, max=600.0, metavar="SECONDS", help="How long each magnification is measured."),
    ] = 2.0,
    source: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A video of your own for `watch`, instead of a made one."),
    ] = None,
    device: Device = "cpu",
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="`magnify` and `fidelity` of this engine only: linear or riesz."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A quarter of what `track` and `fidelity` measure.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    detector_model: DetectorModel = None,
) -> None:
    """Measure how fast this machine is, or how true it is.

    Magnification alone, and the whole way from a video file to events. `spot`, `track` and `fidelity`
    measure, on made motion that is known exactly, how true the found events are, how still a face is held,
    and how true the magnified motion is.
    """
    from rich.console import Console

    methods = _methods(method)
    if what == "fidelity":
        _bench_fidelity(methods, quick=quick, as_json=as_json)
        return
    if source is not None:
        from magnifyme.stream.source import open_source

        # Told now, and not after the minute that the first part takes.
        open_source(source.absolute()).close()
    console, notes = Console(highlight=False), Console(stderr=True, highlight=False)
    figures: dict[str, Any] = {"cores": os.cpu_count(), "magnify": [], "watch": []}
    if what in ("all", "magnify"):
        figures["magnify"] = _bench_magnify(methods, seconds, device)
        if not as_json:
            console.print(_magnify_table(figures["magnify"]))
    if what != "magnify":
        from magnifyme.models.face_detector import open_detector

        detector = open_detector(
            detector_model, notice=lambda text: notes.print(f"note: {text}", markup=False)
        )
        if what in ("spot", "track"):
            typer.echo(_PATIENCE, err=True)
        if what == "track":
            from .tracking import measure_tracking, tracking_tables

            figures["track"] = measure_tracking(detector, quick=quick)
            tables = tracking_tables(figures["track"])
        elif what == "spot":
            from .spotting import amplitude_table, measure_amplitudes

            figures["spot"] = _bench_spot(detector)
            figures["spot_amplitudes"] = measure_amplitudes(detector)
            tables = [_spot_table(figures["spot"]), amplitude_table(figures["spot_amplitudes"])]
        else:
            figures["watch"] = _bench_watch(source, detector)
            tables = [_watch_table(figures["watch"])]
        if not as_json:
            console.print(*tables, sep="\n")
    if as_json:
        typer.echo(json.dumps(figures))


def _methods(only: str | None) -> list[Method]:
    from magnifyme.magnify import MagnifyError
    from magnifyme.magnify.magnifier import METHODS

    if only is not None and only not in METHODS:
        raise MagnifyError(f"method is {only!r}; give {' or '.join(METHODS)}")
    return [method for method in METHODS if only in (None, method)]


def _bench_fidelity(methods: list[Method], *, quick: bool, as_json: bool) -> None:
    from rich.console import Console

    from .fidelity import fidelity_tables, measure_fidelity

    typer.echo(_PATIENCE, err=True)
    console = Console(highlight=False)
    figures = []
    for name in methods:
        figures.append(measure_fidelity(name, quick=quick))
        if not as_json:
            for table in fidelity_tables(figures[-1]):
                console.print(table)
    if as_json:
        typer.echo(json.dumps(figures))


def _bench_magnify(methods: list[Method], seconds: float, device: str) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from magnifyme.magnify.bench import measure
    from magnifyme.magnify.magnifier import Magnifier

    options: dict[str, Any] = {"seconds": seconds, "device": device}
    on_gpu = Magnifier(fps=30.0, device=options["device"]).device == "cuda"
    return [
        asdict(measure(size, method=method, streams=streams, on_device=there, **options))
        for method in methods
        for streams, there in (_CUDA_CASES if on_gpu else _CPU_CASES)
        for size in _MAGNIFY_SIZES
    ]


def _bench_watch(own: Path | None, detector: FaceDetector) -> list[dict[str, Any]]:
    from magnifyme.train.made_video import write_made_video
    from magnifyme.train.synthetic import SyntheticSource

    if own is not None:
        return [_watch_file(own.absolute(), detector)]
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for size in _WATCH_SIZES:
            path = Path(folder) / f"{size[0]}x{size[1]}.mp4"
            with SyntheticSource(seconds=_WATCH_SECONDS, size=size, paced=False) as source:
                write_made_video(source, path, made_of={})
            made.append(_watch_file(path, detector))
        return made


def _bench_spot(detector: FaceDetector) -> list[dict[str, Any]]:
    from magnifyme.train.spot_bench import ENCODINGS, SpotScore, measure
    from magnifyme.train.synthetic import SyntheticSource

    moved = {encoding: SpotScore() for encoding in ENCODINGS}
    still = dict(moved)
    for seed in _SPOT_SEEDS:
        for scores, blank in ((moved, False), (still, True)):
            source = SyntheticSource(
                seconds=_SPOT_SECONDS, seed=seed, paced=False, events=() if blank else "random"
            )
            for encoding, score in measure(source, detector=detector).items():
                scores[encoding] += score
    return [
        {
            "encoding": str(encoding),
            "expressions": score.expressions,
            "recall": score.recall,
            "precision": score.precision,
            "f1": score.f1,
            "hits": score.hits,
            "hits_named_micro": score.named_micro,
            "false_micro_per_minute": score.false_micro_per_minute,
            "false_macro": score.false_macro,
            "median_errors_ms": score.median_errors_ms,
            "false_per_hour_without_expressions": still[encoding].false_per_hour,
        }
        for encoding, score in moved.items()
    ]


def _watch_file(path: Path, detector: FaceDetector) -> dict[str, Any]:
    """Watch a file as fast as it goes: first decoding alone, then the whole way."""
    from magnifyme.stream.monitor import Monitor
    from magnifyme.stream.source import open_source

    from .warm import warm_up

    start = time.perf_counter()
    with open_source(path) as source:
        sizes = [frame.size for frame in source]
    decode_ms = (time.perf_counter() - start) * 1e3 / max(len(sizes), 1)
    monitor = Monitor(path, detector=detector)
    warm_up(monitor)
    cpu, start = time.process_time(), time.perf_counter()
    for _ in monitor:
        pass
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    frames = max(monitor.statistics.processed, 1)
    stages = monitor.statistics.stages
    return {
        "width": sizes[0][0] if sizes else 0,
        "height": sizes[0][1] if sizes else 0,
        "frames": monitor.statistics.processed,
        "with_face": monitor.statistics.with_face,
        "fps": frames / wall_s,
        "cpu_ms_per_frame": cpu_s * 1e3 / frames,
        "stages_ms": {
            "decode": decode_ms,
            **{
                name: {"mean": times.mean_ms, "p99": times.percentile(0.99), "times": times.count}
                for name, times in stages.items()
            },
        },
        "events": dict(monitor.statistics.events),
    }


def _magnify_table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    title = f"Magnification, {rows[0]['device'].upper()}"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("method")
    for name in ("size", "ms a frame", "frames/s", "MB moved", "copy GB/s", "share of that floor"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            _case(row),
            f"{row['size'][0]}×{row['size'][1]}",
            f"{row['ms_per_frame']:.3f}",
            f"{row['fps']:.0f}",
            f"{row['bytes_per_frame'] / 1e6:.1f}",
            f"{row['copy_bytes_per_s'] / 1e9:.1f}",
            f"{row['share_of_floor']:.0%}",
        )
    return table


def _spot_table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    title = f"Spotting on made faces: {rows[0]['expressions']} expressions; a hit overlaps by half"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("stream")
    for name in (
        "recall",
        "precision",
        "F1",
        "false/min",
        "off by ms",
        "false/h at rest",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        errors = row["median_errors_ms"]
        table.add_row(
            row["encoding"],
            f"{row['recall']:.2f}",
            f"{row['precision']:.2f}",
            f"{row['f1']:.2f}",
            f"{row['false_micro_per_minute']:.1f}",
            "–" if errors is None else ", ".join(f"{error:.0f}" for error in errors),
            f"{row['false_per_hour_without_expressions']:.0f}",
        )
    return table


def _case(row: dict[str, Any]) -> str:
    """Name the method and, on a GPU, how many streams there were and where their frames lay."""
    if row["device"] == "cpu":
        return str(row["method"])
    return f"{row['method']}, {row['streams']} from the {'GPU' if row['on_device'] else 'host'}"


def _watch_table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    title = "The whole way, from an H.264 file to events, as fast as it goes"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 3, 0, 0))
    table.add_column("")
    for row in rows:
        table.add_column(f"{row['width']}×{row['height']}", justify="right")
    table.add_row("frames", *(str(row["frames"]) for row in rows))
    table.add_row("frames/s", *(f"{row['fps']:.0f}" for row in rows))
    table.add_row("CPU ms a frame", *(f"{row['cpu_ms_per_frame']:.1f}" for row in rows))
    table.add_row("decode, ms", *(f"{row['stages_ms']['decode']:.2f}" for row in rows))
    for stage in rows[0]["stages_ms"]:
        if stage != "decode":
            table.add_row(f"{stage}, mean (p99) ms", *(_cell(row["stages_ms"].get(stage)) for row in rows))
    return table


def _cell(times: dict[str, Any] | None) -> str:
    return "–" if times is None else f"{times['mean']:.2f} ({times['p99']:.1f})"
