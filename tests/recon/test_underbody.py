"""What a vehicle's field shows under the vehicle is ground."""

import numpy as np
import pytest
import torch
from jaxtyping import Bool
from torch import Tensor

from recon.actors.placement import ActorModel, place_actors
from recon.actors.underbody import AXLE, BUMPER, SLACK_M, TYRE_M, under_vehicle
from recon.config import FieldConfig
from recon.field.field import GridField
from recon.lighting.box_shadows import CLEARANCE
from scenes.actor import Actor
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from tests.light_maker import NUMBER, box

SIZE_M = (4.0, 1.8, 1.5)
AXLE_M, BUMPER_M, CLEARANCE_M = AXLE * SIZE_M[0], BUMPER * SIZE_M[2], CLEARANCE * SIZE_M[2]
ASIDE, AHEAD = (0.0, -1.0, -0.05), (-1.0, 0.0, -0.05)
"""One looks at it from its left, and from before it."""


def is_underbody(
    places: list[tuple[float, float, float]],
    along: tuple[float, float, float] = ASIDE,
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
    look = ActorModel(field=field, key_us=torch.zeros(1, dtype=torch.int64), latent=None)
    times = torch.zeros(len(places), dtype=torch.int64)
    placed = place_actors({NUMBER: look}, (), (actor,), times)
    local = torch.tensor(places) - torch.tensor([0.0, 0.0, 0.5 * SIZE_M[2]])
    points = local @ pose[:3, :3].T + pose[:3, 3]
    directions = (torch.tensor(along) @ pose[:3, :3].T).expand_as(points)
    return placed.is_underbody(points, directions, torch.full((len(places),), instance))


@pytest.mark.parametrize("yaw", [0.0, 0.7, 3.0])
def test_between_the_wheels_what_is_low_is_ground(yaw: float) -> None:
    places = [(0.0, 0.9, 0.1), (0.0, 0.9, 0.2), (0.0, 0.9, -0.05)]
    assert is_underbody(places, yaw=yaw).tolist() == [True, False, True]


@pytest.mark.parametrize("yaw", [0.0, 2.0])
def test_bumpers_end_higher(yaw: float) -> None:
    end = 0.5 * SIZE_M[0]
    places = [(end, 0.0, z) for z in (CLEARANCE_M + 0.01, BUMPER_M - 0.01, BUMPER_M + 0.01)]
    assert is_underbody(places, AHEAD, yaw).tolist() == [True, True, False]
    beyond = [(end + 0.2, 0.0, BUMPER_M - 0.01), (0.0, 0.9, CLEARANCE_M + 0.01)]
    assert is_underbody(beyond, AHEAD, yaw).tolist() == [True, False]


def test_wheels_reach_down_to_the_road() -> None:
    places = [(x * AXLE_M, 0.9, z) for x in (-1.0, 1.0) for z in (0.05, 0.01)]
    assert is_underbody(places).tolist() == [False, True, False, True]


def test_from_before_it_one_sees_wheels_on_the_sides_and_the_road_between() -> None:
    end = 0.5 * SIZE_M[0]
    places = [(end, y, 0.12) for y in (-0.8, -0.5, 0.0, 0.5, 0.8)]
    assert is_underbody(places, AHEAD).tolist() == [False, True, True, True, False]
    # who looks steeply down there sees road before the wheel
    assert is_underbody([(end, 0.8, 0.12)], (-1.0, 0.0, -1.0)).tolist() == [True]


def test_wheels_are_met_a_little_beside_and_before_where_a_field_has_a_surface() -> None:
    inner = 0.5 * SIZE_M[1] - TYRE_M
    behind = [(AXLE_M, inner - away, 0.1) for away in (0.1, SLACK_M + 0.1)]
    assert is_underbody(behind, (0.0, -1.0, -0.3)).tolist() == [False, True]
    assert is_underbody([(AXLE_M, 0.53 * SIZE_M[1], 0.1)], (0.0, -1.0, -2.0)).tolist() == [False]


def test_what_is_shorter_than_its_wheels_has_no_bumpers() -> None:
    low = torch.tensor([[0.0, 0.0, 0.13], [0.0, 0.0, 0.11]])
    along = torch.tensor([[0.0, 0.0, -1.0]]).repeat(2, 1)
    for length in (1.0, 1.65):
        found = under_vehicle(low, along, torch.tensor([length, 1.5, 1.2]))
        assert found.tolist() == [False, True]


def test_only_fields_that_were_learnt_from_pictures_of_vehicles() -> None:
    low = [(0.0, 0.9, 0.05)]
    for kind in (Semantic.CAR, Semantic.VAN, Semantic.TRUCK, Semantic.BUS):
        assert is_underbody(low, kind=kind).tolist() == [True]
    for kind in (Semantic.PERSON, Semantic.CYCLIST, Semantic.TRAM, Semantic.OTHER_ACTOR):
        assert is_underbody(low, kind=kind).tolist() == [False]
    assert is_underbody(low, instance=0).tolist() == [False]
    assert is_underbody(low, material=True).tolist() == [False]
