"""Fields of materials: what they say of surfaces, and what light makes of that."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

import recon.lighting.relighting
from recon.actors.actor_fields import unit_from_box
from recon.actors.placement import PlacedActors
from recon.config import FieldConfig
from recon.field.field import GridField, Instance, RadianceField
from recon.field.material import POLISHED, Material, material_of
from recon.field.space import Block
from recon.lighting.relighting import OFF_M, relit
from recon.lighting.specular import Sight, sight_of
from recon.rendering.rays import Rays
from tests.light_maker import NUMBER, TO_SUN, Plain, box, dim, lit_by, plain, seen

ALBEDO = torch.tensor([0.5, 0.3, 0.1])
GREY = torch.tensor([0.30, 0.25, 0.20])
SUN = torch.tensor([6.0, 5.0, 4.0])
HIGH_M = 30.0
"""So high over the plain that a box throws no shadow on what lights it."""


class Painted(GridField):
    """Solid, of one colour; its normals point up in the frame of its box."""

    def __init__(self, mirror: float, openness: float) -> None:
        config = FieldConfig(material=True)
        super().__init__(config, torch.Generator().manual_seed(0))
        self.mirror, self.openness = mirror, openness

    def density(
        self,
        unit: Float[Tensor, "n 3"],
        footprint: Float[Tensor, "n"] | None,
        latent: Float[Tensor, "n latents"] | None = None,
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n g"]]:
        del footprint, latent
        return torch.full((len(unit),), 500.0), unit.new_zeros(len(unit), 16)

    def radiance(
        self, geometry: Float[Tensor, "n g"], directions: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n c"]:
        assert_close(directions.norm(dim=1), torch.ones(len(directions)))
        return ALBEDO.expand(len(geometry), 3)

    def material(
        self, geometry: Float[Tensor, "n g"], directions: Float[Tensor, "n 3"]
    ) -> Material:
        assert len(geometry) == len(directions)
        count = len(directions)
        return Material(
            mirror=torch.full((count,), self.mirror),
            openness=torch.full((count,), self.openness),
            normal=torch.tensor([[0.0, 0.0, 1.0]]).repeat(count, 1),
        )


def lit(
    scene: Plain,
    directions: Float[Tensor, "n 3"],
    mirror: float = 0.0,
    openness: float = 1.0,
    share: float = 1.0,
) -> Float[Tensor, "n 3"]:
    """The roof of somebody high up, seen along some directions from 3 m away, before white."""
    pose, size_m = box(12.0, 0.0)
    pose[2, 3] = HIGH_M
    affine = unit_from_box(size_m) @ torch.linalg.inv(pose)
    roof = pose[:3, 3] + torch.tensor([0.0, 0.0, 0.5]) * size_m
    behind = (1.0 - share) * torch.ones(len(directions), 3)  # materials themselves emit nothing
    out = replace(seen(torch.full((len(directions),), share)), linear=behind)
    placed = PlacedActors(
        instances=(
            Instance(field=Painted(mirror, openness), unit_from_world=affine[None], id=NUMBER),
        ),
        moment=torch.zeros(len(directions), dtype=torch.int64),
        hits=(None,),
        lights=(None,),
        modelled=frozenset({NUMBER}),
    )
    rays = Rays(
        origins_m=roof - 3.0 * directions,
        directions=directions,
        pixel_angle=torch.full((len(directions),), 1e-3),
    )
    nothing = torch.full((len(directions), 3), torch.nan)
    return relit(scene, rays, out, nothing, placed, {NUMBER: (pose, size_m)})


@pytest.fixture
def real_sights(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Light of a test's own, but sights as they are."""

    def use(light: object) -> None:
        lit_by(monkeypatch, light)  # pyright: ignore[reportArgumentType]
        monkeypatch.setattr(recon.lighting.relighting, "sight_of", sight_of)

    return use  # pyright: ignore[reportReturnType]


STRAIGHT = torch.tensor([[0.0, 0.0, -1.0]])
SLANTED = torch.tensor([[0.8, 0.0, -0.6]])


def test_the_static_scene_is_not_made_of_materials() -> None:
    block = Block(centre_m=(0.0, 0.0, 0.0), half_size_m=10.0)
    with pytest.raises(ValueError, match="only instances"):
        RadianceField(block, FieldConfig(material=True), 0)


def test_matt_paint_sends_back_its_albedo_of_the_light(real_sights) -> None:
    real_sights(dim(sky=GREY))
    found = lit(plain(2.0 * GREY, GREY), torch.cat([STRAIGHT, SLANTED]))
    assert_close(found, (ALBEDO * GREY).expand(2, 3), rtol=0.02, atol=0.0)


def test_in_the_sun_it_sends_back_that_too(real_sights) -> None:
    real_sights(dim(sky=GREY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN))
    found = lit(plain(GREY, GREY, thickness=0.0), STRAIGHT)
    assert_close(found[0], ALBEDO * (GREY + 0.8 * SUN / torch.pi), rtol=0.02, atol=0.0)


def test_it_gets_as_much_sun_as_it_and_others_let_pass(real_sights) -> None:
    real_sights(dim(sky=GREY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN))
    found = lit(plain(GREY, GREY, thickness=0.75), STRAIGHT)
    assert_close(found[0], ALBEDO * (GREY + 0.25 * 0.8 * SUN / torch.pi), rtol=0.02, atol=0.0)


def test_its_own_shadow_is_looked_for_from_as_far_off_as_it_is_known(
    real_sights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The roof is 3 m away, and a pixel there 3 mm wide."""
    real_sights(dim(sky=GREY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN))
    starts = []

    def sun_past(_: Plain, points: Tensor, *__: object) -> Tensor:
        starts.append(points)
        return torch.ones(len(points))

    monkeypatch.setattr(recon.lighting.relighting, "sun_past", sun_past)
    lit(plain(GREY, GREY), SLANTED)
    roof_m = HIGH_M + 0.5 * 1.5
    assert float(starts[0][0, 2]) == pytest.approx(roof_m + 0.6 * (OFF_M + 3e-3), abs=1e-3)


def test_what_is_less_open_gets_less_of_the_sky_but_all_of_the_sun(real_sights) -> None:
    sun = {"to_sun": torch.from_numpy(TO_SUN).float(), "sun": SUN}
    real_sights(dim(sky=GREY, **sun))
    found = lit(plain(GREY, GREY, thickness=0.0), STRAIGHT, openness=0.25)
    assert_close(found[0], ALBEDO * (0.25 * GREY + 0.8 * SUN / torch.pi), rtol=0.02, atol=0.0)


def test_polish_mirrors_what_comes_from_there_and_keeps_as_much_from_its_colour(
    real_sights,
) -> None:
    sky = torch.tensor([0.1, 0.2, 0.9])
    real_sights(dim(sky=sky))
    found = lit(plain(GREY, sky), torch.cat([STRAIGHT, SLANTED]), mirror=0.05)
    share = torch.tensor([[0.05], [0.05 + 0.95 * 0.4**5]])
    wanted = (1.0 - share) * ALBEDO * sky + share * sky
    assert_close(found, wanted, rtol=0.02, atol=0.0)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7])
def test_in_the_dark_a_rim_shows_what_is_behind_it_alone(real_sights, share: float) -> None:
    """However little of a pixel it is, none of its albedo shines."""
    real_sights(dim())
    dark = plain(0.0 * GREY, 0.0 * GREY)
    assert_close(lit(dark, STRAIGHT, mirror=0.05, share=share), torch.full((1, 3), 1.0 - share))


@given(st.floats(0.0, 0.1), st.floats(0.0, 1.0))
def test_no_more_is_mirrored_than_comes(mirror: float, facing: float) -> None:
    one = Material(mirror=torch.tensor([mirror]), openness=torch.ones(1), normal=torch.eye(3)[:1])
    share = float(one.mirrored(torch.tensor([facing])))
    assert 0.0 <= share <= 1.0
    if mirror >= POLISHED:
        assert share == pytest.approx(mirror + (1.0 - mirror) * (1.0 - facing) ** 5, abs=1e-6)


def test_matt_mirrors_nothing_even_at_a_grazing_angle() -> None:
    matt = Material(mirror=torch.zeros(1), openness=torch.ones(1), normal=torch.eye(3)[:1])
    assert float(matt.mirrored(torch.zeros(1))) == 0.0


@given(st.lists(st.floats(-30.0, 30.0), min_size=5, max_size=5))
def test_outputs_of_the_network_become_what_can_be(raw: list[float]) -> None:
    found = material_of(torch.tensor([raw]))
    assert 0.0 <= float(found.mirror) <= 0.1 + 1e-6
    assert 0.0 <= float(found.openness) <= 1.5 + 1e-6
    length = float(found.normal.norm())
    assert length <= 1.0 + 1e-5
    assert max(map(abs, raw[2:])) < 1e-3 or math.isclose(length, 1.0, abs_tol=1e-5)


@pytest.mark.parametrize(
    ("along", "wanted"),
    [
        ([0.0, -1.0, 0.0], [0.0, 1.0, 0.0]),
        ([0.0, 1.0, 0.0], [0.0, -1.0, 0.0]),  # straight from behind there is no better one
        ([0.8, -0.6, 0.0], [0.0, 1.0, 0.0]),
        ([0.8, 0.6, 0.0], [-0.6, 0.8, 0.0]),  # edge on
    ],
)
def test_normals_are_the_worlds_and_never_face_away(
    along: list[float], wanted: list[float]
) -> None:
    """Its up is to the left of the world."""
    pose, size_m = box(0.0, 0.0)
    pose[:3, :3] = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    pose[:3, 3] = 0.0
    item = Instance(
        field=Painted(0.0, 1.0),
        unit_from_world=(unit_from_box(size_m) @ torch.linalg.inv(pose))[None],
        id=NUMBER,
    )
    way = torch.tensor([along])
    rays = Rays(origins_m=-3.0 * way, directions=way, pixel_angle=torch.full((1,), 1e-3))
    sight: Sight = sight_of(item, rays, torch.full((1,), 2.3), torch.zeros(1, 3), 96)
    assert sight.material is not None
    assert_close(sight.material.normal, torch.tensor([wanted]), atol=2e-3, rtol=0.0)
    assert float(-way @ sight.material.normal[0]) > 0.0
