"""The program `magnifyme`: its commands, and how their errors are told."""

from __future__ import annotations

import errno
import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

# Errors of ours are one line each; everything else is a bug and keeps its traceback.
_TOLD = {
    "magnifyme.stream.errors": "StreamError",
    "magnifyme.magnify": "MagnifyError",
    "magnifyme.models.errors": "ModelError",
}

# Typer tells of a bad value in the words of the library that checks it.
_WORDING = (
    (re.compile(r"Value error, "), ""),
    (re.compile(r", unable to parse string as an? \w+"), ""),
    (re.compile(r"Input should be a valid "), "it must be a "),
    (re.compile(r"a integer"), "a whole number"),
    (re.compile(r"Input should be "), "it must be "),
    (re.compile(r"greater than or equal to (\S+)"), r"\1 or more"),
    (re.compile(r"less than or equal to (\S+)"), r"\1 or less"),
    (re.compile(r".*'--band'.*"), "--band takes two numbers with a space between: --band 1 5"),
    (re.compile(r"No such command '(.*)'\.$"), r"'\1' is no command; to watch it: magnifyme watch SOURCE"),
    # Not which: an address that was cut at a space would show the rest of its password.
    (
        re.compile(r"Got unexpected extra argument.*", re.DOTALL),
        "more arguments than it takes; a name with spaces in it goes in quotes",
    ),
)

# How stdout fails: its reader is gone, its disk is full or broken, it was not open for writing.
_OF_STDOUT = {errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF}

app = typer.Typer(
    name="magnifyme",
    invoke_without_command=True,
    # Its frames and columns leave no room for the words at 80 columns.
    rich_markup_mode=None,
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
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _register() -> None:
    from .bench import bench
    from .demo import demo
    from .doctor import doctor
    from .evaluate_spotting import evaluate_spotting
    from .magnify import magnify
    from .spot import spot
    from .synthesize import synthesize
    from .watch import watch

    commands: tuple[Callable[..., Any], ...] = (
        *(watch, magnify, spot, evaluate_spotting),
        *(synthesize, bench, doctor, demo),
    )
    for command in commands:
        app.command()(command)


def main() -> None:
    """Run the program; exit 2 with one line on bad input.

    Exit 1 where stdout cannot be written, and with a traceback for a bug; 130 when interrupted.
    """
    _fill_closed_streams()
    try:
        _register()
        code = app(standalone_mode=False, prog_name="magnifyme")
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # who reads our lines has seen enough
        _give_up_stdout()
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - told, with its traceback if it is a bug
        line = _one_line(error)
        if line is None:
            _tell(_harmless(traceback.format_exc()))
        else:
            _tell("magnifyme: " + " ".join(_harmless(line).split()))
        _give_up_stdout()
        sys.exit(1 if line is None or _is_of_stdout(error) else 2)
    sys.exit(code if isinstance(code, int) else 0)


def _one_line(error: Exception) -> str | None:
    """Tell an error of the user's or the system's in one line, or None if it is a bug."""
    message = getattr(error, "format_message", None)  # a usage error of Typer's
    if message is not None:
        line = str(message())
        for theirs, ours in _WORDING:
            line = theirs.sub(ours, line)
        return line
    if any(_is_a(error, module, name) for module, name in _TOLD.items()):
        return str(error)
    if isinstance(error, OSError):
        reason = (error.strerror or str(error) or type(error).__name__).lower()
        if _is_of_stdout(error):
            return f"the output cannot be written: {reason}"
        return reason if error.filename is None else f"{error.filename}: {reason}"
    return None


def _is_a(error: Exception, module: str, name: str) -> bool:
    # Only a module that has been imported can have raised it.
    return module in sys.modules and isinstance(error, getattr(importlib.import_module(module), name))


def _is_of_stdout(error: Exception) -> bool:
    # Sockets, memory and the number of open files fail without a name too, but for other reasons.
    return isinstance(error, OSError) and error.filename is None and error.errno in _OF_STDOUT


def _harmless(text: str) -> str:
    """Take out of a text every password that stands in it or stood on the command line."""
    if "@" not in text and "=" not in text:
        return text  # no secret is without one of them, and the import takes a second
    from magnifyme.stream.address import redacted, scrubbed

    # Whole arguments first: one with spaces in it is no single word of the text.
    for form in sorted(_forms(sys.argv[1:]), key=len, reverse=True):
        text = text.replace(form, redacted(form))
    return scrubbed(text)


def _forms(arguments: list[str]) -> set[str]:
    """Give the arguments, and the values in `--option=value`, in every form that a text quotes them in."""
    given = {*arguments, *(argument.partition("=")[2] for argument in arguments if argument[:1] == "-")}
    given |= {str(Path(argument)) for argument in given if argument}
    return (given | {repr(argument)[1:-1] for argument in given}) - {""}


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - the program's own output


def _fill_closed_streams() -> None:
    """Let nothing be printed where a stream is closed, and no file that is opened later take its number."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r+"))  # noqa: SIM115 - until the program ends


def _give_up_stdout() -> None:
    """Drop what stdout could not take: Python would try again at its end, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
