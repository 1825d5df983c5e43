"""What a vehicle's field shows under the vehicle is ground."""

import numpy as np
import pytest
import torch
from jaxtyping import Bool
from torch import Tensor

from recon.config import FieldConfig
from recon.field import GridField
from recon.staged import Look, stage
from scenes.actor import Actor
from scenes.semantics import Semantic
from scenes.trajectory import Trajectory
from tests.light_maker import NUMBER, box

SIZE_M = (4.0, 1.8, 1.5)
AXLE_M = 0.3 * SIZE_M[0]


def underneath(
    places: list[tuple[float, float, float]],
    yaw: float = 0.0,
    instance: int = 1,
    kind: Semantic = Semantic.CAR,
    *,
    material: bool = False,
) -> Bool[Tensor, "n"]:
    """Of places in the frame of somebody who stands on the ground, heights over its foot."""
    pose, size_m = box(12.0, 3.0, SIZE_M, yaw)
    field = GridField(FieldConfig(material=material), torch.Generator().manual_seed(0))
    poses = pose.double().numpy()[None].repeat(2, axis=0)
    track = Trajectory(time_us=np.array([0, 1_000_000]), world_from_body=poses)
    actor = Actor(id=NUMBER, kind=kind, size_m=size_m.double().numpy(), trajectory=track)
    look = Look(field=field, key_us=torch.zeros(1, dtype=torch.int64), latent=None)
    times = torch.zeros(len(places), dtype=torch.int64)
    staged = stage({NUMBER: look}, (), (actor,), times)
    local = torch.tensor(places) - torch.tensor([0.0, 0.0, 0.5 * SIZE_M[2]])
    points = local @ pose[:3, :3].T + pose[:3, 3]
    return staged.underneath(points, torch.full((len(places),), instance))


@pytest.mark.parametrize("yaw", [0.0, 0.7, 3.0])
def test_between_the_wheels_what_is_low_is_ground(yaw: float) -> None:
    places = [(0.0, 0.9, 0.1), (0.0, 0.9, 0.2), (-1.95, 0.0, 0.1), (0.0, 0.9, -0.05)]
    assert underneath(places, yaw).tolist() == [True, False, True, True]


def test_wheels_reach_down_to_the_road() -> None:
    places = [(x * AXLE_M, 0.9, z) for x in (-1.0, 1.0) for z in (0.05, 0.01)]
    assert underneath(places).tolist() == [False, True, False, True]


def test_only_fields_that_were_learnt_from_pictures_of_vehicles() -> None:
    low = [(0.0, 0.9, 0.05)]
    for kind in (Semantic.CAR, Semantic.VAN, Semantic.TRUCK, Semantic.BUS):
        assert underneath(low, kind=kind).tolist() == [True]
    for kind in (Semantic.PERSON, Semantic.CYCLIST, Semantic.TRAM, Semantic.OTHER_ACTOR):
        assert underneath(low, kind=kind).tolist() == [False]
    assert underneath(low, instance=0).tolist() == [False]
    assert underneath(low, material=True).tolist() == [False]
