"""What training makes: a field, its photometry, and the memory of what was seen."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

from recon.actors.actor_fields import ActorFields
from recon.config import ReconstructionConfig
from recon.data.holdout import select_frames
from recon.data.training_data import actors_to_show
from recon.field.field import GridField, RadianceField
from recon.field.photometry import Photometry
from recon.field.poses import PoseCorrection
from recon.field.space import Block
from recon.kernels.backend import Backend, backend_device
from recon.training.observation import Observation
from recon.training.observation_grid import ObservationGrid
from scenes.clip import Clip

SUPPORT_RESOLUTION = 64
SMALLEST_CORE_M = 25.0
"""Even a car that stands still sees this far in metric space [m]."""
CORE_PER_METRE = 0.6
"""Half size of the core for each metre of drive: 65 m were best with 40 m (measured; an
elongated box was worse)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Model:
    """What training makes."""

    field: RadianceField
    photometry: Photometry
    support: ObservationGrid
    poses: PoseCorrection
    observation: Observation
    """What training pictures showed; filled when the training ends."""
    actor_fields: ActorFields | None = None
    """Road users that move; None where none has a field."""


def new_model(clip: Clip, config: ReconstructionConfig, backend: Backend | None = None) -> Model:
    """An untrained model whose block fits the drive, on the device of its backend.

    `backend` is what it will be used with; None is the one it is trained with.
    """
    backend = backend or Backend(config.backend)
    device = backend_device(backend)
    times, known = [], []
    for stream, images in enumerate(clip.cameras):
        frames = select_frames(clip, config, stream)[0]
        times.append(torch.from_numpy(images.time_us[frames]))
        known.append(torch.from_numpy(images.exposure[frames]))
    block = drive_block(clip, config.core_half_m)
    actors, actor_fields = actors_to_show(clip, config), None
    if config.actors is not None and actors:
        span = int(clip.ego.time_us[0]), int(clip.ego.time_us[-1])
        actor_fields = ActorFields(actors, span, config.actors, config.seed, backend).to(device)
    return Model(
        field=RadianceField(block, config.field, config.seed, backend).to(device),
        photometry=Photometry(times, known).to(device),
        support=ObservationGrid(SUPPORT_RESOLUTION).to(device),
        poses=PoseCorrection(times).to(device),
        observation=Observation(clip, config),
        actor_fields=actor_fields,
    )


def drive_block(clip: Clip, core_half_m: float | None) -> Block:
    """The block of a whole drive: centred on its path, as large as it is long."""
    low, high = _extent(clip)
    centre = 0.5 * (low + high)
    return Block(
        centre_m=(centre[0].item(), centre[1].item(), centre[2].item()),
        half_size_m=core_half_m or max(SMALLEST_CORE_M, CORE_PER_METRE * drive_length_m(clip)),
    )


def drive_length_m(clip: Clip) -> float:
    """How far the drive's poses are apart at the most, along the axes of the world [m]."""
    low, high = _extent(clip)
    return max(float(np.linalg.norm(high - low)), 1.0)


def _extent(clip: Clip) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    place = clip.ego.world_from_body[:, :3, 3]
    return place.min(axis=0), place.max(axis=0)


def actor_grids(model: Model) -> list[GridField]:
    """The fields of road users that move."""
    return (
        []
        if model.actor_fields is None
        else [model.actor_fields.field_of(i) for i in model.actor_fields.ids]
    )
