"""How exact the truth of worlds is: their own reports, and the worst number of all of them."""

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import msgspec

from recon.evaluation.evaluate import without_nan
from scenes.storage.files import write_json
from scenes.worlds.light.light import Light
from scenes.worlds.record.recording import Recording
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.truth.oracle import OracleReport, oracle_report
from scenes.worlds.truth.truth import rig_of

LOG = logging.getLogger("otherlane.prove")
BARS: dict[str, tuple[float, str]] = {
    "fit_m": (1e-3, "at most"),
    "box_px": (0.5, "at most"),
    "mesh_px": (0.5, "at most"),
    "depth_rel": (1e-4, "at most"),
    "flow_px": (0.01, "at most"),
    "flow_moving_px": (0.01, "at most"),
    "lidar_m": (1e-3, "at most"),
    "shadow_share": (0.999, "at least"),
    "seen_share": (1.0, "at least"),
}
"""Of which number of `OracleReport`, what is asked."""


def measured_oracle(recording: Recording) -> OracleReport:
    """Check the truth of a world against other ways to get it, at the middle of its drive."""
    world = recording.world()
    return oracle_report(rig_of(recording, world), Light(Tracer(world)), say=LOG.debug)


def write_oracle(page: Path, report: OracleReport) -> None:
    """Keep a world's report; what it has nothing to measure of is null."""
    write_json(page, without_nan(asdict(report)))


def read_oracle(page: Path) -> dict[str, float | None]:
    """What `write_oracle` wrote."""
    return msgspec.json.decode(page.read_bytes(), type=dict[str, float | None])


def worst(
    reports: Mapping[str, Mapping[str, float | None]],
) -> list[dict[str, float | str | bool | None]]:
    """A line for each number: the worst of all worlds, whose it is, and whether it meets its bar.

    Args:
        reports: World -> what `read_oracle` read.
    """
    lines: list[dict[str, float | str | bool | None]] = []
    for name, (bar, sense) in BARS.items():
        known = {w: x for w, r in reports.items() if (x := r.get(name)) is not None}
        value, world = math.nan, None
        if known:
            world = (max if sense == "at most" else min)(known, key=lambda w: known[w])
            value = known[world]
        met = (value <= bar if sense == "at most" else value >= bar) if known else None
        lines.append(
            {
                "truth": name,
                "worst": value if known else None,
                "world": world,
                "worlds": len(known),
                "bar": f"{sense} {bar:g}",
                "met": met,
            }
        )
    return lines
