"""The tables of `magnifyme bench fidelity`: how true magnification is, on motion that is known exactly."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from magnifyme.magnify.fidelity import Frames, Magnify
    from magnifyme.magnify.magnifier import Method
    from magnifyme.magnify.textures import Scene

_SIZE, _ROOM = 256, 64
_BAND_HZ = (2.0, 5.0)
_MIDDLE_HZ = math.sqrt(_BAND_HZ[0] * _BAND_HZ[1])
# Factor and displacement, px; the last but one of each factor ends near or beyond 2.5 px of output.
_CELLS = (
    *((10.0, d) for d in (0.02, 0.05, 0.1, 0.2)),
    *((25.0, d) for d in (0.02, 0.05, 0.1, 0.2)),
    *((50.0, d) for d in (0.02, 0.05, 0.1)),
)
_QUICK_CELLS = ((10.0, 0.05), (25.0, 0.1), (50.0, 0.05))
_SIGMAS = (0.0, 2.0)
_RATES = (60.0, 200.0)
_FACTORS = (10.0, 25.0, 50.0)


def measure_fidelity(method: Method, *, quick: bool) -> dict[str, Any]:
    """Measure everything that one method's table shows; `quick` takes three cells instead of eleven."""
    from magnifyme.magnify.fidelity import measure_local, measure_moved, measure_still, measure_sway

    plain, held = _magnify(method, stabilize=False), _magnify(method, stabilize=True)
    scenes = _scenes()
    moved, still, local, sway = [], [], [], []
    for seed, (name, scene) in enumerate(scenes.items()):
        for factor, d_px in _QUICK_CELLS if quick else _CELLS:
            for sigma in _SIGMAS:
                result = measure_moved(
                    plain, scene, hz=_MIDDLE_HZ, factor=factor, d_px=d_px, sigma=sigma, seed=seed
                )
                moved.append({"texture": name, **asdict(result)})
        for fps in () if quick else _RATES:
            result = measure_moved(
                plain, scene, hz=_MIDDLE_HZ, factor=25.0, d_px=0.05, sigma=1.0, fps=fps, seed=seed
            )
            moved.append({"texture": name, **asdict(result)})
        still += [
            {"texture": name, **asdict(measure_still(plain, scene, factor=factor, sigma=2.0, seed=seed))}
            for factor in _FACTORS
        ]
        for sigma in (0.0, 1.0):
            blob = measure_local(plain, scene, hz=_MIDDLE_HZ, factor=10.0, d_px=0.1, sigma=sigma, seed=seed)
            local.append({"texture": name, **asdict(blob)})
        for stabilize, magnify in ((False, plain), (True, held)):
            swayed = measure_sway(magnify, scene, hz=3.0, factor=10.0, d_px=0.1, seed=seed)
            sway.append({"texture": name, "stabilize": stabilize, **asdict(swayed)})
    return {"method": method, "moved": moved, "still": still, "local": local, "sway": sway}


def fidelity_tables(figures: dict[str, Any]) -> list[Table]:
    """Show one method's figures: gain over 1 + factor, PSNR in dB, and that of doing nothing."""
    moved = _table(
        f"{figures['method']}: the whole picture moves, {_MIDDLE_HZ:.2f} Hz in a band of 2–5 Hz",
        (
            "fps",
            "factor",
            "d, px",
            "noise",
            "gain / (1 + factor)",
            "lag",
            "other, px",
            "PSNR",
            "doing nothing",
        ),
    )
    for row in figures["moved"]:
        moved.add_row(
            row["texture"],
            f"{row['fps']:g}",
            f"{row['factor']:g}",
            f"{row['d_px']:g}",
            f"{row['sigma']:g}",
            f"{row['gain']:.3f}",
            f"{row['lag_deg']:.1f}°",
            f"{row['other_px']:.3f}",
            f"{row['psnr']:.1f}",
            f"{row['psnr_nothing']:.1f}",
        )
    still = _table(
        f"{figures['method']}: a still picture under noise of 2 grey levels", ("factor", "noise out / in")
    )
    for row in figures["still"]:
        still.add_row(row["texture"], f"{row['factor']:g}", f"{row['noise_gain']:.2f}")
    local = _table(
        f"{figures['method']}: a blob moves by 0.1 px, factor 10",
        ("noise", "PSNR moving", "nothing", "PSNR still"),
    )
    for row in figures["local"]:
        cells = (row["psnr_moving"], row["psnr_moving_nothing"], row["psnr_still"])
        local.add_row(row["texture"], f"{row['sigma']:g}", *(f"{cell:.1f}" for cell in cells))
    sway = _table(
        f"{figures['method']}: 0.1 px at 3 Hz on a sway of 8 px at 0.3 Hz, factor 10, noise 1",
        ("stabilize", "gain", "sway added, px", "PSNR", "nothing"),
    )
    for row in figures["sway"]:
        sway.add_row(
            row["texture"],
            "yes" if row["stabilize"] else "no",
            f"{row['gain']:.2f}",
            f"{row['added_sway_px']:.2f}",
            f"{row['psnr']:.1f}",
            f"{row['psnr_nothing']:.1f}",
        )
    return [moved, still, local, sway]


def _magnify(method: Method, *, stabilize: bool) -> Magnify:
    from magnifyme.magnify import magnify_frames

    def magnify(frames: Frames, fps: float, factor: float) -> Frames:
        return magnify_frames(
            frames, fps=fps, factor=factor, band_hz=_BAND_HZ, method=method, stabilize=stabilize
        )

    return magnify


def _scenes() -> dict[str, Scene]:
    from magnifyme.magnify.textures import Scene, dead_leaves, gratings, mirrored
    from magnifyme.train.portrait import load_portrait

    side = _SIZE + _ROOM
    pictures = {
        "leaves": dead_leaves(side, seed=7),
        "leaves 2": dead_leaves(side, seed=8),
        "gratings": gratings(side, seed=1),
        "portrait": mirrored(load_portrait()[..., ::-1], side),
    }
    return {name: Scene(picture, size=_SIZE) for name, picture in pictures.items()}


def _table(title: str, columns: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("picture")
    for name in columns:
        table.add_column(name, justify="right")
    return table
