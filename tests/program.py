"""Runs the program as a user does, without a terminal: in a process of its own, or at once in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from magnifyme.cli.app import app, main

PROGRAM = [sys.executable, "-m", "magnifyme.cli"]
ENVIRONMENT = {**os.environ, "MAGNIFYME_OFFLINE": "1", "COLUMNS": "120"}


def run(
    *arguments: object, timeout: float = 120, env: dict[str, str] = ENVIRONMENT, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run `magnifyme` with these arguments; `options` are subprocess's."""
    for stream in ("stdout", "stderr"):
        options.setdefault(stream, subprocess.PIPE)
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], text=True, timeout=timeout, check=False, env=env, **options
    )


class Here:
    """Run `magnifyme` in this process, and not in a new one: `here("watch", "empty", cwd=folder)`.

    It shows what a user sees, but for what comes after `main` has ended: of threads and files left behind.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        self._monkeypatch.chdir(cwd)
        self._monkeypatch.setattr(sys, "argv", ["magnifyme", *map(str, arguments)])
        self._monkeypatch.setattr(app, "registered_commands", [])  # `main` adds them anew
        for name in ("MAGNIFYME_OFFLINE", "COLUMNS"):
            self._monkeypatch.setenv(name, ENVIRONMENT[name])
        self._capfd.readouterr()
        switch_interval_s = sys.getswitchinterval()
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            sys.setswitchinterval(switch_interval_s)
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(sys.argv, ended.value.code, *self._capfd.readouterr())
