"""Makes the packaged assets from exact pictures of procedural road users; needs Mitsuba.

    python -m recon.assets.make_library [KIND...] [--out recon/assets/library]

Truth says how far the surface is that a pixel shows (`recon.assets.multiview_capture`), so points
are learnt from, not
rays: nothing is before the surface, nor beside it where that is in the open; and just behind it, as
deep as a step of a march may reach, it is solid and made of what the middle of the pixel shows. So
it looks the same wherever the steps of a ray fall, unless it is thinner than that.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from recon.actors.limbs import Hinge, Limbs, Place
from recon.actors.placement import ActorModel
from recon.assets.asset_files import PACKAGED, write_asset
from recon.assets.multiview_capture import Shots, Taken, photographed, photographed_limb
from recon.config import ActorsConfig, FieldConfig
from recon.field.field import GridField
from recon.field.material import MOST_MIRROR, MOST_OPEN
from recon.field.photometry import srgb
from recon.field.space import cell_index
from recon.kernels.hash_grid import HashGridSpec
from recon.training.adam import BETA1, BETA2, LazyAdam
from scenes.edits.assets import LIBRARY, LIBRARY_SEED, Asset, library
from scenes.worlds.models.procedural import procedural
from scenes.worlds.models.world import Limb

GRID = HashGridSpec(levels=8, features=2, log2_table=17, base_resolution=8, per_level_scale=1.5)
"""8 to 137 cells across a box: lamps of trucks and spokes of bicycles are small."""
BODY_GRID, LIMB_GRID = replace(GRID, log2_table=16), replace(GRID, levels=7, log2_table=14)
"""Of somebody whose limbs swing, without them, and of a limb: together as large as the others'."""
PAIRED_M = 1e-3
"""Limbs whose extents agree to this, with left and right exchanged, share a field."""
STEPS, POINTS = 2500, 4096
LIMB_SHARE = 0.6
"""So many of the steps of others do for a limb."""
SAMPLES, LIMB_SAMPLES = 96, 64
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


def learnt(taken: Taken, grid: HashGridSpec, samples: int, steps: int) -> GridField:
    """A field of materials that is made of what the pictures show."""
    random = torch.Generator().manual_seed(LIBRARY_SEED)
    field = GridField(config_of(grid), random)
    table = LazyAdam(field.table)
    layers = (field.density_layers, field.colour_layers, field.material_layers)
    networks = [weight for each in layers for weight in each]
    adam = torch.optim.Adam(networks, lr=NETWORK_RATE, betas=(BETA1, BETA2))
    pools = pools_of(taken.shots, random)
    for step in range(steps):
        loss = _loss(field, taken, pools, samples, random)
        adam.zero_grad(set_to_none=True)
        field.table.grad = None
        loss.backward()
        rate = FINAL_RATE ** max(0.0, (step / steps - 0.3) / 0.7)
        for group in adam.param_groups:
            group["lr"] = NETWORK_RATE * rate
        adam.step()
        assert field.table.grad is not None
        table.step(field.table, field.table.grad, RATE * rate)
    return field


def made(name: str, steps: int) -> tuple[ActorModel, FieldConfig]:
    """What an asset looks like."""
    limbs = procedural(LIBRARY[name], LIBRARY_SEED)[1]
    grid = BODY_GRID if limbs else GRID
    taken = photographed(name)
    look = ActorModel(
        field=learnt(taken, grid, SAMPLES, steps),
        key_us=torch.arange(2),
        latent=None,
        samples=SAMPLES,
        limbs=_limbs(name, limbs, library()[name], steps) if limbs else None,
    )
    return look, config_of(grid)


def _limbs(name: str, limbs: tuple[Limb, ...], asset: Asset, steps: int) -> Limbs:
    """Fields of limbs, one for both of a pair, and where they hang."""
    hinges: list[Hinge] = []
    learnt_from: list[Limb] = []
    fields, sizes_m = [], []
    for limb in limbs:
        part = next((k for k, one in enumerate(learnt_from) if _pair(one, limb)), None)
        mirrored = part is not None
        if part is None:
            part = len(fields)
            taken = photographed_limb(name, limb)
            fields.append(learnt(taken, LIMB_GRID, LIMB_SAMPLES, round(LIMB_SHARE * steps)))
            sizes_m.append(_place(taken.size_m))
            learnt_from.append(limb)
        low, high = limb.mesh.extent_m()
        hinges.append(
            Hinge(
                part=part,
                mirrored=mirrored,
                middle_m=_place(0.5 * (low + high)),
                hinge_m=_place(limb.hinge_m),
                axis=_place(limb.axis),
                swing_rad=limb.swing_rad,
                phase=limb.phase,
            )
        )
    return Limbs(
        stride_m=limbs[0].stride_m,
        size_m=_place(asset.box_m),
        hinges=tuple(hinges),
        fields=tuple(fields),
        sizes_m=tuple(sizes_m),
        samples=LIMB_SAMPLES,
    )


def _pair(one: Limb, other: Limb) -> bool:
    """Whether a limb is another with left and right exchanged."""
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    ends = zip(one.mesh.placed(flip).extent_m(), other.mesh.extent_m(), strict=True)
    return all(np.allclose(a, b, rtol=0.0, atol=PAIRED_M) for a, b in ends)


def _place(values: Float64[np.ndarray, "3"]) -> Place:
    x, y, z = values.tolist()
    return x, y, z


def config_of(grid: HashGridSpec) -> FieldConfig:
    """How a field of materials is made."""
    return replace(ActorsConfig().field, grid=grid, look_harmonics=4, material=True)


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
    taken: Taken,
    pools: Pools,
    samples: int,
    random: torch.Generator,
) -> Float[Tensor, ""]:
    """Of points before and beside surfaces, or where there is none, and just behind them."""
    shots, diagonal_m = taken.shots, float(np.linalg.norm(taken.size_m))
    everywhere = torch.randint(len(shots.origins), (POINTS // 2,), generator=random)
    before = torch.cat([everywhere, _drawn(pools.shown, POINTS // 2, random)])
    behind = torch.cat([_drawn(x, POINTS // 2, random) for x in (pools.shown, pools.rare)])
    end_m = torch.minimum(shots.leave_m, shots.range_m)[before]
    way_m = (end_m - shots.enter_m[before]).clamp_min(0.0)
    close = torch.rand(POINTS, generator=random) < CLOSE_SHARE
    way_m = torch.where(close, way_m.clamp_max(CLOSE * diagonal_m), way_m)
    empty_m = end_m - way_m * torch.rand(POINTS, generator=random)
    step_m = (shots.leave_m - shots.enter_m)[behind] / samples
    deep = torch.rand(POINTS, generator=random) < DEEPER_SHARE
    depth_m = torch.where(deep, DEEPER * diagonal_m, DEEP * diagonal_m + step_m)
    depth_m = torch.minimum(depth_m, shots.thick_m[behind])
    solid_m = shots.range_m[behind] + depth_m * torch.rand(POINTS, generator=random)
    beside = _drawn(pools.beside, POINTS // 2, random)
    near = torch.cat([beside, before[: POINTS // 2]])  # open places look as wide as these
    ray = torch.cat([near, before, behind])
    at_m = torch.cat([shots.range_m[beside], empty_m[: POINTS // 2], empty_m, solid_m])
    unit = shots.origins[ray] + shots.along[ray] * at_m[:, None]
    free = taken.empty[torch.randint(len(taken.empty), (POINTS // 2,), generator=random)]
    unit[: len(near)] = torch.cat([shots.beside[beside], free])
    unit, empties = unit.clamp(0.0, 1.0), len(near) + POINTS
    # seen from closer by and from further away than in these pictures
    blur = 2.0 ** (BLUR[0] + (BLUR[1] - BLUR[0]) * torch.rand(len(ray), generator=random))
    footprint = blur * shots.footprint[ray] * at_m
    density, geometry = field.density(unit, footprint)
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
        look, config = made(name, steps)
        asset = write_asset(out / name, library()[name], look, config)
        print(f"{asset.name}: {(out / name / 'field.safetensors').stat().st_size} bytes")


if __name__ == "__main__":
    tyro.cli(main)
