"""Who comes from elsewhere is lit by the light of here, and throws a shadow on the ground."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from recon.actors.placement import CapturedLight
from recon.field.model import new_model
from recon.kernels.backend import Backend
from recon.lighting.irradiance import Cube
from recon.lighting.light_estimation import LAMP_M, ROAD_ALBEDO, headlamp
from recon.lighting.relighting import MOST, captured_light, relit
from recon.rendering.rays import Rays
from recon.scene import Scene
from tests.light_maker import (
    NUMBER,
    TO_SUN,
    WHITE,
    Plain,
    box,
    dim,
    drive,
    lit_by,
    plain,
    seen,
    staged_with,
)
from tests.scene_maker import tiny_config

GREY = torch.tensor([0.30, 0.25, 0.20])
SUN = torch.tensor([6.0, 5.0, 4.0])
UP, LEFT, RIGHT, BACK = (
    torch.tensor(each) for each in ([0.0, 0, 1], [0.0, 1, 0], [0.0, -1, 0], [-1.0, 0, 0])
)
WHO = box(12.0, 0.0)


def shown(
    scene: Plain,
    normals: Sequence[Float[Tensor, "3"]],
    made: Cube | CapturedLight | None,
    share: Sequence[float] | None = None,
) -> Float[Tensor, "n 3"]:
    """The white sides of `WHO` with these normals, relit, each seen from 3 m before it."""
    facing = torch.stack(list(normals))
    straight = torch.where(torch.isfinite(facing), facing, BACK)
    half_m = 0.5 * WHO[1] + 1e-3
    eyes = WHO[0][:3, 3] + straight * (half_m + 3.0)
    out = seen(torch.ones(len(facing)) if share is None else torch.tensor(share))
    return relit(
        scene, with_angles(eyes, -straight), out, facing, staged_with(made), {NUMBER: WHO},
    )  # fmt: skip


def with_angles(origins: Tensor, directions: Tensor) -> Rays:
    """Rays whose pixels span nothing."""
    return Rays(origins_m=origins, directions=directions, pixel_angle=torch.zeros(len(origins)))


def even_light(radiance: Float[Tensor, "3"]) -> Cube:
    return torch.pi * radiance.expand(6, 3)


@pytest.mark.parametrize("factor", [(1.0, 1.0, 1.0), (0.25, 0.5, 2.0), (8.0, 0.1, 3.0)])
def test_it_is_as_much_brighter_as_the_light_on_it(
    factor: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    lit_by(monkeypatch, dim(sky=GREY))
    found = shown(plain(GREY, GREY), [UP], even_light(GREY / torch.tensor(factor)))
    assert_close(found, WHITE * torch.tensor([factor]), rtol=1e-4, atol=0.0)


def test_nobody_gets_more_than_so_many_times_brighter_or_darker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lit_by(monkeypatch, dim(sky=GREY))
    scene = plain(GREY, GREY)
    assert_close(shown(scene, [UP], even_light(1e-4 * GREY)), MOST * WHITE[None])
    assert_close(shown(scene, [UP], even_light(1e4 * GREY)), WHITE[None] / MOST)


def test_every_side_has_its_own_light(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made in light from the left is dark on the right; here light is even."""
    high = WHO[0].clone()
    high[2, 3] = 5.0
    lit_by(monkeypatch, dim(sky=GREY))
    made = even_light(GREY).clone()
    made[2], made[3] = 2.0 * made[2], 0.5 * made[3]
    diagonal = torch.tensor([0.0, 0.6, 0.8])
    normals = torch.stack([LEFT, RIGHT, diagonal])
    out = seen(torch.ones(3))
    eyes = high[:3, 3] + 4.0 * normals
    found = relit(
        plain(GREY, GREY), with_angles(eyes, -normals), out, normals, staged_with(made),
        {NUMBER: (high, WHO[1])},
    )  # fmt: skip
    wanted = torch.tensor([0.5, 2.0, 1.0 / (0.36 * 2.0 + 0.64)])
    assert_close(found, WHITE * wanted[:, None], rtol=1e-4, atol=0.0)


def test_the_light_that_it_brings_turns_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lit_by(monkeypatch, dim(sky=GREY))
    turned = box(12.0, 0.0, yaw=0.5 * torch.pi)
    turned[0][2, 3] = 5.0
    made = even_light(GREY).clone()
    made[0] *= 4.0  # its nose, which points to the left of the world
    normals = torch.stack([LEFT, RIGHT])
    rays = with_angles(turned[0][:3, 3] + 5.0 * normals, -normals)
    out, placed = seen(torch.ones(2)), staged_with(made)
    found = relit(plain(GREY, GREY), rays, out, normals, placed, {NUMBER: turned})
    assert_close(found, WHITE * torch.tensor([[0.25], [1.0]]), rtol=1e-4, atol=0.0)


def test_who_is_at_home_keeps_its_light(monkeypatch: pytest.MonkeyPatch) -> None:
    lit_by(monkeypatch, dim(sky=GREY))
    scene, out = plain(GREY, GREY), seen(torch.ones(1))
    assert_close(shown(scene, [UP], None), WHITE[None])
    rays = with_angles(WHO[0][None, :3, 3] + 4.0 * UP, -UP[None])
    made = even_light(0.1 * GREY)
    assert torch.equal(relit(scene, rays, out, UP[None], staged_with(made), {}), out.linear)
    other = replace(out, instance_weights=torch.tensor([[0.0, 1.0, 0.0]]))
    both = staged_with(None, made)
    boxes = {NUMBER: WHO, NUMBER + 1: WHO}
    assert torch.equal(relit(scene, rays, other, UP[None], both, boxes), other.linear)


def test_on_its_rim_a_pixel_changes_by_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    lit_by(monkeypatch, dim(sky=GREY))
    share = [1.0, 0.75, 0.25, 0.01, 0.0]
    found = shown(plain(GREY, GREY), [UP] * 5, even_light(0.25 * GREY), share)
    wanted = 1.0 + torch.tensor([1.0, 0.75, 0.25, 0.0, 0.0]) * 3.0
    assert_close(found, WHITE * wanted[:, None], rtol=1e-4, atol=0.0)


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_a_surface_without_a_normal_faces_whoever_looks(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    lit_by(monkeypatch, dim(sky=GREY, to_sun=torch.tensor([-0.6, 0.0, 0.8]), sun=SUN))
    scene, nothing = plain(GREY, GREY), torch.full((3,), torch.nan)
    found = shown(scene, [nothing], even_light(GREY), [share])
    assert bool(torch.isfinite(found).all())
    assert_close(found, shown(scene, [BACK], even_light(GREY), [share]))


def test_the_sun_shines_on_the_side_that_faces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    to_sun, scene, made = torch.from_numpy(TO_SUN).float(), plain(GREY, GREY), even_light(GREY)
    normals = [UP, LEFT, RIGHT, BACK]
    lit_by(monkeypatch, dim(sky=GREY, to_sun=to_sun))
    cloudy = shown(scene, normals, made)
    lit_by(monkeypatch, dim(sky=GREY, to_sun=to_sun, sun=SUN))
    more = (shown(scene, normals, made) - cloudy) / WHITE * (torch.pi * GREY)
    assert_close(more[:2], torch.tensor([[0.8], [0.6]]) * SUN, rtol=0.05, atol=0.0)
    assert bool((more[2:] < 0.05).all())


def test_behind_a_wall_there_is_no_sun(monkeypatch: pytest.MonkeyPatch) -> None:
    to_sun, made, normals = torch.from_numpy(TO_SUN).float(), even_light(GREY), [UP, LEFT, BACK]
    wall, road = ([-50.0, 4.0, 0.0], [60.0, 5.0, 40.0]), ROAD_ALBEDO * GREY
    shady = plain(road, GREY, walls=(wall,), wall=GREY)
    lit_by(monkeypatch, dim(sky=GREY, to_sun=to_sun))
    cloudy = shown(shady, normals, made)
    lit_by(monkeypatch, dim(sky=GREY, to_sun=to_sun, sun=SUN))
    assert_close(shown(shady, normals, made), cloudy, rtol=0.01, atol=0.0)


def test_what_is_mirrored_is_as_bright_as_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pane seen from below mirrors the sky, one seen from above the ground; in no sun."""
    red, blue = torch.tensor([0.4, 0.05, 0.05]), torch.tensor([0.05, 0.05, 0.6])
    lit_by(monkeypatch, dim(sky=blue, to_sun=torch.tensor([-1.0, 0.0, 0.0]), sun=SUN), specular=1.0)
    scene, made = plain(red, blue), even_light(GREY)
    point = torch.tensor([10.0, 0.0, 3.0])
    for up, wanted in ((0.8, blue), (-0.8, red)):
        way = torch.tensor([0.6, 0.0, up])
        rays, out = with_angles((point - 3.0 * way)[None], way[None]), seen(torch.ones(1))
        found = relit(scene, rays, out, BACK[None], staged_with(made), {NUMBER: WHO})
        assert_close(found[0], WHITE * wanted / GREY, rtol=1e-3, atol=1e-4)


def test_half_of_what_is_shown_may_be_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    lit_by(monkeypatch, dim(sky=GREY))
    own = shown(plain(GREY, 2.0 * GREY), [BACK], even_light(GREY))
    lit_by(monkeypatch, dim(sky=GREY), specular=1.0)
    mirrored = shown(plain(GREY, 2.0 * GREY), [BACK], even_light(GREY))
    lit_by(monkeypatch, dim(sky=GREY), specular=0.5)
    both = shown(plain(GREY, 2.0 * GREY), [BACK], even_light(GREY))
    assert_close(both, 0.5 * (own + mirrored))
    assert not torch.allclose(own, mirrored)


def at_night(place_m: Sequence[float], normal: Float[Tensor, "3"]) -> Float[Tensor, "1 3"]:
    """How much light a surface gets from headlamps, seen from the camera, in even light."""
    scene = plain(GREY, GREY)
    eye = torch.tensor([[4.0, 0.0, 1.6]])
    way = torch.tensor([place_m]) - eye
    out = seen(torch.ones(1), float(way.norm()))
    who = box(place_m[0], place_m[1])
    who[0][2, 3] = 5.0  # the ground has its light
    rays = with_angles(eye, way / way.norm())
    found = relit(
        scene, rays, out, normal[None], staged_with(even_light(GREY)), {NUMBER: who},
    )  # fmt: skip
    return (found / WHITE - 1.0) * torch.pi * GREY


def test_headlamps_light_what_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    lamp, _ = headlamp(drive(), torch.tensor([[4.0, 0.0, 1.6]]))
    front_m, beam = float(lamp[0]), torch.tensor([90.0, 80.0, 60.0])
    lit_by(monkeypatch, dim(sky=GREY, beam=beam))
    for away_m in (10.0, 20.0):
        place = front_m + away_m, 0.0, LAMP_M
        assert_close(at_night(place, BACK), beam[None] / away_m**2, rtol=0.01, atol=0.0)
    behind = at_night((front_m + 10.0, 0.0, LAMP_M), -BACK)
    assert_close(behind, torch.zeros(1, 3), atol=1e-4, rtol=0.0)
    slanted = torch.tensor([-0.6, 0.8, 0.0])
    found = at_night((front_m + 10.0, 0.0, LAMP_M), slanted)
    assert_close(found, 0.6 * beam[None] / 100.0, rtol=0.01, atol=0.0)


@pytest.mark.parametrize("place", [(17.0, 6.0, 0.65), (17.0, 0.0, 5.0), (2.0, 0.5, 0.65)])
def test_what_is_beside_the_beam_stays_dark(
    place: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    lit_by(monkeypatch, dim(sky=GREY, beam=torch.full((3,), 500.0)))
    assert_close(at_night(place, BACK), torch.zeros(1, 3), atol=1e-4, rtol=0.0)


def test_by_day_headlamps_light_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lit_by(monkeypatch, dim(sky=GREY))
    assert_close(at_night((20.0, 0.0, 0.65), BACK), torch.zeros(1, 3), atol=1e-4, rtol=0.0)


EYE = torch.tensor([[4.0, 0.0, 1.6]])


@pytest.mark.parametrize("to_sun", [TO_SUN, np.array([0.64, 0.48, 0.6])])
def test_relit_where_it_was_recorded_somebody_looks_as_recorded(
    to_sun: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    towards = torch.from_numpy(to_sun).float()
    lit_by(monkeypatch, dim(sky=GREY, to_sun=towards, sun=SUN))
    scene = plain(GREY, GREY)
    slanted = torch.tensor([0.0, 0.6, 0.8])
    normals = [UP, LEFT, RIGHT, BACK, slanted]
    found = shown(scene, normals, captured_light(scene, [WHO], EYE))
    assert_close(found, WHITE.expand(5, 3), rtol=1e-4, atol=0.0)


def test_what_is_baked_in_is_the_mean_light_of_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    lit_by(monkeypatch, dim(sky=GREY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN))
    scene = plain(GREY, GREY)
    made = captured_light(scene, [WHO], EYE)
    assert made.to_sun is not None
    assert_close(made.to_sun.double(), torch.from_numpy(TO_SUN))
    assert_close(made.sun, SUN)
    both = captured_light(scene, [WHO, box(12.0, 0.0, yaw=torch.pi)], EYE.expand(2, 3))
    assert both.to_sun is not None
    assert_close(both.to_sun[:2], torch.zeros(2), atol=1e-6, rtol=0.0)  # it drove to and fro
    far = captured_light(scene, [WHO, box(30.0, 0.0)], EYE.expand(2, 3))
    assert_close(far.cube, made.cube, rtol=0.02, atol=1e-3)
    wall = ([-50.0, 4.0, 0.0], [60.0, 5.0, 40.0])
    shady = captured_light(plain(ROAD_ALBEDO * GREY, GREY, walls=(wall,)), [WHO], EYE)
    assert_close(shady.sun, torch.zeros(3))


def test_under_leaves_somebody_looks_as_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves are a wall, but the road says that more than half of the sun gets through."""
    lit_by(monkeypatch, dim(sky=GREY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN))
    level = torch.pi * GREY + 0.6 * 0.8 * SUN
    leaves = ([-50.0, 5.0, 4.0], [60.0, 12.0, 9.0])
    scene = plain(ROAD_ALBEDO * level / torch.pi, GREY, walls=(leaves,), wall=GREY)
    made = captured_light(scene, [WHO], EYE)
    assert made.sun is not None
    assert float(made.sun.mean()) > 0.3 * float(SUN.mean())
    assert_close(shown(scene, [UP, LEFT], made), WHITE.expand(2, 3), rtol=0.1, atol=0.0)


def test_at_night_headlamps_are_baked_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was recorded in headlamps is no brighter in the same ones."""
    beam = torch.tensor([90.0, 80.0, 60.0])
    lit_by(monkeypatch, dim(sky=0.01 * GREY, beam=beam))
    scene = plain(0.01 * GREY, 0.01 * GREY)
    made = captured_light(scene, [WHO], EYE)
    back = WHO[0][:3, 3] + 0.5 * WHO[1] * BACK
    way = back - EYE
    rays = with_angles(EYE, way / way.norm())
    out = seen(torch.ones(1), float(way.norm()))
    found = relit(scene, rays, out, BACK[None], staged_with(made), {NUMBER: WHO})
    assert_close(found, WHITE[None], rtol=1e-3, atol=0.0)
    assert made.to_sun is None


def test_where_no_light_is_known_somebody_from_there_stays_as_it_is() -> None:
    """An untrained field shows no road, so nothing is known of the sky."""
    clip, config = drive(), tiny_config()
    model = new_model(clip, config, Backend.TORCH)
    scene = Scene(clip=clip, config=config, model=model, backend=Backend.TORCH)
    made = captured_light(scene, [WHO], EYE)
    normals = torch.stack([UP, BACK])
    rays = with_angles(WHO[0][:3, 3] + 4.0 * normals, -normals)
    out = seen(torch.ones(2))
    found = relit(scene, rays, out, normals, staged_with(made), {NUMBER: WHO})
    assert_close(found, out.linear)
