"""How far the work on a file has come: a bar in a terminal, notices alone elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from magnifyme.stream.callbacks import Notice, Progress


@contextmanager
def progress_bar(doing: str, *, quiet: bool) -> Iterator[tuple[Progress, Notice]]:
    """Give what shows progress (how many are done, and of how many) and what tells a notice, on stderr."""
    if quiet:
        yield lambda done, total: None, lambda line: None
        return
    if not sys.stderr.isatty():
        yield lambda done, total: None, lambda line: typer.echo(f"note: {line}", err=True)
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("left"),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("preparing", total=None)
        yield (
            lambda done, total: bar.update(task, completed=done, total=total, description=doing),
            lambda line: bar.console.print(f"note: {line}", markup=False, highlight=False),
        )
