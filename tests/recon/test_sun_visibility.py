"""How much sun reaches somebody, by what stands in the way, and by the road beyond."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from recon.actors.placement import ActorModel
from recon.field.field import GridField
from recon.lighting.light_estimation import ROAD_ALBEDO
from recon.lighting.light_probes import sun_share
from recon.lighting.sun_visibility import UNSURE, _believed, sun_reaching
from recon.scene import Scene
from scenes.actor import Actor
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from tests.light_maker import TO_SUN, Ground, dim, lit_by, plain
from tests.scene_maker import tiny_config

SKY, GRASS = torch.full((3,), 0.4), torch.full((3,), 0.02)
SUN = torch.full((3,), 5.0)
AROUND = torch.pi * 0.4
LEAVES = (([-50.0, 4.0, 3.0], [50.0, 9.0, 8.0]),)
"""What the field takes for a wall, between the path and the sun."""


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    sunny = dim(sky=SKY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN)
    lit_by(monkeypatch, sunny)


def road(share: Float[Tensor, "n"] | float) -> Float[Tensor, "n 3"]:
    """Radiance of road that so much of the sun reaches."""
    level = AROUND + torch.as_tensor(share) * 5.0 * TO_SUN[2]
    return (ROAD_ALBEDO * level / torch.pi).reshape(-1, 1).repeat(1, 3)


def striped(bright: float, dark: float) -> Ground:
    """Road, half of which, a metre of two, is brighter."""

    def radiance(places: Float[Tensor, "n 3"], _: Tensor) -> Float[Tensor, "n 3"]:
        odd = (places[:, 0] % 2.0) < 1.0
        return torch.where(odd[:, None], road(bright), road(dark))

    return radiance


def flank(count: int = 81) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Points on the side that somebody turns to the sun, 1 m up: it falls on road behind him."""
    x = torch.linspace(4.0, 8.0, count)
    points = torch.stack([x, torch.full_like(x, 0.5), torch.ones(count)], dim=1)
    return points, torch.tensor([0.0, 1.0, 0.0]).expand(count, 3)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_leaves_let_as_much_through_as_the_road_beyond_has(share: float) -> None:
    scene = plain(lambda places, _: road(share).expand(len(places), 3), SKY, walls=LEAVES, wall=SKY)
    points, normals = flank()
    to_sun = torch.from_numpy(TO_SUN).float()
    assert float(sun_share(scene, points, normals, to_sun).max()) == 0.0
    # the leaves hide some of the sky from the road
    told = sun_reaching(scene, points, normals)
    assert float(told.std()) < 1e-6
    # of what the leaves leave, which is nothing, road has to be brighter to be believed
    believed = max(0.0, share - UNSURE) / (1.0 - UNSURE)
    assert float(told[0]) == pytest.approx(believed, abs=0.02)


def test_what_stands_around_keeps_light_from_the_road_too() -> None:
    """In a canyon with walls of 8 m, 8 m apart, road in its middle sees .447 of the sky."""
    walls = tuple(([-90.0, y, 0.0], [99.0, y + 0.5, 8.0]) for y in (4.0, -4.5))
    around = torch.pi * (0.447 * 0.4 + 0.553 * 0.1)
    half_lit = (ROAD_ALBEDO * (around + 0.5 * 4.0) / torch.pi) * torch.ones(3)
    scene = plain(half_lit, SKY, walls=walls, wall=torch.full((3,), 0.1))
    share = sun_reaching(scene, *flank())
    assert_close(share, torch.full((81,), (0.5 - UNSURE) / (1.0 - UNSURE)), atol=0.03, rtol=0.0)


@pytest.mark.parametrize("height_m", [0.05, 0.3, 0.45, 2.0])
def test_low_down_the_road_tells_as_well(height_m: float) -> None:
    scene = plain(road(0.0)[0], SKY)
    points, normals = flank()
    points[:, 2] = height_m
    assert_close(sun_reaching(scene, points, normals), torch.zeros(81))


def parked(scene: Scene, fielded: bool) -> Scene:
    """A car on the side that is turned from the sun, which can be taken away, or not."""
    pose = np.broadcast_to(np.eye(4), (2, 4, 4)).copy()
    pose[:, :3, 3] = [6.0, -1.2, 0.75]
    track = Trajectory(time_us=np.array([0, 2_000_000]), world_from_body=pose)
    car = Actor(id=3, kind=Semantic.CAR, size_m=np.array([9.0, 1.8, 1.5]), trajectory=track)
    field = GridField(tiny_config().field, torch.Generator().manual_seed(0))
    look = ActorModel(field=field, key_us=torch.arange(2), latent=None)
    clip = replace(scene.clip, actors=(car,))
    return replace(scene, clip=clip, actor_models={car.id: look} if fielded else {})


def test_the_shadow_of_a_parked_car_is_nobody_elses() -> None:
    points, normals = flank()
    dark = plain(road(0.0)[0], SKY)
    assert_close(sun_reaching(parked(dark, False), points, normals), torch.zeros(81))
    assert_close(sun_reaching(parked(dark, True), points, normals), torch.ones(81))


def test_ground_that_nobody_saw_says_nothing() -> None:
    scene = plain(road(0.0)[0], SKY)
    scene.model.support.hits.zero_()
    scene.model.support.seen_through.zero_()
    assert_close(sun_reaching(scene, *flank()), torch.ones(81))


def test_like_is_compared_with_like() -> None:
    left = torch.tensor([[1.0, 0.5, 0.5, 0.5, 0.0], [0.0, 0.5, 0.5, 0.5, 0.0]])
    told = torch.tensor([[1.0, 1.0, 0.0, 0.6, 0.3], [0.0, 1.0, 0.0, 0.6, 0.3]])
    is_told = torch.tensor([[True, True, True, True, True], [False, True, True, True, True]])
    wanted = torch.tensor([0.5, 1.0, 0.0, 0.5, 0.15 / 0.85])
    assert_close(_believed(left, told, is_told), wanted)


def test_spots_of_the_road_fall_on_who_stands_before_it() -> None:
    scene = plain(striped(1.0, 0.0), SKY)
    points, normals = flank()
    share = sun_reaching(scene, points, normals)
    odd = (points[:, 0] % 2.0) < 1.0
    inside = ((points[:, 0] % 1.0) - 0.5).abs() < 0.3  # edges are soft
    assert_close(share[inside], odd[inside].float(), atol=0.05, rtol=0)


def test_paint_is_no_more_than_the_whole_sun() -> None:
    scene = plain(striped(4.0, 1.0), SKY)
    assert_close(sun_reaching(scene, *flank()), torch.ones(81))


def beside() -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """The same, far from the path: nobody knows of what the ground is."""
    points, normals = flank()
    return points + torch.tensor([0.0, -12.0, 0.0]), normals


def test_off_the_road_what_stands_in_the_way_decides() -> None:
    leaves = tuple((_moved(low), _moved(high)) for low, high in LEAVES)
    for walls, share in (((), 1.0), (leaves, 0.0)):
        scene = plain(GRASS, SKY, walls=walls)
        assert_close(sun_reaching(scene, *beside()), torch.full((81,), share))


def _moved(corner: list[float]) -> list[float]:
    return [corner[0], corner[1] - 12.0, corner[2]]


def faint(patch: pytest.MonkeyPatch, to_sun: Float[Tensor, "3"]) -> None:
    """A sun of which the road tells nothing."""
    lit_by(patch, dim(sky=SKY, to_sun=to_sun, sun=0.2 * SUN))


def test_a_faint_sun_is_not_told_by_the_road(monkeypatch: pytest.MonkeyPatch) -> None:
    faint(monkeypatch, torch.from_numpy(TO_SUN).float())
    for walls, share in (((), 1.0), (LEAVES, 0.0)):
        scene = plain(GRASS, SKY, walls=walls)
        assert_close(sun_reaching(scene, *flank()), torch.full((81,), share))


def test_a_soft_edge_lies_where_the_sharp_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    to_sun = torch.from_numpy(TO_SUN).float()
    faint(monkeypatch, to_sun)
    scene = plain(GRASS, SKY, walls=(([-50.0, 6.0, 0.0], [50.0, 6.5, 8.0]),))
    y = torch.linspace(-6.0, 5.0, 111)
    points = torch.stack([torch.zeros(111), y, torch.zeros(111)], dim=1)
    up = torch.tensor([0.0, 0.0, 1.0]).expand(111, 3)
    sharp, soft = sun_share(scene, points, up, to_sun), sun_reaching(scene, points, up)
    assert set(sharp.tolist()) == {0.0, 1.0}
    assert bool(((soft > 0.0) & (soft < 1.0)).any())
    assert float(soft.sum()) == pytest.approx(float(sharp.sum()), rel=0.05)
    away = (points[:, 1] - points[sharp == 1.0][:, 1].max()).abs() > 1.2
    assert_close(soft[away], sharp[away])


@pytest.mark.parametrize("height", [0.001, 0.02, 0.3])
def test_a_low_sun_is_not_looked_for_in_the_ground(
    monkeypatch: pytest.MonkeyPatch, height: float
) -> None:
    to_sun = torch.tensor([(1.0 - height**2) ** 0.5, 0.0, height])
    faint(monkeypatch, to_sun)
    points, normals = torch.tensor([[0.0, 0.0, 0.6]]), torch.tensor([[1.0, 0.0, 0.0]])
    assert sun_reaching(plain(GRASS, SKY), points, normals).tolist() == [1.0]


def test_road_that_is_a_little_darker_than_the_rest_is_in_the_sun_all_the_same() -> None:
    scene = plain(striped(1.0, 0.86), SKY)
    assert_close(sun_reaching(scene, *flank()), torch.ones(81))


def test_for_nobody_there_is_nothing() -> None:
    points, normals = flank()
    assert sun_reaching(plain(GRASS, SKY), points[:0], normals[:0]).tolist() == []
