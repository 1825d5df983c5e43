"""Edges of foreign models and of new shadows are means over pixels; all else is one ray."""

from collections.abc import Collection

import pytest
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.testing import assert_close

from recon.actors.placement import CapturedLight, PlacedActors
from recon.rendering.antialias import ACROSS, antialiased
from recon.rendering.march import MarchOutput
from recon.rendering.rays import Rays
from recon.rendering.shot import Shot
from scenes.sensors.camera import Camera, camera_rays
from tests.light_maker import NUMBER, staged_with
from tests.scene_maker import EGO_FROM_CAMERA

CAMERA = Camera(width=24, height=12, fx=20.0, fy=20.0, cx=12.0, cy=6.0, readout_us=0)
SLOPE = 0.37
"""Of the line, in the picture, right of which somebody is."""


def placed(asset_ids: Collection[int]) -> PlacedActors:
    """Whom rays meet: one who is foreign, or who was learnt from this drive."""
    who = staged_with(CapturedLight(cube=torch.ones(6, 3)) if asset_ids else None)
    assert who.asset_ids == frozenset(asset_ids)
    return who


def met(rays: Rays, *, ground: bool) -> MarchOutput:
    """White somebody, or else lit ground, on the right of a line; left of it is black.

    Ground is lit everywhere as long as nobody throws a shadow.
    """
    right = on_the_right(rays.directions)
    share = (right & (not ground)).float()
    return MarchOutput(
        linear=(right | ground).float()[:, None].repeat(1, 3),
        opacity=torch.ones(len(right)),
        range_m=torch.full((len(right),), 5.0),
        expected_range_m=torch.full((len(right),), 5.0),
        instance=share.long(),
        instance_weights=torch.stack([1.0 - share, share], dim=1),
    )


def lit(rays: Rays, out: MarchOutput, *, ground: bool) -> Float[Tensor, "n 3"]:
    return out.linear * on_the_right(rays.directions).float()[:, None] if ground else out.linear


def on_the_right(directions: Float[Tensor, "n 3"]) -> Bool[Tensor, "n"]:
    local = directions @ torch.from_numpy(EGO_FROM_CAMERA[:3, :3]).float()
    return local[:, 0] > SLOPE * local[:, 1]


def pictures(
    asset_ids: Collection[int], *, ground: bool = False, shadow: bool = False
) -> tuple[Tensor, Tensor]:
    """One ray a pixel, and what becomes of it."""
    pixels = CAMERA.pixel_centres().reshape(-1, 2)
    origins, along = camera_rays(CAMERA, pixels, EGO_FROM_CAMERA, 0)
    rays = Rays(
        origins_m=torch.from_numpy(origins).float(),
        directions=torch.from_numpy(along).float(),
        pixel_angle=torch.full((len(pixels),), 0.05),
    )
    out, who = met(rays, ground=ground), placed(asset_ids)
    linear = lit(rays, out, ground=ground) if shadow else out.linear
    shot = Shot(camera=CAMERA, world_from_camera=EGO_FROM_CAMERA, time_us=0)
    found = antialiased(
        shot, rays, out, who, linear,
        march=lambda parts, _: (met(parts, ground=ground), who),
        shade=lambda parts, there, *_: lit(parts, there, ground=ground),
    )  # fmt: skip
    return linear, found


def wanted() -> Tensor:
    """The mean of nine rays in all pixels."""
    fine = CAMERA.scaled(CAMERA.width * ACROSS, CAMERA.height * ACROSS)
    _, directions = camera_rays(fine, fine.pixel_centres().reshape(-1, 2), EGO_FROM_CAMERA, 0)
    many = on_the_right(torch.from_numpy(directions).float()).float()[:, None].repeat(1, 3)
    size = CAMERA.height, ACROSS, CAMERA.width, ACROSS, 3
    return many.view(size).mean(dim=(1, 3)).view(-1, 3)


@pytest.mark.parametrize("shadow", [False, True])
def test_a_pixel_on_the_edge_is_the_mean_of_its_rays(shadow: bool) -> None:
    """Of a stranger, or of the shadow of somebody who was only moved."""
    plain, found = pictures(() if shadow else {NUMBER}, ground=shadow, shadow=shadow)
    assert_close(found, wanted())
    on_it = (found > 0.0) & (found < 1.0)
    assert bool(on_it.any())
    assert torch.equal(found[~on_it], plain[~on_it])


@pytest.mark.parametrize("ground", [False, True])
def test_who_was_learnt_from_this_drive_is_not_touched(ground: bool) -> None:
    plain, found = pictures((), ground=ground)
    assert found is plain


def test_the_edge_lies_where_it_did() -> None:
    plain, found = pictures({NUMBER})
    assert float(found.mean()) == pytest.approx(float(plain.mean()), abs=0.01)
