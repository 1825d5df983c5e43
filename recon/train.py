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
from torch import Tensor

from recon.batch import Batch, draw_batch
from recon.checkpoint import load_state, save_state
from recon.config import ReconstructionConfig
from recon.evidence import Data, load_data
from recon.losses import depth_evidence, photometric, sky_opacity, spread
from recon.march import MarchOutput, Samples, march
from recon.model import Model
from recon.training import Training, new_training
from scenes.clip import Clip

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
CALIBRATION_STEPS = 12
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
    return training.model


def steps_within(clip: Clip, config: ReconstructionConfig, seconds: float, data: Data) -> int:
    """How many steps fit in `seconds` here: measured once, before training, on a throwaway."""
    training = new_training(clip, config, data)
    times = []
    for step in range(CALIBRATION_STEPS):
        began = time.perf_counter()
        train_step(training, data, config, step)
        times.append(time.perf_counter() - began)
    typical = float(np.median(times[CALIBRATION_STEPS // 3 :]))
    return max(1, int(seconds / typical))


def train_step(
    training: Training, data: Data, config: ReconstructionConfig, step: int
) -> dict[str, float]:
    """One step; returns the losses."""
    model, table = training.model, training.model.field.static.table
    generator = torch.Generator().manual_seed(_key(config.seed, step))
    batch = draw_batch(data, training.rays, config.loss.depth_share, generator)
    rate = _rate(config, step)
    for group in training.networks.param_groups:
        group["lr"] = group["base"] * rate
    out, samples = march(
        model.field,
        batch.rays,
        sampling=config.sampling,
        growth=_growth(config, step),
        generator=generator,
        termination=config.sampling.termination,
    )
    losses = _losses(model, batch, out, samples, config)
    total = sum(_weight(config, name) * loss for name, loss in losses.items())
    assert isinstance(total, Tensor)
    training.networks.zero_grad(set_to_none=True)
    table.grad = None
    total.backward()
    training.networks.step()
    if table.grad is not None:  # no ray of the step may have met anything
        training.table.step(table, table.grad, config.learning_rate * rate)
    model.photometry.fix_gauge()
    _remember(training, batch, samples, config, step, generator)
    training.rays = _adapted(training.rays, len(samples.static.ray), config.samples_per_step)
    return {name: float(loss.detach()) for name, loss in losses.items()}


def _adapted(rays: int, samples: int, wanted: int) -> int:
    """Rays for the next step, changed by a third at the most."""
    ideal = rays * wanted / max(samples, 1)
    return int(min(max(ideal, rays / 1.3, MIN_RAYS), rays * 1.3, MAX_RAYS))


def _growth(config: ReconstructionConfig, step: int) -> float:
    coarse = step < config.sampling.coarse_share * config.steps
    return config.sampling.coarse_growth if coarse else config.sampling.growth


def _weight(config: ReconstructionConfig, loss: str) -> float:
    return 1.0 if loss == "photometric" else float(getattr(config.loss, loss))


def _losses(
    model: Model, batch: Batch, out: MarchOutput, samples: Samples, config: ReconstructionConfig
) -> dict[str, Tensor]:
    shown, exposure, sky = [], [], []
    for pixels, drawn in batch.pixels:
        frame = drawn.div(len(pixels.directions), rounding_mode="floor")
        shown.append(pixels.srgb.flatten(0, 1)[drawn].float() / 255.0)
        sky.append(pixels.sky.flatten()[drawn])
        exposure.append(model.photometry.gain(pixels.stream, frame))
    count = batch.pixel_rays
    losses = {
        "photometric": photometric(out.linear[:count], torch.cat(exposure), torch.cat(shown)),
        "distortion": spread(samples, config.sampling.far_m),
        "sky": sky_opacity(out.opacity[:count], torch.cat(sky)),
    }
    if len(batch.depth_m):
        losses["depth"], losses["empty"] = depth_evidence(samples, batch.depth_m, count)
    return losses


def _remember(
    training: Training,
    batch: Batch,
    samples: Samples,
    config: ReconstructionConfig,
    step: int,
    generator: torch.Generator,
) -> None:
    """Feed the occupancy, and the support statistics once the geometry has settled."""
    model = training.model
    occupancy = model.field.occupancy
    with torch.no_grad():
        occupancy.observe(samples.static.unit, samples.static.density)
        if step % REFRESH_EVERY == 0:
            turn = (step // REFRESH_EVERY * 7) % REFRESH_STRIDE  # 7 visits all 16, spread out
            cells = torch.arange(turn, len(occupancy.density), REFRESH_STRIDE)
            points = occupancy.random_points(cells, generator)
            occupancy.refresh(cells, model.field.static.density(points, None)[0])
            # a cell once lost is never looked at again: where evidence ends, always look
            occupancy.keep(training.known_cells)
    if step >= SUPPORT_AFTER * config.steps and step % SUPPORT_EVERY == 0:
        model.support.gather(batch.rays, samples, model.field.block)


def _rate(config: ReconstructionConfig, step: int) -> float:
    part = max(0.0, (step / config.steps - WARM_UP) / (1.0 - WARM_UP))
    return config.final_rate**part


def _key(seed: int, step: int) -> int:
    """A 63-bit seed that depends on both (torch.Generator takes one number)."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
