"""The program `magnifyme`: its commands, and how their errors are told."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

# Errors of ours are one line each; everything else is a bug and keeps its traceback.
_TOLD = {
    "magnifyme.stream.errors": "StreamError",
    "magnifyme.magnify": "MagnifyError",
    "magnifyme.models.errors": "ModelError",
}

app = typer.Typer(
    name="magnifyme",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find micro-expressions on live faces: hold the face still, magnify motion too small to see, "
    "name the expression.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"magnifyme {version('magnifyme')}")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def _register() -> None:
    from .bench import bench
    from .demo import demo
    from .doctor import doctor
    from .magnify import magnify
    from .watch import watch

    commands: tuple[Callable[..., Any], ...] = (watch, magnify, bench, doctor, demo)
    for command in commands:
        app.command()(command)


def main() -> None:
    """Run the program; exit 2 with one line on bad input."""
    _register()
    try:
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        line = _one_line(error)
        if line is None:
            raise
        print(f"magnifyme: {line}", file=sys.stderr)  # noqa: T201 - the program's own output
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _one_line(error: Exception) -> str | None:
    """Tell an error of the user's in one line, or None if it is none of theirs."""
    message = getattr(error, "format_message", None)  # a usage error of Typer's
    if message is not None:
        return " ".join(str(message()).split())
    if any(_is_a(error, module, name) for module, name in _TOLD.items()):
        return " ".join(str(error).split())
    return None


def _is_a(error: Exception, module: str, name: str) -> bool:
    # Only a module that has been imported can have raised it.
    return module in sys.modules and isinstance(error, getattr(importlib.import_module(module), name))
