"""What a machine offers the live path: each probe looks at one thing, says what it saw and how to mend it.

No probe raises: a package that is broken in a way that nobody foresaw is a finding, too.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .system import install_command, try_import

Status = Literal["ok", "warning", "missing"]

_LOWEST_PYTHON = (3, 11)
# What the kernels gain most from, by name in LLVM's list of the host's features.
_INSTRUCTION_SETS = ("avx2", "fma", "avx512f", "avx512vnni", "neon", "sve")
_REINSTALL = "pip install --force-reinstall"


@dataclass(frozen=True, slots=True)
class Finding:
    """Say what was seen of one thing. `watch` cannot run without what is `missing`; `mend` says how to."""

    name: str
    status: Status
    found: str
    mend: str = ""


def examine() -> list[Finding]:
    """Run every probe."""
    return [_guarded(name, probe) for name, probe in _PROBES.items()]


def _guarded(name: str, probe: Callable[[], tuple[Status, str, str]]) -> Finding:
    try:
        return Finding(name, *probe())
    except Exception as error:  # noqa: BLE001 - the doctor reports whatever is broken
        ours = type(error).__module__.startswith("magnifyme.")  # then its text is for people already
        line = " ".join((str(error) if ours else f"{type(error).__name__}: {error}").split())
        needed = name in _NEEDED
        return Finding(name, "missing" if needed else "warning", line, _NEEDED.get(name, ""))


def _python() -> tuple[Status, str, str]:
    found = f"{platform.python_version()} on {platform.platform(terse=True)}"
    if sys.version_info < _LOWEST_PYTHON:
        return "missing", found, "MagnifyMe needs Python 3.11 or newer"
    return "ok", found, ""


def _processor() -> tuple[Status, str, str]:
    from llvmlite import binding as llvm  # type: ignore[import-untyped]

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    features = llvm.get_host_cpu_features()
    sets = [name for name in _INSTRUCTION_SETS if features.get(name)]
    found = f"{cores} cores, {platform.machine()}, {' '.join(sets) or 'no vector instructions that help'}"
    if platform.machine().lower() in ("x86_64", "amd64") and "avx2" not in sets:
        return "warning", found, "without avx2 magnification is several times slower"
    return "ok", found, ""


def _cuda() -> tuple[Status, str, str]:
    names = cuda_devices()
    if not names:
        return "ok", "none: everything runs on the CPU", ""
    return "ok", f"{', '.join(names)} (magnifies with magnifyme[cuda] and --device cuda)", ""


def cuda_devices() -> list[str]:
    """List the CUDA devices that the driver knows, asking the driver itself, so that no package is needed."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return []
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return []
    names = []
    for index in range(count.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(128)
        if driver.cuDeviceGet(ctypes.byref(device), index) == 0:
            driver.cuDeviceGetName(name, len(name), device)
            names.append(name.value.decode(errors="replace"))
    return names


def _numba() -> tuple[Status, str, str]:
    import numba

    folder = kernel_cache()
    if folder is None:
        return (
            "warning",
            f"{numba.__version__}, no folder for compiled kernels can be written",
            "every start compiles anew: set NUMBA_CACHE_DIR to a folder that you can write to",
        )
    return "ok", f"{numba.__version__}, compiled kernels are kept in {folder}", ""


def kernel_cache() -> Path | None:
    """Find where Numba keeps compiled kernels, in its own order; None if it can write to none."""
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(named) if _writable(Path(named)) else None
    spec = importlib.util.find_spec("magnifyme.magnify")
    rooms = list(spec.submodule_search_locations or ()) if spec else []
    for beside in (Path(room) / "__pycache__" for room in rooms):
        if _writable(beside):
            return beside
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
    return home if _writable(home) else None


def _writable(folder: Path) -> bool:
    """Try it: permissions say too little about read-only mounts and full disks."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _onnx_runtime() -> tuple[Status, str, str]:
    import onnxruntime

    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    found = f"{onnxruntime.__version__}, providers {', '.join(providers)}"
    return ("ok", found, "") if "CPU" in providers else ("missing", found, _NEEDED["ONNX Runtime"])


def _pyav() -> tuple[Status, str, str]:
    import av

    found = f"{av.__version__}, FFmpeg {av.ffmpeg_version_info}"
    lacks = [] if "rtsp" in av.formats_available else ["RTSP"]
    lacks += [] if "libx264" in av.codecs_available else ["H.264 encoding"]
    if lacks:
        return "warning", f"{found}, without {' and '.join(lacks)}", f"{_REINSTALL} --only-binary av av"
    return "ok", f"{found}, speaks RTSP, encodes H.264", ""


def _opencv() -> tuple[Status, str, str]:
    found = try_import("cv2")
    if found.version is not None:
        return "ok", f"{found.version}, its system libraries load", ""
    if found.missing_library is not None:
        return "missing", f"the system library {found.missing_library} is missing", install_command()
    return "missing", found.error or "cannot be imported", _NEEDED["OpenCV"]


def _detector() -> tuple[Status, str, str]:
    from magnifyme.models.download import cache_dir
    from magnifyme.models.face_detector import YUNET_NAME, YUNET_URL, YuNet

    named = os.environ.get("MAGNIFYME_DETECTOR_MODEL")
    path = Path(named) if named else cache_dir() / YUNET_NAME
    if path.is_file():
        YuNet(path)
        return "ok", f"YuNet, {path}", ""
    if named:
        return (
            "missing",
            f"MAGNIFYME_DETECTOR_MODEL names {path}, which is not there",
            f"put {YUNET_NAME} there",
        )
    if os.environ.get("MAGNIFYME_OFFLINE", "0") not in ("", "0"):
        return (
            "warning",
            "no YuNet, and MAGNIFYME_OFFLINE forbids fetching it: OpenCV's Haar cascade, frontal faces only",
            f"put {YUNET_URL} into {path.parent}",
        )
    found = f"YuNet will be fetched once from {YUNET_URL} into {path.parent}"
    return "ok", f"{found}; offline, OpenCV's Haar cascade does", ""


def _demo_model() -> tuple[Status, str, str]:
    from magnifyme.models.classifier import Classifier, demo_model_path

    classifier = Classifier(demo_model_path())
    recipe = classifier.recipe
    faces = "trained on made faces" if recipe.made_faces else "trained on real faces"
    low_hz, high_hz = recipe.band_hz
    labels = ", ".join(recipe.labels)
    recipe_line = f"factor {recipe.factor:g}, {low_hz:g} to {high_hz:g} Hz"
    return "ok", f"{classifier.model_id} ({faces}): {labels}; {recipe_line}", ""


def _cameras() -> tuple[Status, str, str]:
    if not sys.platform.startswith("linux"):
        return "ok", "not listed on this system: try `magnifyme watch 0`", ""
    found = sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name))
    if not found:
        return "ok", "none found", ""
    names = ", ".join(map(str, found))
    if closed := [str(path) for path in found if not os.access(path, os.R_OK | os.W_OK)]:
        return "warning", f"{names}; not yours to open: {', '.join(closed)}", "sudo usermod -aG video $USER"
    return "ok", names, ""


def _window() -> tuple[Status, str, str]:
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "ok", "no graphical display: everything but --window works", ""
    return "ok", "a graphical display is there for --window", ""


def _terminal() -> tuple[Status, str, str]:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        return "ok", "none: commands print plain lines", ""
    found = f"{console.width}×{console.height}, {console.color_system or 'no colours'}, {console.encoding}"
    if not console.encoding.lower().startswith("utf"):
        return "warning", found, "set a UTF-8 locale, such as LANG=C.UTF-8, for graphs and signs"
    return "ok", found, ""


_PROBES: dict[str, Callable[[], tuple[Status, str, str]]] = {
    "Python": _python,
    "processor": _processor,
    "CUDA device": _cuda,
    "Numba": _numba,
    "ONNX Runtime": _onnx_runtime,
    "PyAV": _pyav,
    "OpenCV": _opencv,
    "face detector": _detector,
    "demo model": _demo_model,
    "cameras": _cameras,
    "window": _window,
    "terminal": _terminal,
}

# What `watch` cannot run without, and how to mend it when it is broken.
_NEEDED: dict[str, str] = {
    "Numba": f"{_REINSTALL} numba llvmlite",
    "ONNX Runtime": f"{_REINSTALL} onnxruntime-gpu (onnxruntime on macOS and ARM)",
    "PyAV": f"{_REINSTALL} av",
    "OpenCV": f"{_REINSTALL} opencv-python",
    "face detector": "put YuNet's file into the cache anew, or name it with MAGNIFYME_DETECTOR_MODEL",
    "demo model": f"{_REINSTALL} magnifyme, or give watch a --model of yours",
}


def as_record(finding: Finding) -> dict[str, Any]:
    """Give a finding as plain values."""
    return {"name": finding.name, "status": finding.status, "found": finding.found, "mend": finding.mend}
