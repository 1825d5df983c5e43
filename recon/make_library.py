"""Makes the packaged assets from exact pictures of procedural road users; needs Mitsuba.

    python -m recon.make_library [KIND...] [--out recon/library]

Each stands on an empty street under an overcast sky, so that no shadow of one sun is baked in, and
is photographed from all around. Its field alone explains the pixels that show it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float64
from torch import Tensor

from recon.adam import BETA1, BETA2, LazyAdam
from recon.assets import PACKAGED, write_asset
from recon.config import ActorsConfig, FieldConfig, SamplingConfig
from recon.crowd import unit_from_box
from recon.evidence import pixel_angle
from recon.field import GridField, Instance, RadianceField
from recon.march_native import engine_first, march_native
from recon.photometry import srgb
from recon.rays import Rays
from recon.space import Block
from recon.staged import Look
from scenes.actor import Actor
from scenes.assets import LIBRARY, LIBRARY_SEED, library
from scenes.camera import Camera, camera_rays
from scenes.geometry import rigid, translation
from scenes.trajectory import Trajectory
from scenes.worlds.light import Light
from scenes.worlds.procedural import procedural
from scenes.worlds.tracer import Tracer
from scenes.worlds.view import photograph, true_view
from scenes.worlds.world import Body, Limb, World, ground, street

AZIMUTHS, SIZE_PX = 12, 64
ELEVATIONS = (0.05, 0.35, 0.8)
"""Of the cameras over the middle of whoever is photographed [rad]."""
KEYS = 8
"""Moments of a swing of limbs at which there are pictures."""
STEPS, RAYS = 300, 1024
OPACITY = 0.5
"""Weight of the error of opacity beside that of colour."""
TALLEST = 0.9
"""Share of the picture that the longest side fills."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shots:
    """Rays of all pictures, and what each showed of the one in the middle."""

    rays: Rays
    linear: Tensor
    """Radiance; 0 where it shows anything else."""
    solid: Tensor
    """1 where it shows the one in the middle."""


def stage(name: str) -> tuple[World, Actor, tuple[Limb, ...]]:
    """The one to be photographed, on an empty street."""
    mesh, limbs, size_m = procedural(LIBRARY[name], LIBRARY_SEED)
    mesh = mesh.labelled(LIBRARY[name], 1)
    limbs = tuple(replace(limb, mesh=limb.mesh.labelled(LIBRARY[name], 1)) for limb in limbs)
    place = translation(np.array([[20.0, 0.0, 0.5 * size_m[2]]] * 2))
    track = Trajectory(time_us=np.array([0, 10_000_000]), world_from_body=place)
    actor = Actor(id=1, kind=LIBRARY[name], size_m=size_m, trajectory=track)
    empty = street(LIBRARY_SEED)
    world = replace(
        empty,
        scenery=ground(LIBRARY_SEED),
        bodies=(Body(actor=actor, mesh=mesh, limbs=limbs),),
        lighting=replace(empty.lighting, overcast=1.0),
    )
    return world, actor, limbs


def cameras(size_m: Float64[np.ndarray, "3"]) -> list[tuple[Camera, Float64[np.ndarray, "4 4"]]]:
    """Cameras around a box whose middle is the origin, all of which see all of it."""
    reach_m = float(np.linalg.norm(size_m))
    away_m = 2.0 * reach_m
    focal = TALLEST * SIZE_PX * away_m / reach_m
    middle = 0.5 * SIZE_PX
    camera = Camera(
        width=SIZE_PX, height=SIZE_PX, fx=focal, fy=focal, cx=middle, cy=middle, readout_us=0
    )
    found = []
    for elevation in ELEVATIONS:
        for azimuth in (np.arange(AZIMUTHS) + 0.5) * 2.0 * np.pi / AZIMUTHS:
            flat = np.cos(elevation)
            out = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
            right = np.cross([0.0, 0.0, 1.0], out) / flat
            down = np.cross(-out, right)
            turn = np.stack([right, down, -out], axis=1)
            found.append((camera, rigid(turn, away_m * out)))
    return found


def photographed(name: str) -> tuple[Shots, Actor, int]:
    """Everything that its pictures show, in the frame of its box, and how long its limbs take."""
    world, actor, limbs = stage(name)
    period_us = limbs[0].period_us if limbs else 0
    light = Light(Tracer(world))
    moments = np.arange(KEYS) * period_us // KEYS if limbs else np.zeros(1, dtype=np.int64)
    pose = actor.trajectory.world_from_body[0]
    parts = []
    for number, (camera, box_from_camera) in enumerate(cameras(actor.size_m)):
        key = number % len(moments)
        time_us = int(moments[key])
        eye = pose @ box_from_camera
        pixels = camera.pixel_centres().reshape(-1, 2)
        solid = true_view(light.tracer, camera, eye, time_us).instance.ravel() == actor.id
        linear = np.zeros((len(pixels), 3), dtype=np.float32)
        linear[solid] = photograph(light, camera, eye, time_us, number, pixels[solid])
        starts, along = camera_rays(camera, pixels, box_from_camera, 0)
        moment = np.full(len(pixels), key)
        parts.append((starts, along, pixel_angle(camera), moment, linear, solid))
    starts, along, angle, moment, linear, solid = (
        torch.from_numpy(np.concatenate(list(values))) for values in zip(*parts, strict=True)
    )
    rays = Rays(
        origins_m=starts.float(),
        directions=along.float(),
        pixel_angle=angle.float(),
        moment=moment.long(),
    )
    return Shots(rays=rays, linear=linear.float(), solid=solid.float()), actor, period_us


def learnt(shots: Shots, actor: Actor, period_us: int, steps: int) -> tuple[Look, FieldConfig]:
    """A field that shows what the pictures show."""
    settings = ActorsConfig()
    latents = settings.latents if period_us else 0
    config = replace(settings.field, latents=latents)
    random = torch.Generator().manual_seed(LIBRARY_SEED)
    field, nothing = GridField(config, random), empty_scene()
    keys = KEYS if period_us else 1
    latent = torch.nn.Parameter(0.1 * torch.randn(keys, latents, generator=random))
    size_m = torch.from_numpy(actor.size_m).float()
    unit = unit_from_box(size_m).expand(keys, 3, 4).contiguous()
    table = LazyAdam(field.table)
    networks = [*field.density_layers, *field.colour_layers, *([latent] if latents else [])]
    adam = torch.optim.Adam(networks, lr=1e-2, betas=(BETA1, BETA2))
    inside = torch.nonzero(shots.solid)[:, 0]
    for step in range(steps):
        everywhere = torch.randint(len(shots.solid), (RAYS // 2,), generator=random)
        mine = inside[torch.randint(len(inside), (RAYS // 2,), generator=random)]
        chosen = torch.cat([everywhere, mine])
        item = Instance(field=field, unit_from_world=unit, id=1, latent=latent if latents else None)
        out = march_native(nothing, shots.rays[chosen], (item,), sampling=SAMPLING, growth=0.1)
        mean_linear = out.linear - (1.0 - out.opacity[:, None]) * nothing.sky(
            shots.rays.directions[chosen]
        )
        off = srgb(mean_linear.clamp_min(0.0)) - srgb(shots.linear[chosen])
        loss = off.square().mean()
        loss = loss + OPACITY * (out.opacity - shots.solid[chosen]).square().mean()
        adam.zero_grad(set_to_none=True)
        field.table.grad = None
        loss.backward()
        rate = 0.03 ** max(0.0, (step / steps - 0.3) / 0.7)
        for group in adam.param_groups:
            group["lr"] = 1e-2 * rate
        adam.step()
        assert field.table.grad is not None
        table.step(field.table, field.table.grad, 3e-2 * rate)
    # the swing ends as it began
    known = torch.cat([latent, latent[:1]]).detach() if latents else None
    key_us = torch.arange(keys + 1) * max(period_us, keys) // keys
    return Look(field=field, key_us=key_us, latent=known), config


SAMPLING = SamplingConfig(min_step_m=1.0, far_m=50.0, instance_samples=48)


def empty_scene() -> RadianceField:
    """A static scene without anything in it."""
    field = RadianceField(
        Block(centre_m=(0.0, 0.0, 0.0), half_size_m=10.0),
        FieldConfig(grid=ActorsConfig().field.grid, width=16, occupancy_resolution=8),
        0,
    )
    field.occupancy.occupied.zero_()
    return field.requires_grad_(False)


def main(
    kinds: tuple[str, ...] = tuple(LIBRARY), /, out: Path = PACKAGED, steps: int = STEPS
) -> None:
    """Make assets.

    Args:
        kinds: Which; all when left out.
        out: Folder that gets a folder for each.
        steps: Of training.
    """
    for name in kinds:
        shots, actor, period_us = photographed(name)
        with engine_first():
            look, config = learnt(shots, actor, period_us, steps)
        asset = write_asset(out / name, library()[name], look, config)
        print(f"{asset.name}: {(out / name / 'field.safetensors').stat().st_size} bytes")


if __name__ == "__main__":
    tyro.cli(main)
