"""Every label through a fisheye, which sees beside and behind itself, against closed forms.

Nothing here shares a formula with what it checks: rays are cast at the boxes, solid angles are
counted on the sphere, points are projected forwards.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render.folders.frames import encode_frame
from render.folders.verification import frame_problems
from render.labels.cuboids import faces_px
from render.views.frame import Frame
from scenes.actor import Actor
from scenes.motion.geometry import invert, rigid, transform_points, yaw_rotation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, camera_rays, project_world
from scenes.worlds.record.rigs import fisheye
from tests.render.analytic import EGO_FROM_CAMERA, AnalyticScene, box_actor, enter_box_m, street
from tests.viewing import render_view

WIDE = fisheye(144, 96, 0, np.deg2rad(210.0))
"""It sees 15 degrees behind itself at the sides."""
CIRCLE = replace(WIDE, fx=44.0, fy=44.0, distortion=(-0.12, 0.0, 0.0, 0.0))
"""Its image circle ends inside of the picture: the corners show nothing."""
BENT = (-0.35, 0.0, 0.002, -0.001)
FOLD = Camera(width=144, height=96, fx=105.0, fy=105.0, cx=71.0, cy=49.0, distortion=BENT)
"""A perspective lens that folds inside of the picture: the corners show nothing."""
ROLLING = replace(WIDE, readout_us=30_000)
MEI = Camera(
    width=144, height=96, fx=158.0, fy=158.0, cx=71.0, cy=49.0,
    lens="mei", distortion=(2.2134, 0.0168, 0.6, 0.001, -0.001),
)  # fmt: skip
"""Like a fisheye of KITTI-360, 174 degrees across; outermost corners show nothing."""
SIDEWAYS = replace(MEI, readout_us=30_000, readout="right-left")
FTHETA = replace(
    WIDE, fx=44.0, fy=44.0, lens="ftheta",
    distortion=(0.02, -0.06, 0.004, 0.002, 0.004, -0.003, 1.8), readout_us=30_000,
    readout="bottom-top",
)  # fmt: skip
INVERSE = replace(FTHETA, lens="ftheta-inverse", readout="left-right")
"""The first sees 103 degrees off the axis: its corners show nothing."""
CAMERAS = {
    "wide": WIDE, "circle": CIRCLE, "rolling": ROLLING, "fold": FOLD, "mei": MEI,
    "sideways": SIDEWAYS, "ftheta": FTHETA, "inverse": INVERSE,
}  # fmt: skip
BLIND = ("circle", "fold", "mei", "sideways", "ftheta")
"""Those with corners that show nothing."""
TURNS = {"ahead": 0.0, "left": 1.4, "back": np.pi, "right": -1.1}
ACTORS = (
    box_actor(3, (9.0, 3.2)),
    box_actor(4, (0.8, 3.0)),
    box_actor(5, (-7.0, -0.5), yaw=0.3, kind=Semantic.VAN),
    box_actor(7, (14.0, 3.4), (4.6, 1.9, 1.7), yaw=0.1, kind=Semantic.VAN),
    box_actor(8, (2.0, -2.4), (0.6, 0.6, 1.8), kind=Semantic.PERSON),
    box_actor(9, (5.0, -6.0), yaw=np.pi / 2),
    box_actor(12, (-16.0, 3.5), speed_mps=8.0),
    box_actor(13, (6.0, -3.0), (9.0, 2.5, 3.2), yaw=0.2, kind=Semantic.TRUCK, speed_mps=6.0),
)


def looking(turn: float) -> np.ndarray:
    """`world_from_camera`, turned left by some radians and a little down and askew."""
    return (
        rigid(yaw_rotation(np.array(turn)), np.array([0.2, 0.1, 0.05]))
        @ EGO_FROM_CAMERA
        @ rigid(yaw_rotation(np.array(0.03)), np.zeros(3))
    )


def path_of(camera: Camera, pose: np.ndarray) -> np.ndarray | Trajectory:
    if not camera.readout_us:
        return pose
    later = pose @ rigid(yaw_rotation(np.array(0.01)), np.array([0.05, 0.0, 0.4]))
    return Trajectory(time_us=np.array([0, 40_000]), world_from_body=np.stack([pose, later]))


def render(camera: Camera, turn: float) -> tuple[Frame, AnalyticScene, np.ndarray | Trajectory]:
    scene, path = street(camera, ACTORS), path_of(camera, looking(turn))
    return render_view(scene, camera, path, time_us=0), scene, path


every_view = pytest.mark.parametrize(
    ("name", "turn"), [(camera, turn) for camera in CAMERAS for turn in TURNS]
)


def cast(
    camera: Camera, path: np.ndarray | Trajectory, actors: tuple[Actor, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Origins, directions, first ranges and owners of all pixels' rays; NaN where blind."""
    start, along = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), path)
    with np.errstate(divide="ignore", invalid="ignore"):
        nearest = np.where(along[:, 2] < 0, -start[:, 2] / along[:, 2], np.inf)
    nearest[np.isnan(along[:, 0])] = np.nan
    owner = np.zeros(len(start), dtype=np.int64)
    for index, actor in enumerate(actors, start=1):
        if not actor.is_moving:
            hit = np.where(np.isnan(nearest), np.inf, enter_box_m(start, along, actor))
            owner[hit < nearest] = index
            nearest = np.fmin(nearest, np.where(hit < nearest, hit, nearest))
    return start, along, nearest, owner


@every_view
def test_z_is_the_depth_in_the_camera_and_range_the_distance(name: str, turn: str) -> None:
    camera = CAMERAS[name]
    frame, scene, path = render(camera, TURNS[turn])
    start, along, range_m, _ = cast(camera, path, scene.clip.actors)
    size = (camera.height, camera.width)
    solid = np.isfinite(range_m)
    points = start[solid] + along[solid] * range_m[solid][:, None]
    row, column = np.indices(size).reshape(2, -1)[:, solid]
    along_readout = {
        "top-bottom": (row + 0.5) / camera.height,
        "bottom-top": 1.0 - (row + 0.5) / camera.height,
        "left-right": (column + 0.5) / camera.width,
        "right-left": 1.0 - (column + 0.5) / camera.width,
    }[camera.readout]
    z_m = np.empty(len(points))
    for share in np.unique(along_readout):
        pose, mine = path, along_readout == share
        if isinstance(path, Trajectory):
            pose = path.at(np.array([round(camera.readout_us * share)]))[0]
        assert isinstance(pose, np.ndarray)
        z_m[mine] = transform_points(invert(pose), points[mine])[:, 2]
    near = range_m[solid] < 300.0  # rays reach the scene in float32
    agrees = np.abs(frame.range_m.ravel()[solid] / range_m[solid] - 1.0) < 1e-4
    assert agrees[near].mean() > 0.999  # one that grazes an edge may fall on either side
    near &= agrees
    error = np.abs(frame.z_m.ravel()[solid][near] - z_m[near]) / range_m[solid][near]
    assert error.max() < 2e-4
    # what is behind the lens has negative depth
    if name in ("wide", "rolling"):
        assert (z_m[near] < -0.5).sum() > 20
    # where there is no surface, both are infinite, above, beside and behind
    assert np.array_equal(np.isposinf(frame.z_m), np.isposinf(frame.range_m))
    assert np.array_equal(np.isposinf(frame.z_m), ~np.isfinite(frame.z_m))
    assert np.array_equal(np.isposinf(frame.range_m).ravel(), ~solid)
    blind = np.isnan(along[:, 0]).reshape(size)
    assert blind.any() == (name in BLIND)
    assert np.all(frame.semantic[blind] == Semantic.UNKNOWN)
    assert np.array_equal(frame.semantic == Semantic.SKY, np.isposinf(frame.range_m) & ~blind)
    assert not frame.rgb[blind].any()
    assert not frame.opacity[blind].any()


@every_view
def test_points_of_the_picture_project_to_their_pixels(name: str, turn: str) -> None:
    camera = CAMERAS[name]
    frame, _, path = render(camera, TURNS[turn])
    solid = np.isfinite(frame.range_m) & (frame.range_m < 100.0)
    start, along = camera_rays(camera, camera.pixel_centres()[solid], path)
    points = start + along * frame.range_m[solid][:, None]
    back = project_world(camera, points, path)
    assert np.abs(back - camera.pixel_centres()[solid]).max() < 0.01


@every_view
def test_masks_boxes_and_fractions_are_those_of_the_rays(name: str, turn: str) -> None:
    camera = CAMERAS[name]
    frame, scene, path = render(camera, TURNS[turn])
    actors = scene.clip.actors
    *_, owner = cast(camera, path, actors)
    assert (frame.instance.ravel() != owner).sum() <= 2
    named = {item["instance"]: item for item in frame.objects}
    assert set(np.unique(owner)) - {0} <= set(named)
    for index, actor in enumerate(actors, start=1):
        start, along = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), path)
        whole = np.isfinite(enter_box_m(start, along, actor)) & ~np.isnan(along[:, 0])
        if index not in named:
            assert whole.sum() == 0, f"{actor.id} is in the picture, but no object"
            continue
        item = named[index]
        rows, columns = np.nonzero(frame.instance == index)
        extent = None
        if len(rows):
            extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert item["box_2d"] == extent
        if item["rendered"] and whole.any():
            # the ground that hides the foot of a box is not counted: rays are float32
            seen = (owner == index).sum()
            assert abs(item["visible_fraction"] - seen / whole.sum()) <= 1.5 / whole.sum()


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["wide", "circle", "mei"])
def test_truncation_is_the_share_of_its_solid_angle_outside(name: str, turn: str) -> None:
    camera = CAMERAS[name]
    frame, scene, pose = render(camera, TURNS[turn])
    assert isinstance(pose, np.ndarray)
    count = 400_000
    place = np.arange(count) + 0.5  # equally dense on the sphere
    up, around = 1.0 - 2.0 * place / count, place * np.pi * (3.0 - np.sqrt(5.0))
    flat = np.sqrt(1.0 - up * up)
    sphere = np.stack([flat * np.cos(around), flat * np.sin(around), up], axis=1)
    pixels = camera.project(sphere @ pose[:3, :3])
    with np.errstate(invalid="ignore"):
        inside = np.all((pixels >= 0.0) & (pixels <= [camera.width, camera.height]), axis=1)
    start = np.broadcast_to(pose[:3, 3], sphere.shape).copy()
    compared = set()
    for item in frame.objects:
        actor = scene.clip.actors[item["instance"] - 1]
        met = np.isfinite(enter_box_m(start, sphere, actor))
        if met.sum() > 2000:
            assert item["truncation"] == pytest.approx((met & ~inside).sum() / met.sum(), abs=0.01)
            compared.add("cut" if 0.05 < item["truncation"] < 0.95 else "whole")
    assert "whole" in compared or "cut" in compared


def test_what_is_cut_off_is_said_to_be() -> None:
    cut = [item["truncation"] for turn in TURNS.values() for item in render(WIDE, turn)[0].objects]
    assert sum(0.1 < share < 0.9 for share in cut) >= 3
    assert sum(share == 0.0 for share in cut) >= 3


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["wide", "circle", "mei"])
def test_ignore_regions_hold_all_of_who_is_not_rendered(name: str, turn: str) -> None:
    camera = CAMERAS[name]
    frame, scene, pose = render(camera, TURNS[turn])
    start, along = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), pose)
    checked = 0
    for item in frame.objects:
        assert (item["ignore_region"] is None) == (item["ignored"] is None)
        if item["rendered"]:
            continue
        actor = scene.clip.actors[item["instance"] - 1]
        met = np.isfinite(enter_box_m(start, along, actor)) & ~np.isnan(along[:, 0])
        places = camera.pixel_centres().reshape(-1, 2)[met]
        outline = np.array(item["ignore_region"])
        following = np.roll(outline, -1, axis=0)
        for a, b in zip(outline, following, strict=True):
            side = (b - a)[0] * (places - a)[:, 1] - (b - a)[1] * (places - a)[:, 0]
            assert np.all(side > -0.1 * np.linalg.norm(b - a))  # a tenth of a pixel
        if met.sum() > 20:
            assert np.all(outline.min(axis=0) > places.min(axis=0) - 2.0)  # tips are thin
            assert np.all(outline.max(axis=0) < places.max(axis=0) + 2.0)
            checked += 1
        assert np.all((outline >= 0.0) & (outline <= [camera.width, camera.height]))
    assert checked or turn in ("ahead", "left")


@pytest.mark.parametrize("turn", TURNS)
def test_poses_of_boxes_are_where_they_are(turn: str) -> None:
    frame, scene, pose = render(WIDE, TURNS[turn])
    assert len(frame.objects) >= 4
    for item in frame.objects:
        actor = scene.clip.actors[item["instance"] - 1]
        world_from_box = actor.trajectory.world_from_body[0]
        assert isinstance(pose, np.ndarray)
        np.testing.assert_allclose(item["world_from_box"], world_from_box, atol=1e-9)
        np.testing.assert_allclose(
            item["camera_from_box"], np.linalg.inv(pose) @ world_from_box, atol=1e-9
        )


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["wide", "circle", "mei"])
def test_normals_of_the_road_point_up(name: str, turn: str) -> None:
    frame, _, _ = render(CAMERAS[name], TURNS[turn])
    road = (frame.instance == 0) & np.isfinite(frame.range_m) & (frame.range_m < 30.0)
    inner = road.copy()
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            inner &= np.roll(road, (dy, dx), (0, 1))
    inner[:2], inner[-2:], inner[:, :2], inner[:, -2:] = False, False, False, False
    up = frame.normal[inner].astype(np.float64)[:, 2]
    assert len(up) > 300
    assert np.all(up >= np.cos(np.deg2rad(1.0)))


def written(frame: Frame, folder: Path, pixels: dict[str, np.ndarray] | None = None) -> list[str]:
    """What `verify` says of a picture."""
    record = {"key": "000000.front", "objects": [dict(x) for x in frame.objects], **frame.labels}
    (folder / "frames" / "front").mkdir(parents=True, exist_ok=True)
    for name, content in encode_frame("000000.front", pixels or dict(frame.pixels)).items():
        (folder / name).write_bytes(content)
    return [problem.wrong for problem in frame_problems(folder, json.loads(json.dumps(record)))]


@every_view
def test_verify_passes_what_is_right(name: str, turn: str, tmp_path: Path) -> None:
    assert written(render(CAMERAS[name], TURNS[turn])[0], tmp_path) == []


def test_verify_knows_depth_from_range(tmp_path: Path) -> None:
    frame, _, _ = render(WIDE, 0.0)
    for wrong in (frame.range_m, np.abs(frame.z_m)):
        assert any(
            "cosine" in said for said in written(frame, tmp_path, {**frame.pixels, "z_m": wrong})
        )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda rays: 2.0 * rays, "unit length"),
        (lambda rays: rays * [1.0, 1.0, 0.9], "do not project to the pixels"),
        (lambda rays: rays * [-1.0, 1.0, 1.0], "do not project to the pixels"),
    ],
)
def test_verify_does_not_trust_the_rays_that_labels_came_from(
    wrong: Callable, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Camera.directions
    monkeypatch.setattr(Camera, "directions", lambda self, at: wrong(right(self, at)))
    frame, _, _ = render(WIDE, 0.0)
    assert any(said in problem for problem in written(frame, tmp_path))


@pytest.mark.parametrize("turn", TURNS)
def test_faces_are_drawn_where_the_box_is(turn: str) -> None:
    frame, _, _ = render(WIDE, TURNS[turn])
    for item in frame.objects:
        faces = faces_px(WIDE, np.array(item["camera_from_box"]), np.array(item["size_m"]))
        assert len(faces) == 6
        assert all(np.isfinite(face).all() for face in faces)
        corners = np.concatenate(faces)
        if item["truncation"] == 0.0 and item["rendered"] and item["visible_fraction"] == 1.0:
            drawn = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
            assert np.abs(drawn - item["box_2d"]).max() <= 1.0
