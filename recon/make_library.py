"""Makes the packaged assets from exact pictures of procedural road users; needs Mitsuba.

    python -m recon.make_library [KIND...] [--out recon/library]

Each stands on an empty street under an overcast sky, so that no shadow of one sun is baked in, and
is photographed from all around. Truth says how far the surface is that a pixel shows, so points are
learnt from, not rays: nothing is before the surface, and just behind it, as deep as a step of a
march may reach, it is solid and has the colour of the pixel. So it looks the same wherever the
steps of a ray fall. Pixels on a silhouette mix it with the street: they teach no colour.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from recon.adam import BETA1, BETA2, LazyAdam
from recon.assets import PACKAGED, write_asset
from recon.config import ActorsConfig, FieldConfig
from recon.crowd import unit_from_box
from recon.field import GridField
from recon.kernels.hash_grid import HashGridSpec
from recon.parts import cross_unit_cube
from recon.light import BEAM_RAD, Cube, face_rays, irradiance_of_faces
from recon.photometry import srgb
from recon.rays import FOOTPRINT_STD
from recon.space import cell_index
from recon.staged import Look
from scenes.actor import Actor
from scenes.assets import LIBRARY, LIBRARY_SEED, library
from scenes.camera import Camera, camera_rays
from scenes.geometry import rigid, translation
from scenes.trajectory import Trajectory
from scenes.worlds.light import Light
from scenes.worlds.sunshine import SKIN_M
from scenes.worlds.procedural import procedural
from scenes.worlds.tracer import Tracer
from scenes.worlds.view import photograph, true_view
from scenes.worlds.world import Body, Limb, World, ground, street

AZIMUTHS, SIZE_PX = 16, 160
Ring = tuple[float, float, float | None]
"""How far from the middle, in diagonals of the box; how high over the road [m]; or elevation [rad]."""
NEAREST_M = 2.0
RINGS: tuple[Ring, ...] = ((0.6, 1.2, None), (1.2, 1.6, None), (2.5, 1.5, None), (1.0, 0.0, 0.35), (1.0, 0.0, 0.9))
KEYS, KEY_RINGS = 8, ((1.0, 1.0, None), (2.0, 1.6, None), (1.0, 0.0, 0.5))
"""Moments of a swing of limbs at which there are pictures, and from where at each."""
TALLEST = 0.9
"""Share of the picture that the longest side fills."""
GRID = HashGridSpec(levels=6, features=2, log2_table=17, base_resolution=8, per_level_scale=1.5)
"""8 to 40 cells across a box: finer ones share entries, and what is shared shows as speckle."""
STEPS, POINTS = 2500, 4096
SAMPLES = 96
BLUR = -1.0, 2.0
BINS = 8
RATE, NETWORK_RATE, FINAL_RATE = 1e-2, 1e-2, 0.03
DEEP, THIN, CLEAR = 0.004, 0.006, 0.02
"""Shares of a box's diagonal: how deep behind the surface is learnt from, what thickness should be
solid there, and what way through the empty should be clear."""
DEEPER, DEEPER_SHARE, CARVED = 0.03, 0.3, 48
CLOSE, CLOSE_SHARE = 0.03, 0.3
"""So near before the surface, in shares of the diagonal, lies this share of the empty points."""
OPACITY = 0.5
"""Weight of the errors of opacity beside that of colour."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shots:
    """Pixels of all pictures whose rays meet the field's box, in its unit cube."""

    origins: Float[Tensor, "n 3"]
    along: Float[Tensor, "n 3"]
    """A metre of the ray."""
    directions: Float[Tensor, "n 3"]
    """Unit, in the box's frame."""
    enter_m: Float[Tensor, "n"]
    leave_m: Float[Tensor, "n"]
    range_m: Float[Tensor, "n"]
    """To the surface of the one in the middle; inf where it is not what the pixel shows."""
    linear: Float[Tensor, "n 3"]
    """Radiance; only where `whole`."""
    whole: Bool[Tensor, "n"]
    """It fills the pixel and those around it."""
    footprint: Float[Tensor, "n"]
    """Standard deviation of a pixel a metre away, in the unit cube."""
    key: Int64[Tensor, "n"]
    """Moment of the swing of limbs."""


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


def cameras(
    size_m: Float64[np.ndarray, "3"], rings: tuple[Ring, ...]
) -> list[tuple[Camera, Float64[np.ndarray, "4 4"]]]:
    """Cameras around a box whose middle is the origin, all of which look at it."""
    reach_m = float(np.linalg.norm(size_m))
    middle = 0.5 * SIZE_PX
    found = []
    for away, height_m, elevation in rings:
        away_m = away * reach_m + NEAREST_M
        focal = TALLEST * SIZE_PX * away_m / reach_m
        camera = Camera(
            width=SIZE_PX, height=SIZE_PX, fx=focal, fy=focal, cx=middle, cy=middle, readout_us=0
        )
        if elevation is None:
            elevation = np.arcsin((height_m - 0.5 * size_m[2]) / away_m)
        for azimuth in (np.arange(AZIMUTHS) + 0.5) * 2.0 * np.pi / AZIMUTHS:
            flat = np.cos(elevation)
            out = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
            right = np.cross([0.0, 0.0, 1.0], out) / flat
            down = np.cross(-out, right)
            turn = np.stack([right, down, -out], axis=1)
            found.append((camera, rigid(turn, away_m * out)))
    return found


def photographed(name: str) -> tuple[Shots, Actor, int, Cube]:
    """What its pictures show, its box, how long its limbs take, and its light."""
    world, actor, limbs = stage(name)
    period_us = limbs[0].period_us if limbs else 0
    light = Light(Tracer(world))
    views = cameras(actor.size_m, KEY_RINGS if limbs else RINGS)
    parts = [
        _picture(light, actor, camera, box_from_camera, key, key * period_us // KEYS)
        for key in range(KEYS if limbs else 1)
        for camera, box_from_camera in views
    ]
    shots = Shots(
        **{
            name: torch.cat([getattr(part, name) for part in parts])
            for name in Shots.__dataclass_fields__
        }
    )
    return shots, actor, period_us, stage_light(light, actor)


def _picture(
    light: Light,
    actor: Actor,
    camera: Camera,
    box_from_camera: Float64[np.ndarray, "4 4"],
    key: int,
    time_us: int,
) -> Shots:
    eye = actor.trajectory.world_from_body[0] @ box_from_camera
    pixels = camera.pixel_centres().reshape(-1, 2)
    view = true_view(light.tracer, camera, eye, time_us)
    mine = view.instance == actor.id
    # a pixel on the rim is not, and neither is one beside it
    around = np.lib.stride_tricks.sliding_window_view(np.pad(mine, 1), (3, 3))
    whole = around.all(axis=(2, 3)).ravel()
    linear = np.zeros((len(pixels), 3), dtype=np.float32)
    linear[whole] = photograph(light, camera, eye, time_us, key, pixels[whole])
    starts, directions = (
        torch.from_numpy(each).float() for each in camera_rays(camera, pixels, box_from_camera, 0)
    )
    unit = unit_from_box(torch.from_numpy(actor.size_m).float())
    across = unit[:, :3].norm(dim=1).prod() ** (1.0 / 3.0)  # as `recon.parts.instance_part`
    origins, along = starts @ unit[:, :3].T + unit[:, 3], directions @ unit[:, :3].T
    enter_m, leave_m = cross_unit_cube(origins, along)
    range_m = np.where(mine, view.range_m, np.inf).ravel()
    every = Shots(
        origins=origins,
        along=along,
        directions=directions,
        enter_m=enter_m,
        leave_m=leave_m,
        range_m=torch.from_numpy(range_m).float(),
        linear=torch.from_numpy(linear),
        whole=torch.from_numpy(whole),
        footprint=torch.full((len(pixels),), float(FOOTPRINT_STD / camera.fx * across)),
        key=torch.full((len(pixels),), key),
    )
    met = leave_m > enter_m
    return Shots(**{name: getattr(every, name)[met] for name in Shots.__dataclass_fields__})


def stage_light(light: Light, actor: Actor) -> Cube:
    """Irradiance of the sides of the one in the middle."""
    origins, directions = face_rays(
        torch.from_numpy(actor.trajectory.world_from_body[0]), torch.from_numpy(actor.size_m)
    )
    rays = (origins + SKIN_M * directions).double().numpy(), directions.double().numpy()
    found = light.radiance(*rays, np.zeros(len(origins), dtype=np.int64), BEAM_RAD)
    return irradiance_of_faces(torch.from_numpy(found).float())


def learnt(
    shots: Shots, actor: Actor, period_us: int, light: Cube, steps: int
) -> tuple[Look, FieldConfig]:
    """A field that shows what the pictures show."""
    settings = ActorsConfig()
    latents, keys = (settings.latents, KEYS) if period_us else (0, 1)
    config = replace(settings.field, grid=GRID, latents=latents, look_harmonics=9)
    random = torch.Generator().manual_seed(LIBRARY_SEED)
    field = GridField(config, random)
    latent = torch.nn.Parameter(0.1 * torch.randn(keys, latents, generator=random))
    table = LazyAdam(field.table)
    networks = [*field.density_layers, *field.colour_layers, *([latent] if latents else [])]
    adam = torch.optim.Adam(networks, lr=NETWORK_RATE, betas=(BETA1, BETA2))
    diagonal_m = float(np.linalg.norm(actor.size_m))
    pools = pools_of(shots, random)
    for step in range(steps):
        loss = _loss(field, shots, pools, latent if latents else None, diagonal_m, random)
        adam.zero_grad(set_to_none=True)
        field.table.grad = None
        loss.backward()
        rate = FINAL_RATE ** max(0.0, (step / steps - 0.3) / 0.7)
        for group in adam.param_groups:
            group["lr"] = NETWORK_RATE * rate
        adam.step()
        assert field.table.grad is not None
        table.step(field.table, field.table.grad, RATE * rate)
    look = Look(
        field=field,
        key_us=torch.arange(keys + 1) * max(period_us, keys) // keys,
        # the swing ends as it began
        latent=torch.cat([latent, latent[:1]]).detach() if latents else None,
        light=light,
        samples=SAMPLES,
    )
    return look, config


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pools:
    """What is drawn from."""

    solid: Int64[Tensor, "a"]
    """Pixels that show the one in the middle."""
    whole: Int64[Tensor, "b"]
    """Those that show nothing else."""
    empty: Bool[Tensor, "cells"]
    """Cells of the unit cube that a ray to the surface went through."""
    rare: Int64[Tensor, "b"]
    """The same, those of rare colours several times: lamps are small."""


def pools_of(shots: Shots, random: torch.Generator) -> Pools:
    """Sort pixels."""
    whole = torch.nonzero(shots.whole)[:, 0]
    bins = (srgb(shots.linear[whole]).clamp(0.0, 0.999) * BINS).long()
    colour = (bins * torch.tensor([BINS * BINS, BINS, 1])).sum(1)
    weight = torch.bincount(colour)[colour].double() ** -0.5
    ends = weight.cumsum(0)
    at = torch.rand(len(whole), generator=random, dtype=torch.float64) * ends[-1]
    return Pools(
        empty=_carved(shots, random),
        solid=torch.nonzero(torch.isfinite(shots.range_m))[:, 0],
        whole=whole,
        rare=whole[torch.searchsorted(ends, at).clamp(max=len(whole) - 1)],
    )


def _carved(shots: Shots, random: torch.Generator) -> Bool[Tensor, "cells"]:
    end_m = torch.minimum(shots.leave_m, shots.range_m)
    found = torch.zeros(CARVED**3, dtype=torch.bool)
    for _ in range(CARVED):
        at_m = shots.enter_m + (end_m - shots.enter_m).clamp_min(0.0) * torch.rand(
            len(end_m), generator=random
        )
        found[cell_index((shots.origins + shots.along * at_m[:, None]).clamp(0, 1), CARVED)] = True
    return found


def _loss(
    field: GridField,
    shots: Shots,
    pools: Pools,
    latent: Float[Tensor, "keys latents"] | None,
    diagonal_m: float,
    random: torch.Generator,
) -> Float[Tensor, ""]:
    """Of points before surfaces, or where there is none, and of as many just behind them."""
    everywhere = torch.randint(len(shots.key), (POINTS // 2,), generator=random)
    before = torch.cat([everywhere, _drawn(pools.solid, POINTS // 2, random)])
    behind = torch.cat([_drawn(x, POINTS // 2, random) for x in (pools.whole, pools.rare)])
    end_m = torch.minimum(shots.leave_m, shots.range_m)[before]
    way_m = (end_m - shots.enter_m[before]).clamp_min(0.0)
    close = torch.rand(POINTS, generator=random) < CLOSE_SHARE
    way_m = torch.where(close, way_m.clamp_max(CLOSE * diagonal_m), way_m)
    empty_m = end_m - way_m * torch.rand(POINTS, generator=random)
    step_m = (shots.leave_m - shots.enter_m)[behind] / SAMPLES
    deep = torch.rand(POINTS, generator=random) < DEEPER_SHARE
    depth_m = torch.where(deep, DEEPER * diagonal_m, DEEP * diagonal_m + step_m)
    solid_m = shots.range_m[behind] + depth_m * torch.rand(POINTS, generator=random)
    ray, at_m = torch.cat([before, behind]), torch.cat([empty_m, solid_m])
    unit = (shots.origins[ray] + shots.along[ray] * at_m[:, None]).clamp(0.0, 1.0)
    when = None if latent is None else latent[shots.key[ray]]
    # seen from closer by and from further away than in these pictures
    blur = 2.0 ** (BLUR[0] + (BLUR[1] - BLUR[0]) * torch.rand(len(ray), generator=random))
    footprint = blur * shots.footprint[ray] * at_m
    density, geometry = field.density(unit, footprint, when)
    shown = srgb(field.radiance(geometry[POINTS:], shots.directions[behind]))
    inside = ~(deep & pools.empty[cell_index(unit[POINTS:], CARVED)])[:, None]
    off = (inside * (shown - srgb(shots.linear[behind])).square()).mean()
    absorbed = 1.0 - torch.exp(-density[:POINTS] * CLEAR * diagonal_m)
    passed = inside[:, 0] * torch.exp(-density[POINTS:] * THIN * diagonal_m)
    return off + OPACITY * (absorbed.square().mean() + passed.square().mean())


def _drawn(among: Int64[Tensor, "n"], count: int, random: torch.Generator) -> Int64[Tensor, "_"]:
    return among[torch.randint(len(among), (count,), generator=random)]


def main(
    kinds: tuple[str, ...] = tuple(LIBRARY), /, out: Path = PACKAGED, steps: int = STEPS
) -> None:
    """Make assets.

    Args:
        kinds: Which; all when left out.
        out: Folder that gets a folder for each.
        steps: Of training.
    """
    torch.set_num_threads(1)  # the same sums on every machine
    for name in kinds:
        shots, actor, period_us, light = photographed(name)
        look, config = learnt(shots, actor, period_us, light, steps)
        asset = write_asset(out / name, library()[name], look, config)
        print(f"{asset.name}: {(out / name / 'field.safetensors').stat().st_size} bytes")


if __name__ == "__main__":
    tyro.cli(main)
