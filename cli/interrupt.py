"""Ctrl-C and SIGTERM: in order the first time, at once the second."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec

import typer

P = ParamSpec("P")

# The live view hides the cursor; who ends the program at once gets it back.
_SHOW_CURSOR = b"\x1b[?25h\n"
# What a shell gives a program that Ctrl-C ended.
_INTERRUPTED = 130


def ends_in_order(command: Callable[P, None]) -> Callable[P, None]:
    """Let an interrupt unwind a command: files are closed, one line is told, the exit code is 130.

    A command that has more to say of what is left raises its KeyboardInterrupt with these words.
    """

    @wraps(command)
    def guarded(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            with on_interrupt(_unwind):
                command(*arguments, **options)
        except KeyboardInterrupt as interrupt:
            typer.echo("; ".join(["magnifyme: stopped", *map(str, interrupt.args)]), err=True)
            raise typer.Exit(_INTERRUPTED) from None

    return guarded


@contextmanager
def on_interrupt(react: Callable[[], object]) -> Iterator[None]:
    """Call `react` at the first Ctrl-C or SIGTERM; a second one, also later, ends the program at once.

    A signal that is ignored stays so: a shell starts its background jobs deaf to the Ctrl-C of others.
    """

    def interrupt(*_: Any) -> None:
        for number in previous:
            signal.signal(number, _end_at_once)
        react()

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    previous = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    for number in previous:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            if signal.getsignal(number) is interrupt:
                signal.signal(number, handler)


def _unwind() -> None:
    raise KeyboardInterrupt


def _end_at_once(number: int, _: Any) -> None:
    for stream in (1, 2):
        if os.isatty(stream):
            os.write(stream, _SHOW_CURSOR)
            break
    os._exit(128 + number)
