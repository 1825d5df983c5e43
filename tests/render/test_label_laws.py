"""Laws that every label keeps, on scenes whose truth has a closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recon.rendering.shot import Renderer
from render.labels.gate import LabelGate
from render.labels.table import FRAME_LABELS, OBJECT_LABELS, PAGE, PIXEL_LABELS, page
from render.views.frame import Frame
from scenes.actor import Actor
from scenes.motion.geometry import box_corners, rigid, rotation_exp, transform_points
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, camera_rays, project_world
from scenes.sensors.camera_look import CameraLook
from tests.conftest import ROOT
from tests.render.analytic import (
    EGO_FROM_CAMERA,
    AnalyticScene,
    box_actor,
    enter_box_m,
    shown_as_srgb,
    street,
)  # fmt: skip
from tests.viewing import render_view

SMALL = Camera(width=72, height=36, fx=45.0, fy=45.0, cx=36.0, cy=16.0)
BENT = replace(SMALL, distortion=(-0.12, 0.02, 0.001, -0.001))
ROLLING = replace(SMALL, readout_us=30_000)
SLOTS = [(x, y) for x in (6.0, 14.0, 24.0, -6.0) for y in (-6.0, 0.0, 6.0)]


@st.composite
def streets(draw: st.DrawFn, straight: bool = False) -> AnalyticScene:
    """Boxes that stand apart, in front of, beside and behind the camera; some move."""
    actors: list[Actor] = []
    for slot, (x, y) in enumerate(SLOTS):
        if draw(st.booleans()):
            kind = draw(st.sampled_from([Semantic.CAR, Semantic.PERSON, Semantic.TRUCK]))
            size = (draw(st.floats(0.5, 4.5)), draw(st.floats(0.5, 2.5)), draw(st.floats(0.8, 2.6)))
            yaw = 0.0 if straight else draw(st.floats(-3.0, 3.0))
            speed = draw(st.sampled_from([0.0, 0.0, 5.0]))
            actors.append(box_actor(10 + slot, (x, y), size, yaw, kind, speed))
    return street(SMALL, tuple(actors))


@st.composite
def poses(draw: st.DrawFn) -> np.ndarray:
    """A camera near the path, looking roughly along it."""
    turn = [draw(st.floats(-a, a)) for a in (0.03, 0.08, 0.3)]
    place = [draw(st.floats(-2.0, 2.0)), draw(st.floats(-1.5, 1.5)), draw(st.floats(-0.3, 0.5))]
    return rigid(rotation_exp(np.array(turn)), np.array(place)) @ EGO_FROM_CAMERA


def drive(world_from_camera: np.ndarray) -> Trajectory:
    """The camera moves forward and turns while it is read out."""
    step = rigid(rotation_exp(np.array([0.0, 0.02, 0.0])), np.array([0.05, 0.0, 0.6]))
    return Trajectory(
        time_us=np.array([0, 40_000]),
        world_from_body=np.stack([world_from_camera, world_from_camera @ step]),
    )


def owners(scene: AnalyticScene, camera: Camera, pose: np.ndarray | Trajectory) -> np.ndarray:
    """Which box each pixel's ray meets first, from the closed form."""
    start, along = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), pose)
    with np.errstate(divide="ignore"):
        nearest = np.where(along[:, 2] < 0, -start[:, 2] / along[:, 2], np.inf)
    found = np.zeros(len(start), dtype=np.uint16)
    for index, actor in enumerate(scene.clip.actors, start=1):
        if not actor.is_moving:
            hit = enter_box_m(start, along, actor)
            found[hit < nearest] = index
            nearest = np.minimum(nearest, hit)
    return found.reshape(camera.height, camera.width)


def check_objects(frame: Frame) -> None:
    named = {item["instance"]: item for item in frame.objects}
    assert len(named) == len(frame.objects)
    assert set(np.unique(frame.instance)) - {0} <= {i for i, x in named.items() if x["rendered"]}
    for index, item in named.items():
        rows, columns = np.nonzero(frame.instance == index)
        extent = (
            [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else None
        )
        assert item["box_2d"] == extent
        assert item["visible_px"] == (len(rows) if item["rendered"] else None)
        small = 0 < len(rows) < LabelGate().min_px
        assert (item["ignored"] is None) == (item["rendered"] and not small)
        assert (item["ignore_region"] is None) == (item["ignored"] is None)
        corners = transform_points(
            np.array(item["camera_from_box"]), box_corners(np.array(item["size_m"]))
        )
        assert corners[:, 2].max() > 0.0
        assert np.all(frame.semantic[frame.instance == index] == Semantic[item["class"]])
        assert 0.0 <= item["truncation"] <= 1.0


def check_visible_fractions(frame: Frame, scene: AnalyticScene, pose: np.ndarray) -> None:
    together = owners(scene, SMALL, pose)
    for item in frame.objects:
        if item["rendered"]:
            alone = street(SMALL, (scene.clip.actors[item["instance"] - 1],))
            whole = (owners(alone, SMALL, pose) == 1).sum()
            seen = (together == item["instance"]).sum()
            if whole:
                assert abs(item["visible_fraction"] - seen / whole) <= 1.0 / whole


def check_normals(frame: Frame) -> None:
    shows_ground = (frame.instance == 0) & np.isfinite(frame.range_m)
    inner = np.ones_like(shows_ground)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            inner &= np.roll(shows_ground, (dy, dx), (0, 1))
    inner[:2], inner[-2:], inner[:, :2], inner[:, -2:] = False, False, False, False
    cosine = frame.normal[inner].astype(np.float64)[:, 2]
    assert np.all(cosine >= np.cos(np.deg2rad(1.0)))
    length = np.linalg.norm(frame.normal.astype(np.float64), axis=-1)
    assert np.all(np.isnan(length) | (np.abs(length - 1.0) < 2e-3))


def check_depth(frame: Frame, path: np.ndarray | Trajectory) -> None:
    camera = frame.camera
    pixels = camera.pixel_centres()
    cosine = camera.directions(pixels)[..., 2]
    solid = np.isfinite(frame.range_m)
    np.testing.assert_allclose(frame.z_m[solid], (frame.range_m * cosine)[solid], rtol=1e-6)
    start, along = camera_rays(camera, pixels[solid], path)
    points = start + along * frame.range_m[solid][:, None]
    back = project_world(camera, points, path)
    assert np.abs(back - pixels[solid]).max(initial=0.0) <= 0.05
    if isinstance(path, np.ndarray):  # z_m alone leads to the same points
        local = camera.unproject(pixels[solid]) * frame.z_m[solid][:, None]
        np.testing.assert_allclose(transform_points(path, local), points, atol=1e-4, rtol=1e-5)


@given(streets(), poses(), st.sampled_from([SMALL, SMALL, BENT, ROLLING]))
def test_what_is_labelled_is_what_is_there(
    scene: AnalyticScene, pose: np.ndarray, camera: Camera
) -> None:
    path = drive(pose) if camera.readout_us else pose
    frame = render_view(scene, camera, path, time_us=0)
    check_objects(frame)
    check_depth(frame, path)
    # Rays reach the scene in float32: one that grazes an edge may fall on either side.
    assert (frame.instance != owners(scene, camera, path)).sum() <= 1
    assert np.array_equal(frame.semantic == Semantic.SKY, np.isinf(frame.range_m))
    assert np.all((frame.semantic >= Semantic.CAR) == (frame.instance > 0))
    if camera is SMALL:
        check_visible_fractions(frame, scene, pose)
        check_normals(frame)


@given(streets(straight=True), st.floats(-1.0, 1.0))
def test_boxes_match_their_projected_corners(scene: AnalyticScene, left_m: float) -> None:
    pose = rigid(np.eye(3), np.array([0.0, left_m, 0.0])) @ EGO_FROM_CAMERA
    frame = render_view(scene, SMALL, pose, time_us=0)
    for item in frame.objects:
        if not item["rendered"] or item["visible_fraction"] < 1.0 or item["truncation"] > 0.0:
            continue
        corners = box_corners(np.array(item["size_m"]))
        pixels = SMALL.project(transform_points(np.array(item["camera_from_box"]), corners))
        projected = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
        assert np.all(np.abs(projected - item["box_2d"]) <= 0.5 + 1e-3)


@given(streets(), poses(), poses())
def test_depth_of_one_pose_holds_in_another(
    scene: AnalyticScene, here: np.ndarray, there: np.ndarray
) -> None:
    frame = render_view(scene, SMALL, here, time_us=0)
    near = np.isfinite(frame.range_m) & (frame.range_m < 60.0)
    start, along = camera_rays(SMALL, SMALL.pixel_centres()[near], here)
    points = start + along * frame.range_m[near][:, None]
    pixels = project_world(SMALL, points, there)
    seen = np.isfinite(pixels).all(axis=1)
    start, along = camera_rays(SMALL, pixels[seen], there)
    march = scene.render_rays(_float(start), _float(along), torch.full((len(start),), 1e-3))
    distance = np.linalg.norm(points[seen] - there[:3, 3], axis=1)
    hidden = march.range_m.numpy() < distance * (1 - 1e-4)
    again = start + along * np.where(hidden, distance, march.range_m.numpy())[:, None]
    moved = np.abs(project_world(SMALL, again, here) - SMALL.pixel_centres()[near][seen])
    assert moved.max(initial=0.0) <= 0.05


def _float(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values).float()


@pytest.mark.parametrize(
    "look",
    [
        CameraLook(exposure_ev=-2.0),
        CameraLook(exposure_ev=1.5),
        CameraLook(white_balance=(2.0, 1.0, 0.5)),
    ],
    ids=["darker", "brighter", "redder"],
)
def test_a_look_changes_colours_only(look: CameraLook) -> None:
    scene = street(SMALL)
    pose = scene.clip.world_from_camera(0, 0)
    neutral = render_view(scene, SMALL, pose, time_us=0)
    other = render_view(scene, SMALL, pose, time_us=0, camera_look=look)
    for label in PIXEL_LABELS:
        if label.name != "rgb":
            a, b = neutral.pixels[label.name], other.pixels[label.name]
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    assert neutral.objects == other.objects
    assert neutral.labels == other.labels
    origins, along = camera_rays(SMALL, SMALL.pixel_centres().reshape(-1, 2), pose)
    march = scene.render_rays(_float(origins), _float(along), torch.full((len(along),), 1e-3))
    shown = shown_as_srgb(march.linear).numpy() * 255.0
    assert np.array_equal(neutral.rgb.reshape(-1, 3), np.round(shown).astype(np.uint8))


def test_every_label_has_the_type_and_shape_that_the_table_says() -> None:
    scene = street()
    assert isinstance(scene, Renderer)
    camera = scene.clip.cameras[0].camera
    frame = render_view(scene, camera, scene.clip.world_from_camera(0, 0), time_us=0)
    for label in PIXEL_LABELS:
        value = frame.pixels[label.name]
        assert value.dtype == label.dtype
        assert value.ndim == len(label.shape.split())
        assert value.shape[:2] == (camera.height, camera.width)
    assert set(frame.labels) == {label.name for label in FRAME_LABELS}
    assert all(set(item) == {label.name for label in OBJECT_LABELS} for item in frame.objects)
    names = [label.name for label in PIXEL_LABELS + OBJECT_LABELS]
    assert len(names) == len(set(names)) + 1  # `instance` is said of pixels and of objects


def test_the_documentation_is_the_table() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page()
