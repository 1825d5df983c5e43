"""Makes the packaged assets from exact pictures of procedural road users; needs Mitsuba.

    python -m recon.make_library [KIND...] [--out recon/library]

Truth says how far the surface is that a pixel shows (`recon.shots`), so points are learnt from, not
rays: nothing is before the surface, nor beside it where that is in the open; and just behind it, as
deep as a step of a march may reach, it is solid and made of what the middle of the pixel shows. So
it looks the same wherever the steps of a ray fall, unless it is thinner than that.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.adam import BETA1, BETA2, LazyAdam
from recon.assets import PACKAGED, write_asset
from recon.config import ActorsConfig, FieldConfig
from recon.field import GridField
from recon.kernels.hash_grid import HashGridSpec
from recon.material import MOST_MIRROR, MOST_OPEN
from recon.photometry import srgb
from recon.shots import KEYS, Shots, photographed
from recon.space import cell_index
from recon.staged import Look
from scenes.actor import Actor
from scenes.assets import LIBRARY, LIBRARY_SEED, library

GRID = HashGridSpec(levels=8, features=2, log2_table=17, base_resolution=8, per_level_scale=1.5)
"""8 to 137 cells across a box: lamps of trucks and spokes of bicycles are small."""
STEPS, POINTS = 2500, 4096
SAMPLES = 96
"""Steps of a march across one: what is this fine is not met with the steps of recorded ones."""
BLUR = -1.0, 2.0
"""Octaves by which pixels are smaller and larger than in the pictures."""
BINS = 8
"""Of each channel: colours in one bin are drawn as the square root of how often they are there."""
RATE, NETWORK_RATE, FINAL_RATE = 1e-2, 1e-2, 0.03
DEEP, THIN, CLEAR = 0.004, 0.006, 0.02
"""Shares of a box's diagonal: how deep behind the surface is learnt from, what thickness should be
solid there, and what way through the empty should be clear."""
DEEPER, DEEPER_SHARE, CARVED = 0.03, 0.3, 48
"""This share of solid points lies as much deeper, where no ray passed through their cell; and cells
across the box."""
CLOSE, CLOSE_SHARE = 0.03, 0.3
"""So near before the surface, in shares of the diagonal, lies this share of the empty points."""
OPACITY, FINISH = 0.5, 0.3
"""Weights of the errors of opacity, and of what it is made of, beside that of albedo."""


def learnt(shots: Shots, actor: Actor, period_us: int, steps: int) -> tuple[Look, FieldConfig]:
    """A field that is made of what the pictures show."""
    settings = ActorsConfig()
    latents, keys = (settings.latents, KEYS) if period_us else (0, 1)
    config = replace(settings.field, grid=GRID, latents=latents, look_harmonics=4, material=True)
    random = torch.Generator().manual_seed(LIBRARY_SEED)
    field = GridField(config, random)
    latent = torch.nn.Parameter(0.1 * torch.randn(keys, latents, generator=random))
    table = LazyAdam(field.table)
    layers = (field.density_layers, field.colour_layers, field.material_layers)
    networks = [weight for each in layers for weight in each] + ([latent] if latents else [])
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
        samples=SAMPLES,
    )
    return look, config


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pools:
    """What is drawn from."""

    shown: Int64[Tensor, "a"]
    """Pixels that show the one in the middle."""
    beside: Int64[Tensor, "b"]
    """Pixels that know a place beside it."""
    empty: Bool[Tensor, "cells"]
    """Cells of the unit cube that a ray to the surface went through."""
    rare: Int64[Tensor, "c"]
    """As many, those of rare colours several times: lamps are small."""


def pools_of(shots: Shots, random: torch.Generator) -> Pools:
    """Sort pixels."""
    shown = torch.nonzero(torch.isfinite(shots.range_m))[:, 0]
    bins = (srgb(shots.albedo[shown]).clamp(0.0, 0.999) * BINS).long()
    colour = (bins * torch.tensor([BINS * BINS, BINS, 1])).sum(1)
    weight = torch.bincount(colour)[colour].double() ** -0.5
    ends = weight.cumsum(0)
    at = torch.rand(len(shown), generator=random, dtype=torch.float64) * ends[-1]
    return Pools(
        shown=shown,
        beside=torch.nonzero(torch.isfinite(shots.beside).all(dim=1))[:, 0],
        empty=_carved(shots, random),
        rare=shown[torch.searchsorted(ends, at).clamp(max=len(shown) - 1)],
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
    """Of points before and beside surfaces, or where there is none, and just behind them."""
    everywhere = torch.randint(len(shots.key), (POINTS // 2,), generator=random)
    before = torch.cat([everywhere, _drawn(pools.shown, POINTS // 2, random)])
    behind = torch.cat([_drawn(x, POINTS // 2, random) for x in (pools.shown, pools.rare)])
    end_m = torch.minimum(shots.leave_m, shots.range_m)[before]
    way_m = (end_m - shots.enter_m[before]).clamp_min(0.0)
    close = torch.rand(POINTS, generator=random) < CLOSE_SHARE
    way_m = torch.where(close, way_m.clamp_max(CLOSE * diagonal_m), way_m)
    empty_m = end_m - way_m * torch.rand(POINTS, generator=random)
    step_m = (shots.leave_m - shots.enter_m)[behind] / SAMPLES
    # limbs pass where they were not before
    deep = torch.rand(POINTS, generator=random) < (DEEPER_SHARE if latent is None else 0.0)
    depth_m = torch.where(deep, DEEPER * diagonal_m, DEEP * diagonal_m + step_m)
    depth_m = torch.minimum(depth_m, shots.thick_m[behind])
    solid_m = shots.range_m[behind] + depth_m * torch.rand(POINTS, generator=random)
    beside = _drawn(pools.beside, POINTS // 2, random)
    ray = torch.cat([beside, before, behind])
    at_m = torch.cat([shots.range_m[beside], empty_m, solid_m])
    unit = shots.origins[ray] + shots.along[ray] * at_m[:, None]
    unit[: len(beside)] = shots.beside[beside]
    unit, empties = unit.clamp(0.0, 1.0), len(beside) + POINTS
    when = None if latent is None else latent[shots.key[ray]]
    # seen from closer by and from further away than in these pictures
    blur = 2.0 ** (BLUR[0] + (BLUR[1] - BLUR[0]) * torch.rand(len(ray), generator=random))
    footprint = blur * shots.footprint[ray] * at_m
    density, geometry = field.density(unit, footprint, when)
    inside = ~(deep & pools.empty[cell_index(unit[empties:], CARVED)])
    off = (inside * _made_otherwise(field, geometry[empties:], shots, behind)).mean()
    absorbed = 1.0 - torch.exp(-density[:empties] * CLEAR * diagonal_m)
    passed = inside * torch.exp(-density[empties:] * THIN * diagonal_m)
    return off + OPACITY * (absorbed.square().mean() + passed.square().mean())


def _made_otherwise(
    field: GridField, geometry: Float[Tensor, "n g"], shots: Shots, pixel: Int64[Tensor, "n"]
) -> Float[Tensor, "n"]:
    """Error of what surfaces are made of."""
    shown = srgb(field.radiance(geometry, shots.directions[pixel]))
    material = field.material(geometry, shots.directions[pixel])
    off = (shown - srgb(shots.albedo[pixel])).square().mean(dim=1)
    mirror = ((material.mirror - shots.mirror[pixel]) / MOST_MIRROR).square()
    openness = (material.openness - shots.openness[pixel].clamp_max(MOST_OPEN)).square()
    turned = 1.0 - (material.normal * shots.normal[pixel]).sum(dim=1)
    return off + FINISH * (mirror + openness + turned)


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
        shots, actor, period_us = photographed(name)
        look, config = learnt(shots, actor, period_us, steps)
        asset = write_asset(out / name, library()[name], look, config)
        print(f"{asset.name}: {(out / name / 'field.safetensors').stat().st_size} bytes")


if __name__ == "__main__":
    tyro.cli(main)
