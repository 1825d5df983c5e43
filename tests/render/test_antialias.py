"""Edges of strangers and of new shadows are means over pixels; everything else is one ray."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor
from torch.testing import assert_close

from recon.rendering.march import MarchOutput
from render.views.antialias import ACROSS, antialiased
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, camera_rays
from scenes.sensors.camera_look import NEUTRAL, CameraLook
from tests.light_maker import NUMBER, drive
from tests.scene_maker import EGO_FROM_CAMERA

CAMERA = Camera(width=24, height=12, fx=20.0, fy=20.0, cx=12.0, cy=6.0, readout_us=0)
SOMEBODY = Actor(
    id=NUMBER,
    kind=Semantic.CAR,
    size_m=np.array([4.0, 2.0, 1.5]),
    trajectory=Trajectory(time_us=np.array([0, 1]), world_from_body=np.stack([np.eye(4)] * 2)),
)
SLOPE = 0.37
"""Of the line, in the picture, right of which somebody is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Who:
    """Whom rays meet: one stranger, or nobody strange."""

    strangers: Collection[int]
    ids: tuple[int, ...] = (NUMBER,)
    looks: Collection[int] = (NUMBER,)

    def underneath(
        self,
        points_m: Float32[Tensor, "n 3"],
        directions: Float32[Tensor, "n 3"],
        instance: Int64[Tensor, "n"],
    ) -> Bool[Tensor, "n"]:
        raise NotImplementedError

    def support(
        self, points_m: Float32[Tensor, "n 3"], instance: Int64[Tensor, "n"]
    ) -> UInt8[Tensor, "n"]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Halves:
    """White somebody, or else lit ground, on the right of a line; left of it is black.

    Ground is lit everywhere as long as nobody throws a shadow.
    """

    clip: Clip
    strangers: Collection[int]
    ground: bool = False

    def staged(
        self,
        actors: Sequence[Actor],
        time_us: Int64[Tensor, "n"],
        assets: Mapping[int, str] | None = None,
    ) -> Who:
        del actors, time_us, assets
        return Who(strangers=self.strangers)

    def render_rays(
        self,
        origins: Float32[Tensor, "n 3"],
        directions: Float32[Tensor, "n 3"],
        pixel_angle: Float32[Tensor, "n"],
        staged: Any = None,
    ) -> MarchOutput:
        assert len(pixel_angle) == len(origins)
        del staged
        right = on_the_right(directions)
        share = (right & (not self.ground)).float()
        return MarchOutput(
            linear=(right | self.ground).float()[:, None].repeat(1, 3),
            opacity=torch.ones(len(right)),
            range_m=torch.full((len(right),), 5.0),
            expected_range_m=torch.full((len(right),), 5.0),
            instance=share.long(),
            instance_weights=torch.stack([1.0 - share, share], dim=1),
        )

    def lit(
        self,
        rays: tuple[Tensor, ...],
        out: Any,
        normals: Float[Tensor, "n 3"],
        staged: Any,
        boxes: Mapping[int, tuple[Tensor, Tensor]],
        moved: Collection[int],
    ) -> Float[Tensor, "n 3"]:
        del normals, staged, boxes, moved
        lit = on_the_right(rays[1]).float()[:, None]
        return out.linear * lit if self.ground else out.linear

    def display(
        self,
        linear: Float[Tensor, "n 3"],
        stream: int,
        time_us: int,
        camera_look: CameraLook = NEUTRAL,
    ) -> Float[Tensor, "n 3"]:
        del stream, time_us, camera_look
        return linear


def on_the_right(directions: Float[Tensor, "n 3"]) -> Bool[Tensor, "n"]:
    local = directions @ torch.from_numpy(EGO_FROM_CAMERA[:3, :3]).float()
    return local[:, 0] > SLOPE * local[:, 1]


def pictures(
    strangers: Collection[int], *, ground: bool = False, shadow: bool = False
) -> tuple[Tensor, Tensor]:
    """One ray a pixel, and what becomes of it."""
    scene = Halves(clip=drive(), strangers=strangers, ground=ground)
    pixels = CAMERA.pixel_centres().reshape(-1, 2)
    rays = (
        *(torch.from_numpy(x).float() for x in camera_rays(CAMERA, pixels, EGO_FROM_CAMERA, 0)),
        torch.full((len(pixels),), 0.05),
    )
    march = scene.render_rays(rays[0], rays[1], rays[2])
    linear = scene.lit(rays, march, rays[1], None, {}, ()) if shadow else march.linear
    nothing = torch.full((len(pixels), 3), torch.nan)
    found = antialiased(
        scene, CAMERA, EGO_FROM_CAMERA, 0, rays, (SOMEBODY,), {}, Who(strangers=strangers), march,
        lambda: nothing, linear,
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
