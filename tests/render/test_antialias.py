"""Edges of who comes from elsewhere are means over pixels; everything else is one ray."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor
from torch.testing import assert_close

from recon.march import MarchOutput
from render.antialias import ACROSS, antialiased
from scenes.actor import Actor
from scenes.camera import Camera
from scenes.clip import Clip
from tests.light_maker import NUMBER, drive
from tests.scene_maker import EGO_FROM_CAMERA

CAMERA = Camera(width=24, height=12, fx=20.0, fy=20.0, cx=12.0, cy=6.0, readout_us=0)
SLOPE = 0.37
"""Of the line, in the picture, right of which somebody is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Who:
    """Whom rays meet: one stranger, or nobody strange."""

    strangers: Collection[int]
    ids: tuple[int, ...] = (NUMBER,)
    looks: Collection[int] = (NUMBER,)

    def underneath(
        self, points_m: Float32[Tensor, "n 3"], instance: Int64[Tensor, "n"]
    ) -> Bool[Tensor, "n"]:
        raise NotImplementedError

    def support(
        self, points_m: Float32[Tensor, "n 3"], instance: Int64[Tensor, "n"]
    ) -> UInt8[Tensor, "n"]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Halves:
    """White somebody on the right of a line, before black."""

    clip: Clip
    strangers: Collection[int]

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
        local = directions @ torch.from_numpy(EGO_FROM_CAMERA[:3, :3]).float()
        right = local[:, 0] > SLOPE * local[:, 1]
        share = right.float()
        return MarchOutput(
            linear=share[:, None].repeat(1, 3),
            opacity=torch.ones(len(right)),
            range_m=torch.full((len(right),), 5.0),
            expected_range_m=torch.full((len(right),), 5.0),
            instance=right.long(),
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
        del rays, normals, staged, boxes, moved
        return out.linear

    def display(
        self, linear: Float[Tensor, "n 3"], stream: int, time_us: int, exposure_ev: float = 0.0
    ) -> Float[Tensor, "n 3"]:
        del stream, time_us, exposure_ev
        return linear


def pictures(strangers: Collection[int]) -> tuple[Tensor, Tensor, Halves]:
    """One ray a pixel, and what becomes of it."""
    from scenes.camera import camera_rays

    scene = Halves(clip=drive(), strangers=strangers)
    pixels = CAMERA.pixel_centres().reshape(-1, 2)
    rays = (
        *(torch.from_numpy(x).float() for x in camera_rays(CAMERA, pixels, EGO_FROM_CAMERA, 0)),
        torch.full((len(pixels),), 0.05),
    )
    march = scene.render_rays(rays[0], rays[1], rays[2])
    nothing = torch.full((len(pixels), 3), torch.nan)
    found = antialiased(
        scene, CAMERA, EGO_FROM_CAMERA, 0, rays, (), {}, Who(strangers=strangers), march,
        lambda: nothing, march.linear,
    )  # fmt: skip
    return march.linear, found, scene


def test_a_pixel_on_the_edge_is_the_mean_of_its_rays() -> None:
    plain, found, scene = pictures({NUMBER})
    from scenes.camera import camera_rays

    fine = CAMERA.scaled(CAMERA.width * ACROSS, CAMERA.height * ACROSS)
    origins, directions = (
        torch.from_numpy(x).float()
        for x in camera_rays(fine, fine.pixel_centres().reshape(-1, 2), EGO_FROM_CAMERA, 0)
    )
    many = scene.render_rays(origins, directions, torch.zeros(len(origins))).linear
    size = CAMERA.height, ACROSS, CAMERA.width, ACROSS, 3
    assert_close(found, many.view(size).mean(dim=(1, 3)).view(-1, 3))
    on_it = (found > 0.0) & (found < 1.0)
    assert bool(on_it.any())
    assert torch.equal(found[~on_it], plain[~on_it])


def test_who_was_learnt_from_this_drive_is_not_touched() -> None:
    plain, found, _ = pictures(())
    assert found is plain


def test_the_edge_lies_where_it_did() -> None:
    plain, found, _ = pictures({NUMBER})
    assert float(found.mean()) == pytest.approx(float(plain.mean()), abs=0.01)
