"""The light of a drive: the CIE's clear sky, and sun, sky and headlamps found from what is seen."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from recon.actors.placement import PlacedActors
from recon.lighting.daylight import Daylight, glow, gradation, hemisphere
from recon.lighting.light_estimation import (
    DIFFUSE,
    LAMP_M,
    ROAD_ALBEDO,
    SUN,
    estimate_daylight,
    headlamp,
)
from recon.lighting.light_files import read_light, write_light
from recon.lighting.light_probes import shown_surface, sun_share
from recon.rendering.march import MarchOutput
from scenes.storage.folders import writing
from scenes.storage.manifests import Provenance, finished
from tests.light_maker import TO_SUN, Plain, drive, even, plain

BRIGHT = ROAD_ALBEDO * torch.tensor([2.4, 2.2, 1.9])
SKY = torch.tensor([0.20, 0.25, 0.30])


def cie(zenith: float, to_sun: float, a: float, b: float, c: float, d: float, e: float) -> float:
    """ISO 15469:2004, equations 2 and 3: gradation times indicatrix, of angles [rad]."""
    indicatrix = (
        1.0 + c * (math.exp(d * to_sun) - math.exp(d * math.pi / 2.0)) + e * math.cos(to_sun) ** 2
    )
    return (1.0 + a * math.exp(b / math.cos(zenith))) * indicatrix


@given(st.floats(0.0, 1.5), st.floats(0.0, math.pi))
def test_the_sky_is_the_twelfth_of_the_standard_ones(zenith: float, to_sun: float) -> None:
    found = gradation(torch.tensor([math.cos(zenith)])) * glow(torch.tensor([math.cos(to_sun)]))
    assert float(found) == pytest.approx(
        cie(zenith, to_sun, -1.0, -0.32, 10.0, -3.0, 0.45), rel=3e-3
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_hemisphere_is_as_dense_as_its_cosine(axis: int, sign: float) -> None:
    found = hemisphere(1000, axis, sign)
    assert_close(found.norm(dim=1), torch.ones(1000))
    mean = torch.zeros(3)
    mean[axis] = sign * 2.0 / 3.0
    assert_close(found.mean(dim=0), mean, atol=2e-3, rtol=0.0)
    second = torch.full((3,), 0.25)
    second[axis] = 0.5
    assert_close((found**2).mean(dim=0), second, atol=2e-3, rtol=0.0)


def test_a_sky_goes_on_as_it_was_seen() -> None:
    none = torch.zeros(3)
    grey = Daylight(sky=SKY, clear=False, to_sun=None, sun=none, beam=none)
    up = hemisphere(50)
    assert_close(grey.sky_at(up), SKY.expand(50, 3))
    assert_close(grey.on_level(), torch.pi * SKY)
    clear = Daylight(
        sky=SKY, clear=True, to_sun=torch.from_numpy(TO_SUN).float(), sun=SKY, beam=none
    )
    around = torch.tensor([[0.0, 0.6, 0.8], [0.0, -0.6, 0.8]])
    towards, away = clear.sky_at(around)
    assert bool((towards > 3.0 * away).all())
    assert float(away[2] / away[0]) > 1.2 * float(SKY[2] / SKY[0])  # blue
    assert float(away[2] / away[0]) > float(towards[2] / towards[0])  # the glow is white
    assert clear.shines
    assert not grey.shines


def test_a_shadow_is_lit_by_the_sky_without_its_glow() -> None:
    none, to_sun = torch.zeros(3), torch.from_numpy(TO_SUN).float()
    grey = Daylight(sky=SKY, clear=False, to_sun=to_sun, sun=10.0 * SKY, beam=none)
    assert_close(grey.left_in_shadow, torch.full((3,), torch.pi / (torch.pi + 8.0)))
    assert_close(replace(grey, to_sun=None).left_in_shadow, torch.ones(3))
    clear = replace(grey, clear=True)
    assert_close(
        clear.left_in_shadow,
        replace(clear, to_sun=None).on_level() / (clear.on_level() + 8.0 * SKY),
    )
    assert bool((clear.on_level() > 1.2 * clear.on_level(glowing=False)).all())


def test_under_cloud_the_sky_is_even() -> None:
    light = estimate_daylight(plain(ROAD_ALBEDO * SKY, SKY, TO_SUN))
    assert_close(light.sky, SKY)
    assert not light.clear
    assert light.to_sun is None
    assert not light.sun.any()
    assert not light.beam.any()


def test_sun_and_sky_give_the_road_its_light() -> None:
    light = estimate_daylight(plain(BRIGHT, SKY, TO_SUN))
    assert light.to_sun is not None
    assert_close(light.to_sun.double(), torch.from_numpy(TO_SUN))
    assert light.clear
    assert float(light.sun[0]) > float(light.sun[2]) > 0.0  # it is yellow
    total = light.sun * 0.8 + light.on_level()
    assert_close(total.mean(), torch.pi * BRIGHT.mean() / ROAD_ALBEDO)


def test_a_sun_behind_a_wall_still_shines_on_the_road_that_it_reaches() -> None:
    """Half of the road is in a shadow, whose radiance says nothing of the sun."""
    shade = 0.2 * BRIGHT

    def ground(places: Float[Tensor, "n 3"], eyes: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        del eyes
        return torch.where((places[:, 0] < 14.0)[:, None], shade, BRIGHT)

    wall = ([-50.0, 4.0, 0.0], [14.0, 5.0, 30.0])
    light = estimate_daylight(plain(ground, SKY, TO_SUN, walls=(wall,)))
    total = light.sun * 0.8 + light.on_level()
    assert_close(total.mean(), torch.pi * BRIGHT.mean() / ROAD_ALBEDO)


def under_a_clear_sky(
    to_sun: np.ndarray,
    sun: Float[Tensor, "3"],
    glow: float = 1.0,
    walls: tuple[tuple[list[float], list[float]], ...] = (),
) -> tuple[Plain, Daylight]:
    """The plain in the sky that is meant, and what is meant."""
    none = torch.zeros(3)
    sky, towards = 0.05 * torch.tensor([1.0, 1.1, 1.2]), torch.from_numpy(to_sun).float()
    meant = Daylight(sky=sky, clear=True, to_sun=towards, sun=sun, beam=none, glow=glow)

    @dataclass(frozen=True, kw_only=True, slots=True, eq=False)
    class Clear(Plain):
        def render_rays(
            self,
            origins: Float[Tensor, "rays 3"],
            directions: Float[Tensor, "rays 3"],
            pixel_angle: Float[Tensor, "rays"],
            placed: PlacedActors | None = None,
        ) -> MarchOutput:
            out = Plain.render_rays(self, origins, directions, pixel_angle, placed)
            up = (directions[:, 2] > 0.0)[:, None]
            return replace(out, linear=torch.where(up, meant.sky_at(directions), out.linear))

    road = ROAD_ALBEDO / torch.pi * (meant.on_level() + sun * float(to_sun[2]))
    made = plain(road, sky, to_sun, walls=walls)
    fields = {name: getattr(made, name) for name in Plain.__dataclass_fields__}
    return Clear(**fields), meant


@pytest.mark.parametrize("azimuth", [0.5, 1.5, 3.0])
@pytest.mark.parametrize("elevation", [0.4, 0.8])
def test_sky_and_sun_are_found_whichever_way_one_drives(azimuth: float, elevation: float) -> None:
    """Towards the sun the sky is brighter, which is no more light overhead."""
    flat = math.cos(elevation)
    to_sun = np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation)])
    scene, meant = under_a_clear_sky(to_sun, 1.5 * SUN)
    found = estimate_daylight(scene)
    assert found.clear
    assert_close(found.sky, meant.sky, rtol=1e-3, atol=0.0)
    assert_close(found.sun, meant.sun, rtol=0.01, atol=0.0)


@pytest.mark.parametrize(("azimuth", "strength"), [(0.5, 1.3), (1.5, 1.0), (3.0, 1.0)])
def test_the_less_the_sun_glows_the_brighter_is_the_rest_of_the_sky(
    azimuth: float, strength: float
) -> None:
    """Where the whole glow were too much light, what is seen towards the sun is less of it."""
    to_sun = np.array([0.8 * math.cos(azimuth), 0.8 * math.sin(azimuth), 0.6])
    whole = under_a_clear_sky(to_sun, SUN)[1].on_level().mean()
    plain_sky = under_a_clear_sky(to_sun, SUN, 0.0)[1].on_level().mean()
    limit = plain_sky + 0.4 * (whole - plain_sky)
    sun = strength * float(limit / 0.6 * (1.0 / DIFFUSE - 1.0)) * SUN
    scene, meant = under_a_clear_sky(to_sun, sun, 0.4)
    found = estimate_daylight(scene)
    assert found.glow == pytest.approx(0.4, abs=0.06)
    assert_close(found.sky, meant.sky, rtol=0.05, atol=0.0)
    assert_close(found.sun, meant.sun, rtol=0.02, atol=0.0)


def test_where_hardly_any_road_is_in_the_sun_the_sky_says_how_strong_it_is() -> None:
    """Its light in the shade is what leaves let through, however much that is."""
    to_sun = np.array([0.0, 0.6, 0.8])
    hedge = ([-50.0, 6.0, 0.0], [500.0, 7.0, 30.0])
    scene, meant = under_a_clear_sky(to_sun, 0.2 * SUN, 0.3, (hedge,))
    found = estimate_daylight(scene)
    assert found.glow == pytest.approx(0.3, abs=0.06)
    assert_close(found.sky, meant.sky, rtol=0.05, atol=0.0)
    sky = float(found.on_level().mean())
    assert 0.8 * float(found.sun.mean()) == pytest.approx(sky * (1.0 / DIFFUSE - 1.0), rel=1e-3)
    # road is believed, too
    brighter, _ = under_a_clear_sky(to_sun, SUN, 0.3, (hedge,))
    assert float(estimate_daylight(brighter).sun.mean()) > float(found.sun.mean())


def test_beside_a_wall_what_little_road_is_in_the_sun_says_how_strong_it_is() -> None:
    """However much of the light is the sky's."""
    to_sun = np.array([0.0, 0.6, 0.8])
    hedge = ([10.0, 6.0, 0.0], [500.0, 7.0, 30.0])
    scene, meant = under_a_clear_sky(to_sun, 1.2 * SUN, 0.3, (hedge,))
    lit = scene.ground

    def ground(places: Float[Tensor, "n 3"], eyes: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        return torch.where((places[:, 0] > 10.0)[:, None], 0.3, 1.0) * lit(places, eyes)

    found = estimate_daylight(replace(scene, ground=ground))
    assert_close(found.sun, meant.sun, rtol=0.05, atol=0.0)
    whole = estimate_daylight(replace(scene, ground=lambda *each: 0.3 * lit(*each)))
    assert float(whole.sun.mean()) < float(found.sun.mean())  # all alike: those are leaves


def test_a_day_without_a_view_of_the_sky_is_no_night() -> None:
    """Between walls the road alone says how much light there is."""
    around = [([-500.0, y, 0.0], [500.0, y + 1.0, 500.0]) for y in (-9.0, 8.0)]
    ends = [([x, -9.0, 0.0], [x + 1.0, 9.0, 500.0]) for x in (-499.0, 450.0)]
    light = estimate_daylight(plain(BRIGHT, SKY, TO_SUN, walls=tuple(around + ends)))
    assert_close(light.on_level(), torch.pi * BRIGHT / ROAD_ALBEDO, rtol=1e-3, atol=0.0)
    assert not light.beam.any()


@pytest.mark.parametrize("to_sun", [None, np.array([0.6, 0.0, -0.8])])
def test_where_the_sun_is_not_known_the_sky_is_clear_without_one(
    to_sun: np.ndarray | None,
) -> None:
    light = estimate_daylight(plain(BRIGHT, SKY, to_sun))
    assert light.clear
    assert light.to_sun is None
    assert not light.shines
    assert not light.beam.any()


def test_at_night_headlamps_light_the_road() -> None:
    beam, lamps = torch.tensor([90.0, 80.0, 60.0]), torch.tensor([0.10, 0.08, 0.05])
    clip = drive()

    def ground(places: Float[Tensor, "n 3"], eyes: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        away_m = (places - headlamp(clip, eyes[:1])[0]).norm(dim=1, keepdim=True)
        return ROAD_ALBEDO / torch.pi * (beam * LAMP_M / away_m**3 + lamps)

    light = estimate_daylight(plain(ground, torch.full((3,), 1e-4), TO_SUN))
    assert_close(light.beam, beam, rtol=1e-3, atol=0.0)
    assert light.to_sun is None
    assert not light.shines
    bright = estimate_daylight(plain(even(lamps), torch.full((3,), 1e-4)))
    assert_close(bright.beam, torch.zeros(3), atol=1e-2, rtol=0.0)  # lamps of the street alone


def test_a_drive_that_shows_no_road_says_nothing_of_the_sun() -> None:
    wall = ([-50.0, -9.0, -1.0], [60.0, 9.0, 1.0])
    light = estimate_daylight(plain(BRIGHT, SKY, TO_SUN, walls=(wall,)))
    assert_close(light.sky, SKY)
    for each in (light.sun, light.beam):
        assert not each.any()
    assert not light.clear
    assert light.to_sun is None


def test_headlamps_are_in_front_and_point_ahead() -> None:
    clip = drive()
    mount = torch.from_numpy(clip.cameras[0].ego_from_camera[:3, 3]).float()
    ahead = torch.tensor([clip.ego_front_m, 0.0, LAMP_M])
    for ego in ([7.0, 0.0, 0.0], [7.3, 0.0, 0.0], [7.0, 3.0, 0.0]):  # beside the path, too
        place, towards = headlamp(clip, (torch.tensor(ego) + mount)[None])
        assert_close(place, torch.tensor(ego) + ahead)
    assert float(towards[0]) > 0.99
    assert float(towards.norm()) == pytest.approx(1.0)
    assert -0.1 < float(towards[2]) < 0.0


def behind_a_wall() -> tuple[Plain, Float[Tensor, "2 3"], Float[Tensor, "3"]]:
    """A place in the shadow of a wall, and one beyond the end of the shadow."""
    scene = plain(BRIGHT, SKY, TO_SUN, walls=(([-2.0, 3.0, 0.0], [2.0, 3.5, 4.0]),))
    return scene, torch.tensor([[0.0, 1.0, 0.0], [6.0, 1.0, 0.0]]), torch.from_numpy(TO_SUN).float()


def test_a_wall_hides_the_sun() -> None:
    scene, points, to_sun = behind_a_wall()
    up = torch.tensor([0.0, 0.0, 1.0]).expand(2, 3)
    assert_close(sun_share(scene, points, up, to_sun), torch.tensor([0.0, 1.0]))
    assert sun_share(scene, points[:0], up[:0], to_sun).tolist() == []


def test_a_surface_is_not_in_its_own_shadow() -> None:
    scene, _, to_sun = behind_a_wall()
    points, faces = torch.tensor([[0.0, 3.5, 2.0], [0.0, 3.0, 2.0]]), torch.tensor([0.0, 1.0, 0.0])
    normals = torch.stack([faces, -faces])
    assert_close(sun_share(scene, points, normals, to_sun), torch.tensor([1.0, 0.0]))


def test_what_no_picture_showed_hides_no_sun() -> None:
    scene, points, to_sun = behind_a_wall()
    up = torch.tensor([0.0, 0.0, 1.0]).expand(2, 3)
    scene.model.support.hits.zero_()
    assert_close(sun_share(scene, points, up, to_sun), torch.ones(2))


def test_only_surfaces_that_pictures_showed_are_known() -> None:
    scene, eye = plain(BRIGHT, SKY), torch.tensor([[0.0, 0.0, 2.0]]).expand(3, 3)
    along = torch.tensor([[0.0, 0.0, -1.0], [0.8, 0.0, -0.6], [0.0, 0.0, 1.0]])
    out = scene.render_rays(eye, along, torch.full((3,), 0.1))
    assert shown_surface(scene, eye, along, out).tolist() == [True, True, False]
    support, block = scene.model.support, scene.model.field.block
    support.hits[support.voxels(block.unit(torch.tensor([[0.0, 0.0, 0.0]])))] = 0.0
    assert shown_surface(scene, eye, along, out).tolist() == [False, True, False]


def test_light_of_a_scene_is_written_and_read_to_the_bit(tmp_path: Path) -> None:
    light = estimate_daylight(plain(BRIGHT, SKY, TO_SUN))
    with writing(tmp_path / "scene", Provenance(kind="scene", inputs={}, config={})) as folder:
        write_light(folder, light)
    again = read_light(finished(tmp_path / "scene"))
    for name in Daylight.__dataclass_fields__:
        wanted, found = getattr(light, name), getattr(again, name)
        same = torch.equal(wanted, found) if isinstance(wanted, torch.Tensor) else wanted == found
        assert same, name
    assert again.shines
