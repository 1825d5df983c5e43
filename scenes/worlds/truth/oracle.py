"""How exact the truth is: each number is checked against another way to get it.

The tracer answers what a ray meets. Here its answers meet projected corners, planes, the next
frame, a camera in the lidar's place, and the light that surfaces send back.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from scenes.motion.geometry import box_corners, invert, rigid, transform_points
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, camera_rays, project_world
from scenes.worlds.light.light import Light
from scenes.worlds.models.mesh import Surface, boxes
from scenes.worlds.models.surface_points import moving_points, part_pose, placed, surface_points
from scenes.worlds.models.world import World
from scenes.worlds.trace.tracer import Tracer, pick_hits
from scenes.worlds.truth.perturbations import AXES
from scenes.worlds.truth.truth_objects import extent_alone, posed_mesh
from scenes.worlds.truth.truth_view import (
    Rays,
    Rig,
    Stage,
    exact_sweep,
    flow_to_next,
    seen_pixels,
    shadow_of,
    stage_of,
    traced,
)

SMALLEST_PX = 6.0
"""Road users that are less high than this in the picture are not measured."""
GROUND = (int(Semantic.ROAD), int(Semantic.LANE_MARKING))
ROUNDED_RAD = 3e-7
"""About how far from their beams returns in single precision lie."""
_FORWARD = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, kw_only=True, slots=True)
class OracleReport:
    """Largest errors, unless a name says otherwise; NaN where a world has nothing to measure."""

    fit_m: float
    """Between the sides of road users' boxes and what is in them; bar 0.001. Those with limbs that
    swing may be smaller than their box, nobody larger."""
    box_px: float
    """Of the extent of road users' boxes as solids, against their projected corners; bar 0.5."""
    mesh_px: float
    """Of the extent of road users, against their projected meshes; bar 0.5."""
    road_users: int
    """How many were measured."""
    depth_rel: float
    """Of ranges on the carriageway, relative, against its plane; bar 1e-4."""
    flow_px: float
    """Of flow on still pixels, by the ray through where it leads, brought back; bar 0.01."""
    flow_moving_px: float
    """The same on pixels of what moves."""
    lidar_m: float
    """Of lidar ranges, against a camera in the same place at the same time; bar 0.001."""
    shadow_share: float
    """Share of the sunny ground on which shadow and light agree; bar 0.999."""
    seen_share: float
    """Share of a recorded frame that some recorded frame saw: all of it."""

    def lines(self) -> list[str]:
        """One line each."""
        return [f"{field.name:16s}{getattr(self, field.name):.3g}" for field in fields(self)]


def oracle_report(
    rig: Rig, light: Light, frame: int | None = None, say: Callable[[str], None] = print
) -> OracleReport:
    """Measure the truth of a recorded world at one frame (half of the drive), and say it.

    Args:
        rig: Its cameras and lidar (`scenes.worlds.truth.truth.rig_of`).
        light: The unperturbed world, ready to be looked at.
        frame: Which frame.
        say: What takes each line.
    """
    stage = stage_of(rig, light, AXES["lateral"].apply(light.tracer.world, 0.0))
    frame = len(rig.time_us) // 2 if frame is None else frame
    time_us, camera = int(rig.time_us[frame]), replace(rig.camera, readout_us=0)
    pose = stage.pose(time_us)
    rays = traced(stage.tracer, camera, pose, time_us)
    solid, mesh = box_errors_px(stage, camera, time_us)
    still, moving = flow_errors_px(stage, camera, rays, time_us)
    report = OracleReport(
        fit_m=_largest(box_fits_m(stage.tracer.world, time_us)),
        box_px=_largest(solid),
        mesh_px=_largest(mesh),
        road_users=len(mesh),
        depth_rel=_largest(plane_errors(stage.tracer, rays, pose)),
        flow_px=_largest(still),
        flow_moving_px=_largest(moving),
        lidar_m=_largest(lidar_errors_m(stage, time_us)),
        shadow_share=shadow_agreement(light, rays, pose, time_us),
        seen_share=float(seen_pixels(stage, rays, time_us)[rays.sighted].mean()),
    )
    for line in report.lines():
        say(line)
    return report


def _largest(errors: np.ndarray) -> float:
    return float(np.max(errors)) if len(errors) else float("nan")


def box_fits_m(world: World, time_us: int) -> np.ndarray:
    """How far the extent of each road user is from the sides of its box [m]."""
    gaps = []
    for body in world.bodies:
        low, high = posed_mesh(body, time_us).extent_m()
        half = 0.5 * body.actor.size_m
        out = np.concatenate([-half - low, high - half])
        gaps.append((np.maximum(out, 0.0) if body.limbs else np.abs(out)).max())
    return np.array(gaps)


def box_errors_px(stage: Stage, camera: Camera, time_us: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors of box solids and of meshes [px], of road users wholly in the picture."""
    solids, meshes, pose = [], [], stage.pose(time_us)
    size = np.array([camera.width, camera.height])
    for body in stage.tracer.world.bodies:
        world_from_box = part_pose(body, 0, np.array([time_us], np.int64))[0]
        corners = box_corners(body.actor.size_m)
        shown = project_world(camera, transform_points(world_from_box, corners), pose)
        high = np.ptp(shown[:, 1])
        if not np.all((shown > 1.0) & (shown < size - 1.0)) or high < SMALLEST_PX:
            continue
        box_from_camera = invert(world_from_box) @ pose
        half = 0.5 * body.actor.size_m
        solid = boxes(-half, half, Surface.PLAIN, (0.5, 0.5, 0.5))
        mesh = posed_mesh(body, time_us)
        outline = transform_points(world_from_box, mesh.vertices_m)
        solids.append(_extent_error(extent_alone(solid, camera, box_from_camera)[1], shown))
        outline_px = project_world(camera, outline, pose)
        meshes.append(_extent_error(extent_alone(mesh, camera, box_from_camera)[1], outline_px))
    return np.array(solids), np.array(meshes)


def _extent_error(extent: tuple[float, ...] | None, pixels: np.ndarray) -> float:
    if extent is None:
        return float("inf")
    exact = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    return float(np.abs(np.array(extent) - exact).max())


def plane_errors(tracer: Tracer, rays: Rays, pose: np.ndarray) -> np.ndarray:
    """Relative errors of ranges on level ground, against the height of what they met."""
    corners_z = tracer.mesh.corners_m()[rays.hits.face][:, :, 2]
    flat = np.ptp(corners_z, axis=1) == 0.0
    flat &= np.isin(tracer.mesh.semantic[rays.hits.face], GROUND)
    exact = (corners_z[flat, 0] - pose[2, 3]) / rays.directions[rays.met[flat], 2]
    return np.abs(rays.hits.range_m[flat].astype(np.float32) / exact - 1.0)


def flow_errors_px(
    stage: Stage, camera: Camera, rays: Rays, time_us: int
) -> tuple[np.ndarray, np.ndarray]:
    """Errors of flow [px] on pixels that stay in view, still ones and moving ones.

    The ray of the next frame through where flow leads ends somewhere; that point is brought back
    to this frame, with what it belongs to, and projected: it should be the pixel's centre. Rays
    that end on another triangle, at the edges of things, are not compared.
    """
    flow_px, stays = flow_to_next(stage, camera, rays, time_us)
    later, pixels = time_us + stage.rig.frame_us, rays.pixels[rays.met[stays]]
    ahead = pixels + flow_px[stays].astype(np.float64)
    origins, directions = camera_rays(camera, ahead, stage.pose(later))
    hits = stage.tracer.cast(origins, directions, np.full(len(ahead), later, np.int64))
    same = np.flatnonzero(hits.face == rays.hits.face[stays])
    ends = origins[same] + hits.range_m[same, None] * directions[same]
    points = surface_points(stage.tracer, pick_hits(hits, same), ends, later)
    world = stage.tracer.world
    back = project_world(camera, placed(world, points, time_us)[0], stage.pose(time_us))
    errors = np.linalg.norm(back - pixels[same], axis=1)
    moving = moving_points(world, points)
    return errors[~moving], errors[moving]


def lidar_errors_m(stage: Stage, time_us: int, firings: int = 12) -> np.ndarray:
    """Errors of lidar ranges [m], against a camera in the lidar's place at each firing's time."""
    rig, tracer = stage.rig, stage.tracer
    sweep = exact_sweep(tracer, rig.lidar, rig.ego_from_lidar, time_us)
    offsets, errors = np.unique(sweep.offset_us), []
    for offset in offsets[:: max(len(offsets) // firings, 1)]:
        xyz = sweep.xyz_m[sweep.offset_us == offset].astype(np.float64)
        turn = np.arctan2(xyz[0, 1], xyz[0, 0])
        ahead = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]])
        lidar_from_camera = rigid(np.concatenate([ahead, [[0, 0, 1.0]]]) @ _FORWARD, np.zeros(3))
        when = np.array([time_us + int(offset)], np.int64)
        pose = tracer.world.ego.at(when)[0] @ rig.ego_from_lidar @ lidar_from_camera
        camera = Camera(width=9, height=400, fx=300.0, fy=300.0, cx=4.5, cy=160.0)
        pixels = camera.project(xyz @ lidar_from_camera[:3, :3])
        origins, directions = camera_rays(camera, pixels, pose)
        range_m = np.linalg.norm(xyz, axis=1)
        met = [
            tracer.cast(origins, turned, np.repeat(when, len(xyz))).range_m
            for turned in _turned(directions)
        ]
        errors.append(np.abs(np.stack(met) - range_m).min(axis=0))
    return np.concatenate(errors) if errors else np.empty(0)


def _turned(directions: np.ndarray) -> list[np.ndarray]:
    """Rays, and others as far beside them as returns in single precision are rounded.

    At the edge of a leaf a beam passes or not: what any of them meets is what it may have met.
    """
    aside = ROUNDED_RAD * np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0],
        [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])  # fmt: skip
    near = [directions + each for each in aside]
    return [each / np.linalg.norm(each, axis=1, keepdims=True) for each in near]


def shadow_agreement(light: Light, rays: Rays, pose: np.ndarray, time_us: int) -> float:
    """Share of the ground that faces the sun on which shadow and light say the same.

    Light over albedo is irradiance; in the sun it is no less than what the sun brings, in shadow
    it is less. NaN at night, under cloud, in fog and on wet roads.
    """
    tracer, lighting = light.tracer, light.tracer.world.lighting
    sun = lighting.sun_irradiance[0] * lighting.to_sun[2]
    veiled = lighting.overcast > 0.0 or lighting.fog_per_m > 0.0 or tracer.world.wetness > 0.0
    if sun <= 0.5 or veiled or lighting.lamps:
        return float("nan")
    ground = np.isin(tracer.mesh.semantic[rays.hits.face], GROUND)
    pick = np.flatnonzero(ground & (rays.hits.normal[:, 2] > 0.99))
    origins = np.broadcast_to(pose[:3, 3], (len(pick), 3)).copy()
    look, when = rays.directions[rays.met[pick]], np.full(len(pick), time_us, np.int64)
    albedo = tracer.truth(origins, look, when).albedo[:, 0]
    sent = light.radiance(origins, look, when, 0.0)[:, 0]
    brought = lighting.sun_irradiance[0] * (rays.hits.normal[pick] @ lighting.to_sun)
    lit = np.pi * sent / albedo > 0.999 * brought
    return float(np.mean(lit == ~shadow_of(tracer, rays, time_us)[pick]))
