"""From a clip's folder to a scene's folder."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch

from recon.config import ReconstructionConfig
from recon.data.holdout import select_frames
from recon.data.training_data import Data, load_data
from recon.evaluation.measured_gains import measure_gains
from recon.kernels.backend import Backend, backend_named, choose_backend
from recon.lighting.light_estimation import estimate_daylight
from recon.recipes import recipe
from recon.scene import RADIANCE_FIELD, scene_of, write_scene
from recon.training.budget import steps_within
from recon.training.checkpoint import AFRESH, read_state
from recon.training.loop import train
from recon.training.progress import check_log, reporting, write_event
from scenes.clip import Clip
from scenes.edits.static_scene import OWN_FIELDS
from scenes.errors import OtherlaneError
from scenes.storage.claims import partial_folder
from scenes.storage.clip_files import load_clip
from scenes.storage.files import read_signed, system_errors_typed, write_signed
from scenes.storage.folders import check_out, is_finished, writing
from scenes.storage.manifests import LOG, Provenance, folder_hash
from scenes.work.phases import phase

CHECKPOINT, REQUEST = "training.safetensors", "request.json"
UNLISTED = (CHECKPOINT, REQUEST)
"""What only a resume needs: no part of the scene."""
SMALLEST_PX = 12
"""A picture with fewer pixels along an axis can be neither learnt from nor scored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconstructRequest:
    """What a user may ask of a reconstruction; the rest follows from the recipe and the clip."""

    recipe: str = "standard"
    scale: float | None = None
    holdout: int = 8
    holdout_first: int = 0
    train_share: float | None = None
    train_cameras: tuple[str, ...] = ()
    seed: int = 0
    backend: str | None = None
    budget: str | None = None


def reconstruct_clip(
    folder: Path,
    out: Path,
    request: ReconstructRequest,
    began: float | None = None,
    drive: Path | None = None,
) -> Path:
    """Train a field on a clip and write the scene; killed at any moment, it resumes.

    Args:
        folder: Of the clip.
        out: Of the scene.
        request: What is asked for.
        began: When the time budget began to run, on the clock `time.monotonic`; now when left out.
        drive: Where the recording lies now, if it has moved.

    Raises:
        OtherlaneError: Bad request, unreadable clip, a picture that is missing or was replaced, or
            `out` holds other work.
    """
    began = time.monotonic() if began is None else began
    check_out(out, "scene")
    clip = load_clip(folder, drive)
    wanted = resolve(clip, request)  # a bad request must not wait behind hours of work
    clip.check_contents(absent=True)
    made_from = Provenance(
        kind="scene",
        inputs={"clip": folder_hash(folder, "clip")},
        config=msgspec.json.decode(msgspec.json.encode(request)),  # as a file gives it back
    )
    if is_finished(out, made_from):
        _tidy(out)
        return out
    clip.check_contents()
    _work(clip, wanted, request, made_from, out, began)
    # only now: until the folder had its name, a kill would have cost the training
    _tidy(out)
    return out


def _work(
    clip: Clip,
    wanted: ReconstructionConfig,
    request: ReconstructRequest,
    made_from: Provenance,
    out: Path,
    began: float,
) -> None:
    mine = partial_of(made_from)
    _check_resumable(partial_folder(out), mine)
    with phase("gathering depth evidence"):
        data = load_data(clip, wanted)  # before anything is written: a picture may be missing
    about: dict[str, object] = {}
    with writing(out, made_from, resumable=mine, about=about, unlisted=UNLISTED) as partial:
        config = _settled(partial, clip, wanted, request, made_from, data, began)
        with reporting(partial / LOG) as report:
            checkpoint = partial / CHECKPOINT
            model = train(clip, config, checkpoint=checkpoint, report=report, data=data)
        with phase("measuring road users' fields"):
            gains = measure_gains(scene_of(clip, config, model, Backend(config.backend), {}))
        with phase("estimating the light"):
            light = estimate_daylight(scene_of(clip, config, model, Backend(config.backend), gains))
        with phase("saving the scene"):
            write_scene(partial, out, clip, config, model, gains, light)
        fields = () if model.actor_fields is None else model.actor_fields.ids
        about |= {OWN_FIELDS: list(fields)}
        about |= {"renderer": RADIANCE_FIELD, "resolved": msgspec.to_builtins(config), **_machine()}


def _check_resumable(partial: Path, mine: Callable[[Path], bool]) -> None:
    """Refuse unfinished work that cannot be gone on with, before minutes of gathering evidence."""
    with system_errors_typed(partial):
        if partial.is_dir() and mine(partial):
            check_log(partial / LOG)
            if os.path.lexists(partial / CHECKPOINT):
                read_state(partial / CHECKPOINT)


def _tidy(out: Path) -> None:
    """Remove what only a resume would have needed."""
    with system_errors_typed(out):
        for name in UNLISTED:
            (out / name).unlink(missing_ok=True)


def _machine() -> dict[str, object]:
    """What else the bits of a scene depend on."""
    return {
        "torch": torch.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def _identity(made_from: Provenance) -> dict[str, object]:
    return {"inputs": dict(made_from.inputs), "config": dict(made_from.config)}


def partial_of(made_from: Provenance) -> Callable[[Path], bool]:
    """Whether unfinished work is that of a request; another's is not ours to remove."""

    def resumable(partial: Path) -> bool:
        if not (partial / REQUEST).exists():  # killed before it was written
            return False
        said = read_signed(partial / REQUEST, AFRESH)
        if {name: said.get(name) for name in ("inputs", "config")} != _identity(made_from):
            wrong = f"is the unfinished work of another request (see {REQUEST} in it)"
            fix = "that request again, another --out, or remove it"
            raise OtherlaneError(partial, wrong, fix)
        return True

    return resumable


def _settled(
    partial: Path,
    clip: Clip,
    config: ReconstructionConfig,
    request: ReconstructRequest,
    made_from: Provenance,
    data: Data,
    began: float,
) -> ReconstructionConfig:
    """The configuration, with the budget turned into steps once and kept for a resume."""
    path = partial / REQUEST
    if path.exists():
        said = read_signed(path, AFRESH).get("resolved")
        try:
            return msgspec.convert(said, ReconstructionConfig)
        except msgspec.ValidationError as error:
            raise OtherlaneError(path, f"is damaged ({error})", AFRESH) from error
    if request.budget is not None:
        left_s = parse_budget(request.budget) - (time.monotonic() - began)
        config = replace(config, steps=steps_within(clip, config, left_s, data))
        write_event(partial / LOG, "plan", {"steps": config.steps, "left_s": round(left_s, 2)})
    write_signed(path, {**_identity(made_from), "resolved": msgspec.to_builtins(config)})
    return config


def resolve(clip: Clip, request: ReconstructRequest) -> ReconstructionConfig:
    """The configuration of a request (a budget is not yet turned into steps).

    Raises:
        OtherlaneError: Naming the field that cannot be.
    """
    config = recipe(request.recipe, clip)
    if request.scale is not None and not 0 < request.scale <= 1:
        raise OtherlaneError("scale", f"is {request.scale}", "a number above 0, up to 1")
    if request.seed < 0:
        raise OtherlaneError("seed", f"is {request.seed}", "0 or more")
    if request.budget is not None:
        parse_budget(request.budget)
    wanted = None if request.backend is None else backend_named(request.backend)
    config = replace(
        config,
        scale=config.scale if request.scale is None else request.scale,
        holdout=request.holdout,
        holdout_first=request.holdout_first,
        train_share=request.train_share,
        train_cameras=request.train_cameras,
        seed=request.seed,
        backend=str(choose_backend(wanted)),
    )
    for stream, images in enumerate(clip.cameras):
        trained = select_frames(clip, config, stream)[0]
        if not len(trained) and images.name in (request.train_cameras or (images.name,)):
            wrong = "took all its pictures at moments that are held out"
            fix = "--holdout 0, another --holdout-first, or --train-cameras without it"
            raise OtherlaneError(f"camera {images.name}", wrong, fix)
        size = [round(side * config.scale) for side in (images.camera.width, images.camera.height)]
        if min(size) < SMALLEST_PX:
            wrong = f"{config.scale} makes pictures of {size[0]}x{size[1]} px"
            raise OtherlaneError("scale", wrong, f"at least {SMALLEST_PX} px")
    return config


def parse_budget(text: str) -> float:
    """Seconds of "90s", "5m" or "1h".

    Raises:
        OtherlaneError: Anything else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if found is None or float(found[1]) == 0:
        raise OtherlaneError("budget", f"is {text!r}", "a time such as 60s, 5m or 1h")
    return float(found[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[found[2]]
