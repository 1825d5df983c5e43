"""Rays, instances and steps for tests of `recon.rendering.march`; all in float64."""

import numpy as np
import torch

from recon.config import SamplingConfig
from recon.field.field import GridField, Instance, RadianceField
from recon.rendering.march import MarchOutput, march
from recon.rendering.rays import Rays
from scenes.motion.geometry import invert, rigid, rotation_exp
from tests.scene_maker import tiny_field_config

SAMPLING = SamplingConfig(
    near_m=0.5, far_m=60.0, min_step_m=0.5, instance_samples=16, colour_threshold=0.0
)
GROWTH = 0.15


def bundle(count: int = 5, spread: float = 0.3) -> Rays:
    """Rays from the origin, roughly along x."""
    random = torch.Generator().manual_seed(3)
    along = torch.tensor([1.0, 0.0, 0.0]) + spread * (torch.rand(count, 3, generator=random) - 0.5)
    return Rays(
        origins_m=torch.zeros(count, 3, dtype=torch.float64),
        directions=torch.nn.functional.normalize(along, dim=1).double(),
        pixel_angle=torch.full((count,), 0.01, dtype=torch.float64),
    )


def look(
    field: RadianceField,
    rays: Rays,
    instances: tuple[Instance, ...] = (),
    termination: float = 0.0,
) -> MarchOutput:
    """What `march` shows, without gradients."""
    with torch.no_grad():
        out, _ = march(
            field, rays, instances, sampling=SAMPLING, growth=GROWTH, termination=termination
        )
    return out


def boxed(
    world_from_box: np.ndarray, number: int, seed: int = 5, size_m: tuple[float, ...] = (4, 2, 1.5)
) -> Instance:
    """A part with a dense field of its own in a box."""
    size, scale = np.array(size_m), np.eye(4)
    scale[:3, :3] = np.diag(1.0 / size)
    scale[:3, 3] = 0.5
    affine = (scale @ invert(world_from_box))[:3]
    part = GridField(tiny_field_config(), torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        part.table.mul_(1e4)
        part.log_initial += 5.0
    return Instance(field=part, unit_from_world=torch.from_numpy(affine)[None], id=number)


def at(*place_m: float, turn: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """`world_from_box` of a box at a place, turned."""
    return rigid(rotation_exp(np.array(turn)), np.array(place_m))
