"""From a request to scenarios that can be driven, with everything that others need to check them.

Poses in `resolved.json` are those of each road user's *box*: its centre, x along its length. The
ego's own frame, whose origin is elsewhere, is `world_from_body @ body_from_ego`.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Float64

from scenes.actor import Actor
from scenes.clip import Clip
from scenes.edits import ActorEdit, apply_edit
from scenes.fields import check_option
from scenes.folders import Recipe, folder_hash, is_finished, sha256, write_json, writing
from scenes.geometry import invert, translation
from scenes.ground import Ground, fit_ground
from scenes.infeasible import InfeasibleError
from scenes.limits import PASSENGER_CAR, check_limits
from scenes.safety import boxes_overlap
from scenes.scenario import COUNT, SEED, Request, Scenario, sample
from scenes.scenario_files import as_tables
from scenes.semantics import Semantic
from scenes.staging import Staging
from scenes.trajectory import Trajectory

LOG = logging.getLogger("otherlane.perturb")

SUMMARY = "summary.json"
OVERLAP_STEP_US = 20_000
"""Spacing of the times at which boxes are compared [µs]: at 50 m/s closing speed, 1 m apart."""
SECONDS_BETWEEN_NEWS = 10.0
"""How often long work says how far it is."""


def resolve(
    scenario: Scenario,
    clip: Clip,
    where: str | None = None,
    *,
    ground: Ground | None = None,
    suggest: bool = True,
) -> Staging:
    """What a scenario makes of a clip, once it is known that the car could have driven it.

    Args:
        scenario: What is to be done.
        clip: The drive; it is not changed.
        where: What to call the scenario in messages; its name when left out.
        ground: Road height under actors; for those who resolve many. When left out, it is fitted
            to the clip if an edit changes where actors are.
        suggest: Look for the nearest values that work when it is refused (see `check_limits`).

    Raises:
        InfeasibleError: Window or edit outside the drive, or an edit nobody could drive.
    """
    where = where or scenario.name
    start_us, end_us = _window(scenario, clip, where)
    check_limits(clip.ego, scenario.edits, where=where, suggest=suggest)
    if ground is None and any(isinstance(edit, ActorEdit) for edit in scenario.edits):
        ground = fit_ground(clip)
    staging = Staging(
        ego=clip.ego,
        actors=clip.actors,
        look=scenario.look,
        start_us=start_us,
        end_us=end_us,
        ground=ground,
    )
    for edit in scenario.edits:
        staging = apply_edit(edit, staging)
    return staging


def _window(scenario: Scenario, clip: Clip, where: str) -> tuple[int, int]:
    """First and last time to render, once all times are known to lie within the drive."""
    first, last = int(clip.ego.time_us[0]), int(clip.ego.time_us[-1])
    start_us = first if scenario.start_us is None else scenario.start_us
    end_us = last if scenario.end_us is None else scenario.end_us
    times = [(f"{where}: start_us", start_us), (f"{where}: end_us", end_us)]
    for index, edit in enumerate(scenario.edits):
        if not (edit.may_precede_drive and edit.start_us < first):
            times.append((f"{where}: edits[{index}].start_us", edit.start_us))
    for place, time_us in times:
        if not first <= time_us <= last:
            wrong = f"is {time_us}, outside the drive, which lasts from {first} to {last}"
            fix = f"a whole number from {first} to {last}"
            raise InfeasibleError(place, wrong, fix, "outside the drive")
    if end_us < start_us:
        wrong = f"is {end_us}, before start_us = {start_us}"
        raise InfeasibleError(f"{where}: end_us", wrong, f"from {start_us} to {last}", "no window")
    return start_us, end_us


def perturb_clip(
    clip_folder: Path, request_file: Path, out: Path, count: int | None, seed: int | None
) -> dict[str, Any]:
    """See `scenes.commands.perturb`."""
    started = time.perf_counter()
    clip, request = Clip.load(clip_folder), Request.load(request_file)
    if count is not None:
        check_option("--count", count, COUNT)
        request = replace(request, count=count)
    if seed is not None:
        check_option("--seed", seed, SEED)
        request = replace(request, seed=seed)
    recipe = Recipe(
        kind="scenarios",
        inputs={"clip": folder_hash(clip_folder, "clip"), "request": sha256(request_file)},
        config={"count": request.count, "seed": request.seed, "limits": asdict(PASSENGER_CAR)},
    )
    if is_finished(out, recipe):
        summary = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    else:
        summary = _write_all(request, clip, str(request_file), out, recipe)
    return {"out": str(out), **summary, "seconds": time.perf_counter() - started}


def _write_all(
    request: Request, clip: Clip, where: str, out: Path, recipe: Recipe
) -> dict[str, Any]:
    refused: Counter[str] = Counter()
    drawn = _drawn(request, clip, where, refused)
    first = next(drawn, None)  # before anything is written: if there is none, nothing will be
    if first is None:
        _refuse_all(request, clip, where, refused)
    with writing(out, recipe) as folder:
        for index, scenario, staging in chain([first], drawn):
            name = f"{index:04d}"
            (folder / f"{name}.toml").write_text(scenario.toml(), encoding="utf-8")
            text = json.dumps(resolved(scenario, staging, clip), sort_keys=True, allow_nan=False)
            (folder / f"{name}.resolved.json").write_text(text + "\n", encoding="utf-8")
        accepted = request.count - refused.total()
        summary = {"requested": request.count, "accepted": accepted, "refused": dict(refused)}
        write_json(folder / SUMMARY, summary)
    return summary


def _refuse_all(request: Request, clip: Clip, where: str, refused: Counter[str]) -> NoReturn:
    """Say why nothing was drawn, with what would work in place of the first scenario."""
    try:
        resolve(sample(request, 0), clip, where)
    except InfeasibleError as error:
        if request.count == 1:
            raise
        reasons = ", ".join(f"{reason} {n}" for reason, n in refused.most_common())
        wrong = f"none of {request.count} scenarios can be driven ({reasons})"
        fix = f"{error.fix} (the first: {error.wrong})"
        raise InfeasibleError(where, wrong, fix, error.reason) from error
    raise AssertionError("the first scenario was refused, and then it was not")


def _drawn(
    request: Request, clip: Clip, where: str, refused: Counter[str]
) -> Iterator[tuple[int, Scenario, Staging]]:
    """Scenarios that can be driven, by increasing index; the others are counted in `refused`."""
    started = news = time.perf_counter()
    ground = fit_ground(clip) if any(issubclass(d.of, ActorEdit) for d in request.edits) else None
    for index in range(request.count):
        scenario = sample(request, index)
        try:
            staging = resolve(scenario, clip, where, ground=ground, suggest=False)
            yield index, scenario, staging
        except InfeasibleError as error:
            refused[error.reason] += 1
        now = time.perf_counter()
        if now - news > SECONDS_BETWEEN_NEWS:
            news = now
            left_s = (now - started) / (index + 1) * (request.count - index - 1)
            LOG.info("%d of %d scenarios drawn, %.0f s left", index + 1, request.count, left_s)


def resolved(scenario: Scenario, staging: Staging, clip: Clip) -> dict[str, Any]:
    """All poses of a staging and where the ego meets other boxes, in the types of JSON."""
    ego_from_box = ego_box(clip)
    ego_boxes = staging.ego.mounted(ego_from_box)
    ego = {"body_from_ego": invert(ego_from_box).tolist()}
    return {
        "requested": as_tables(scenario),
        "window_us": [staging.start_us, staging.end_us],
        "ego": _road_user(Semantic.CAR, clip.ego_size_m, ego_boxes) | ego,
        "actors": [
            {"id": actor.id} | _road_user(actor.kind, actor.size_m, actor.trajectory)
            for actor in staging.actors
        ],
        "overlaps": [
            {"actor": actor.id, "time_us": first_us}
            for actor in staging.actors
            if (first_us := _first_overlap_us(staging, ego_boxes, clip.ego_size_m, actor))
            is not None
        ],
    }


def ego_box(clip: Clip) -> Float64[np.ndarray, "4 4"]:
    """`ego_from_box`: where the centre of the recording car is, seen from its origin [m]."""
    length, _, height = clip.ego_size_m
    return translation(np.array([clip.ego_front_m - 0.5 * length, 0.0, 0.5 * height]))


def _road_user(
    kind: Semantic, size_m: Float64[np.ndarray, "3"], boxes: Trajectory
) -> dict[str, Any]:
    return {
        "class": kind.name,
        "size_m": size_m.tolist(),
        "time_us": boxes.time_us.tolist(),
        "world_from_body": boxes.world_from_body.tolist(),
    }


def _first_overlap_us(
    staging: Staging, ego: Trajectory, ego_size_m: Float64[np.ndarray, "3"], actor: Actor
) -> int | None:
    """When the ego's box first overlaps an actor's while both are known and rendered [µs]."""
    theirs = actor.trajectory
    start_us = max(staging.start_us, int(theirs.time_us[0]))
    end_us = min(staging.end_us, int(theirs.time_us[-1]))
    if end_us < start_us:
        return None
    at_us = np.append(np.arange(start_us, end_us, OVERLAP_STEP_US), end_us)
    overlap = boxes_overlap(ego.at(at_us), ego_size_m, theirs.at(at_us), actor.size_m)
    return int(at_us[np.argmax(overlap)]) if overlap.any() else None
