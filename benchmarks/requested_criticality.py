"""Near-collisions on request: how many, how fast, and how well other code confirms them.

    python -m benchmarks.requested_criticality CLIP [--count 10000] [--workers 2] [--checked 300]

Draws scenarios of all families from one clip, then reads their folders with `tests.brute_force`,
which shares no code with the package: dense time, polygons, differences of poses. What was refused
is looked for by `tests.brute_search`, which tries motions of its own. Prints one JSON object.
"""

import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from scenes.clip import Clip
from scenes.commands import perturb
from scenes.criticality.request import cell_of, goal_in, shares
from scenes.road.drivable import Answer, drivable_surface
from scenes.scenario.files import load_request
from scenes.scenario.orders import order_of
from scenes.storage.clip_files import load_clip
from tests.brute_force import breaks_a_limit, min_ttc_s, overlaps
from tests.brute_search import find

REQUEST = "[criticality]\nmin_ttc_s = { min = 0.6, max = 2.5 }\nduration_s = 3.0\n"
CONFIRMED_S = 0.05
"""Other code must find the least time to collision this near to what was requested [s]."""
REFUSAL_TRIES, REFUSALS_CHECKED = 20, 40
"""How often, and how many, refused goals are tried by brute force."""


def main(
    clip: Path, /, count: int = 10_000, workers: int = 2, checked: int = 300, seed: int = 0
) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        request, out = Path(temporary) / "request.toml", Path(temporary) / "out"
        request.write_text(REQUEST, encoding="utf-8")
        cpu, wall = time.process_time(), time.perf_counter()
        said = perturb(clip, request=request, out=out, count=count, seed=seed, workers=workers)
        spent = {"wall_s": time.perf_counter() - wall, "own_cpu_s": time.process_time() - cpu}
        made = sorted(path.parent for path in out.glob("*/resolved.json"))
        sampled = made[:: max(1, len(made) // checked)]
        numbers = said | spent | _confirmed(sampled)
        numbers |= _refused(load_clip(clip), request, seed, made, count)
    numbers.pop("out")
    print(json.dumps(numbers, indent=1))


def _confirmed(folders: list[Path]) -> dict[str, Any]:
    """What brute force says of scenarios that were accepted."""
    errors, breaches, at_start, on_the_way = [], 0, 0, 0
    for folder in folders:
        told = json.loads((folder / "resolved.json").read_text(encoding="utf-8"))
        requested, number = told["requested"]["min_ttc_s"], told["requested"]["actor"]
        errors.append(abs(min_ttc_s(told, number) - requested))
        breaches += any(breaks_a_limit(one) for one in told["actors"] if one["id"] >= number)
        start, any_time = overlaps(told, number)
        at_start, on_the_way = at_start + start, on_the_way + any_time
    near = sum(error <= CONFIRMED_S for error in errors)
    return {
        "checked": len(folders),
        "confirmed_share": near / len(folders),
        "confirmed_error_s_max": max(errors),
        "kinematic_limits_share": 1.0 - breaches / len(folders),
        "overlaps_at_start": at_start,
        "overlaps": on_the_way,
    }


def _refused(clip: Clip, request: Path, seed: int, made: list[Path], count: int) -> dict[str, Any]:
    """Of the refused goals, how many brute force can have."""
    numbers = sorted(set(range(count)) - {int(folder.name) for folder in made})
    some = numbers[:: max(1, len(numbers) // REFUSALS_CHECKED)][:REFUSALS_CHECKED]
    requested, drive = load_request(request), plain_drive(clip)
    tried, found = Counter[str](), Counter[str]()
    for index in some:
        order = order_of(requested, index)
        cell = cell_of(order.requested, seed, index)
        goal = goal_in(cell, order.requested, 3.0, shares(seed, index, 0), wish=False)
        tried[cell.family] += 1
        found[cell.family] += find(drive, cell.family, goal.min_ttc_s, REFUSAL_TRIES, index)
    feasible = len(numbers) * (found.total() / len(some) if some else 0.0)
    return {
        "refused_checked": dict(tried),
        "refused_but_feasible": dict(found),
        "refused_share_of_feasible": feasible / max(1.0, len(made) + feasible),
    }


def plain_drive(clip: Clip) -> dict[str, Any]:
    """What `tests.brute_search` wants to know of a drive."""
    surface = drivable_surface(clip)
    middle = clip.ego_front_m - 0.5 * float(clip.ego_size_m[0])
    poses = clip.ego.world_from_body
    standing = [actor for actor in clip.actors if not actor.is_moving]
    boxes = [(actor.trajectory.world_from_body[0], actor.size_m) for actor in standing]
    return {
        "time_us": clip.ego.time_us,
        "xy_m": poses[:, :2, 3] + middle * poses[:, :2, 0],
        "yaw": np.arctan2(poses[:, 1, 0], poses[:, 0, 0]),
        "size_m": clip.ego_size_m,
        "frames_us": clip.cameras[0].time_us,
        "standing": [
            (pose[0, 3], pose[1, 3], np.arctan2(pose[1, 0], pose[0, 0]), size_m[0], size_m[1])
            for pose, size_m in boxes
        ],
        "off_road": lambda xy_m: surface.contains(xy_m) == Answer.NO,
    }


if __name__ == "__main__":
    tyro.cli(main)
