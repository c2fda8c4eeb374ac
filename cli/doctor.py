"""`magnifyme doctor`: what is here, what is missing, and how to mend it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from .probes import Finding

_SIGNS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "missing": "[red]missing[/]"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what is here, and how to mend what is missing.

    Exit code 0 when `watch` can run, 1 when something that it needs is missing.
    """
    from importlib.metadata import version

    from .probes import as_record, examine

    findings = examine()
    ready = all(finding.status != "missing" for finding in findings)
    if as_json:
        record = {"version": version("magnifyme"), "ready": ready, "findings": list(map(as_record, findings))}
        typer.echo(json.dumps(record, ensure_ascii=False))
    elif sys.stdout.isatty():
        _print_table(findings, title=f"magnifyme {version('magnifyme')}")
    else:
        for finding in findings:
            mend = f"  [to mend: {finding.mend}]" if finding.mend else ""
            typer.echo(f"{finding.status:8} {finding.name:14} {finding.found}{mend}")
    if not as_json:
        typer.echo("Ready: `magnifyme watch` can run." if ready else "Not ready: mend what is missing first.")
    if not ready:
        raise typer.Exit(1)


def _print_table(findings: list[Finding], *, title: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, show_header=False)
    for no_wrap in (True, True, False):
        table.add_column(overflow="fold", no_wrap=no_wrap)
    for finding in findings:
        mend = f"\n[bold]to mend:[/] {escape(finding.mend)}" if finding.mend else ""
        table.add_row(_SIGNS[finding.status], finding.name, escape(finding.found) + mend)
    Console().print(table)
