"""Road users with fields of their own, in the frames of their boxes, and where the boxes are.

A box is grown by `GROWN`, so that what labels miss and the shadow at its feet fit in; the grown box
is the unit cube of its field. Labels of boxes are a little off: corrections [m, m, m, rad] (a shift
along the box's axes and a turn about its z axis, linear between knots in time) are learnt with the
fields. The field of somebody with limbs also depends on latents, linear between keys in time. Who
stands is in one place, uncorrected: where it is in its box, its field learns.

A moment is seen as it was, or mirrored left to right: on a mirrored ray, the half of a field that
no camera saw learns from the half that one saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from recon.actors.cores import core_of
from recon.config import ActorsConfig
from recon.data.masks import KNOWN_SLACK_US
from recon.field.field import ABSENT, GridField, Instance
from recon.field.interpolation import in_time
from recon.field.space import cell_index
from recon.kernels.backend import Backend
from scenes.actor import Actor
from scenes.motion.geometry import invert
from scenes.semantics import Semantic

GROWN = (1.1, 1.15, 1.08)
"""Sides of a field's box over those of the labelled one: length, width, height."""
CLEARANCE_M = 0.2
"""So much above the bottom of a labelled box belongs to the ground [m]."""
LIMBED = frozenset({Semantic.PERSON, Semantic.SITTING_PERSON, Semantic.CYCLIST, Semantic.BICYCLE})
"""Whoever moves more than as a whole."""
OBSERVED, MIRRORED = 2, 1
"""Training pictures showed this surface, or only the one across from it."""
SUPPORT_RESOLUTION = 16
"""Cells along each axis of the unit cube in which it is counted who was seen."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BoxPoses:
    """Where boxes are at some moments."""

    time_us: Int64[Tensor, "moments"]
    """Increasing [µs]."""
    box_from_world: Float[Tensor, "moments actors 3 4"]
    there: Bool[Tensor, "moments actors"]
    """Whether each is anywhere then."""

    def to(self, device: torch.device) -> "BoxPoses":
        """The same on a device."""
        return BoxPoses(
            time_us=self.time_us.to(device),
            box_from_world=self.box_from_world.to(device),
            there=self.there.to(device),
        )

    def row(self, time_us: Int64[Tensor, "*n"]) -> Int64[Tensor, "*n"]:
        """The nearest moment to each time."""
        middles = (self.time_us[1:] + self.time_us[:-1]) // 2
        return torch.searchsorted(middles, time_us.contiguous())

    def at(self, rows: Int64[Tensor, "n"]) -> "BoxPoses":
        """Some of the moments alone."""
        return BoxPoses(
            time_us=self.time_us[rows],
            box_from_world=self.box_from_world[rows],
            there=self.there[rows],
        )


def box_poses(
    actors: Sequence[Actor], time_us: Int64[np.ndarray, "moments"], slack_us: int = KNOWN_SLACK_US
) -> BoxPoses:
    """Where the boxes of actors are at increasing times; they stay for `slack_us` beyond labels."""
    maps = np.zeros((len(time_us), len(actors), 3, 4))
    there = np.zeros(maps.shape[:2], dtype=bool)
    for k, actor in enumerate(actors):
        track = actor.trajectory
        first, last = track.time_us[0] - slack_us, track.time_us[-1] + slack_us
        there[:, k] = (time_us >= first) & (time_us <= last)
        if there[:, k].any():
            maps[there[:, k], k] = invert(track.at(time_us[there[:, k]]))[:, :3]
    return BoxPoses(
        time_us=torch.from_numpy(np.asarray(time_us, dtype=np.int64)),
        box_from_world=torch.from_numpy(maps).float(),
        there=torch.from_numpy(there),
    )


class ActorFields(nn.Module):
    """Fields of road users, by increasing id."""

    corrections: Float[Tensor, "actors knots 4"]
    latent: Float[Tensor, "actors keys latents"]
    size_m: Float[Tensor, "actors 3"]
    """Of the labelled boxes."""
    known: Float[Tensor, "actors knots"]
    """1 at the knots between which the drive knows each."""
    moves: Float[Tensor, "actors"]
    """1 for those that move."""
    hits: Float[Tensor, "actors cells"]
    """Pixels of training pictures that showed a surface in each cell of its unit cube."""

    def __init__(
        self,
        actors: Sequence[Actor],
        span_us: tuple[int, int],
        config: ActorsConfig,
        seed: int,
        backend: Backend = Backend.TORCH,
    ) -> None:
        super().__init__()
        self.ids = tuple(actor.id for actor in actors)
        generator = torch.Generator().manual_seed(seed)
        whole = replace(config.field, latents=config.latents)
        self.fields = nn.ModuleList(
            GridField(whole if actor.kind in LIMBED else config.field, generator, backend)
            for actor in actors
        )
        self.knot_us, self.key_us = (
            torch.arange(span_us[0], span_us[1] + step, step)
            for step in (config.knot_us, config.key_us)
        )
        self.corrections = nn.Parameter(torch.zeros(len(actors), len(self.knot_us), 4))
        keys = torch.randn(len(actors), len(self.key_us), config.latents, generator=generator)
        self.latent = nn.Parameter(0.1 * keys)
        sizes = [torch.from_numpy(np.asarray(actor.size_m, dtype=np.float32)) for actor in actors]
        self.register_buffer("size_m", torch.stack(sizes))
        spans = [actor.trajectory.time_us[[0, -1]] for actor in actors]
        beside = torch.tensor([-config.knot_us, config.knot_us])
        known = [
            (self.knot_us > first) & (self.knot_us < last)
            for first, last in (torch.from_numpy(span) + beside for span in spans)
        ]
        self.register_buffer("known", torch.stack(known).float(), persistent=False)
        moves = torch.tensor([float(actor.is_moving) for actor in actors])
        self.register_buffer("moves", moves, persistent=False)
        # whoever moves is, at each moment, where nothing that stands still can be: its field has to
        # explain its pictures, not a copy of it that the static scene paints
        self.alone_above = tuple(
            low_share(float(actor.size_m[2])) if actor.is_moving else 1.0 for actor in actors
        )
        cores = (core_in_cube(actor.kind) if actor.is_moving else None for actor in actors)
        self.cores = tuple(cores)
        self.register_buffer("hits", torch.zeros(len(actors), SUPPORT_RESOLUTION**3))

    def __len__(self) -> int:
        return len(self.ids)

    def field_of(self, number: int) -> GridField:
        """The field of the actor of that id."""
        field = self.fields[self.ids.index(number)]
        assert isinstance(field, GridField)
        return field

    def limbed(self, k: int) -> bool:
        """Whether the k-th field depends on latents."""
        field = self.fields[k]
        assert isinstance(field, GridField)
        return field.latents > 0

    def instances(self, where: BoxPoses, *, mirrored: bool = False) -> list[Instance]:
        """Everybody at some moments, corrected; then, where asked for, mirrored at the same.

        `where` is of all actors of the crowd. Gradients reach corrections and latents.
        """
        maps = unit_from_box(self.size_m) @ self._corrected(where)
        maps = torch.where(where.there[..., None, None], maps, ABSENT.to(maps))
        if mirrored:
            maps = torch.cat([maps, mirror(maps)])
        limbed = any(self.limbed(k) for k in range(len(self)))
        latents = in_time(self.key_us, self.latent, where.time_us) if limbed else self.latent
        return [
            Instance(
                field=self.field_of(number),
                unit_from_world=maps[:, k],
                id=number,
                latent=latents[k].repeat(1 + mirrored, 1) if self.limbed(k) else None,
                alone_above=self.alone_above[k],
                core=self.cores[k],
            )
            for k, number in enumerate(self.ids)
        ]

    def _corrected(self, where: BoxPoses) -> Float[Tensor, "moments actors 4 4"]:
        """Boxes from the world, after the corrections."""
        moved = in_time(self.knot_us, self.corrections, where.time_us).transpose(0, 1)
        return box_correction(moved) @ square(where.box_from_world)

    @torch.no_grad()
    def settle(self, decay: float) -> None:
        """Draw corrections back to the labels by a share of themselves.

        A mean over the time that an actor is known would only shift what is in its box, which
        those who are put elsewhere would show: it is taken out.
        """
        known = self.known[..., None]
        mean = (self.corrections * known).sum(1, keepdim=True) / known.sum(1, keepdim=True)
        self.corrections -= known * mean
        self.corrections *= (1.0 - decay) * self.moves[:, None, None]

    def count(self, k: int, unit: Float[Tensor, "n 3"]) -> None:
        """Add surfaces of the k-th actor that training pictures showed."""
        cells = cell_index(unit, SUPPORT_RESOLUTION)
        self.hits[k] += torch.bincount(cells, minlength=SUPPORT_RESOLUTION**3).to(self.hits)


def support_of(hits: Float[Tensor, "cells"], unit: Float[Tensor, "n 3"]) -> UInt8[Tensor, "n"]:
    """What is known of surfaces in a unit cube: `OBSERVED`, `MIRRORED` or 0.

    A surface counts as observed in the cell of one that was, or beside it.
    """
    side = SUPPORT_RESOLUTION
    grid = (hits > 0).float().view(1, 1, side, side, side)
    near = torch.nn.functional.max_pool3d(grid, 3, stride=1, padding=1).flatten() > 0
    other = unit * torch.tensor([1.0, -1.0, 1.0]).to(unit)
    other = other + torch.tensor([0.0, 1.0, 0.0]).to(unit)
    direct, mirrored = (near[cell_index(x, side)] for x in (unit, other))
    found = torch.where(mirrored, MIRRORED, 0)
    return torch.where(direct, OBSERVED, found).to(torch.uint8)


def core_in_cube(kind: Semantic) -> Float[Tensor, "2 3"] | None:
    """Corners of the core of a road user in its field's unit cube; None where none is known."""
    core = core_of(kind)
    return None if core is None else (core - 0.5) / torch.tensor(GROWN) + 0.5


def low_share(height_m: float) -> float:
    """Where the ground's part of a field's box ends in its unit cube, by the label's height."""
    return (CLEARANCE_M / height_m - 0.5) / GROWN[2] + 0.5


def unit_from_box(size_m: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3 4"]:
    """From the frames of labelled boxes to the unit cubes of their fields."""
    scale = 1.0 / (size_m * torch.tensor(GROWN).to(size_m))
    half = torch.full_like(scale, 0.5)[..., None]
    return torch.cat([torch.diag_embed(scale), half], dim=-1)


def mirror(unit_from_world: Float[Tensor, "*n 3 4"]) -> Float[Tensor, "*n 3 4"]:
    """The same box with left and right exchanged."""
    flip = torch.tensor([1.0, -1.0, 1.0]).to(unit_from_world)
    return unit_from_world * flip[:, None] + torch.tensor(
        [[0.0] * 4, [0.0, 0.0, 0.0, 1.0], [0.0] * 4]
    ).to(unit_from_world)


def box_correction(moved: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4 4"]:
    """From a labelled box's frame to that of a box shifted [m] and turned [rad] by so much."""
    cosine, sine = moved[..., 3].cos(), moved[..., 3].sin()
    zero, one = torch.zeros_like(cosine), torch.ones_like(cosine)
    x, y, z = moved[..., :3].unbind(-1)
    rows = [
        cosine, sine, zero, -cosine * x - sine * y,
        -sine, cosine, zero, sine * x - cosine * y,
        zero, zero, one, -z,
        zero, zero, zero, one,
    ]  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (4, 4))


def square(affine: Float[Tensor, "*n 3 4"]) -> Float[Tensor, "*n 4 4"]:
    """Affine maps with their last row."""
    last = torch.tensor([0.0, 0.0, 0.0, 1.0]).to(affine).expand(*affine.shape[:-2], 1, 4)
    return torch.cat([affine, last], dim=-2)
