"""Whose field explains its pixels, and whose pixels the static scene explains as well."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import recon.recipes
from recon.data.training_data import load_data, scaled_camera
from recon.evaluation.actor_scores import box_pixels, road_users
from recon.evaluation.evaluate import compare, evaluate_scene, result
from recon.evaluation.gains import (
    GAINS,
    LEAST_GAIN_DB,
    MOST_THROUGH,
    ActorGain,
    doubts,
    read_gains,
)
from recon.evaluation.measured_gains import measure_gains
from recon.evaluation.metrics import psnr_db
from recon.kernels.backend import choose_backend
from recon.reconstruct import reconstruct_clip
from recon.scene import Scene, load_scene
from recon.training.loop import train
from render.labels.gate import LabelGate
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.sensors.camera import camera_rays
from scenes.storage.clip_files import save_clip
from scenes.storage.manifests import finished
from tests.actor_fields_maker import crowd_config, meets, peopled_drive
from tests.scene_maker import TINY
from tests.viewing import render_view

CAR, WALKER = 7, 9


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return peopled_drive(tmp_path_factory.mktemp("gains"))


@pytest.fixture(scope="module")
def scene(clip: Clip) -> Scene:
    backend = choose_backend(None)
    settings = replace(crowd_config(steps=150), backend=str(backend))
    model = train(clip, settings, data=load_data(clip, settings))
    assert model.actor_fields is not None
    with torch.no_grad():
        model.actor_fields.corrections.zero_()
    return Scene(clip=clip, config=settings, model=model, backend=backend)


def without_field(scene: Scene, number: int) -> Scene:
    """The same, where the field of somebody is empty: only the static scene shows it."""
    look = scene.actor_models[number]
    dark = replace(look, field=deepcopy(look.field), alone=False)
    dark.field.log_initial = -100.0
    return replace(scene, actor_models={**scene.actor_models, number: dark}, native=None)


def test_the_gain_is_that_of_the_pixels_of_the_box(scene: Scene, clip: Clip) -> None:
    """Against whole pictures: those of the training pictures that show the car."""
    gain = measure_gains(scene)[CAR]
    camera = scaled_camera(clip.cameras[0].camera, 1.0)
    rows = []
    for frame in (1, 2, 3, 5):  # 0 and 4 are held out
        time_us = int(clip.cameras[0].time_us[frame])
        rays = camera_rays(
            camera, camera.pixel_centres().reshape(-1, 2), clip.world_from_camera(0, time_us)
        )
        inside = meets(*rays, clip.actors[0], time_us).reshape(camera.height, camera.width)
        inside &= ~meets(*rays, clip.actors[1], time_us).reshape(inside.shape)
        inside &= box_pixels(scene, camera, 0, clip.actors[0], time_us)
        picture = compare(scene, 0, frame)
        origins, along = (torch.from_numpy(x).float() for x in rays)
        out = scene.render_rays(origins, along, torch.full((len(origins),), 1.0 / 20.0))
        alone = scene.display(out.linear, 0, time_us).numpy().reshape(picture.photo.shape)
        rows.append((inside, picture.render, alone, picture.photo))
    inside, shown, alone, photo = (np.concatenate(part) for part in zip(*rows, strict=True))
    assert (gain.held_out, gain.boxes) == (False, 4)
    assert gain.pixels == pytest.approx(inside.sum(), abs=0.05 * inside.sum())
    assert gain.psnr_db == pytest.approx(psnr_db(shown, photo, inside), abs=0.3)
    assert gain.without_psnr_db == pytest.approx(psnr_db(alone, photo, inside), abs=0.3)
    assert gain.gain_db is not None
    assert gain.gain_db > 3.0  # a red car on a plain
    assert gain.doubt is None


def test_whom_the_static_scene_shows_as_well_gains_nothing(scene: Scene) -> None:
    gains = measure_gains(without_field(scene, WALKER))
    assert gains[WALKER].gain_db == pytest.approx(0.0, abs=1e-6)
    assert gains[WALKER].doubt is not None
    assert gains[CAR].doubt is None
    assert measure_gains(scene) == measure_gains(scene)


def test_whose_middle_is_seen_through(scene: Scene) -> None:
    solid, empty = (measure_gains(each)[CAR] for each in (scene, without_field(scene, CAR)))
    assert solid.seen_through is not None
    assert solid.seen_through < 0.2
    assert empty.seen_through == 1.0


def test_who_is_in_doubt_and_why() -> None:
    def gain(number: int, more_db: float | None) -> ActorGain:
        known = None if more_db is None else 20.0 + more_db
        alone = None if more_db is None else 20.0
        return ActorGain(
            id=number, held_out=True, boxes=3, pixels=90, psnr_db=known, without_psnr_db=alone
        )

    found = doubts({1: gain(1, LEAST_GAIN_DB), 2: gain(2, 0.3), 3: gain(3, -1.1), 4: gain(4, None)})
    assert found == {
        2: "its field explains its pixels only 0.30 dB better than the static scene",
        3: "its field explains its pixels 1.10 dB worse than the static scene",
        4: "no recorded picture tells whether its field shows it",
    }
    half = replace(gain(5, 3.0), seen_through=MOST_THROUGH)
    assert half.doubt is None
    most = replace(half, seen_through=0.7)
    assert most.doubt == "one sees through the middle of its field in 70% of the pixels there"
    assert replace(most, psnr_db=20.3).doubt == found[2]


def test_evaluate_lists_everybody(scene: Scene) -> None:
    gains = measure_gains(without_field(scene, WALKER))
    known = replace(scene, actor_gains=gains)
    assert list(known.doubtful_actors) == [WALKER]
    rows = road_users(known)
    assert [(row["actor"], row["class"], row["labels"]) for row in rows] == [
        (CAR, "CAR", "labelled"),
        (WALKER, "PERSON", "ignore region"),
    ]
    assert rows[1]["why"] == known.doubtful_actors[WALKER]
    assert rows[0]["gain_db"] == gains[CAR].gain_db
    assert rows[0]["measured_on"] == "training pictures"
    said = result(known, evaluate_scene(known)[0])
    assert said["road_users"] == rows
    nobody = replace(known, actor_models={5: known.actor_models[CAR]}, actor_gains={})
    assert [row["why"] for row in road_users(nobody)] == [
        "it moves, and has no field of its own"
    ] * 2


def test_who_is_in_doubt_is_an_ignore_region_wherever_it_walks_but_not_as_an_asset(
    scene: Scene,
) -> None:
    doubting = without_field(scene, WALKER)
    doubting = replace(doubting, actor_gains=measure_gains(doubting))
    why = doubting.doubtful_actors[WALKER]
    walker = next(actor for actor in scene.clip.actors if actor.id == WALKER)
    poses = walker.trajectory.world_from_body.copy()
    poses[:, 1, 3] += 1.0
    aside = replace(walker, trajectory=replace(walker.trajectory, world_from_body=poses))
    others = [actor for actor in scene.clip.actors if actor.id != WALKER]
    for actors, assets, wanted in (
        ((*others, walker), {}, why),
        ((*others, aside), {}, why),
        ((*others, walker), {WALKER: "cyclist"}, None),
    ):
        frame = render_view(
            doubting, scene.clip.cameras[0].camera, scene.clip.world_from_camera(0, 200_000),
            time_us=200_000, actors=actors, assets=assets, gate=LabelGate(min_px=0),
        )  # fmt: skip
        ignored = {item["track_id"]: item["ignored"] for item in frame.objects}
        assert ignored == {CAR: None, WALKER: wanted}


def test_gains_are_part_of_the_scene(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: crowd_config(steps=20))
    save_clip(clip, tmp_path / "clip")
    folders = [reconstruct_clip(tmp_path / "clip", tmp_path / name, TINY) for name in "ab"]
    assert GAINS in finished(folders[0], "scene").files
    assert len({(folder / GAINS).read_bytes() for folder in folders}) == 1
    scene = load_scene(folders[0])
    assert scene.actor_gains.keys() == {CAR, WALKER}
    assert scene.actor_gains == measure_gains(scene)
    assert read_gains(finished(folders[0])) == scene.actor_gains
    (folders[1] / GAINS).write_text(json.dumps([]))
    with pytest.raises(OtherlaneError, match=r"actors\.json: is not what was written"):
        load_scene(folders[1])
