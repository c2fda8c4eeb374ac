"""System libraries that opencv-python loads and pip cannot bring: found missing, and installed or told.

`make` runs `python -m magnifyme.cli.system` right after installation; `magnifyme doctor` shows the same
finding. Standard library only: this must run where nothing else does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

# Which package of Debian and its kin holds which library that OpenCV's windows need.
_PACKAGES = ("libgl1", "libglib2.0-0")
_INSTALL = ("apt-get", "install", "-y", "--no-install-recommends", *_PACKAGES)
_MISSING_LIBRARY = re.compile(r"([^\s\"'(]+\.so[.\d]*): cannot open shared object file")
# A cold disk may need ten seconds for OpenCV; a minute means that it hangs.
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Import:
    """Say how an import went: the module's version, or the library it lacks, or the error's last line."""

    version: str | None = None
    missing_library: str | None = None
    error: str | None = None


def try_import(module: str) -> Import:
    """Import a module in a process of its own: one that crashes tells as much as one that raises."""
    code = f"import {module}; print(getattr({module}, '__version__', 'unknown'))"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Import(error=str(error))
    if done.returncode == 0:
        return Import(version=done.stdout.strip().splitlines()[-1])
    lines = done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"]
    found = _MISSING_LIBRARY.search(lines[-1])
    return Import(missing_library=found[1] if found else None, error=lines[-1])


def install_command() -> str:
    """Give the line that installs the libraries, as an administrator of a Debian-like system types it."""
    return f"apt-get install {' '.join(_PACKAGES)}"


def main() -> int:
    """Check that OpenCV can be imported; install what it lacks where that is ours to do."""
    found = try_import("cv2")
    if found.version is not None:
        return 0
    if found.missing_library is None:
        reinstall = "pip install --force-reinstall opencv-python"
        _tell(f"OpenCV cannot be imported: {found.error}. To mend it: {reinstall}")
        return 1
    if not (_is_administrator() and shutil.which("apt-get")):
        _tell(f"OpenCV needs the system library {found.missing_library}: {_advice()}")
        return 1
    _tell(f"OpenCV needs the system library {found.missing_library}: running {' '.join(_INSTALL)}")
    if not _install():
        _tell(f"that failed. Install it by hand: {_advice()}")
        return 1
    found = try_import("cv2")
    if found.version is None:
        _tell(f"OpenCV still cannot be imported: {found.error}")
        return 1
    return 0


def _install() -> bool:
    """Install the packages, with a fresh list of them where the one there is does not know them."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for commands in ((_INSTALL,), (("apt-get", "update"), _INSTALL)):
        if all(subprocess.run(line, env=environment, check=False).returncode == 0 for line in commands):
            return True
    return False


def _is_administrator() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _advice() -> str:
    if shutil.which("apt-get"):
        return f"sudo {install_command()}"
    return "install your system's package that holds it (on Fedora: dnf install mesa-libGL glib2)"


def _tell(line: str) -> None:
    print(f"magnifyme: {line}", file=sys.stderr)  # noqa: T201 - the program's own output


if __name__ == "__main__":
    sys.exit(main())
