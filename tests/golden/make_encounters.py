"""Write what near-collisions on request were solved to, to tests/golden/encounters.json.

Run `.venv/bin/python -m tests.golden.make_encounters` after a change of what families ask of an
encounter that is meant; a faster search must find the same ones.
"""

import json
from pathlib import Path
from typing import Any

from scenes.criticality.draw import Order, near_collision
from scenes.criticality.request import Criticality
from scenes.edits.actor_motion import FollowPath
from scenes.errors import InfeasibleError
from scenes.scenario.orders import order_of
from scenes.scenario.sampling import Drawer
from scenes.scenario.scenario import Between, Draft, Request
from tests.clip_maker import make_clip, measured, noisy, ride

FILE = Path(__file__).parent / "encounters.json"
SEED, COUNT = 4, 26
"""Every family twice."""


def encounters() -> list[dict[str, Any]]:
    """Encounters of all families in a noisy drive along a gentle bend."""
    clip = make_clip(noisy(ride(speed_mps=12.0, bend_per_m=0.002, seconds=8.0), 0.005))
    requested: dict[str, Any] = {"min_ttc_s": Between(low=0.6, high=2.5)}
    request = Request(criticality=Draft(of=Criticality, values=requested), name="golden")
    drawer = Drawer(request=request, clip=measured(clip), where="golden")
    return [_solved(drawer, order_of(request), index) for index in range(COUNT)]


def _solved(drawer: Drawer, order: Order, index: int) -> dict[str, Any]:
    """The numbers of one encounter, or why there is none."""
    try:
        met = near_collision(drawer.drive, order, SEED, index)
    except InfeasibleError as error:
        return {"refused": error.reason}
    solved = met.staged.solved
    return {
        "family": met.goal.family,
        "window_us": [met.staged.start_us, met.staged.end_us],
        "edits": [edit.kind for edit in met.staged.edits],
        "had": [solved.min_ttc_s, solved.closing_mps, solved.angle_deg],
        "paths": [
            [[path.x_m[at], path.y_m[at], path.yaw_rad[at]] for at in (0, len(path.x_m) // 2, -1)]
            for path in met.staged.edits
            if isinstance(path, FollowPath)
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(encounters(), indent=1) + "\n", encoding="utf-8")
