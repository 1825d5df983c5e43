"""Labels through the fisheyes of a rig, against the exact truth of a procedural world."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from render.views.frame import Frame
from scenes.clip import Clip, ImageStream
from scenes.motion.geometry import invert, transform_points
from scenes.semantics import ACTOR_KINDS, Semantic
from scenes.sensors.camera import camera_rays
from scenes.worlds.models.world import World, street
from scenes.worlds.record.rigs import Mount, mounts
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.view import View, true_view
from scenes.worlds.truth.truth_objects import ObjectTruth, objects_in_view
from tests.render.analytic import AnalyticMarch, AnalyticScene
from tests.viewing import render_view

TIME_US = 1_500_000
FISHEYES = ("back_left", "back_right", "back")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TracedScene(AnalyticScene):
    """A world as a scene that was reconstructed without any error."""

    tracer: Tracer

    def render_rays(
        self,
        origins: Float32[Tensor, "n 3"],
        directions: Float32[Tensor, "n 3"],
        pixel_angle: Float32[Tensor, "n"],
    ) -> AnalyticMarch:
        assert bool((pixel_angle > 0).all())
        start, along = origins.double().numpy(), directions.double().numpy()
        truth = self.tracer.truth(start, along, np.full(len(start), TIME_US, np.int64))
        solid = np.isfinite(truth.range_m)
        return AnalyticMarch(
            linear=torch.from_numpy(truth.albedo).float(),
            opacity=torch.from_numpy(solid).float(),
            range_m=torch.from_numpy(truth.range_m).float(),
            instance=torch.zeros(len(start), dtype=torch.int64),
        )


def clip_of(world: World, rig: tuple[Mount, ...]) -> Clip:
    return Clip(
        name="world",
        source="tests",
        licence="CC0-1.0",
        ego=world.ego,
        ego_size_m=np.array([4.5, 1.8, 1.5]),
        ego_front_m=3.5,
        cameras=tuple(
            ImageStream(
                name=mount.name,
                camera=mount.camera,
                ego_from_camera=mount.ego_from_camera,
                time_us=np.array([TIME_US]),
                files=(Path("0.png"),),
                exposure=np.ones(1),
            )
            for mount in rig
        ),
        actors=tuple(body.actor for body in world.bodies),
    )


Seen = tuple[Frame, View, tuple[ObjectTruth, ...], np.ndarray]


@pytest.fixture(scope="module")
def views() -> dict[str, Seen]:
    """Frame, exact view, exact objects and pose, of each fisheye of the rig."""
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    world = street(7)
    world = replace(world, bodies=tuple(x for x in world.bodies if not x.actor.is_moving))
    rig = tuple(x for x in mounts("surround", 320, 200) if x.name in FISHEYES)
    scene = TracedScene(clip=clip_of(world, rig), tracer=Tracer(world))
    found = {}
    for stream, mount in enumerate(rig):
        pose = scene.clip.world_from_camera(stream, TIME_US)
        frame = render_view(scene, mount.camera, pose, stream=stream, time_us=TIME_US)
        view = true_view(scene.tracer, mount.camera, pose, TIME_US)
        objects = objects_in_view(world, mount.camera, pose, TIME_US, view.instance)
        found[mount.name] = frame, view, objects, pose
    return found


@pytest.mark.parametrize("name", FISHEYES)
def test_ranges_and_depths_are_the_worlds(views: dict[str, Seen], name: str) -> None:
    frame, view, _, pose = views[name]
    solid = np.isfinite(view.range_m)
    assert (np.isfinite(frame.range_m) != solid).mean() < 1e-3  # rays are float32
    both = solid & np.isfinite(frame.range_m)
    error = np.abs(frame.range_m[both] - view.range_m[both]) / view.range_m[both]
    assert (error < 1e-3).mean() > 0.995
    start, along = camera_rays(frame.camera, frame.camera.pixel_centres()[both], pose)
    points = start + along * frame.range_m[both][:, None]
    z_m = transform_points(invert(pose), points)[:, 2]
    assert np.abs(frame.z_m[both] - z_m).max() < 1e-4 * frame.range_m[both].max()
    same = error < 1e-3
    gap = np.abs(frame.z_m[both] - view.z_m[both])[same] / view.range_m[both][same]
    assert gap.max() < 2e-3
    assert np.array_equal(np.isposinf(view.z_m), ~np.isfinite(view.z_m))
    if name == "back":  # it sees 95 degrees to either side
        assert (frame.z_m < 0.0).any()
    else:
        assert (frame.range_m[both] / frame.z_m[both]).max() > 1.5


@pytest.mark.parametrize("name", FISHEYES)
def test_road_users_are_the_worlds(views: dict[str, Seen], name: str) -> None:
    frame, view, objects, _ = views[name]
    ours = {item["track_id"]: item for item in frame.objects}
    assert {thing.id for thing in objects} <= set(ours)
    compared = 0
    for thing in objects:
        item = ours[thing.id]
        truth, mask = view.instance == thing.id, frame.instance == item["instance"]
        if thing.visible_px < 400:
            continue
        assert (truth & mask).sum() / (truth | mask).sum() > 0.85
        assert thing.box2d_px is not None
        assert np.abs(np.array(item["box_2d"]) - thing.box2d_px).max() <= 4.0
        assert item["visible_fraction"] == pytest.approx(thing.visible_share, abs=0.15)
        np.testing.assert_allclose(item["world_from_box"], thing.world_from_box, atol=1e-6)
        compared += 1
    assert compared >= 1
    users = np.isin(view.semantic, [int(kind) for kind in ACTOR_KINDS])
    assert (users == (frame.instance > 0)).mean() > 0.98
    assert np.array_equal(frame.semantic == Semantic.SKY, np.isposinf(frame.range_m))


@pytest.mark.parametrize("name", FISHEYES)
def test_normals_are_the_worlds(views: dict[str, Seen], name: str) -> None:
    frame, view, _, _ = views[name]
    known = np.isfinite(frame.normal).all(axis=-1) & (view.semantic == Semantic.ROAD)
    known &= np.isfinite(view.range_m)
    cosine = np.sum(frame.normal[known].astype(np.float64) * view.normal[known], axis=-1)
    assert known.sum() > 1000
    assert np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))).mean() < 1.0
