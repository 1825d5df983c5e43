"""Labels of safety agree with the definitions, with each other, and with the drive."""

from dataclasses import replace

import numpy as np

from render.labels.cuboids import boxes_in_view
from render.labels.safety import SAFETY_LABELS
from scenes.edits.edited_scene import EditedScene
from scenes.motion.trajectory import Trajectory
from scenes.safety.encounters import Ego, encounter_at, standing_pose
from tests.render.analytic import CAMERA, EGO_FROM_CAMERA, box_actor, street
from tests.viewing import render_view

TIMES_US = (0, 100_000)


def test_labels_are_the_definitions_and_agree_with_each_other() -> None:
    ahead = box_actor(4, (9.0, 0.0), (4.0, 1.8, 1.5))
    touching = box_actor(7, (1.5, 0.4), (4.0, 1.8, 1.5))
    scene = street(actors=(ahead, touching))
    clip = scene.clip
    end_us = int(clip.ego.time_us[-1])
    edited = EditedScene(ego=clip.ego, actors=clip.actors, start_us=0, end_us=end_us)
    ego = Ego.of(edited, clip, "cut-in near-collision")
    camera = clip.cameras[0].camera
    collided = set()
    for time_us in TIMES_US:
        pose = clip.world_from_camera(0, time_us)
        frame = render_view(scene, camera, pose, time_us=time_us, ego=ego)
        assert frame.labels["tags"] == ["cut-in", "near-collision"]
        for item in frame.objects:
            (actor,) = (one for one in clip.actors if one.id == item["track_id"])
            met = encounter_at(ego, actor, time_us)
            assert met is not None
            assert item["ttc_s"] == met.ttc_s
            collided.add(item["collision"])
            assert item["collision"] == (item["distance_m"] == 0.0)
            assert item["collision"] == (item["contact_point_m"] is not None)
            assert item["collision"] == (item["ttc_s"] == 0.0)
            assert item["min_distance_m"] <= item["distance_m"]
            if item["collision"]:
                assert item["pet_s"] == 0.0
                there = np.array(item["world_from_box"])[:2, 3]
                assert np.linalg.norm(np.array(item["contact_point_m"]) - there) < 2.3
    assert collided


def test_without_an_ego_nothing_is_claimed() -> None:
    scene = street()
    frame = render_view(
        scene, scene.clip.cameras[0].camera, scene.clip.world_from_camera(0, 0), time_us=0
    )
    assert frame.objects
    assert frame.labels["tags"] == []
    names = [label.name for label in SAFETY_LABELS]
    assert all(item[name] is None for item in frame.objects for name in names)


def test_who_stands_is_met_where_its_box_is_drawn() -> None:
    poses = np.repeat(np.eye(4)[None], 9, axis=0)
    poses[:, :3, 3] = np.random.default_rng(3).normal(0.0, 0.05, (9, 3))
    poses[:, 0, 3] += 9.0
    known = box_actor(4, (9.0, 0.0))
    path = Trajectory(time_us=np.arange(9) * 100_000, world_from_body=poses)
    jitters = replace(known, trajectory=path)
    (box,) = boxes_in_view([jitters], CAMERA, EGO_FROM_CAMERA, 0)
    assert np.array_equal(box.world_from_box, standing_pose(jitters))
