"""Road users with fields, put where somebody wants them: what rays meet beside the static scene.

Who drives as recorded is where training found it to be; who was edited is where the edit says. An
actor is as large as its box, whatever box its field was trained in.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from recon.actors.actor_fields import (
    GROWN,
    OBSERVED,
    ActorFields,
    box_correction,
    box_poses,
    low_share,
    square,
    support_of,
    unit_from_box,
)
from recon.actors.limbs import Limbs
from recon.actors.underbody import under_vehicle
from recon.data.masks import KNOWN_SLACK_US
from recon.field.field import ABSENT, GridField, Instance
from recon.field.interpolation import in_time
from scenes.actor import Actor
from scenes.edits.parked_vehicles import VEHICLES, for_good
from scenes.safety.encounters import fixtures


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CapturedLight:
    """The light that somebody was in when its look was learnt."""

    cube: Float[Tensor, "6 3"]
    """Irradiance of its sides from all around but the sun (a `recon.lighting.irradiance.Cube`)."""
    to_sun: Float[Tensor, "3"] | None = None
    """Towards the sun, in the frame of its box; shorter than 1 where it turned about."""
    sun: Float[Tensor, "3"] | None = None
    """Irradiance of what faced the sun."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ActorModel:
    """What somebody looks like: a field, and how it changes with time."""

    field: GridField
    key_us: Int64[Tensor, "keys"]
    latent: Float[Tensor, "keys latents"] | None
    corrections: Float[Tensor, "knots 4"] | None = None
    """Of the recorded poses (see `recon.actors.actor_fields`)."""
    knot_us: Int64[Tensor, "knots"] | None = None
    hits: Float[Tensor, "cells"] | None = None
    """Where training pictures showed its surface; None knows all of it."""
    light: CapturedLight | None = None
    """None does not know, or is at home."""
    alone: bool = False
    """Whether the static scene has nothing where it is (see `Instance.alone_above`)."""
    samples: int | None = None
    """Into so many steps a ray through its box is cut; None leaves it to the scene."""
    limbs: Limbs | None = None
    """What swings about it as it goes."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlacedActors:
    """What moves, for some rays."""

    instances: tuple[Instance, ...]
    """Instance k, from 1, of a march is instance k - 1 of these; limbs follow their owners."""
    moment: Int64[Tensor, "rays"]
    """Which of the instances' moments each ray sees."""
    hits: tuple[Float[Tensor, "cells"] | None, ...]
    """Where each instance's surface was seen (see `ActorModel.hits`)."""
    lights: tuple[CapturedLight | None, ...]
    """What light each instance brings along (see `ActorModel.light`)."""
    modelled: frozenset[int]
    """Track ids of all who have a model, also of those who are not there at any of the moments."""
    wheeled: frozenset[int] = frozenset()
    """Track ids of cars, vans, trucks and buses that look as pictures showed them."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Track ids of the instances."""
        return tuple(item.id for item in self.instances)

    @property
    def asset_ids(self) -> frozenset[int]:
        """Track ids of assets: captured in other light, or made of materials."""
        pairs = zip(self.instances, self.lights, strict=True)
        return frozenset(
            item.id for item, light in pairs if light is not None or item.field.has_material
        )

    def only(self, ids: Collection[int]) -> "PlacedActors":
        """Some of them alone."""
        kept = [k for k, item in enumerate(self.instances) if item.id in ids]
        return replace(
            self,
            instances=tuple(self.instances[k] for k in kept),
            hits=tuple(self.hits[k] for k in kept),
            lights=tuple(self.lights[k] for k in kept),
        )

    def is_underbody(
        self,
        points_m: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        instance: Int64[Tensor, "rays"],
    ) -> Bool[Tensor, "rays"]:
        """Whether the surface at the end of each ray is ground under a vehicle, not the vehicle.

        `instance` is as in `support` (see `recon.actors.underbody`).
        """
        found = torch.zeros(len(points_m), dtype=torch.bool)
        for k, item in enumerate(self.instances):
            if item.id not in self.wheeled:
                continue
            its = torch.nonzero(instance == k + 1)[:, 0]
            if not len(its):
                continue
            unit, per_m = self._inside(k, points_m[its], its)
            affine = item.unit_from_world.cpu()[self.moment[its], :, :3]
            along = torch.einsum("nij,nj->ni", affine, directions[its]) / per_m
            size_m = 1.0 / (per_m[0] * torch.tensor(GROWN))
            points = (unit - 0.5) / per_m + torch.tensor([0.0, 0.0, 0.5]) * size_m
            found[its] = under_vehicle(points, along, size_m)
        return found

    def _inside(
        self, k: int, points_m: Float[Tensor, "n 3"], rays: Int64[Tensor, "n"]
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
        """Points in the unit cube of the k-th, and its units per metre along its axes."""
        affine = self.instances[k].unit_from_world.cpu()[self.moment[rays]]
        unit = torch.einsum("nij,nj->ni", affine[..., :3], points_m) + affine[..., 3]
        return unit, affine[..., :3].norm(dim=2)

    def support(
        self, points_m: Float[Tensor, "rays 3"], instance: Int64[Tensor, "rays"]
    ) -> UInt8[Tensor, "rays"]:
        """What is known of the surface at the end of each ray (`actor_fields.support_of`).

        `instance` says whose it is, as a march does; 0 where it is nobody's.
        """
        found = torch.zeros(len(points_m), dtype=torch.uint8)
        for k, hits in enumerate(self.hits):
            its = torch.nonzero(instance == k + 1)[:, 0]
            unit, _ = self._inside(k, points_m[its], its)
            known = torch.full((len(its),), OBSERVED, dtype=torch.uint8)
            found[its] = known if hits is None else support_of(hits.cpu(), unit)
        return found


def models_of(actor_fields: ActorFields | None) -> dict[int, ActorModel]:
    """What each of a crowd looks like, by id."""
    if actor_fields is None:
        return {}
    return {
        number: ActorModel(
            field=actor_fields.field_of(number),
            key_us=actor_fields.key_us,
            latent=actor_fields.latent[k] if actor_fields.limbed(k) else None,
            corrections=actor_fields.corrections[k],
            knot_us=actor_fields.knot_us,
            hits=actor_fields.hits[k],
            alone=actor_fields.alone_above[k] < 1.0,
        )
        for k, number in enumerate(actor_fields.ids)
    }


@torch.no_grad()
def place_actors(
    models: Mapping[int, ActorModel],
    recorded: Sequence[Actor],
    actors: Sequence[Actor],
    time_us: Int64[Tensor, "rays"],
) -> PlacedActors:
    """Those of the actors who have a model, at the times of rays.

    Args:
        models: By id of an actor.
        recorded: The drive's own road users: who moves as they did is corrected as they were, and
            who stands as they did is in its place for good.
        actors: Road users as staged.
        time_us: When each ray is seen.
    """
    times, moment = torch.unique(time_us, return_inverse=True)
    as_recorded = {actor.id: actor.trajectory for actor in recorded}
    found, hits, lights = [], [], []
    actors = for_good(actors, fixtures(actors, recorded), times.cpu().numpy())
    shown = [(actor, models[actor.id]) for actor in actors if actor.id in models]
    for actor, model in shown:
        corrected = as_recorded.get(actor.id) == actor.trajectory
        parts = _instances(model, actor, times, corrected)
        found += parts
        # of limbs all is known
        hits += [model.hits if k == 0 else None for k in range(len(parts))]
        lights += [model.light] * len(parts)
    return PlacedActors(
        instances=tuple(found), moment=moment, hits=tuple(hits), lights=tuple(lights),
        modelled=frozenset(actor.id for actor, _ in shown),
        wheeled=frozenset(
            actor.id
            for actor, model in shown
            if actor.kind in VEHICLES and not model.field.has_material
        ),
    )  # fmt: skip


def _rows(actor: Actor, times: Int64[Tensor, "moments"]) -> Int64[Tensor, "moments"]:
    """Times of a picture's rows: who is there as it begins stays in its place to its last row."""
    last = int(actor.trajectory.time_us[-1])
    late = (times > last) & (times <= last + KNOWN_SLACK_US) & (times.min() <= last)
    return torch.where(late, last, times)


def _instances(
    model: ActorModel, actor: Actor, times: Int64[Tensor, "moments"], corrected: bool
) -> list[Instance]:
    """One actor at some times, then its limbs; nothing where it is at no place at any of them."""
    where = box_poses((actor,), _rows(actor, times).cpu().numpy(), 0)
    where = where.to(model.field.table.device)
    if not bool(where.there.any()):
        return []
    box_from_world = square(where.box_from_world[:, 0])
    if corrected and model.corrections is not None and model.knot_us is not None:
        moved = in_time(model.knot_us, model.corrections, where.time_us)
        box_from_world = box_correction(moved) @ box_from_world
    size = torch.from_numpy(np.asarray(actor.size_m, dtype=np.float32)).to(box_from_world)
    maps = unit_from_box(size) @ box_from_world
    latent = None
    if model.latent is not None:
        first, last = int(model.key_us[0]), int(model.key_us[-1])
        # beyond what was learnt it goes on as it did before
        again = (where.time_us - first) % max(last - first, 1) + first
        learnt = (where.time_us >= first) & (where.time_us <= last)
        inside = torch.where(learnt, where.time_us, again)
        latent = in_time(model.key_us, model.latent, inside)
    parts = [(model.field, maps)]
    if model.limbs is not None:
        path, when_us = actor.trajectory, where.time_us.cpu().numpy()
        parts += model.limbs.placed(box_from_world, path, when_us, size)
    return [
        Instance(
            field=field,
            unit_from_world=torch.where(where.there[:, :1, None], placed, ABSENT.to(placed)),
            id=actor.id,
            latent=None if k else latent,
            samples=model.limbs.samples if k and model.limbs is not None else model.samples,
            alone_above=low_share(float(actor.size_m[2])) if model.alone and not k else 1.0,
        )
        for k, (field, placed) in enumerate(parts)
    ]
