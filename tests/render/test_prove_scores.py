"""Scores off the path: a perfect render has perfect scores, and each fault has its own."""

from dataclasses import replace

import numpy as np
import pytest

from recon.evaluation.comparison import Comparison
from render.labels.cuboids import instance_numbers
from render.prove.marks import f1, found_paint, road_grid
from render.prove.metrics import abs_rel_median, gradient_ssim, large_surfaces, normal_error_deg
from render.prove.objects import overlaps
from render.prove.regions import Cast, cast_of
from render.prove.scoring import RegionScore, score_view
from render.prove.target import Target
from render.views.frame import Frame
from scenes.edits.actor_looks import InsertActor
from scenes.edits.actors import MoveActor, RemoveActor
from scenes.motion.geometry import rigid
from scenes.road.ground import fit_ground
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, camera_rays
from tests.render.analytic import AnalyticScene, box_actor, street
from tests.viewing import render_view

CAMERA = Camera(width=240, height=120, fx=160.0, fy=160.0, cx=120.0, cy=40.0)
DOWN = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def pose_at(x_m: float, left_m: float) -> np.ndarray:
    return rigid(DOWN, np.array([x_m, left_m, 1.6]))


def rendered(scene: AnalyticScene, pose: np.ndarray) -> Frame:
    return render_view(scene, CAMERA, pose, time_us=0, ground=fit_ground(scene.clip))


def target_from(scene: AnalyticScene, frame: Frame) -> Target:
    """Truth of the analytic street: what the march itself says, and where the stripes are."""
    pixels = CAMERA.pixel_centres().reshape(-1, 2)
    origins, along = camera_rays(CAMERA, pixels, frame.world_from_camera)
    range_m = frame.range_m.astype(np.float64)
    finite = np.where(np.isfinite(range_m), range_m, 0.0)
    point = (origins + along * finite.reshape(-1, 1)).reshape(*range_m.shape, 3)
    ids = np.array([-1, *(actor.id for actor in scene.clip.actors)], np.int32)
    road = np.isfinite(range_m) & (frame.instance == 0)
    stripe = road & (np.mod(point[..., 1], 3.5) < 0.15) & (np.mod(point[..., 0], 6.0) < 3.0)
    semantic = np.where(road, int(Semantic.ROAD), 0)
    semantic = np.where(stripe, int(Semantic.LANE_MARKING), semantic).astype(np.uint8)
    return Target(
        axis="lateral",
        amount=0.0,
        time_us=0,
        camera=CAMERA,
        world_from_camera=frame.world_from_camera,
        photo=frame.rgb.astype(np.float32) / 255.0,
        range_m=range_m,
        instance=ids[frame.instance],
        semantic=semantic,
        normal=np.nan_to_num(frame.normal.astype(np.float32)),
        seen=np.broadcast_to(np.arange(CAMERA.width) < 150, range_m.shape).copy(),
    )


def scored(
    frame: Frame, target: Target, scene: AnalyticScene, changed: frozenset[int] = frozenset()
) -> dict[str, RegionScore]:
    cast = Cast(actors=scene.clip.actors, changed=changed)
    shown = Comparison(
        photo=target.photo,
        render=frame.rgb.astype(np.float32) / 255.0,
        counts=target.counts(scene.clip.actors),
    )
    scores = score_view(frame, shown, target, cast, fit_ground(scene.clip))
    return {score.region: score for score in scores}


def test_a_perfect_render_has_perfect_scores() -> None:
    scene = street()
    frame = rendered(scene, pose_at(0.0, 0.0))
    scores = scored(frame, target_from(scene, frame), scene)
    assert list(scores) == ["all", "seen", "unseen"]
    for score in scores.values():
        assert score.psnr_db == pytest.approx(58.9226)
        assert score.ssim == pytest.approx(1.0)
        assert score.gradient_ssim == pytest.approx(1.0)
        assert score.flip == 0.0
        assert score.depth_abs_rel == 0.0
        assert score.normal_deg < 1.0
        assert np.isnan(score.box_iou) or score.box_iou == score.mask_iou == 1.0
    assert scores["all"].objects == scores["seen"].objects + scores["unseen"].objects > 0
    assert scores["all"].share == pytest.approx(scores["seen"].share + scores["unseen"].share)
    assert scores["all"].marks_f1 == scores["all"].marks_f1_true > 0.8


def edited(truth: AnalyticScene, before: AnalyticScene) -> Target:
    """Truth of the second after edits that made it the first."""
    target, was = (target_from(s, rendered(s, pose_at(0.0, 0.0))) for s in (truth, before))
    return replace(target, photo_before=was.photo, instance_before=was.instance)


def with_car_at(x_m: float) -> AnalyticScene:
    return street(CAMERA, (box_actor(3, (x_m, 2.0)), box_actor(8, (9.0, -3.4))))


def test_what_edits_changed_is_a_region_of_its_own() -> None:
    here, there = with_car_at(9.0), with_car_at(14.0)
    target = edited(there, here)
    right = scored(rendered(there, pose_at(0.0, 0.0)), target, there, frozenset({3}))
    assert list(right) == ["all", "seen", "unseen", "changed", "changed+shadow"]
    assert right["changed"].psnr_db == pytest.approx(58.9226)
    assert (right["changed"].objects, right["changed"].mask_iou) == (1, 1.0)
    was, now = target.instance_before == 3, target.instance == 3
    assert right["changed"].share == (was | now).mean()
    assert right["changed+shadow"].share >= right["changed"].share
    assert np.isnan(right["changed"].marks_f1)
    wrong = scored(rendered(here, pose_at(0.0, 0.0)), target, there, frozenset({3}))
    assert wrong["changed"].psnr_db < 25.0
    assert wrong["changed"].mask_iou == pytest.approx((was & now).sum() / (was | now).sum())
    assert wrong["changed"].mask_iou < 0.5


def test_light_that_an_edit_changes_beside_it_counts_with_the_shadow_only() -> None:
    here, there = with_car_at(9.0), with_car_at(14.0)
    target = edited(there, here)
    assert target.photo_before is not None
    dark = target.photo.copy()
    dark[100:110, 60:100] *= 0.5
    shadowed = replace(target, photo=dark)
    scores = scored(rendered(there, pose_at(0.0, 0.0)), shadowed, there, frozenset({3}))
    assert scores["changed"].psnr_db == pytest.approx(58.9226)
    assert scores["changed+shadow"].psnr_db < 40.0
    extra = scores["changed+shadow"].share - scores["changed"].share
    assert extra * dark[..., 0].size >= 0.9 * 400


def test_road_users_that_move_have_a_region_of_their_own() -> None:
    mover = box_actor(3, (9.0, 2.0), speed_mps=8.0)
    shows = with_car_at(9.0)  # the march of the analytic street leaves out who moves
    frame = rendered(shows, pose_at(0.0, 0.0))
    target = target_from(shows, frame)
    moving = street(CAMERA, (mover, shows.clip.actors[1]))
    scores = scored(frame, target, moving)
    assert scores["movers"].share == (target.instance == 3).mean()
    assert (scores["movers"].objects, scores["movers"].mask_iou) == (1, 1.0)
    assert scores["movers"].psnr_db == pytest.approx(58.9226)
    static = scored(rendered(moving, pose_at(0.0, 0.0)), target, moving)
    assert static["movers"].mask_iou == 0.0
    assert static["movers"].psnr_db < 30.0
    assert static["all"].psnr_db == pytest.approx(58.9226)  # where it is not, all is well


def test_edits_of_truth_are_done_to_the_recorded_drive() -> None:
    scene = street()
    ground = fit_ground(scene.clip)
    target = replace(
        target_from(scene, rendered(scene, pose_at(0.0, 0.0))),
        edits=(
            MoveActor(actor=12, left_m=2.0),
            InsertActor(actor=40, asset="van", start_us=0, ahead_m=20.0, speed_mps=5.0),
            InsertActor(actor=41, asset="car", start_us=0, ahead_m=40.0, speed_mps=5.0),
            RemoveActor(actor=41),
        ),
    )
    cast = cast_of(target, scene.clip, ground)
    assert cast.changed == {12, 40}
    assert [actor.id for actor in cast.actors] == [3, 7, 8, 9, 12, 40]
    assert cast.numbers == {3: 1, 7: 2, 8: 3, 9: 4, 12: 5, 40: 6}
    assert cast.assets == {40: "van"}
    assert cast.moving == {12, 40}
    moved, was = (
        actors[4].trajectory.world_from_body for actors in (cast.actors, scene.clip.actors)
    )
    assert abs(moved[0, 1, 3] - was[0, 1, 3]) == pytest.approx(2.0)
    unedited = cast_of(replace(target, edits=()), scene.clip, ground)
    assert unedited.actors == scene.clip.actors
    assert not unedited.changed


def test_marks_that_are_half_a_metre_off_are_not_found() -> None:
    scene = street()
    frame = rendered(scene, pose_at(0.0, 0.0))
    target, off = target_from(scene, frame), rendered(scene, pose_at(0.0, 0.5))
    near = rendered(scene, pose_at(0.0, 0.1))
    right, wrong, close = (
        scored(replace_pixels(frame, other), target, scene)["all"] for other in (frame, off, near)
    )
    assert wrong.marks_f1 < 0.2 < 0.8 < right.marks_f1
    assert close.marks_f1 > 0.9 * right.marks_f1
    assert wrong.marks_f1_true == right.marks_f1_true
    assert wrong.gradient_ssim < right.gradient_ssim
    assert wrong.flip > right.flip


def replace_pixels(frame: Frame, other: Frame) -> Frame:
    """The frame with the colours of another."""
    return replace(frame, pixels={**frame.pixels, "rgb": other.rgb})


def test_paint_is_narrow_and_brighter_and_on_the_road() -> None:
    scene = street()
    frame = rendered(scene, pose_at(0.0, 0.0))
    target = target_from(scene, frame)
    counts = np.ones((CAMERA.height, CAMERA.width), dtype=bool)
    grid = road_grid(target, fit_ground(scene.clip), counts)
    assert grid.paint.sum() > 50
    assert not (grid.paint & ~grid.valid).any()
    half_bright = target.photo.copy()
    half_bright[:, 120:] = 1.0  # sunlight on half of the road is no mark
    found = found_paint(half_bright, grid)
    assert not found[:, :70].any()  # columns grow to the left
    assert not found_paint(np.full_like(target.photo, 0.3), grid).any()
    nobody = np.zeros_like(counts)
    assert not road_grid(target, fit_ground(scene.clip), nobody).valid.any()


def test_f1_is_the_harmonic_mean_with_tolerance() -> None:
    paint = np.zeros((40, 40), dtype=bool)
    paint[:, 10] = True
    everywhere = np.ones_like(paint)
    assert f1(paint, paint, everywhere) == 1.0
    moved = np.roll(paint, 2, axis=1)
    assert f1(moved, paint, everywhere) == 1.0
    assert f1(np.roll(paint, 3, axis=1), paint, everywhere) == 0.0
    half = paint.copy()
    half[20:] = False  # precision 1, recall 22 of 40: two cells are within reach of the rest
    assert f1(half, paint, everywhere) == pytest.approx(2 * 0.55 / 1.55)
    assert f1(paint | np.roll(paint, 20, axis=1), paint, everywhere) == pytest.approx(2 / 3)
    assert np.isnan(f1(paint, paint, np.zeros_like(paint)))


def test_blur_costs_more_gradient_ssim_than_noise_of_the_same_psnr() -> None:
    rng = np.random.default_rng(0)
    photo = np.kron(rng.uniform(0.2, 0.8, (8, 16)), np.ones((8, 8)))[..., None].repeat(3, axis=-1)
    soft = photo.copy()
    for axis in (0, 1):
        soft = np.mean([np.roll(soft, k, axis=axis) for k in range(-3, 4)], axis=0)
    error = np.sqrt(np.mean((soft - photo) ** 2))
    counts = np.ones(photo.shape[:2], dtype=bool)
    shift = (photo + error).astype(np.float32)  # as wrong by PSNR, and perfectly sharp
    blurred = gradient_ssim(soft.astype(np.float32), photo.astype(np.float32), counts)
    sharp = gradient_ssim(shift, photo.astype(np.float32), counts)
    assert blurred < 0.6 < 0.95 < sharp


def test_small_surfaces_have_no_normals_to_score() -> None:
    camera = Camera(width=40, height=30, fx=40.0, fy=40.0, cx=20.0, cy=15.0)
    range_m = np.full((30, 40), 4.0)  # a pixel covers 0.01 m2
    normal = np.zeros((30, 40, 3), dtype=np.float32)
    normal[..., 0] = 1.0
    normal[:, 5:] = [0.0, 1.0, 0.0]
    normal[10:13, 20:24] = [0.0, 0.0, 1.0]  # 12 pixels, 0.12 m2
    range_m[:, 35:] = np.inf
    large = large_surfaces(normal, range_m, camera)
    wanted = np.isfinite(range_m)
    wanted[10:13, 20:24] = False
    assert np.array_equal(large, wanted)
    assert not large_surfaces(normal, range_m / 20.0, camera).any()


def test_angles_and_medians() -> None:
    a = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 0], [np.nan, 0, 0]])
    b = np.array([[1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]])
    np.testing.assert_allclose(normal_error_deg(a, b), [0.0, 90.0, 90.0, 90.0])
    assert abs_rel_median(np.array([1.1, np.inf, 2.0]), np.array([1.0, 1.0, 2.0])) == (
        pytest.approx(0.1)
    )
    assert np.isnan(abs_rel_median(np.zeros(0), np.zeros(0)))


def test_what_is_mostly_hidden_from_the_recording_is_unseen() -> None:
    scene = street()
    frame = rendered(scene, pose_at(0.0, 0.0))
    target = target_from(scene, frame)
    counts = np.ones((CAMERA.height, CAMERA.width), dtype=bool)
    nothing = np.zeros_like(counts)
    numbers = instance_numbers(scene.clip.actors, scene.clip.actors)
    known = overlaps(scene.clip.actors, numbers, target.instance, frame.instance, counts, ~nothing)
    hidden = overlaps(scene.clip.actors, numbers, target.instance, frame.instance, counts, nothing)
    assert known
    assert {x.seen_share for x in known} == {1.0}
    assert {x.seen_share for x in hidden} == {0.0}
    assert [x.mask_iou for x in hidden] == [x.mask_iou for x in known]
