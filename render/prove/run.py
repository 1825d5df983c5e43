"""From a request to `prove.json` and `index.html`: the verb `prove`."""

import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from recon.kernels.native import instruction_set, native_problem
from render.prove.exactness import read_oracle, worst
from render.prove.page import write_page
from render.prove.peers import FORMAT, Peer, read_peer
from render.prove.plan import STAGES, Clock, ProvePlan, ProveRequest, WorldPlan, make_plan
from render.prove.rows import Row, by_amount, by_distance, mean, median
from render.prove.stages import (
    ORACLE,
    PROCESSOR,
    is_done,
    read_costs,
    read_held_out,
    read_rows,
    run_stage,
)
from render.prove.summary import edits_summary, summary
from scenes.storage.files import system_errors_typed, write_json
from scenes.storage.folders import check_out
from scenes.storage.manifests import package_version
from scenes.worlds.truth.perturbations import Axis

LOG = logging.getLogger("otherlane.prove")
WORLDS, NUMBERS, PAGE = "worlds", "prove.json", "index.html"


def prove_folder(out: Path, request: ProveRequest) -> dict[str, object]:
    """Record, reconstruct and score worlds; write the numbers and a page about them.

    Raises:
        OtherlaneError: A request that cannot be, a world recorded otherwise in `out`, or the
            extra `worlds` is not installed.
    """
    plan = make_plan(request)
    peers = [read_peer(path) for path in request.peers]
    check_out(out)
    with system_errors_typed(out):
        out.mkdir(parents=True, exist_ok=True)
    _work(plan, out)
    content = _content(plan, request, out) | {"peers": [_beside(plan, peer) for peer in peers]}
    write_json(out / NUMBERS, content)
    write_page(out / PAGE, content, plan, out / WORLDS, peers)
    return _said(content, out, peers)


def _work(plan: ProvePlan, out: Path) -> None:
    """Every stage of every world that is not done, saying how long the rest will take."""
    clock = Clock()
    todo = [
        (world, stage)
        for world in plan.worlds
        if not is_done(world, out / WORLDS / world.name)
        for stage in STAGES
    ]
    done = len(plan.worlds) * len(STAGES) - len(todo)
    for place, (world, stage) in enumerate(todo):
        left_s = clock.left_s(todo[place:])
        LOG.info(
            "%s: %s (stage %d of %d, about %s left)",
            world.name, stage, done + place + 1, done + len(todo), _words(left_s),
            extra={"otherlane": {"event": "prove", "world": world.name, "stage": stage,
                                 "eta_seconds": round(left_s)}},
        )  # fmt: skip
        began = time.perf_counter()
        run_stage(world, out / WORLDS / world.name, stage)
        clock.took(stage, time.perf_counter() - began, world.guess_s(stage))


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _content(plan: ProvePlan, request: ProveRequest, out: Path) -> dict[str, object]:
    """Everything that `prove.json` says."""
    worlds, rows = [], []
    for world in plan.worlds:
        folder = out / WORLDS / world.name
        views = read_rows(world.amounts(), folder)
        means = by_amount(views)
        rows.append(means)
        worlds.append(_world(world, folder, views, means))
    every = [row for means in rows for row in means]
    return {
        "format": FORMAT,
        "name": "otherlane",
        "otherlane": package_version(),
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "machine": _machine(),
        "request": {
            "quick": request.quick,
            "seeds": list(request.seeds),
            "recipe": plan.worlds[0].reconstruct.recipe,
            "workers": request.workers,
        },
        "worlds": worlds,
        "means": [asdict(row) for row in by_amount(every)],
        "not_yet": [_missing(axis) for axis in plan.not_yet],
        "summary": summary(rows),
        "edits": edits_summary(rows),
        "oracle": worst({w.name: read_oracle(out / WORLDS / w.name / ORACLE) for w in plan.worlds}),
    }


def _world(
    world: WorldPlan, folder: Path, views: Sequence[Row], means: Sequence[Row]
) -> dict[str, object]:
    held = read_held_out(folder)
    recording = world.recording
    return {
        "name": world.name,
        "recipe": world.recipe,
        "seed": recording.seed,
        "frames": recording.frames,
        "recorded": [recording.width, recording.height],
        "scored": held["resolution"],
        "reconstruct": {name: held[name] for name in ("recipe", "steps", "backend", "seed")},
        "costs_s": read_costs(folder),
        "processor_s": read_costs(folder, PROCESSOR),
        "on_path_held_out": {
            name: held.get(name)
            for name in (
                "psnr_db",
                "psnr_db_median",
                "psnr_affine_db",
                "ssim",
                "flip",
                "depth_abs_rel",
                "frames",
            )
        },
        "oracle": read_oracle(folder / ORACLE),
        "no_room": _no_room(world, views),
        "rows": [asdict(row) for row in means],
        "by_distance": [asdict(row) for row in by_distance(views)],
    }


def _no_room(world: WorldPlan, views: Sequence[Row]) -> list[dict[str, object]]:
    """Amounts of which some views were left out, because something else stands there."""
    found = Counter((row.axis, row.amount) for row in views if row.region == "all")
    return [
        {"axis": axis, "amount": amount, "views": world.views - found[axis, amount]}
        for axis, amounts in world.amounts().items()
        for amount in amounts
        if found[axis, amount] < world.views
    ]


def _beside(plan: ProvePlan, peer: Peer) -> dict[str, object]:
    """What `prove.json` says of another method."""
    names = {world.name for world in plan.worlds}
    held_out = {name: psnr for name, psnr in peer.held_out("psnr_db").items() if name in names}
    return {
        "name": peer.name,
        "about": peer.about,
        "worlds": sorted(names & {world.name for world in peer.worlds}),
        "on_path_held_out": {
            "psnr_db": mean(held_out.values()),
            "psnr_db_median": median(held_out.values()),
        },
        "summary": summary(peer.by_world(names)),
    }


def _missing(axis: Axis) -> dict[str, object]:
    why = f"a reconstruction cannot change its {axis.kind} yet; truth can be written"
    return {"axis": axis.name, "kind": axis.kind, "amounts": list(axis.amounts), "why": why}


def _machine() -> dict[str, object]:
    here = instruction_set() if native_problem() is None else f"none: {native_problem()}"
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "load_after": round(os.getloadavg()[0], 2),
        "native_instruction_set": here,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _said(content: Mapping[str, object], out: Path, peers: Sequence[Peer]) -> dict[str, object]:
    """What the command prints."""
    worlds = content["worlds"]
    assert isinstance(worlds, list)
    costs = [sum(world["costs_s"].values()) for world in worlds]
    not_yet = content["not_yet"]
    assert isinstance(not_yet, list)
    return {
        "page": str(out / PAGE),
        "numbers": str(out / NUMBERS),
        "worlds": len(worlds),
        "seconds": round(sum(costs), 1),
        "seconds_per_world": round(sum(costs) / len(costs), 1),
        "peers": ", ".join(peer.name for peer in peers) or None,
        "not_yet": ", ".join(axis["axis"] for axis in not_yet) or None,
        "summary": content["summary"],
        "edits": content["edits"],
        "oracle": content["oracle"],
    }
