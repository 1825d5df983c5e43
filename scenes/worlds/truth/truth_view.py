"""One exact view of a perturbed world: everything about every pixel.

A view is taken with a global shutter from the path that the perturbed world says; all but colour
is traced through pixel centres. World coordinates, metres, clip time in microseconds.
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from scenes.motion.directions import sphere_directions
from scenes.motion.geometry import inside_box, invert
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import Camera, camera_rays, project_world
from scenes.sensors.lidar import Lidar
from scenes.worlds.light.light import SKIN_M, Light
from scenes.worlds.light.lighting import EGO
from scenes.worlds.light.sky import sun_irradiance
from scenes.worlds.models.surface_points import part_pose, placed, surface_points
from scenes.worlds.trace.tracer import Hits, Tracer, pick_hits
from scenes.worlds.trace.view import photograph
from scenes.worlds.trace.visibility import NEAR_M, NEAR_SHARE, Eye, seen_points, seen_sky
from scenes.worlds.truth.perturbations import AXES, PerturbedWorld
from scenes.worlds.truth.truth_files import SweepTruth, TruthView
from scenes.worlds.truth.truth_objects import lane_lines_in_view, objects_in_view
from scenes.worlds.truth.truth_store import picture_of

CLEAR_M = 0.4
"""A camera that is nearer than this to anything has left the space where cameras can be."""
BESIDE_M = 1.0
"""As far as the side of the car that carries it: nearer than this to the box of a road user, the
two cars would overlap."""
BRIGHTEST = 60_000.0
"""Radiance is kept as float16, which ends a little above."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rig:
    """What looks at a world, and what had looked at it when it was recorded."""

    camera: Camera
    """Of the truth views."""
    ego_from_camera: Float64[np.ndarray, "4 4"]
    lidar: Lidar
    ego_from_lidar: Float64[np.ndarray, "4 4"]
    eyes: tuple[Eye, ...]
    """Every camera of the recording, on the recorded path."""
    time_us: Int64[np.ndarray, "frames"]
    """When frames are taken; flow goes from one to what would be the next."""
    frame_us: int
    """Time between frames."""
    seed: int
    """Of the noise of pictures."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stage:
    """A perturbed world, ready to be looked at, beside the recorded one."""

    rig: Rig
    recorded: Tracer
    light: Light
    perturbed: PerturbedWorld

    @property
    def tracer(self) -> Tracer:
        """Of the perturbed world."""
        return self.light.tracer

    def pose(self, time_us: int) -> Float64[np.ndarray, "4 4"]:
        """`world_from_camera` on the perturbed path."""
        return self.perturbed.ego.at(np.array([time_us]))[0] @ self.rig.ego_from_camera


def stage_of(rig: Rig, recorded: Light, perturbed: PerturbedWorld) -> Stage:
    """Get a perturbed world ready; what it shares with the recorded one is not made again."""
    world, kind = perturbed.world, AXES[perturbed.axis].kind
    if kind in ("actor", "surface") and perturbed.axis != "wet":
        light = Light(Tracer(world))
    else:
        tracer = copy.copy(recorded.tracer)
        tracer.world = world
        carried = any(lamp.carrier == EGO for lamp in world.lighting.lamps)
        if kind == "ego" and not carried:
            light = copy.copy(recorded)  # what has been gathered is shared, too
            light.tracer = tracer
        else:
            light = Light(tracer)
    return Stage(rig=rig, recorded=recorded.tracer, light=light, perturbed=perturbed)


def is_clear(stage: Stage, time_us: int) -> bool:
    """Whether the camera stands in the open at that time: in no road user, near no wall."""
    place = stage.pose(time_us)[:3, 3]
    when = np.array([time_us], np.int64)
    for body in stage.tracer.world.bodies:
        pose = part_pose(body, 0, when)[0]
        if inside_box(pose, body.actor.size_m, place[None], margin_m=BESIDE_M)[0]:
            return False
    around = sphere_directions(400)
    origins = np.broadcast_to(place, around.shape).copy()
    hits = stage.tracer.cast(origins, around, np.full(len(around), time_us, np.int64))
    return bool(hits.range_m.min() > CLEAR_M)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rays:
    """One ray through the centre of each pixel that has one, and where it ended."""

    pixels: Float64[np.ndarray, "n 2"]
    directions: Float64[np.ndarray, "n 3"]
    hits: Hits
    """Of the rays that met something."""
    met: Int64[np.ndarray, "m"]
    """Which those are."""
    sighted: Bool[np.ndarray, "n"]
    """Whether the lens looks anywhere through this pixel."""
    points_m: Float64[np.ndarray, "m 3"]

    def spread(self, values: np.ndarray, empty: object, shape: tuple[int, int]) -> np.ndarray:
        """Values of the rays that met something as an image, `empty` elsewhere."""
        image = np.full((len(self.pixels), *values.shape[1:]), empty, values.dtype)
        image[self.met] = values
        return image.reshape(*shape, *values.shape[1:])


def traced(tracer: Tracer, camera: Camera, pose: Float64[np.ndarray, "4 4"], time_us: int) -> Rays:
    """Look through the centre of every pixel, `pose` being `world_from_camera`."""
    pixels = camera.pixel_centres().reshape(-1, 2)
    origins, directions = camera_rays(camera, pixels, pose)
    sighted: np.ndarray = np.all(np.isfinite(directions), axis=1)
    rays = np.flatnonzero(sighted)
    hits = tracer.cast(origins[rays], directions[rays], np.full(len(rays), time_us, np.int64))
    found = np.flatnonzero(hits.met)
    hits, met = pick_hits(hits, found), rays[found]
    return Rays(
        pixels=pixels,
        directions=directions,
        hits=hits,
        met=met,
        sighted=sighted,
        points_m=origins[met] + hits.range_m[:, None] * directions[met],
    )


def view_at(stage: Stage, frame: int) -> TruthView:
    """Everything about what the camera sees at the time of a recorded frame."""
    rig, camera = stage.rig, replace(stage.rig.camera, readout_us=0)
    time_us, shape = int(rig.time_us[frame]), (camera.height, camera.width)
    pose = stage.pose(time_us)
    radiance = photograph(stage.light, camera, pose, time_us, rig.seed)
    linear = np.clip(radiance, 0.0, BRIGHTEST).astype(np.float16).reshape(*shape, 3)
    rays = traced(stage.tracer, camera, pose, time_us)
    surface = _surface_images(stage.tracer, rays, pose, time_us, shape)
    flow_px, stays = flow_to_next(stage, camera, rays, time_us)
    world, shadow = stage.tracer.world, shadow_of(stage.tracer, rays, time_us)
    return TruthView(
        axis=stage.perturbed.axis,
        amount=stage.perturbed.amount,
        frame=frame,
        time_us=time_us,
        shift_m=_shift_m(stage, time_us),
        path_m=_path_m(stage.rig, pose),
        camera=camera,
        world_from_camera=pose,
        rgb=picture_of(linear),
        linear=linear,
        **surface,
        flow_px=rays.spread(flow_px, np.nan, shape),
        stays=rays.spread(stays, False, shape),
        shadow=rays.spread(shadow, False, shape),
        seen=seen_pixels(stage, rays, time_us).reshape(shape),
        lane_lines=lane_lines_in_view(world.lane_lines, camera, pose),
        objects=objects_in_view(world, camera, pose, time_us, surface["instance"]),
        sweep=exact_sweep(stage.tracer, rig.lidar, rig.ego_from_lidar, time_us),
    )


def _surface_images(
    tracer: Tracer,
    rays: Rays,
    pose: Float64[np.ndarray, "4 4"],
    time_us: int,
    shape: tuple[int, int],
) -> dict[str, Any]:
    """What the surfaces are that rays met: the fields of `TruthView` that the tracer knows."""
    labels = tracer.truth(
        np.broadcast_to(pose[:3, 3], (len(rays.met), 3)).copy(),
        rays.directions[rays.met],
        np.full(len(rays.met), time_us, np.int64),
    )
    blind = ~rays.sighted.reshape(shape)
    semantic = rays.spread(labels.semantic, 1, shape)
    semantic[blind] = 0
    range_m = rays.spread(labels.range_m.astype(np.float32), np.inf, shape)
    range_m[blind] = np.nan
    return {
        "range_m": range_m,
        "normal": rays.spread(labels.normal.astype(np.float32), 0.0, shape),
        "albedo": rays.spread(labels.albedo.astype(np.float16), 0.0, shape),
        "semantic": semantic,
        "instance": rays.spread(labels.instance, -1, shape),
    }


def _shift_m(stage: Stage, time_us: int) -> float:
    when = np.array([time_us], np.int64)
    was, now = stage.recorded.world.ego.at(when)[0], stage.perturbed.ego.at(when)[0]
    return float((invert(was) @ now)[1, 3])


def _path_m(rig: Rig, pose: Float64[np.ndarray, "4 4"]) -> float:
    path = rig.eyes[0].path.at(rig.time_us)[:, :3, 3]
    return float(np.linalg.norm(path - pose[:3, 3], axis=1).min())


def flow_to_next(
    stage: Stage, camera: Camera, rays: Rays, time_us: int
) -> tuple[np.ndarray, Bool[np.ndarray, "m"]]:
    """Motion in the picture to the next frame, float32 `m 2` [px], and who is still in it."""
    later = time_us + stage.rig.frame_us
    if later > int(stage.perturbed.ego.time_us[-1]):
        return np.full((len(rays.met), 2), np.nan, np.float32), np.zeros(len(rays.met), bool)
    tracer, pose = stage.tracer, stage.pose(later)
    points = surface_points(tracer, rays.hits, rays.points_m, time_us)
    place, _ = placed(tracer.world, points, later)
    pixels = project_world(camera, place, pose)
    away = place - pose[:3, 3]
    range_m = np.linalg.norm(away, axis=1)
    origins = np.broadcast_to(pose[:3, 3], away.shape).copy()
    when = np.full(len(away), later, np.int64)
    first = tracer.cast(origins, away / range_m[:, None], when).range_m
    with np.errstate(invalid="ignore"):
        inside = np.all((pixels >= 0.0) & (pixels <= [camera.width, camera.height]), axis=1)
    stays = inside & (first > range_m * (1.0 - NEAR_SHARE) - NEAR_M)
    return (pixels - rays.pixels[rays.met]).astype(np.float32), stays


def shadow_of(tracer: Tracer, rays: Rays, time_us: int) -> Bool[np.ndarray, "m"]:
    """Where something stands between the sun and a surface that faces it."""
    lighting = tracer.world.lighting
    shadow = np.zeros(len(rays.met), bool)
    if not np.any(sun_irradiance(lighting) > 0.0):
        return shadow
    facing = np.flatnonzero(rays.hits.normal @ lighting.to_sun > 0.0)
    start = rays.points_m[facing] + SKIN_M * rays.hits.normal[facing]
    to_sun = np.broadcast_to(lighting.to_sun, start.shape).copy()
    shadow[facing] = tracer.blocked(start, to_sun, np.full(len(start), time_us, np.int64))
    return shadow


def seen_pixels(stage: Stage, rays: Rays, time_us: int) -> Bool[np.ndarray, "n"]:
    """Of each pixel: whether some recorded frame saw its surface point, or its piece of sky."""
    eyes, seen = stage.rig.eyes, np.zeros(len(rays.pixels), bool)
    points = surface_points(stage.tracer, rays.hits, rays.points_m, time_us)
    seen[rays.met] = seen_points(stage.recorded, eyes, points, time_us)
    sky = rays.sighted.copy()
    sky[rays.met] = False
    seen[sky] = seen_sky(stage.recorded, eyes, rays.directions[sky], time_us)
    return seen


def exact_sweep(
    tracer: Tracer, lidar: Lidar, ego_from_lidar: Float64[np.ndarray, "4 4"], time_us: int
) -> SweepTruth:
    """A turn that starts at `time_us`: no noise, and nothing lost but what is out of range."""
    pattern, offsets = lidar.directions(), lidar.offsets_us()
    beams = pattern.shape[1]
    path: Trajectory = tracer.world.ego.mounted(ego_from_lidar)
    poses = np.repeat(path.at(time_us + offsets.astype(np.int64)), beams, axis=0)
    local, offset = pattern.reshape(-1, 3), np.repeat(offsets, beams)
    directions = np.einsum("nij,nj->ni", poses[:, :3, :3], local)
    truth = tracer.truth(poses[:, :3, 3].copy(), directions, time_us + offset.astype(np.int64))
    kept = np.flatnonzero(truth.range_m < lidar.max_range_m)
    return SweepTruth(
        xyz_m=(truth.range_m[kept, None] * local[kept]).astype(np.float32),
        offset_us=offset[kept].astype(np.int32),
        semantic=truth.semantic[kept],
        instance=truth.instance[kept],
    )
