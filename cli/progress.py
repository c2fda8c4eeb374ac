"""How far the work on a file has come: a bar in a terminal, notices alone elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer


@contextmanager
def progress_bar(
    doing: str, *, quiet: bool
) -> Iterator[tuple[Callable[[int, int | None], None], Callable[[str], None]]]:
    """Give what shows progress (how many are done, and of how many) and what tells a notice, on stderr."""
    if quiet:
        yield lambda done, total: None, lambda line: None
        return
    if not sys.stderr.isatty():
        yield lambda done, total: None, lambda line: typer.echo(f"note: {line}", err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("left"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("preparing", total=None)
        yield (
            lambda done, total: bar.update(task, completed=done, total=total, description=doing),
            lambda line: bar.console.print(f"note: {line}", markup=False, highlight=False),
        )
