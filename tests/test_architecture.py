"""The house stays as it was planned: who imports whom, and what is packaged."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "cli": {"stream", "magnify", "models", "train", "export"},
    "train": {"stream", "magnify", "models", "export"},
    "stream": {"magnify", "models"},
    "export": {"models"},
    "magnify": set[str](),
    "models": set[str](),
}


def imports(path: Path) -> set[str]:
    """List what a file imports, absolutely, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1, f"{path}: relative imports stay inside their folder"
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_those_below_it(room: str) -> None:
    """Who wants to use the magnifier alone must not need cameras, nor the live path PyTorch."""
    for path in (ROOT / room).rglob("*.py"):
        rooms = {name.split(".")[1] for name in imports(path) if name.startswith("magnifyme.")}
        assert rooms <= MAY_IMPORT[room] | {room}, path
        assert room not in rooms, f"{path}: imports inside a folder are relative"


def test_every_folder_of_code_is_in_the_wheel() -> None:
    """A folder that is missing from the list works in a checkout and is silently absent for users."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("*/**/__init__.py")}
    folders = {folder for folder in folders if not folder.parts[0].startswith((".", "build", "tests"))}
    expected = {"magnifyme." + ".".join(folder.parts) for folder in folders}
    assert set(settings["packages"]) == expected
    assert set(settings["package-dir"]) == expected
    for package, folder in settings["package-dir"].items():
        for name in settings["package-data"][package]:
            assert (ROOT / folder / name).is_file(), f"{folder}/{name} is listed but not there"


def test_watching_needs_no_torch() -> None:
    """The live path installs without PyTorch: importing it must not ask for it."""
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None\n"
        "import magnifyme.cli.app as program; program._register()\n"
        "import magnifyme.stream, magnifyme.train.synthetic, magnifyme.cli.live_view, magnifyme.cli.demo"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_imports_nothing_heavy() -> None:
    """`magnifyme --help` answers at once: it must not load Numba, OpenCV, PyAV or ONNX Runtime."""
    code = (
        "import sys; from magnifyme.cli.app import main; sys.argv = ['magnifyme', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'numba', 'cv2', 'av', 'onnxruntime', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "watch" in done.stdout
