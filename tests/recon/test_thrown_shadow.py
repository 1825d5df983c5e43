"""Who is not where it was recorded throws a shadow on the ground."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import recon.lighting.irradiance
from recon.lighting.relighting import shadowed
from recon.rendering.march import MarchOutput
from recon.rendering.rays import Rays
from recon.scene import Scene
from tests.light_maker import NUMBER, TO_SUN, WHITE, box, dim, lit_by, plain, seen, staged_with

GREY = torch.tensor([0.30, 0.25, 0.20])
SUN = torch.tensor([6.0, 5.0, 4.0])
WHO = box(12.0, 0.0)


def on_the_ground(
    places: Sequence[tuple[float, float]], instance: Sequence[int]
) -> tuple[Rays, MarchOutput]:
    origins = torch.tensor([[x, y, 10.0] for x, y in places])
    down = torch.tensor([[0.0, 0.0, -1.0]]).repeat(len(places), 1)
    out = seen(torch.zeros(len(places)), 10.0)
    rays = Rays(origins_m=origins, directions=down, pixel_angle=torch.zeros(len(places)))
    return rays, replace(out, instance=torch.tensor(instance))


def test_a_shadow_takes_the_sun_from_the_ground_and_from_nobody_who_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lit_by(monkeypatch, dim(sky=GREY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN))
    places = [(12.0, -1.6), (12.0, -1.6), (12.0, 50.0)]
    rays, out = on_the_ground(places, [0, 1, 0])
    scene, who = plain(WHITE, GREY), staged_with(None)
    found = shadowed(scene, rays, out, out.linear, who, {NUMBER: WHO})
    assert torch.equal(found[1:], out.linear[1:])
    behind = plain(WHITE, GREY, walls=(([-50.0, 4.0, 0.0], [60.0, 5.0, 40.0]),))
    shade = shadowed(behind, rays, out, out.linear, who, {NUMBER: WHO})
    lit_by(monkeypatch, dim(sky=GREY))
    cloudy = shadowed(scene, rays, out, out.linear, who, {NUMBER: WHO})
    assert_close(shade, cloudy)  # there was no sun to take
    sky = torch.pi * GREY
    assert_close(found[0], cloudy[0] * sky / (sky + 0.8 * SUN))
    assert bool((cloudy[0] < out.linear[0]).all())


def test_the_suns_shadow_is_as_thick_as_who_throws_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its box hides the sun from a place, its field half of it."""
    lit_by(monkeypatch, dim(sky=GREY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN))
    rays, out = on_the_ground([(12.0, -1.6)], [0])
    dark, half, none = (
        shadowed(scene, rays, out, out.linear, staged_with(None), {NUMBER: WHO})
        for scene in (plain(WHITE, GREY, thickness=share) for share in (1.0, 0.5, 0.0))
    )
    assert_close(half, 0.5 * (dark + none))
    assert bool((none > dark).all())


def test_ground_in_the_sun_beside_somebody_asks_nothing_of_its_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lit_by(monkeypatch, dim(sky=GREY, to_sun=torch.from_numpy(TO_SUN).float(), sun=SUN))
    rays, out = on_the_ground([(12.0, 1.2)], [0])
    scene = plain(WHITE, GREY, thickness=torch.nan)
    found = shadowed(scene, rays, out, out.linear, staged_with(None), {NUMBER: WHO})
    assert bool((found < out.linear).all())
    assert bool((found > 0.8 * out.linear).all())


def test_nobody_throws_no_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    lit_by(monkeypatch, dim(sky=GREY))
    rays, out = on_the_ground([(12.0, 0.0)], [0])
    assert shadowed(plain(GREY, GREY), rays, out, out.linear, staged_with(None), {}) is out.linear


def test_fields_hide_the_sun_from_where_rays_meet_the_road_they_stand_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However wrong the height is that is known of it."""
    to_sun = torch.from_numpy(TO_SUN).float()
    lit_by(monkeypatch, dim(sky=GREY, to_sun=to_sun, sun=SUN))
    scene, starts = plain(WHITE, GREY), []

    def sun_past(_: Scene, points: Tensor, *__: object) -> Tensor:
        starts.append(points)
        return torch.zeros(len(points))

    monkeypatch.setattr(recon.lighting.irradiance, "sun_past", sun_past)
    eye, places = torch.tensor([2.0, -1.6, 1.5]), torch.tensor([[12.0, -1.6, 0.0]])
    along = torch.nn.functional.normalize(places - eye, dim=1)
    for rough_m in (0.0, 0.05, -0.06):
        out = seen(torch.zeros(1), float(-(1.5 - rough_m) / along[0, 2]))
        rays = Rays(origins_m=eye[None], directions=along, pixel_angle=torch.zeros(1))
        shadowed(scene, rays, out, out.linear, staged_with(None), {NUMBER: WHO})
    for start in starts:
        assert_close(start, places, atol=1e-4, rtol=0.0)
    assert len(starts) == 3
