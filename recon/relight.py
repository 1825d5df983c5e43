"""Light on somebody who comes from elsewhere: as the ground here is darker or tinted.

A look has the light baked in that it was learnt under. It knows the radiance of the ground around
it in that light, so the ground under its new path says what its own radiance is multiplied by,
channel by channel, where that is less: dusk, night, lamps, tunnels. Ground that is brighter than
that lies in the sun, which shines on one side of somebody and not on the other; the side in the
shade has the light of the sky alone and stays as it is. Shadows are not turned, and roads are taken
to be about as dark everywhere. One factor holds for a whole path, so that nobody flickers.
"""

import copy
from dataclasses import replace
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from recon.field import GridField
from recon.kernels.spherical_harmonics import spherical_harmonics
from recon.march import MarchOutput
from recon.staged import Look
from scenes.actor import Actor

POSES, ACROSS = 16, 3
"""Of a path, at most, and looks along and across the box at each."""
ABOVE_M, OFF_M = 2.0, 0.7
"""Looks start so far over the foot of the box; what they meet so near to it is the ground."""
BEAM_RAD = 0.05
LEAST = 8
"""Fewer looks that meet ground say nothing."""
STEPS_PER_STOP = 16
"""Factors are powers of 2^(1/16), 4 % apart: few fields are made ..."""
MOST_STOPS = 8.0
"""... and none that are darker than this."""


@runtime_checkable
class Lit(Protocol):
    """A static scene (`recon.scene.Scene` is one)."""

    def render_rays(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        pixel_angle: Float[Tensor, "rays"],
    ) -> MarchOutput:
        """What rays see of it."""
        ...


def ground_linear(scene: Lit, actor: Actor) -> Float[Tensor, "3"] | None:
    """Median radiance of the ground under somebody's path; None where hardly any is met."""
    poses = actor.trajectory.world_from_body
    chosen = np.unique(np.linspace(0, len(poses) - 1, POSES).round().astype(int))
    ends = np.linspace(-0.5, 0.5, ACROSS)
    x, y = (each.ravel() for each in np.meshgrid(ends, ends))
    foot = np.stack([x, y, np.full(len(x), -0.5)], axis=-1) * actor.size_m
    places = np.einsum("nij,kj->nki", poses[chosen, :3, :3], foot) + poses[chosen, None, :3, 3]
    origins = torch.from_numpy(places.reshape(-1, 3)).float()
    origins[:, 2] += ABOVE_M
    down = torch.tensor([0.0, 0.0, -1.0]).expand(len(origins), 3).contiguous()
    out = scene.render_rays(origins, down, torch.full((len(origins),), BEAM_RAD))
    met = (out.range_m - ABOVE_M).abs() < OFF_M
    if int(met.sum()) < LEAST:
        return None
    return out.linear[met].median(dim=0).values


def relit(look: Look, here: Float[Tensor, "3"] | None) -> Look:
    """A look where the ground has the radiance `here`; as it is where that is unknown."""
    made = look.ground_linear
    if made is None or here is None:
        return look
    stops = torch.log2(here.clamp_min(1e-6) / made.clamp_min(1e-6)).clamp(-MOST_STOPS, 0.0)
    return _dimmed(look, tuple((stops * STEPS_PER_STOP).round().int().tolist()))


@lru_cache(maxsize=64)
def _dimmed(look: Look, steps: tuple[int, ...]) -> Look:
    factor = 2.0 ** (torch.tensor(steps) / STEPS_PER_STOP)
    return replace(look, field=dimmed(look.field, factor))


@torch.no_grad()
def dimmed(field: GridField, factor: Float[Tensor, "channels"]) -> GridField:
    """The same field, whose radiance is multiplied by `factor` in each channel.

    Radiance is the exponential of what the colour network says. Its first harmonic is a constant,
    so a unit more in each hidden layer carries the factor's logarithm; layers are made twice as
    wide, because some backends know powers of two alone.
    """
    first, second, last = field.colour_layers
    width, inputs = first.shape
    constant = spherical_harmonics(torch.tensor([[0.0, 0.0, 1.0]]))[0, 0].to(first)
    wide = [
        first.new_zeros(2 * width, inputs),
        first.new_zeros(2 * width, 2 * width),
        first.new_zeros(len(last), 2 * width),
    ]
    for new, old in zip(wide, (first, second, last), strict=True):
        new[: old.shape[0], : old.shape[1]] = old
    wide[0][width, inputs - field.look_harmonics] = 1.0 / constant
    wide[1][width, width] = 1.0
    wide[2][:, width] = factor.to(first).log()
    made = copy.deepcopy(field)
    made.colour_layers = nn.ParameterList(wide).requires_grad_(False)
    return made
