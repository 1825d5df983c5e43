"""From a scene's folder and a scenario to a folder of frames: the verb `render`.

The folder holds the frames (`render.folders.frames`), `exports/<format>/`, `preview.mp4`, and the
scenario as `scenario.toml`: rendering that from the same scene makes every frame again, bit for
bit. An interrupted run goes on where it stopped, also with other formats or without a preview.
"""

import hashlib
import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from render.console.door import check_door
from render.exporters import export, find_exporter, pictures_of
from render.folders.frames import DATASET, RECORDS, read_dataset, read_records
from render.folders.selection import asked_labels, parse_frames, sized
from render.jobs.job import RenderJob, Shot
from render.jobs.pool import run_job, tidy
from render.labels.gate import LabelGate
from render.labels.gating import is_labelled
from render.labels.object_labels import REJECT
from render.labels.table import FRAME_LABELS, OBJECT_LABELS, page
from render.pictures.preview import write_preview
from scenes.clip import Clip
from scenes.edits.assets import asset_hash
from scenes.errors import OtherlaneError
from scenes.road.ground import fit_ground
from scenes.safety.encounters import Ego
from scenes.scenario.files import as_tables, load_scenario, scenario_toml
from scenes.scenario.resolve import check_clip, resolve
from scenes.scenario.scenario import Scenario
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera
from scenes.storage.files import sha256, write_json, write_whole
from scenes.storage.folders import check_out, is_finished, writing
from scenes.storage.manifests import Provenance, finished, folder_hash, package_version
from scenes.work.phases import counted, phase
from scenes.work.short_repr import short_repr

if TYPE_CHECKING:
    from recon.scene import Scene

EXPORTS, PREVIEW, SCENARIO = "exports", "preview.mp4", "scenario.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderRequest:
    """What a user asks of `render`."""

    scenario: Path | None = None
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
class Batch:
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
    from recon.scene import load_scene

    check_out(out, "frames")
    if request.workers < 1:
        raise OtherlaneError("--workers", f"is {request.workers}", "1 or more")
    for fmt in request.formats:
        find_exporter(fmt)  # before anything is rendered
    asked_labels(request.labels)
    with phase("opening the scene"):
        scene = load_scene(scene_folder, drive=request.drive)
        scene.clip.check_contents(absent=True)
    return write_batch(_batch(scene, scene_folder, request), out, workers=request.workers)


def write_batch(batch: Batch, out: Path, *, workers: int = 1) -> dict[str, object]:
    """Render, export and preview into the new folder `out`; at once when it is already there.

    Raises:
        OtherlaneError: `out` holds something else, or something cannot be rendered or exported.
    """
    started, rendered = time.perf_counter(), 0
    if not is_finished(out, batch.provenance):
        with writing(out, batch.provenance, resumable=_any) as folder:
            rendered = run_job(batch.job, folder, workers=workers)
            write_json(folder / DATASET, _dataset(batch))
            write_whole(folder / SCENARIO, scenario_toml(batch.scenario).encode())
            _derive(batch, folder)
            tidy(folder)
    seconds = time.perf_counter() - started
    finished(out, "frames").check(RECORDS, DATASET)
    camera, records = batch.job.camera, read_records(out)
    return {
        "out": str(out),
        "frames": len(batch.job.shots),
        "rendered_now": rendered,
        "size": f"{camera.width}x{camera.height}",
        "rejected_frames": sum(record["gate"] == REJECT for record in records),
        "labelled_objects": sum(
            is_labelled(item)
            for record in records
            if record["gate"] != REJECT or batch.keep_rejected
            for item in record["objects"]
        ),
        "formats": list(batch.formats),
        "preview": str(out / PREVIEW) if batch.preview else None,
        "seconds": seconds,
        "seconds_per_frame": seconds / rendered if rendered else None,
        "licence": read_dataset(out)["licence"],
    }


def _any(folder: Path) -> bool:
    """`run_job` keeps what is of use."""
    del folder
    return True


def _derive(batch: Batch, folder: Path) -> None:
    """Exports and the preview, afresh: an interrupted run may have left half of them."""
    if (folder / EXPORTS).exists():
        shutil.rmtree(folder / EXPORTS)
    (folder / PREVIEW).unlink(missing_ok=True)
    pictures = pictures_of([folder]) if batch.formats else []
    for fmt in batch.formats:
        with phase(f"writing labels as {fmt}"):
            export(fmt, pictures, folder / EXPORTS / fmt)
    if batch.preview:
        title = "    ".join((batch.clip.name, *_edits(batch)))
        records = read_records(folder)
        records = counted(records, "encoding the preview", len(records), "pictures")
        write_preview(folder, records, batch.clip, folder / PREVIEW, batch.job.stream, title)


def _edits(batch: Batch) -> list[str]:
    """In words."""
    return [edit.describe() for edit in batch.scenario.edits]


def _dataset(batch: Batch) -> dict[str, Any]:
    """What the folder says of itself."""
    ground = batch.job.ground
    return {
        "drive": batch.clip.name,
        "source": batch.clip.source,
        "licence": batch.clip.licence,
        "otherlane": package_version(),
        "inputs": batch.inputs,
        "config": batch.config,
        "labels": [x.name for x in (*OBJECT_LABELS, *FRAME_LABELS)],
        "pixel_labels": list(batch.job.labels),
        "keep_rejected": batch.keep_rejected,
        "semantics": {kind.name: int(kind) for kind in Semantic},
        "ground": {
            "residual_m": None if np.isnan(ground.residual_m) else ground.residual_m,
            "note": ground.note,
        },
        "edits": _edits(batch),
        "notes": list(batch.clip.notes),
    }


def _batch(scene: "Scene", scene_folder: Path, request: RenderRequest) -> Batch:
    from recon.scene import load_scene

    clip, stream, path = scene.clip, 0, request.scenario
    scenario = Scenario() if path is None else load_scenario(path)
    named = None if path is None else str(path)
    if not request.any_drive:
        made_from = finished(scene_folder, "scene").inputs.get("clip")
        check_clip(scenario.clip, made_from, named or scenario.name)
    with phase("editing the scene"):
        edited = resolve(scenario, clip, named, fielded=frozenset(scene.looks))
        ground = fit_ground(clip)
    images = clip.cameras[stream]
    camera, labels = _camera(request, scene, stream), asked_labels(request.labels)
    check_door(camera, labels, request.formats, preview=request.preview)
    window = (images.time_us >= edited.start_us) & (images.time_us <= edited.end_us)
    numbers = parse_frames(request.frames, np.flatnonzero(window))
    inputs = {"scene": folder_hash(scene_folder, "scene")}
    if path is not None:
        inputs["scenario"] = sha256(path)
    for name in sorted(set(edited.assets.values())):
        if (content := asset_hash(name)) is not None:
            inputs[f"asset {name}"] = content
    config = {
        "camera": images.name,
        "size": [camera.width, camera.height],
        "frames": numbers,
        "scenario": as_tables(scenario),
        "gate": request.gate.config(),
        "pixel_labels": list(labels),
        **_versions(scene),
    }
    job = RenderJob(
        load=partial(load_scene, scene_folder.absolute(), drive=request.drive),
        identity={"inputs": inputs, "config": config},
        stamp={"licence": clip.licence, "drive": clip.name, "inputs": inputs},
        shots=tuple(Shot(key=f"{i:06d}", time_us=int(images.time_us[i])) for i in numbers),
        stream=stream,
        camera=camera,
        world_from_camera=edited.ego.mounted(images.ego_from_camera),
        actors=edited.actors,
        assets=dict(edited.assets),
        ground=ground,
        camera_look=edited.camera,
        ego=Ego.of(edited, clip, scenario.tags),
        seed=scenario.seed,
        gate=request.gate,
        labels=labels,
    )
    return Batch(
        job=job,
        clip=clip,
        inputs=inputs,
        config=config,
        scenario=scenario,
        formats=tuple(dict.fromkeys(request.formats)),
        preview=request.preview,
        keep_rejected=request.keep_rejected,
    )


def _versions(scene: "Scene") -> dict[str, str]:
    """The programs, kernels and instruction set that the bits of the pictures depend on."""
    import torch

    return {
        "otherlane": package_version(),
        "labels": hashlib.sha256(page().encode()).hexdigest(),
        "backend": scene.backend.value,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }


def _camera(request: RenderRequest, scene: "Scene", stream: int) -> Camera:
    """At the size that was asked for, or the one trained at."""
    from recon.data.training_data import scaled_camera

    camera = scene.clip.cameras[stream].camera
    if request.size is None:
        return scaled_camera(camera, scene.config.scale)
    return sized(camera, request.size, stretch=request.stretch)
