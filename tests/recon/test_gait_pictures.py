"""The packaged person as it goes, against its original: two legs at every moment."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from scenes.edits.assets import LIBRARY, LIBRARY_SEED
from scenes.motion.geometry import translation
from scenes.motion.trajectory import Trajectory
from scenes.worlds.models.procedural import procedural
from scenes.worlds.models.world import World
from tests.asset_pictures import Mask, camera_of, masks, shared

pytest.importorskip("mitsuba", reason="the extra `worlds` is not installed")

CAMERA, AWAY_M = camera_of(64, 88, 300.0), 8.0
PHASES = 8
SHIN_M = 0.3, 0.45
"""Heights over the road at which legs are counted."""


@cache
def walking(name: str) -> tuple[World, int]:
    """Somebody who goes ahead on an empty street as fast as his legs swing by the clock."""
    from recon.assets import multiview_capture as shots

    world, actor, _ = shots.stage(name)
    mesh, limbs, size_m = procedural(LIBRARY[name], LIBRARY_SEED)
    period_us = limbs[0].period_us
    # feet that do not slide make two steps of this length meanwhile
    hip_m = limbs[0].hinge_m[2] - limbs[0].mesh.extent_m()[0][2]
    way_m = 4.0 * hip_m * np.sin(limbs[0].swing_rad) if name == "person" else 4.5
    places = translation(np.array([[20.0, 0.0, 0.5 * size_m[2]]] * 5))
    places[:, 0, 3] += np.arange(5) * way_m
    track = Trajectory(time_us=np.arange(5) * period_us, world_from_body=places)
    actor = replace(actor, trajectory=track)
    limbs = tuple(replace(limb, mesh=limb.mesh.labelled(actor.kind, 1)) for limb in limbs)
    body = replace(world.bodies[0], actor=actor, mesh=mesh.labelled(actor.kind, 1), limbs=limbs)
    return replace(world, bodies=(body,)), period_us


def seen(name: str, phase: int, azimuth: float) -> tuple[Mask, Mask]:
    """Masks at a moment of the second swing."""
    world, period_us = walking(name)
    return masks(name, world, CAMERA, AWAY_M, azimuth, (PHASES + phase) * period_us // PHASES)


def legs(mask: Mask) -> list[int]:
    """How many separate runs of pixels there are in each row of the shins, about."""
    up_m = 0.5 * walking("person")[0].bodies[0].actor.size_m[2]
    rows = [int(0.5 * CAMERA.height + CAMERA.fy * (up_m - at) / AWAY_M) for at in SHIN_M]
    edges = np.diff(mask[rows[1] : rows[0]].astype(np.int8), axis=1, prepend=0)
    return (edges == 1).sum(axis=1).tolist()


@pytest.mark.parametrize("phase", range(PHASES))
def test_a_person_has_two_legs_at_every_moment(phase: int) -> None:
    found, shown = seen("person", phase, 0.5 * np.pi)
    for mine, true in zip(legs(found), legs(shown), strict=True):
        assert 1 <= mine <= true  # where legs cross there is one
        assert true <= 2
    assert shared(found, shown) >= 0.8


@pytest.mark.parametrize("azimuth", [0.0, 0.25 * np.pi, np.pi, 1.6 * np.pi])
@pytest.mark.parametrize("name", ["person", "cyclist"])
def test_its_mask_is_its_originals_from_other_sides(name: str, azimuth: float) -> None:
    overlaps = [shared(*seen(name, phase, azimuth)) for phase in (1, 4, 6)]
    print(f"azimuth {azimuth:.2f}: {np.round(overlaps, 3)}")
    assert min(overlaps) >= 0.88  # 0.62 of the person that was one field, 0.81 of such a cyclist
