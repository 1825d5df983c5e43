"""One cut-in at several times to collision: how close it gets is asked, the rest is solved for.

    .venv/bin/python examples/cut_in_sweep.py out/cut_in --ttc-s 0.8 1.2 1.6 2.0

Prints a line for each. Below OUT, each has a folder of scenarios for `otherlane render --scenario`.
`--clip CLIP` takes a drive of your own; `--request FILE` another kind of encounter.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tyro

from scenes.commands import perturb
from scenes.errors import OtherlaneError
from scenes.scenario.files import load_request, scenario_toml
from scenes.worlds.record.sample import sample_path

REQUEST = Path(__file__).parent / "requests" / "cut_in.toml"


def cut_in_sweep(
    out: Path,
    /,
    clip: Path | None = None,
    request: Path = REQUEST,
    ttc_s: tuple[float, ...] = (0.8, 1.2, 1.6, 2.0),
) -> list[dict[str, Any]]:
    """Ask for the same encounter at several times to collision.

    Args:
        out: Folder for the requests and their scenarios.
        clip: Folder of the clip; the built-in sample drive when left out.
        request: TOML file with a `[criticality]` table; its `min_ttc_s` is replaced.
        ttc_s: Least times to collision that are asked for [s].
    """
    asked = load_request(request)
    if asked.criticality is None:
        raise OtherlaneError(request, "asks for no near-collision", "a [criticality] table")
    rows = []
    for wanted_s in ttc_s:
        folder = out / f"ttc_{wanted_s:.2f}"
        folder.mkdir(parents=True, exist_ok=True)
        values = {**asked.criticality.values, "min_ttc_s": wanted_s}
        one = replace(asked, count=1, criticality=replace(asked.criticality, values=values))
        (folder / "request.toml").write_text(scenario_toml(one), encoding="utf-8")
        made = perturb(clip or sample_path(), folder / "request.toml", folder / "scenarios")
        resolved = next((folder / "scenarios").glob("*/resolved.json"))
        had = json.loads(resolved.read_text(encoding="utf-8"))["requested"]
        rows.append({"asked_s": wanted_s, "had_s": had["min_ttc_s"], "out": made["out"]})
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """0 is success, 2 is a problem the user can fix."""
    try:
        rows = tyro.cli(cut_in_sweep, args=argv)
    except OtherlaneError as error:
        print(f"cut_in_sweep.py: {error}", file=sys.stderr)
        return 2
    for row in rows:
        print(f"asked {row['asked_s']:.2f} s, has {row['had_s']:.2f} s: {row['out']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
