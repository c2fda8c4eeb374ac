"""`magnifyme doctor` on machines where something is broken: it must say what, and how to mend it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from magnifyme.cli import probes, system
from magnifyme.cli.probes import Finding, examine
from magnifyme.models.face_detector import YUNET_URL

NEEDED = ("Numba", "ONNX Runtime", "PyAV", "OpenCV", "face detector", "demo model")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "magnifyme.cli", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "MAGNIFYME_DETECTOR_MODEL": "", **environment},
    )


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    """Look findings up by their names."""
    return {finding.name: finding for finding in findings}


def test_a_sound_machine_is_ready() -> None:
    """Where the tests run, `watch` runs; the doctor must not cry wolf."""
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (*NEEDED, "Python", "processor", "CUDA device", "cameras", "terminal"):
        assert name in done.stdout
    assert "speaks RTSP" in done.stdout
    assert "made faces" in done.stdout
    assert "missing" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Ready")
    assert "\x1b" not in done.stdout


def test_json_is_one_object() -> None:
    """Monitoring scripts read it: one object, and the exit code says the same as `ready`."""
    done = run("--json")
    record = json.loads(done.stdout)
    assert record["ready"] is (done.returncode == 0) is True
    assert all(entry["status"] in ("ok", "warning", "missing") for entry in record["findings"])


def test_a_broken_detector_model_is_found(tmp_path: Path) -> None:
    """A mistyped path must show here, not when the camera is already running."""
    done = run("--json", MAGNIFYME_DETECTOR_MODEL=str(tmp_path / "no.onnx"))
    assert done.returncode == 1
    entry = next(e for e in json.loads(done.stdout)["findings"] if e["name"] == "face detector")
    assert entry["status"] == "missing"
    assert "no.onnx" in entry["found"]
    assert entry["mend"]
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    assert run(MAGNIFYME_DETECTOR_MODEL=str(broken)).returncode == 1


@pytest.mark.parametrize(
    ("offline", "status", "word"), [("", "ok", "fetched once"), ("1", "warning", "Haar")]
)
def test_the_way_to_the_detector_is_told(
    offline: str, status: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first use the user learns that a file will be fetched, or what does without."""
    monkeypatch.delenv("MAGNIFYME_DETECTOR_MODEL", raising=False)
    monkeypatch.setenv("MAGNIFYME_CACHE", str(tmp_path))
    monkeypatch.setenv("MAGNIFYME_OFFLINE", offline)
    finding = by_name(examine())["face detector"]
    assert finding.status == status
    assert word in finding.found
    for what in (YUNET_URL, str(tmp_path)):
        assert what in finding.found + finding.mend


@pytest.mark.parametrize("module", ["numba", "onnxruntime", "av", "llvmlite"])
def test_a_package_that_does_not_import_is_a_finding(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-broken installation is what the doctor is for: it names the part and goes on."""
    monkeypatch.setitem(sys.modules, module, None)
    findings = by_name(examine())
    name = {"numba": "Numba", "onnxruntime": "ONNX Runtime", "av": "PyAV", "llvmlite": "processor"}[module]
    assert findings[name].status == ("warning" if name == "processor" else "missing")
    assert module in findings[name].found
    assert findings["Python"].status == "ok"
    if name != "processor":
        assert "pip install" in findings[name].mend


def test_a_missing_system_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slim images lack libGL: the user needs the line to type, not a traceback of OpenCV's."""
    monkeypatch.setattr(probes, "try_import", lambda module: system.Import(missing_library="libGL.so.1"))
    finding = by_name(examine())["OpenCV"]
    assert finding.status == "missing"
    assert "libGL.so.1" in finding.found
    assert finding.mend == "apt-get install libgl1 libglib2.0-0"


def fake_module(folder: Path, text: str) -> None:
    """Make a module that imports as OpenCV does on some broken machine."""
    (folder / "broken_cv.py").write_text(text)


@pytest.mark.parametrize(
    ("text", "library", "word"),
    [
        (
            'raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")',
            "libGL.so.1",
            "libGL",
        ),
        (
            'raise ImportError("libgthread-2.0.so.0: cannot open shared object file: No such file")',
            "libgthread-2.0.so.0",
            "libgthread",
        ),
        ('raise RuntimeError("built for another NumPy")', None, "another NumPy"),
        ("import os; os.abort()", None, "signal"),
    ],
)
def test_what_an_import_lacks_is_read_from_its_error(
    text: str, library: str | None, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import runs in a process of its own: even one that crashes is reported."""
    fake_module(tmp_path, text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = system.try_import("broken_cv")
    assert found.version is None
    assert found.missing_library == library
    assert word in (found.error or "")


def test_set_up_installs_libraries_only_as_administrator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make` mends a container by itself, and tells everybody else the one line to type."""
    lines: list[tuple[str, ...]] = []
    state = {"installed": False}

    def try_import(module: str) -> system.Import:
        return (
            system.Import(version="4") if state["installed"] else system.Import(missing_library="libGL.so.1")
        )

    def install(line: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        lines.append(line)
        state["installed"] = len(lines) == 3  # the first try fails: the list of packages is old
        return subprocess.CompletedProcess(line, 0 if len(lines) > 1 else 100)

    monkeypatch.setattr(system, "try_import", try_import)
    monkeypatch.setattr("magnifyme.cli.system.subprocess.run", install)
    monkeypatch.setattr("magnifyme.cli.system.shutil.which", lambda name: "/usr/bin/apt-get")
    monkeypatch.setattr(system, "_is_administrator", lambda: False)
    assert system.main() == 1
    told = capsys.readouterr().err
    assert "sudo apt-get install libgl1 libglib2.0-0" in told
    assert told.count("\n") == 1
    assert not lines
    monkeypatch.setattr(system, "_is_administrator", lambda: True)
    assert system.main() == 0
    assert [line[1] for line in lines] == ["install", "update", "install"]
    assert "running apt-get install" in capsys.readouterr().err
    assert system.main() == 0


def test_set_up_needs_nothing_but_python() -> None:
    """It runs when the packages may be broken: the standard library must do."""
    code = (
        "import sys; import magnifyme.cli.system\n"
        "print(*{name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'magnifyme'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    foreign = {name for name in done.stdout.split() if not name.startswith(("_", "site", "zope", "mpl"))}
    assert not foreign & {"numpy", "cv2", "av", "typer", "rich", "numba", "onnxruntime"}, foreign


def test_kernel_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a cache every start costs a minute, which nobody would connect with a read-only folder."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new"))
    assert probes.kernel_cache() == tmp_path / "new"
    blocked = tmp_path / "file"
    blocked.write_text("a file, not a folder")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked / "below"))
    assert probes.kernel_cache() is None
    finding = by_name(examine())["Numba"]
    assert finding.status == "warning"
    assert "NUMBA_CACHE_DIR" in finding.mend


def test_cuda_is_looked_for_without_any_package() -> None:
    """On a machine without a driver the answer is an empty list, not an error."""
    assert isinstance(probes.cuda_devices(), list)
