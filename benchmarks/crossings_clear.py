"""Do requested near-collisions lead through things that the drive measured?

    python -m benchmarks.crossings_clear CLIP CLIP ... [--count 1000] [--before BEFORE.json]

Draws scenarios of all families from each clip, half of `--count` from each of two, and reads their
folders with code of its own: points straight from the clip, boxes straight from `resolved.json`,
no index, no early end. A scenario *holds evidence* where `LEAST` or more measured points lie in
what the box of somebody edited or inserted sweeps, more than `LOW_M` above its bottom. Points on
recorded road users, and those that the recording car itself drove through, are none. Prints one
JSON object; `--before` adds the shares of an earlier run, such as one of an older checkout.
"""

import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from scenes.actor import Actor
from scenes.clip import Clip
from scenes.commands import perturb
from scenes.storage.clip_files import load_clip

REQUEST = "[criticality]\nmin_ttc_s = { min = 0.6, max = 2.5 }\nduration_s = 3.0\n"
LEAST, LOW_M = 3, 0.4
NEAR_M = 0.2
"""Labelled boxes are a little off: points this near to one are of it."""
STEP_US = 10_000
MOVED_M = 0.01
"""An ego nearer than this to where it was recorded is where it was recorded."""


def main(
    clips: tuple[Path, ...],
    /,
    count: int = 1000,
    seed: int = 0,
    before: Path | None = None,
    kept: bool = False,
) -> None:
    """Measure and print.

    Args:
        clips: Folders of clips.
        count: How many scenarios to draw, over all clips.
        seed: Key of all draws.
        before: What this printed for older code, to be compared with.
        kept: Leave the scenarios in a folder of the system's temporary ones.
    """
    told: dict[str, Any] = {"count": count, "seed": seed, "clips": {}}
    for clip in clips:
        folder = Path(tempfile.mkdtemp())
        told["clips"][load_clip(clip).name] = _drawn(clip, folder, count // len(clips), seed)
        if not kept:
            for file in sorted(folder.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
    if before is not None:
        told["before"] = json.loads(before.read_text(encoding="utf-8"))["clips"]
    print(json.dumps(told, indent=1))


def _drawn(clip_folder: Path, folder: Path, count: int, seed: int) -> dict[str, Any]:
    request, out = folder / "request.toml", folder / "out"
    request.write_text(REQUEST, encoding="utf-8")
    cpu_s = time.process_time()
    said = perturb(clip_folder, request=request, out=out, count=count, seed=seed)
    cpu_s = time.process_time() - cpu_s
    clip = load_clip(clip_folder)
    evidence = tall_points(clip)
    accepted, held = Counter[str](), Counter[str]()
    where: list[str] = []
    for file in sorted(out.glob("*/resolved.json")):
        told = json.loads(file.read_text(encoding="utf-8"))
        family = told["requested"]["family"]
        accepted[family] += 1
        if number := in_the_way(told, clip, evidence):
            held[family] += 1
            where.append(f"{file.parent.name} {family}: {number} points")
    return {
        "drawn": count,
        "accepted": said["accepted"],
        "refused": said["refused"],
        "accepted_by_family": dict(sorted(accepted.items())),
        "holding_evidence": held.total(),
        "holding_evidence_by_family": dict(sorted(held.items())),
        "where": where[:20],
        "cpu_s": round(cpu_s, 1),
    }


def tall_points(clip: Clip) -> np.ndarray:
    """Measured world points off all recorded road users and off the way of the recording car."""
    found = [np.zeros((0, 3))]
    if clip.points is not None:
        position_m = clip.points.position_m[clip.points.error_px <= 2.0]
        for actor in clip.actors:
            for pose in actor.trajectory.world_from_body:
                position_m = position_m[~_within(position_m, pose, actor.size_m + 2 * NEAR_M)]
        found.append(position_m)
    for lidar in clip.lidars:
        for index, time_us in enumerate(lidar.time_us.tolist()):
            sweep = lidar.read(index)
            at_us = time_us + sweep.offset_us.astype(np.int64)
            poses = clip.ego.at(at_us) @ lidar.ego_from_lidar
            points = np.einsum("nij,nj->ni", poses[:, :3, :3], sweep.xyz_m) + poses[:, :3, 3]
            for actor in clip.actors:
                points, at_us = _off(points, at_us, actor)
            found.append(points)
    points = np.concatenate(found)
    size_m = clip.ego_size_m + 2 * NEAR_M
    middle = np.array([clip.ego_front_m - 0.5 * clip.ego_size_m[0], 0.0, 0.5 * clip.ego_size_m[2]])
    first, last = clip.ego.time_us[[0, -1]]
    for pose in clip.ego.at(np.arange(first, last, STEP_US)):
        moved = pose.copy()
        moved[:3, 3] += pose[:3, :3] @ middle
        points = points[~_within(points, moved, size_m)]
    return points


def _off(points: np.ndarray, at_us: np.ndarray, actor: Actor) -> tuple[np.ndarray, np.ndarray]:
    """Returns that are not on somebody, each at its own time: who moves is where it was then."""
    first, last = actor.trajectory.time_us[[0, -1]]
    poses = actor.trajectory.at(np.clip(at_us, first, last))
    apart = points - poses[:, :3, 3]
    local = np.abs(np.einsum("nij,ni->nj", poses[:, :3, :3], apart))
    known = (at_us >= first - 100_000) & (at_us <= last + 100_000)
    kept = ~(known & np.all(local <= 0.5 * actor.size_m + NEAR_M, axis=1))
    return points[kept], at_us[kept]


def _within(points_m: np.ndarray, pose: np.ndarray, size_m: np.ndarray) -> np.ndarray:
    local = (points_m - pose[:3, 3]) @ pose[:3, :3]
    return np.all(np.abs(local) <= 0.5 * np.asarray(size_m), axis=1)


def in_the_way(told: dict[str, Any], clip: Clip, evidence: np.ndarray) -> int:
    """The most points in what anybody edited sweeps in the window, if there are `LEAST`; or 0."""
    recorded = {actor.id: actor for actor in clip.actors}
    most = 0
    for user in [told["ego"], *told["actors"]]:
        poses = np.array(user["world_from_body"])
        before = recorded.get(user.get("id", -1))
        if user is told["ego"]:
            place = (poses @ np.array(user["body_from_ego"]))[:, :3, 3]
            then = clip.ego.at(np.array(user["time_us"]))[:, :3, 3]
            if np.linalg.norm(place - then, axis=1).max() <= MOVED_M:
                continue
        elif before is not None and np.allclose(
            before.trajectory.at(np.array(user["time_us"]))[:, :3, 3], poses[:, :3, 3], atol=1e-6
        ):
            continue
        most = max(most, _swept(user, poses, told["window_us"], evidence))
    return most if most >= LEAST else 0


def _swept(user: dict[str, Any], poses: np.ndarray, window: list[int], evidence: np.ndarray) -> int:
    time_us = np.array(user["time_us"], dtype=np.float64)
    yaw = np.unwrap(np.arctan2(poses[:, 1, 0], poses[:, 0, 0]))
    first, last = max(time_us[0], window[0]), min(time_us[-1], window[1])
    at_us = np.append(np.arange(first, last, STEP_US), last)
    x, y, z, turn = (np.interp(at_us, time_us, column) for column in (*poses[:, :3, 3].T, yaw))
    length, width, height = user["size_m"]
    reach_m = 0.5 * float(np.hypot(length, width))
    near = (evidence[:, 0] > x.min() - reach_m) & (evidence[:, 0] < x.max() + reach_m)
    near &= (evidence[:, 1] > y.min() - reach_m) & (evidence[:, 1] < y.max() + reach_m)
    points = evidence[near]
    hit = np.zeros(len(points), dtype=bool)
    for px, py, pz, angle in zip(x, y, z, turn, strict=True):
        dx, dy, dz = points[:, 0] - px, points[:, 1] - py, points[:, 2] - pz
        along = np.cos(angle) * dx + np.sin(angle) * dy
        across = -np.sin(angle) * dx + np.cos(angle) * dy
        inside = (np.abs(along) <= 0.5 * length) & (np.abs(across) <= 0.5 * width)
        hit |= inside & (dz > LOW_M - 0.5 * height) & (dz <= 0.5 * height)
    return int(hit.sum())


if __name__ == "__main__":
    tyro.cli(main)
