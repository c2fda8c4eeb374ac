"""Runs the program as a user does: in a process of its own, without a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

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
