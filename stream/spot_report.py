"""Found intervals as a table for programs: plain values for JSON, rows for CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from .spotting import Found, Spotted
from .whole import whole_file

# Lists stand in one cell, with what no name or number of theirs holds between their parts.
_BETWEEN = ";"


def spotted_record(spotted: Spotted) -> dict[str, Any]:
    """Gather what was found in a file as plain values; times in seconds, motion in pixels of the crop."""
    return {
        "source": spotted.name,
        "frames": len(spotted.times),
        "seconds": round(spotted.seconds, 3),
        "with_face": spotted.with_face,
        "model": spotted.model_id,
        "made_faces": spotted.made_faces,
        "intervals": [_record(found) for found in spotted.found],
    }


def write_csv(path: Path, spotted: Spotted) -> None:
    """Write a row an interval, under a header, whole; raise StoreError where that cannot be.

    Regions and their motion (x to the right, y down) are lists in one cell each, with semicolons between.
    """
    with whole_file(path.absolute()) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for found in spotted.found:
            record = _record(found)
            motion = record.pop("motion")
            record["regions"] = _BETWEEN.join(motion)
            record["dx_px"] = _BETWEEN.join(f"{x:g}" for x, _ in motion.values())
            record["action_units"] = _BETWEEN.join(map(str, record["action_units"]))
            record["dy_px"] = _BETWEEN.join(f"{y:g}" for _, y in motion.values())
            writer.writerow(["" if record[name] is None else record[name] for name in _HEADER])


_HEADER = (
    *("onset", "apex", "offset", "onset_frame", "apex_frame", "offset_frame"),
    *("kind", "track", "intensity_px", "regions", "dx_px", "dy_px"),
    *("action_units", "confidence", "label", "probability"),
)


def _record(found: Found) -> dict[str, Any]:
    interval, prediction = found.interval, found.prediction
    onset_frame, apex_frame, offset_frame = found.frames
    return {
        "onset": round(interval.onset, 4),
        "apex": round(interval.apex, 4),
        "offset": round(interval.offset, 4),
        "onset_frame": onset_frame,
        "apex_frame": apex_frame,
        "offset_frame": offset_frame,
        "kind": interval.kind,
        "track": found.track,
        "intensity_px": round(interval.intensity_px, 3),
        "motion": {
            region: [round(x, 3), round(y, 3)]
            for region, (x, y) in zip(interval.regions, interval.motion, strict=True)
        },
        "action_units": list(interval.action_units),
        "confidence": None if interval.confidence is None else round(interval.confidence, 3),
        "label": prediction.label if prediction else None,
        "probability": round(prediction.probabilities[prediction.label], 4) if prediction else None,
    }
