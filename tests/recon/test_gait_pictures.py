"""The packaged person as it goes, against its original: two legs at every moment."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from jaxtyping import Bool

from recon.assets import load_look
from recon.kernels.backend import choose_backend
from recon.model import new_model
from recon.scene import Scene
from recon.staged import stage
from scenes.assets import LIBRARY, LIBRARY_SEED
from scenes.camera import Camera, camera_rays
from scenes.geometry import rigid, translation
from scenes.trajectory import Trajectory
from scenes.worlds.procedural import procedural
from scenes.worlds.world import World
from tests.light_maker import drive
from tests.scene_maker import tiny_config

WIDE_PX, TALL_PX, AWAY_M, EYE_M = 64, 88, 8.0, 1.5
PHASES = 8
SHIN_M = 0.2, 0.35
"""Heights over the road at which legs are counted."""
Mask = Bool[np.ndarray, "h w"]


@cache
def walking(name: str) -> tuple[World, int]:
    """Somebody who goes ahead on an empty street as fast as his legs swing by the clock."""
    pytest.importorskip("mitsuba", reason="the extra `worlds` is not installed")
    from recon import shots

    world, actor, _ = shots.stage(name)
    mesh, limbs, size_m = procedural(LIBRARY[name], LIBRARY_SEED)
    period_us = limbs[0].period_us
    # feet that do not slide make two steps of this length meanwhile
    hip_m = 0.5 * size_m[2] + limbs[0].hinge_m[2]
    way_m = 4.0 * hip_m * np.sin(limbs[0].swing_rad) if name == "person" else 4.5
    places = translation(np.array([[20.0, 0.0, 0.5 * size_m[2]]] * 5))
    places[:, 0, 3] += np.arange(5) * way_m
    track = Trajectory(time_us=np.arange(5) * period_us, world_from_body=places)
    actor = replace(actor, trajectory=track)
    limbs = tuple(replace(limb, mesh=limb.mesh.labelled(actor.kind, 1)) for limb in limbs)
    body = replace(world.bodies[0], actor=actor, mesh=mesh.labelled(actor.kind, 1), limbs=limbs)
    return replace(world, bodies=(body,)), period_us


def masks(name: str, time_us: int, azimuth: float) -> tuple[Mask, Mask]:
    """Of the packaged asset and of its original, seen from a side."""
    from scenes.worlds.tracer import Tracer

    world, _ = walking(name)
    actor = world.bodies[0].actor
    camera = Camera(
        width=WIDE_PX, height=TALL_PX, fx=300.0, fy=300.0, cx=0.5 * WIDE_PX, cy=0.5 * TALL_PX,
        readout_us=0,
    )  # fmt: skip
    up_m = EYE_M - 0.5 * actor.size_m[2]
    out = np.array([np.cos(azimuth) * AWAY_M, np.sin(azimuth) * AWAY_M, up_m])
    ahead = -out / np.linalg.norm(out)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(ahead, right), ahead], axis=1)
    eye = actor.trajectory.at(np.array([time_us]))[0] @ rigid(turn, out)
    origins, directions = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), eye, time_us)
    when = np.full(len(origins), time_us, dtype=np.int64)
    truth, _ = Tracer(world).cast_on(actor.id, origins, directions, when)
    shown = np.zeros(len(origins), dtype=bool)
    shown[truth] = True
    scene, backend = nowhere(), choose_backend(None)
    staged = stage({1: load_look(name, backend)}, (), (actor,), torch.from_numpy(when))
    starts, ways = (torch.from_numpy(each).float() for each in (origins, directions))
    met = scene.render_rays(starts, ways, torch.full((len(when),), 1.0 / camera.fx), staged)
    found = (met.instance > 0).numpy()
    return found.reshape(TALL_PX, WIDE_PX), shown.reshape(TALL_PX, WIDE_PX)


@cache
def nowhere() -> Scene:
    """A scene in which there is nothing."""
    backend = choose_backend(None)
    model = new_model(drive(), tiny_config(), backend)
    model.field.occupancy.occupied.zero_()  # pyright: ignore[reportAttributeAccessIssue]
    return Scene(clip=drive(), config=tiny_config(), model=model, backend=backend)


def legs(mask: Mask, name: str) -> list[int]:
    """How many separate runs of pixels there are in each row of the shins, about."""
    up_m = 0.5 * walking(name)[0].bodies[0].actor.size_m[2]
    rows = [int(0.5 * TALL_PX + 300.0 * (up_m - at) / AWAY_M) for at in SHIN_M]
    edges = np.diff(mask[rows[1] : rows[0]].astype(np.int8), axis=1, prepend=0)
    return (edges == 1).sum(axis=1).tolist()


@pytest.mark.parametrize("phase", range(PHASES))
def test_a_person_has_two_legs_at_every_moment(phase: int) -> None:
    time_us = (PHASES + phase) * walking("person")[1] // PHASES
    found, shown = masks("person", time_us, 0.5 * np.pi)
    for mine, true in zip(legs(found, "person"), legs(shown, "person"), strict=True):
        assert 1 <= mine <= 2
        assert mine <= true  # where legs cross there is one
    shared = (found & shown).sum() / (found | shown).sum()
    assert shared >= 0.8


@pytest.mark.parametrize("azimuth", [0.0, 0.25 * np.pi, np.pi, 1.6 * np.pi])
def test_its_mask_is_its_originals_from_other_sides(azimuth: float) -> None:
    period_us = walking("person")[1]
    shared = []
    for phase in (1, 4, 6):
        found, shown = masks("person", (PHASES + phase) * period_us // PHASES, azimuth)
        shared.append((found & shown).sum() / (found | shown).sum())
    print(f"azimuth {azimuth:.2f}: {np.round(shared, 3)}")
    assert min(shared) >= 0.8
