"""Where along each ray the field is evaluated.

A ray is cut into adjoining steps, of constant length at first, then growing in proportion to
distance (as instant-ngp, Müller et al. 2022, appendix E.1), and far away with its square, as the
contraction does. A step is looked at when the occupancy remembers density in it; every other step
is empty by definition. Training shifts all steps of a ray by a random share of a step. What the
occupancy remembers must not hide what lies behind it: it is a maximum, and fog of early training
would cut off the scene for good.
"""

from dataclasses import dataclass, replace
from functools import cache

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recon.config import SamplingConfig
from recon.field.occupancy import Occupancy, is_occupied
from recon.field.space import Block
from recon.rendering.rays import Rays


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Steps:
    """The steps of rays, and which of them are looked at."""

    edges_m: Float[Tensor, "rays edges"]
    """Ends of the steps [m]."""
    looked_at: Bool[Tensor, "rays steps"]
    unit: Float[Tensor, "looked 3"]
    """Middles of the steps that are looked at, in the block's unit cube, in ray order."""

    @property
    def near_m(self) -> Float[Tensor, "rays steps"]:
        """Start of each step [m]."""
        return self.edges_m[:, :-1]

    @property
    def far_m(self) -> Float[Tensor, "rays steps"]:
        """End of each step [m]."""
        return self.edges_m[:, 1:]

    @property
    def middle_m(self) -> Float[Tensor, "rays steps"]:
        """Where each step is looked at [m]."""
        return 0.5 * (self.near_m + self.far_m)

    def but(self, hidden: Bool[Tensor, "rays steps"]) -> "Steps":
        """These steps, where hidden ones are not looked at."""
        kept = ~hidden[self.looked_at]
        return replace(self, looked_at=self.looked_at & ~hidden, unit=self.unit[kept])

    def only(self, place: Int64[Tensor, "looks"], unit: Float[Tensor, "looks 3"]) -> "Steps":
        """These steps, looked at nowhere but at `place` (numbers among rays times steps)."""
        place, order = torch.sort(place)
        looked_at = torch.zeros_like(self.looked_at).flatten()
        looked_at[place] = True
        return replace(self, looked_at=looked_at.view_as(self.looked_at), unit=unit[order])


@cache
def step_edges(config: SamplingConfig, growth: float) -> Float[Tensor, "edges"]:
    """Ends of the steps of an unshifted ray, from `near_m` to at least `far_m` [m].

    Each step is as long as `growth` times its distance, at least `min_step_m`; beyond `bend_m`
    it is longer by the distance over `bend_m`.
    """
    edges = [config.near_m]
    while edges[-1] < config.far_m or len(edges) < 3:
        at = edges[-1]
        edges.append(at + max(config.min_step_m, growth * at * max(1.0, at / config.bend_m)))
    return torch.tensor(edges)


@torch.no_grad()
def choose_steps(
    rays: Rays,
    block: Block,
    occupancy: Occupancy,
    config: SamplingConfig,
    growth: float,
    shift: Float[Tensor, "rays"] | None,
) -> Steps:
    """The steps of each ray, shifted by that share of a step (0 to 1); None is one half."""
    ends = step_edges(config, growth).to(rays.origins_m)
    share = torch.full((len(rays),), 0.5) if shift is None else shift
    share = share.to(ends)[:, None]
    edges = torch.lerp(ends[:-1].expand(len(rays), -1), ends[1:].expand(len(rays), -1), share)
    unit = block.unit(rays.at(0.5 * (edges[:, :-1] + edges[:, 1:])))
    looked_at = is_occupied(occupancy, unit) & rays.is_valid[:, None]
    return Steps(edges_m=edges, looked_at=looked_at, unit=unit[looked_at])
