"""One step of training in PyTorch: the definition of what every backend's step does."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from recon.config import ReconstructionConfig
from recon.field.model import Model, actor_grids
from recon.rendering.march import MarchOutput, Samples, march
from recon.training.losses import depth_evidence, photometric, sky_opacity, spread
from recon.training.ray_batch import Batch
from recon.training.state import Training


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StepPlan:
    """What the schedule and the random numbers say about one step."""

    growth: float
    """Length of a step along a ray over its distance."""
    shift: Float[Tensor, "rays"]
    """Share of a step by which each ray's are moved."""
    rate: float
    """Factor of all learning rates."""
    support: bool
    """Whether this step adds to the support statistics."""


def torch_step(
    training: Training, batch: Batch, config: ReconstructionConfig, plan: StepPlan
) -> tuple[dict[str, float], int]:
    """Take a step; returns the losses and how many samples of the static scene were looked at."""
    model, table = training.model, training.model.field.static.table
    instances, rays = training.instances(batch.rays)
    out, samples = march(
        model.field,
        rays,
        instances,
        sampling=config.sampling,
        growth=plan.growth,
        shift=plan.shift,
        termination=config.sampling.termination,
    )
    losses = _losses(model, batch, out, samples, config)
    total = sum(loss_weight(config, name) * loss for name, loss in losses.items())
    assert isinstance(total, Tensor)
    training.networks.zero_grad(set_to_none=True)
    tables = [(table, training.table)]
    tables += [
        (field.table, state)
        for field, state in zip(actor_grids(model), training.actor_tables, strict=True)
    ]
    for each, _ in tables:
        each.grad = None
    total.backward()
    training.networks.step()
    for each, state in tables:
        if each.grad is not None:  # no ray of the step may have met anything
            state.step(each, each.grad, config.learning_rate * plan.rate)
    training.occupancy.observe(samples.static.unit, samples.static.density)
    if plan.support:
        model.support.gather(batch.rays, samples, model.field.block)
    return {name: float(loss.detach()) for name, loss in losses.items()}, len(samples.static.ray)


def loss_weight(config: ReconstructionConfig, loss: str) -> float:
    """The factor of a loss in the sum that is minimised."""
    return 1.0 if loss == "photometric" else float(getattr(config.loss, loss))


def _losses(
    model: Model, batch: Batch, out: MarchOutput, samples: Samples, config: ReconstructionConfig
) -> dict[str, Tensor]:
    count = batch.pixel_rays
    exposure = batch.exposure(model.photometry)
    losses = {
        "photometric": photometric(out.linear[:count], exposure, batch.shown()),
        "distortion": spread(samples, config.sampling.far_m),
        "sky": sky_opacity(out.opacity[:count], batch.sky()),
    }
    if len(batch.depth_m):
        losses["depth"], losses["empty"] = depth_evidence(samples, batch.depth_m, count)
    return losses
