"""From a scene's folder and a scenario to a folder of frames: the verb `render`.

Pictures are of moments of the drive's first camera that is asked for, each camera its own picture
nearest in time. The folder holds the frames (`render.folders.frames`), `exports/<format>/`,
`preview.mp4`, and the scenario as `scenario.toml`: rendering that from the same scene makes every
frame again, bit for bit. An interrupted run goes on where it stopped, also with other formats or
without a preview.
"""

import hashlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recon.rendering.shot import Renderer
from render.console.door import check_door
from render.exporters import export, find_exporter, pictures_of
from render.folders.frames import DATASET, RECORDS, read_dataset, read_records
from render.folders.selection import asked_labels
from render.jobs.job import RenderJob, Task
from render.jobs.pool import run_job, tidy
from render.jobs.views import chosen_views, planned_tasks
from render.labels.gate import LabelGate
from render.labels.gating import is_labelled
from render.labels.object_labels import REJECT
from render.labels.table import FRAME_LABELS, OBJECT_LABELS, page
from render.pictures.preview import write_preview
from scenes.clip import Clip
from scenes.edits.assets import asset_hash
from scenes.edits.edited_scene import EditedScene
from scenes.errors import OtherlaneError
from scenes.road.ground import fit_ground
from scenes.safety.encounters import Ego
from scenes.scenario.files import as_tables, load_scenario, scenario_toml
from scenes.scenario.resolve import check_clip, resolve
from scenes.scenario.scenario import Scenario
from scenes.semantics import Semantic
from scenes.storage.files import sha256, write_json, write_whole
from scenes.storage.folders import check_out, is_finished, writing
from scenes.storage.manifests import Provenance, finished, folder_hash, package_version
from scenes.work.phases import counted, phase
from scenes.work.short_repr import short_repr

EXPORTS, PREVIEW, SCENARIO = "exports", "preview.mp4", "scenario.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderRequest:
    """What a user asks of `render`."""

    scenario: Path | None = None
    cameras: tuple[str, ...] = ()
    size: str | None = None
    stretch: bool = False
    frames: str | None = None
    formats: tuple[str, ...] = ("kitti", "coco")
    workers: int = 1
    preview: bool = True
    gate: LabelGate = LabelGate()
    keep_rejected: bool = False
    labels: tuple[str, ...] = ()
    any_drive: bool = False
    drive: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FolderPlan:
    """A job, and everything else that the folder will hold."""

    job: RenderJob
    clip: Clip
    inputs: dict[str, str]
    config: dict[str, Any]
    """What the pictures depend on, besides the inputs."""
    scenario: Scenario = Scenario()
    """What was changed about the drive."""
    formats: tuple[str, ...] = ()
    preview: bool = True
    keep_rejected: bool = False
    """Whether exports hold pictures that the gate rejects."""

    __repr__ = short_repr

    @property
    def provenance(self) -> Provenance:
        """What makes the folder what it is."""
        shown = {
            "formats": list(self.formats),
            "preview": self.preview,
            "keep_rejected": self.keep_rejected,
        }
        return Provenance(kind="frames", inputs=self.inputs, config=self.config | shown)


def render_folder(scene_folder: Path, out: Path, request: RenderRequest) -> dict[str, object]:
    """See `render.commands.render`."""
    from recon.rendering.renderer import load_renderer

    check_out(out, "frames")
    if request.workers < 1:
        raise OtherlaneError("--workers", f"is {request.workers}", "1 or more")
    for fmt in request.formats:
        find_exporter(fmt)  # before anything is rendered
    asked_labels(request.labels)
    with phase("opening the scene"):
        renderer = load_renderer(scene_folder, drive=request.drive)
        renderer.clip.check_contents(absent=True)
    return write_folder(_plan(renderer, scene_folder, request), out, workers=request.workers)


def write_folder(plan: FolderPlan, out: Path, *, workers: int = 1) -> dict[str, object]:
    """Render, export and preview into the new folder `out`; at once when it is already there.

    Raises:
        OtherlaneError: `out` holds something else, or something cannot be rendered or exported.
    """
    started, rendered = time.perf_counter(), 0
    if not is_finished(out, plan.provenance):
        with writing(out, plan.provenance, resumable=_any) as folder:
            rendered = run_job(plan.job, folder, workers=workers)
            write_json(folder / DATASET, _dataset(plan))
            write_whole(folder / SCENARIO, scenario_toml(plan.scenario).encode())
            _derive(plan, folder)
            tidy(folder)
    seconds = time.perf_counter() - started
    finished(out, "frames").check(RECORDS, DATASET)
    records = read_records(out)
    return {
        "out": str(out),
        "frames": len(plan.job.tasks),
        "cameras": list(plan.config["cameras"]),
        "rendered_now": rendered,
        "size": _sizes(plan.job),
        "rejected_frames": sum(record["gate"] == REJECT for record in records),
        "labelled_objects": sum(
            is_labelled(item)
            for record in records
            if record["gate"] != REJECT or plan.keep_rejected
            for item in record["objects"]
        ),
        "formats": list(plan.formats),
        "preview": str(out / PREVIEW) if plan.preview else None,
        "seconds": seconds,
        "seconds_per_frame": seconds / rendered if rendered else None,
        "licence": read_dataset(out)["licence"],
    }


def _any(folder: Path) -> bool:
    """`run_job` keeps what is of use."""
    del folder
    return True


def _derive(plan: FolderPlan, folder: Path) -> None:
    """Exports and the preview, afresh: an interrupted run may have left half of them."""
    if (folder / EXPORTS).exists():
        shutil.rmtree(folder / EXPORTS)
    (folder / PREVIEW).unlink(missing_ok=True)
    pictures = pictures_of([folder]) if plan.formats else []
    for fmt in plan.formats:
        with phase(f"writing labels as {fmt}"):
            export(fmt, pictures, folder / EXPORTS / fmt)
    if plan.preview:
        title = "    ".join((plan.clip.name, *_edits(plan)))
        records = read_records(folder)
        records = counted(records, "encoding the preview", len(records), "pictures")
        write_preview(folder, records, plan.clip, folder / PREVIEW, title)


def _edits(plan: FolderPlan) -> list[str]:
    """In words."""
    return [edit.describe() for edit in plan.scenario.edits]


def _dataset(plan: FolderPlan) -> dict[str, Any]:
    """What the folder says of itself."""
    ground = plan.job.ground
    return {
        "drive": plan.clip.name,
        "source": plan.clip.source,
        "licence": plan.clip.licence,
        "otherlane": package_version(),
        "inputs": plan.inputs,
        "config": plan.config,
        "labels": [x.name for x in (*OBJECT_LABELS, *FRAME_LABELS)],
        "pixel_labels": list(plan.job.labels),
        "keep_rejected": plan.keep_rejected,
        "semantics": {kind.name: int(kind) for kind in Semantic},
        "ground": {
            "residual_m": None if np.isnan(ground.residual_m) else ground.residual_m,
            "note": ground.note,
        },
        "edits": _edits(plan),
        "notes": list(plan.clip.notes),
    }


def _plan(renderer: Renderer, scene_folder: Path, request: RenderRequest) -> FolderPlan:
    from recon.rendering.renderer import load_renderer

    clip, path = renderer.clip, request.scenario
    scenario = Scenario() if path is None else load_scenario(path)
    named = None if path is None else str(path)
    if not request.any_drive:
        made_from = finished(scene_folder, "scene").inputs.get("clip")
        check_clip(scenario.clip, made_from, named or scenario.name)
    with phase("editing the scene"):
        edited = resolve(scenario, clip, named, fielded=renderer.modelled_ids)
        ground = fit_ground(clip)
    views = chosen_views(renderer, request.cameras, request.size, stretch=request.stretch)
    labels = asked_labels(request.labels)
    for view in views:
        check_door(view.camera, labels, request.formats, preview=request.preview)
    numbers, tasks = planned_tasks(renderer, edited, views, request.frames)
    inputs = _inputs(scene_folder, path, edited)
    config = {
        "cameras": {view.name: f"{view.camera.width}x{view.camera.height}" for view in views},
        "frames": numbers,
        "absent": _absent(numbers, [view.name for view in views], tasks),
        "scenario": as_tables(scenario),
        "gate": request.gate.config(),
        "pixel_labels": list(labels),
        **_versions(renderer),
    }
    job = RenderJob(
        load=partial(load_renderer, scene_folder.absolute(), drive=request.drive),
        identity={"inputs": inputs, "config": config},
        stamp={"licence": clip.licence, "drive": clip.name, "inputs": inputs},
        tasks=tasks,
        ground=ground,
        ego=Ego.of(edited, clip, scenario.tags),
        gate=request.gate,
        labels=labels,
    )
    return FolderPlan(
        job=job,
        clip=clip,
        inputs=inputs,
        config=config,
        scenario=scenario,
        formats=tuple(dict.fromkeys(request.formats)),
        preview=request.preview,
        keep_rejected=request.keep_rejected,
    )


def _inputs(scene_folder: Path, scenario: Path | None, edited: EditedScene) -> dict[str, str]:
    """Hashes of everything that the pictures are made from."""
    inputs = {"scene": folder_hash(scene_folder, "scene")}
    if scenario is not None:
        inputs["scenario"] = sha256(scenario)
    for name in sorted(set(edited.assets.values())):
        if (content := asset_hash(name)) is not None:
            inputs[f"asset {name}"] = content
    return inputs


def _absent(numbers: list[int], cameras: list[str], tasks: Sequence[Task]) -> list[str]:
    """Keys of frames that a camera took no picture of."""
    there = {task.key for task in tasks}
    keys = (f"{number:06d}.{name}" for number in numbers for name in cameras)
    return sorted(key for key in keys if key not in there)


def _sizes(job: RenderJob) -> str:
    """Of the pictures: one size, or several."""
    cameras = [task.shot.camera for task in job.tasks]
    return ", ".join(dict.fromkeys(f"{camera.width}x{camera.height}" for camera in cameras))


def _versions(renderer: Renderer) -> dict[str, str]:
    """The programs, kernels and instruction set that the bits of the pictures depend on."""
    import torch

    return {
        "otherlane": package_version(),
        "labels": hashlib.sha256(page().encode()).hexdigest(),
        "renderer": renderer.version,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }
