"""The training loop: rays in, a radiance field out.

Everything random is keyed by (seed, step), so a training that was killed and resumed gives what
one that ran through gives. Schedules count steps, never seconds.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.actors.actor_visibility import count_sightings
from recon.config import ReconstructionConfig
from recon.data.training_data import Data, load_data
from recon.field.model import Model
from recon.kernels.backend import Backend
from recon.kernels.engine_threads import engine_first
from recon.scene import Scene
from recon.training.checkpoint import load_state, save_state
from recon.training.observing import observe
from recon.training.occupancy_carving import emptied_cells
from recon.training.occupancy_refinement import refine_occupancy
from recon.training.ray_batch import draw_batch
from recon.training.state import Training, new_training
from recon.training.step import StepPlan, torch_step
from recon.training.step_native import native_step
from scenes.clip import Clip
from scenes.work.phases import phase

REFRESH_EVERY = 16
"""Steps between refreshes of the occupancy ..."""
REFRESH_STRIDE = 16
"""... each of every 16th cell, so that 256 steps see them all."""
SUPPORT_EVERY = 4
"""Every 4th step adds to the support statistics, once the geometry has settled ..."""
SUPPORT_AFTER = 0.5
"""... in this share of the steps."""
CHECKPOINT_SECONDS = 30.0
"""A killed training loses at most this much work; when it is saved changes no result."""
WARM_UP = 0.3
"""Share of the steps before the learning rate starts to fall."""
MORE_EACH, MORE_AT_MOST = 1.0 / 40.0, 1.0 / 3.0
"""Each vehicle that stands and has a field adds so much to the samples of a step, up to a share:
rays go on behind it, through other boxes and the static scene."""
MIN_RAYS, MAX_RAYS = 64, 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """One report from the loop."""

    step: int
    steps: int
    seconds: float
    """Of training so far, before a resume included."""
    psnr_db: float
    """Of recent training rays."""
    losses: dict[str, float]


def train(
    clip: Clip,
    config: ReconstructionConfig,
    *,
    checkpoint: Path | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    data: Data | None = None,
) -> Model:
    """Train a field on a clip.

    Args:
        clip: The recorded drive.
        config: Everything that decides the result.
        checkpoint: File for the state of the training; if it exists, training goes on from it.
        report: Called after every step.
        data: The clip's pixels, where the caller has them already.

    Returns:
        The trained model.
    """
    data = data or load_data(clip, config)
    training = new_training(clip, config, data)
    data = data.to(training.model.field.device)
    start, spent = 0, 0.0
    if checkpoint is not None and checkpoint.exists():
        start, spent = load_state(checkpoint, training, config)
    began = saved = time.perf_counter()
    recent = 0.0
    for step in range(start, config.steps):
        losses = train_step(training, data, config, step)
        now = time.perf_counter()
        newest = losses["photometric"]
        recent = newest if step == start else 0.95 * recent + 0.05 * newest
        report(
            Progress(
                step=step + 1,
                steps=config.steps,
                seconds=spent + now - began,
                psnr_db=-10.0 * float(np.log10(max(recent, 1e-10))),
                losses=losses,
            )
        )
        last = step + 1 == config.steps
        if checkpoint is not None and (last or now - saved > CHECKPOINT_SECONDS):
            save_state(checkpoint, training, config, step + 1, spent + now - began)
            saved = time.perf_counter()
    _finish(training, data, config)
    with phase("looking from where the pictures were taken"):
        backend = Backend(config.backend)
        observe(Scene(clip=clip, config=config, model=training.model, backend=backend))
    return training.model


def train_step(
    training: Training, data: Data, config: ReconstructionConfig, step: int
) -> dict[str, float]:
    """One step; returns the losses."""
    if training.native is None:
        return _step(training, data, config, step)
    with engine_first():
        return _step(training, data, config, step)


def _step(
    training: Training, data: Data, config: ReconstructionConfig, step: int
) -> dict[str, float]:
    generator = torch.Generator().manual_seed(_key(config.seed, step))
    batch = draw_batch(data, training.rays, config.loss.depth_share, generator, config.actors)
    plan = StepPlan(
        growth=_growth(config, step),
        shift=torch.rand(len(batch.rays), generator=generator),
        rate=_rate(config, step),
        support=step >= SUPPORT_AFTER * config.steps and step % SUPPORT_EVERY == 0,
    )
    for group in training.networks.param_groups:
        group["lr"] = group["base"] * plan.rate
    if config.pose_rate > 0.0:
        batch = batch.corrected(training.model.poses)
    run = torch_step if training.native is None else native_step
    losses, samples = run(training, batch, config, plan)
    training.model.photometry.fix_gauge()
    training.model.poses.fix_gauge()
    if training.model.actor_fields is not None and config.actors is not None:
        training.model.actor_fields.settle(config.actors.pose_decay)
    if step % REFRESH_EVERY == 0:
        _refresh(training, step, generator)
    training.rays = _adapted(training.rays, samples, wanted_samples(training, config))
    return losses


def wanted_samples(training: Training, config: ReconstructionConfig) -> int:
    """Samples of a step."""
    actor_fields = training.model.actor_fields
    standing = 0.0 if actor_fields is None else float((1.0 - actor_fields.moves).sum())
    return int(config.samples_per_step * (1.0 + min(MORE_EACH * standing, MORE_AT_MOST)))


def _adapted(rays: int, samples: int, wanted: int) -> int:
    """Rays for the next step, changed by a third at the most."""
    ideal = rays * wanted / max(samples, 1)
    return int(min(max(ideal, rays / 1.3, MIN_RAYS), rays * 1.3, MAX_RAYS))


def _growth(config: ReconstructionConfig, step: int) -> float:
    coarse = step < config.sampling.coarse_share * config.steps
    return config.sampling.coarse_growth if coarse else config.sampling.growth


def _refresh(training: Training, step: int, generator: torch.Generator) -> None:
    """Look again at a share of the cells of the occupancy, and settle which are empty."""
    occupancy = training.occupancy
    turn = (step // REFRESH_EVERY * 7) % REFRESH_STRIDE  # 7 visits all 16, spread out
    cells = torch.arange(turn, len(occupancy.density), REFRESH_STRIDE)
    # the CPU's random numbers, on every device
    points = occupancy.random_points(cells, generator).to(occupancy.density.device)
    cells = cells.to(points.device)
    occupancy.refresh(cells, _density(training, points))
    # a cell once lost is never looked at again: where evidence ends, always look
    occupancy.keep(training.known_cells)
    occupancy.settle()


def _finish(training: Training, data: Data, config: ReconstructionConfig) -> None:
    """Make the model ready for rendering."""
    with phase("counting what the pictures showed"):
        count_sightings(training, data, config)
    field, actor_fields = training.model.field, training.model.actor_fields
    side = 2 * training.occupancy.resolution
    emptied = emptied_cells(actor_fields, training.where, field.block, side)
    cameras_m = torch.cat([pixels.row_origin_m[:, 0] for pixels in data.pixels])
    with phase("carving empty space"):
        field.occupancy = refine_occupancy(
            training.occupancy, lambda unit: _density(training, unit), field.block, config.sampling,
            cameras_m, _key(config.seed, config.steps), emptied,
        )  # fmt: skip


@torch.no_grad()
def _density(training: Training, unit: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
    """Density of the static scene at points of the unit cube [1/m]."""
    if training.native is not None:
        return training.native.density(unit)
    return training.model.field.static.density(unit, None)[0]


def _rate(config: ReconstructionConfig, step: int) -> float:
    part = max(0.0, (step / config.steps - WARM_UP) / (1.0 - WARM_UP))
    return config.final_rate**part


def _key(seed: int, step: int) -> int:
    """A 63-bit seed that depends on both (torch.Generator takes one number)."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
