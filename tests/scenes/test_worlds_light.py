"""Light does what physics says, in a world small enough to know the answers."""

from dataclasses import replace

import numpy as np
import pytest

from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.worlds.light.light import Light
from scenes.worlds.light.lighting import EGO, Lamp, Lighting
from scenes.worlds.light.sky import airlight, sky_radiance, sun_irradiance
from scenes.worlds.models.mesh import Mesh, Surface, boxes, join, quads
from scenes.worlds.models.roads import road_details
from scenes.worlds.models.world import World, street
from scenes.worlds.recipes.sun import night
from scenes.worlds.record.recorder import Recording
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.truth.converged import agreement

DAY = Lighting(
    to_sun=np.array([0.6, 0.0, 0.8]),
    sun_irradiance=np.array([7.2, 6.6, 5.6]),
    sky_radiance=np.array([0.30, 0.50, 0.92]),
)
DARK = replace(DAY, sun_irradiance=np.zeros(3), sky_radiance=np.full(3, 1e-9))
GREY = 0.4


def plain_world(
    lighting: Lighting, surface: Surface = Surface.PLAIN, wetness: float = 0.0
) -> World:
    """A grey plain of 200 m with a box of 1 m over x = 20, 5 m above it."""
    corner = np.array([[-100, -100, 0], [100, -100, 0], [100, 100, 0], [-100, 100, 0]], float)
    plain = quads(corner[None], surface, (GREY,) * 3, Semantic.ROAD)
    box: Mesh = boxes(
        np.array([19.5, -0.5, 5.0]), np.array([20.5, 0.5, 6.0]), Surface.PLAIN, (1.0,) * 3
    )
    time_us = np.array([0, 4_000_000])
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, 0, 3] = 40.0
    return World(
        recipe="plain",
        seed=1,
        scenery=join([plain, box]),
        bodies=(),
        road=road_details(1),
        ego=Trajectory(time_us=time_us, world_from_body=poses),
        lighting=lighting,
        wetness=wetness,
    )


def _light(lighting: Lighting, **more: object) -> Light:
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    return Light(Tracer(plain_world(lighting, **more)))  # pyright: ignore[reportArgumentType]


def _down(light: Light, points: list[list[float]], time_us: int = 0) -> np.ndarray:
    """Radiance of the ground at points, seen from straight above."""
    origins = np.array([[x, y, 2.0] for x, y in points])
    down = np.tile([0.0, 0.0, -1.0], (len(points), 1))
    return light.radiance(origins, down, np.full(len(points), time_us, np.int64), 1e-3)


def _lamp(**change: object) -> Lamp:
    lamp = Lamp(
        position_m=np.array([20.0, 0.0, 4.0]),
        direction=np.array([0.0, 0.0, -1.0]),
        spread_rad=1.2,
        intensity=np.array([40.0, 30.0, 20.0]),
    )
    return replace(lamp, **change)  # pyright: ignore[reportArgumentType]


def test_the_sun_adds_its_irradiance_and_the_box_takes_it_away() -> None:
    lit, shaded = _down(_light(DAY), [[5.0, 9.0], [20.0 - 5.5 * 0.75, 0.0]])
    expected = GREY / np.pi * 0.8 * DAY.sun_irradiance
    np.testing.assert_allclose(lit - shaded, expected, rtol=0.02)


def test_a_lamp_weakens_with_the_square_of_its_distance() -> None:
    light = _light(replace(DARK, lamps=(_lamp(),)))
    below, beside, outside = _down(light, [[20.0, 0.0], [22.0, 0.0], [36.0, 0.0]])
    np.testing.assert_allclose(below, GREY / np.pi * _lamp().intensity / 16.0, rtol=0.01)
    cosine = 4.0 / np.sqrt(20.0)
    np.testing.assert_allclose(beside, below * 16.0 / 20.0 * cosine, rtol=0.01)
    assert outside.max() < 0.02 * below.max()


def test_what_is_behind_a_lamp_throws_no_shadow_and_what_is_before_it_does() -> None:
    over = _lamp(position_m=np.array([20.0, 0.0, 8.0]))
    light = _light(replace(DARK, lamps=(over,)))
    hidden, free = _down(light, [[20.0, 0.0], [25.0, 0.0]])
    assert hidden.max() < 1e-3 * free.max()


def test_headlights_drive_along() -> None:
    lamp = _lamp(
        position_m=np.array([3.6, 0.0, 0.7]),
        direction=np.array([np.cos(0.1), 0.0, -np.sin(0.1)]),
        spread_rad=0.5,
        carrier=EGO,
    )
    light = _light(replace(DARK, lamps=(lamp,)))
    now, later = (_down(light, [[12.0, 0.0], [32.0, 0.0]], t)[:, 0] for t in (0, 2_000_000))
    assert now[0] > 3.0 * now[1]
    assert later[0] < 1e-6 < later[1]
    assert later[1] == pytest.approx(now[0], rel=1e-3)


def test_overcast_has_no_sun_and_the_ciess_gradient() -> None:
    grey = replace(DAY, overcast=1.0)
    assert not sun_irradiance(grey).any()
    world = plain_world(grey)
    up = np.tile([0.0, 0.0, 1.0], (1, 1))
    level = np.array([[np.cos(t), np.sin(t), 0.0] for t in np.linspace(0, 6, 50)])
    ratio = sky_radiance(world, up)[0] / sky_radiance(world, level).mean(axis=0)
    np.testing.assert_allclose(ratio, 3.0, rtol=0.12)
    lit, under = _down(_light(grey), [[5.0, 9.0], [20.0 - 5.5 * 0.75, 0.0]])
    np.testing.assert_allclose(lit, under, rtol=0.05)


def test_the_sky_fades_to_night() -> None:
    up = np.random.default_rng(0).normal(size=(100, 3))
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    day = sky_radiance(plain_world(DAY), up)
    half = replace(
        DAY, sky_radiance=0.5 * DAY.sky_radiance, sun_irradiance=0.5 * DAY.sun_irradiance
    )
    np.testing.assert_allclose(sky_radiance(plain_world(half), up), 0.5 * day, rtol=1e-9)
    assert sky_radiance(plain_world(DARK), up).max() < 1e-6


def test_fog_hides_with_distance_and_ends_at_its_own_light() -> None:
    fog = replace(DAY, fog_per_m=0.05)
    light, clear = _light(fog), _light(replace(fog, fog_per_m=1e-12))
    direction = np.array([[np.cos(0.02), 0.0, -np.sin(0.02)]])
    when = np.zeros(1, np.int64)
    far = light.radiance(np.array([[-60.0, 30.0, 2.0]]), direction, when, 1e-3)
    deep = airlight(fog, direction)
    kept = np.exp(-0.05 * 2.0 / np.sin(0.02))
    assert np.abs(far / deep - 1.0).max() < 5.0 * kept
    near = _down(light, [[5.0, 9.0]]) - (1.0 - np.exp(-0.1)) * airlight(
        fog, np.array([[0.0, 0.0, -1.0]])
    )
    assert np.all(near > 0.0)
    assert np.all(sun_irradiance(fog) < 0.1 * sun_irradiance(clear.tracer.world.lighting))


def test_a_wet_road_is_darker_and_mirrors() -> None:
    dry, wet = (_light(DAY, surface=Surface.ROAD, wetness=amount) for amount in (0.0, 1.0))
    spots = [[float(x), 1.0 + 0.1 * x] for x in range(-20, 10)]
    assert _down(wet, spots).mean() < 0.75 * _down(dry, spots).mean()
    # Grazing: what is mirrored is the bright sky near the horizon.
    slope = np.array([-np.cos(0.03), 0.0, -np.sin(0.03)])
    origins = np.array([[0.0, float(y), 1.0] for y in range(-20, 20)])
    rays = np.tile(slope, (len(origins), 1)), np.zeros(len(origins), np.int64)
    grazing = [light.radiance(origins, *rays, 1e-3).mean() for light in (dry, wet)]
    assert grazing[1] > 1.5 * grazing[0]


def test_two_pictures_of_a_frame_agree() -> None:
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    light = Light(Tracer(street(7)))
    found = agreement(light, Recording(width=160, height=48), 1_200_000)
    print(f"\n{found.psnr_db:.1f} dB, {found.cpu_seconds} CPU s for 160 x 48")
    assert found.psnr_db >= 45.0


def test_the_sun_is_above_by_day_behind_clouds_too_and_not_at_night() -> None:
    above = replace(DAY, overcast=1.0).sun_above
    assert above is not None
    assert above.tolist() == [0.6, 0.0, 0.8]
    assert DARK.sun_above is None
    assert night(3, ()).sun_above is None
    assert replace(DAY, to_sun=np.array([0.6, 0.0, -0.8])).sun_above is None
