"""From a request to scenarios that can be driven: the verb `perturb`.

Each scenario gets a folder of its own: `scenario.toml`, `resolved.json` (see
`scenes.scenario.report`) and `scenario.xosc` (OpenSCENARIO). `summary.json` beside them says how
many were refused, and why; where near-collisions were requested, `coverage.txt` and `coverage.png`
say which were had.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from scenes.criticality.draw import nearest
from scenes.edits.static_scene import own_fields
from scenes.errors import InfeasibleError
from scenes.motion.limits import PASSENGER_CAR
from scenes.scenario.coverage import heat_map, report
from scenes.scenario.files import load_request
from scenes.scenario.orders import order_of
from scenes.scenario.resolve import check_clip
from scenes.scenario.sampling import Drawer, Drawn, Refused
from scenes.scenario.scenario import COUNT, SEED
from scenes.storage.clip_files import load_clip
from scenes.storage.files import sha256, write_json
from scenes.storage.folders import check_out, is_finished, writing
from scenes.storage.manifests import Provenance, finished, folder_hash
from scenes.storage.validation import Within, check_option
from scenes.work.phases import counted
from scenes.work.workers import working

SUMMARY = "summary.json"
SCENARIO, RESOLVED, OPENSCENARIO = "scenario.toml", "resolved.json", "scenario.xosc"
"""Files of each scenario's folder."""
COVERAGE = ("coverage.txt", "coverage.png")
NEWS = "drawing scenarios"
CHUNK = 4
"""Scenarios that a worker takes at once."""


def perturb_clip(
    clip_folder: Path,
    request_file: Path,
    out: Path,
    count: int | None,
    seed: int | None,
    workers: int = 1,
    scene_folder: Path | None = None,
    drive: Path | None = None,
) -> dict[str, Any]:
    """See `scenes.commands.perturb`."""
    started = time.perf_counter()
    check_option("--workers", workers, Within(1, 1024))
    check_out(out, "scenarios")
    clip, request = load_clip(clip_folder, drive), load_request(request_file)
    if clip.lidars:  # its sweeps say where one can drive
        clip.check_contents(absent=True)
    if count is not None:
        check_option("--count", count, COUNT)
        request = replace(request, count=count)
    if seed is not None:
        check_option("--seed", seed, SEED)
        request = replace(request, seed=seed)
    inputs = {"clip": folder_hash(clip_folder, "clip"), "request": sha256(request_file)}
    check_clip(request.clip, inputs["clip"], str(request_file))
    fielded = frozenset[int]()
    if scene_folder is not None:
        inputs["scene"] = folder_hash(scene_folder, "scene")
        fielded = own_fields(scene_folder, clip_folder)
    provenance = Provenance(
        kind="scenarios",
        inputs=inputs,
        config={"count": request.count, "seed": request.seed, "limits": asdict(PASSENGER_CAR)},
    )
    if is_finished(out, provenance):
        summary = finished(out, "scenarios").parsed(SUMMARY, dict[str, Any])
    else:
        drawer = Drawer(
            request=request, clip=clip, where=str(request_file), fielded=fielded,
            clip_hash=inputs["clip"],
        )  # fmt: skip
        summary = _write_all(drawer, out, provenance, workers)
    return {"out": str(out), **summary, "seconds": time.perf_counter() - started}


def _write_all(drawer: Drawer, out: Path, provenance: Provenance, workers: int) -> dict[str, Any]:
    request, refused, early = drawer.request, list[Refused](), list[Drawn]()
    with _drawn(drawer, workers) as results:
        for result in results:  # before anything is written: if there is none, nothing will be
            if isinstance(result, Drawn):
                early.append(result)
                break
            refused.append(result)
        if not early:
            _refuse_all(drawer, refused)
        made = list[Drawn]()
        with writing(out, provenance) as folder:
            for result in chain(early, results):
                if isinstance(result, Refused):
                    refused.append(result)
                    continue
                _write_one(folder / f"{result.index:04d}", result)
                made.append(replace(result, files={}))
            reasons = Counter(one.reason for one in refused)
            summary = {
                "requested": request.count,
                "accepted": len(made),
                "refused": dict(sorted(reasons.items())),
                "overlapping": sum(one.overlaps for one in made),
            }
            if request.criticality is not None:
                summary["ttc_error_s_max"] = max(one.ttc_error_s for one in made)
                requested = order_of(request).requested
                (folder / COVERAGE[0]).write_text(
                    report(requested, made, refused), encoding="utf-8"
                )
                heat_map(requested, made, refused).save(folder / COVERAGE[1])
            write_json(folder / SUMMARY, summary)
    return summary


def _write_one(folder: Path, drawn: Drawn) -> None:
    folder.mkdir()
    for name, text in drawn.files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _refuse_all(drawer: Drawer, refused: list[Refused]) -> NoReturn:
    """Say why nothing was drawn, with what would work in place of the first scenario."""
    count, reasons = drawer.request.count, Counter(one.reason for one in refused)
    try:
        drawer.first()
    except InfeasibleError as error:
        fix = error.fix
        if drawer.request.criticality is not None:
            order, seed = order_of(drawer.request, 0), drawer.request.seed
            fix = nearest(drawer.drive, order, seed, error)
        if count == 1:
            raise InfeasibleError(error.where, error.wrong, fix, error.reason) from error
        reasons_said = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common())
        wrong = f"none of {count} scenarios can be driven ({reasons_said})"
        fix = f"{fix} (the first: {error.wrong})"
        raise InfeasibleError(drawer.where, wrong, fix, error.reason) from error
    raise AssertionError("the first scenario was refused, and then it was not")


@contextmanager
def _drawn(drawer: Drawer, workers: int) -> Iterator[Iterator[Drawn | Refused]]:
    """What came of every number of the request, in order, whoever worked on it."""
    numbers = range(drawer.request.count)
    if workers == 1:
        yield counted(map(drawer.draw, numbers), NEWS, len(numbers))
        return
    with working(min(workers, len(numbers)), partial(_adopt, drawer)) as pool:
        results = pool.map(_draw, numbers, chunksize=CHUNK)
        yield counted(results, NEWS, len(numbers))


_OWN: list[Drawer] = []
"""What a worker process draws from."""


def _adopt(drawer: Drawer) -> None:
    _OWN[:] = [drawer]


def _draw(index: int) -> Drawn | Refused:
    return _OWN[0].draw(index)
