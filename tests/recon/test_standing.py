"""Vehicles that stand: fields of their own, and ground under them that nobody saw."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from recon.actors.placement import ActorModel, place_actors
from recon.config import ActorsConfig, ReconstructionConfig
from recon.data.actor_rays import STANDING_WEIGHT
from recon.data.occluded_ground import hidden_by
from recon.data.training_data import Data, actors_to_show, load_data, load_pixels
from recon.field.field import ABSENT, GridField
from recon.field.model import new_model
from recon.kernels.backend import Backend, choose_backend
from recon.recipes import STANDING_PX, standard
from recon.scene import Scene
from recon.training.checkpoint import load_model, load_state, save_model, save_state
from recon.training.loop import train, train_step, wanted_samples
from recon.training.occupancy_carving import emptied_cells
from recon.training.state import new_training
from render.labels.cuboids import boxes_in_view
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.edits.actors import MoveActor, RemoveActor
from scenes.edits.parked_vehicles import for_good, in_place, parked
from scenes.motion.trajectory import Trajectory
from scenes.scenario.resolve import resolve
from scenes.scenario.scenario import Scenario
from scenes.semantics import Semantic
from tests.actor_fields_maker import (
    ACTORS,
    EDGES_US,
    PARKED,
    PARKED_CONFIG,
    STANDING,
    crowd_config,
    standing_drive,
    stepped,
    walker,
)
from tests.scene_maker import driving_car


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return standing_drive(tmp_path_factory.mktemp("standing"))


@pytest.fixture(scope="module")
def data(clip: Clip) -> Data:
    return load_data(clip, PARKED_CONFIG)


@pytest.fixture(scope="module")
def scene(clip: Clip, data: Data) -> Scene:
    """A scene that was trained just long enough to tell a car from the ground."""
    backend = choose_backend(None)
    settings = replace(PARKED_CONFIG, backend=str(backend), steps=250)
    model = train(clip, settings, data=data)
    return Scene(clip=clip, config=settings, model=model, backend=backend)


def shown(clip: Clip, actors: ActorsConfig) -> list[int]:
    return [actor.id for actor in actors_to_show(clip, replace(PARKED_CONFIG, actors=actors))]


def test_who_moves_comes_first_and_who_stands_is_in_its_place_for_good(clip: Clip) -> None:
    assert shown(clip, ACTORS) == [7]
    assert shown(clip, STANDING) == [5, 7]
    assert shown(clip, replace(STANDING, most=1)) == [7]
    assert shown(clip, replace(STANDING, standing_px=1e3)) == [7]
    standing = actors_to_show(clip, PARKED_CONFIG)[0]
    assert standing == in_place(PARKED, clip.ego.time_us[[0, -1]])
    for time_us in (0, 600_000):  # before and after its track
        assert standing.at(time_us) is not None
        boxes = boxes_in_view(
            clip.actors, clip.cameras[0].camera, clip.world_from_camera(0, 0), time_us, (5, 7)
        )
        assert [(box.actor.id, box.own_field) for box in boxes] == [(5, True), (7, True)]


def test_only_vehicles_in_a_place_that_is_known_well_are_parked() -> None:
    assert parked(PARKED)
    assert not parked(driving_car())
    assert not parked(replace(PARKED, kind=Semantic.PERSON))
    poses = np.tile(PARKED.trajectory.world_from_body[:1], (20, 1, 1))
    poses[:, 0, 3] += np.tile([0.0, 0.45], 10)
    times = 1000 * np.arange(20)
    jitters = Trajectory(time_us=times, world_from_body=poses)
    assert not parked(replace(PARKED, trajectory=jitters))
    once = Trajectory(time_us=times[:1], world_from_body=poses[:1])
    assert parked(replace(PARKED, trajectory=once))


def test_recipes_want_them_and_older_scenes_do_not(clip: Clip) -> None:
    actors = standard(clip).actors
    assert actors is not None
    assert actors.standing_px == STANDING_PX
    plain = msgspec.to_builtins(standard(clip))
    del plain["actors"]["standing_px"]
    old = msgspec.convert(plain, ReconstructionConfig)
    assert old.actors is not None
    assert old.actors.standing_px is None


def test_both_backends_learn_the_same_from_a_step(
    clip: Clip, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    if choose_backend(None) is not Backend.NATIVE:
        pytest.skip("no native backend")
    # a seed by which no sample lies on the border of two cells, where there are two derivatives
    wanted = stepped(clip, data, "torch", monkeypatch, STANDING, seed=7)
    found = stepped(clip, data, "native", monkeypatch, STANDING, seed=7)
    assert wanted.model.actor_fields is not None
    assert found.model.actor_fields is not None
    mine = dict(found.model.actor_fields.named_parameters())
    for name, parameter in wanted.model.actor_fields.named_parameters():
        truth, other = parameter.grad, mine[name].grad
        if name == "latent":  # nobody has limbs
            continue
        assert truth is not None
        assert other is not None
        assert (truth - other).abs().max() <= 2e-4 * truth.abs().max(), name
    native = found.native
    assert native is not None
    static = found.model.field.static
    of_table = torch.empty_like(static.table)
    layers = [*static.density_layers], [*static.colour_layers]
    native.scene.natives[0].read_gradients(
        of_table, *([torch.empty_like(weight) for weight in part] for part in layers)
    )
    truth = wanted.model.field.static.table.grad
    assert truth is not None
    assert (truth - of_table).abs().max() <= 2e-4 * truth.abs().max()


def test_a_step_has_more_samples_for_them(clip: Clip, data: Data) -> None:
    per_step = PARKED_CONFIG.samples_per_step
    assert wanted_samples(new_training(clip, PARKED_CONFIG, data), PARKED_CONFIG) == int(
        per_step * 41 / 40
    )
    alone = crowd_config()
    assert wanted_samples(new_training(clip, alone, load_data(clip, alone)), alone) == per_step


def test_cells_in_a_standing_box_are_empty_but_for_those_near_the_ground(
    clip: Clip, data: Data, scene: Scene
) -> None:
    training, side = new_training(clip, PARKED_CONFIG, data), 512
    block = training.model.field.block
    cells = emptied_cells(training.model.actor_fields, training.where, block, side)
    numbers = torch.stack([cells % side, cells // side % side, cells // side**2], -1)
    points = block.world((numbers + torch.rand(numbers.shape)) / side)
    assert bool(hidden_by(PARKED, points).all())
    assert float(points[:, 2].min()) > 0.2
    # the whole inside of the one car: 4.4 by 2.07 by 1.36 m
    volume_m3 = len(cells) * (4.0 * block.half_size_m / side) ** 3
    assert 0.5 < volume_m3 / (4.4 * 2.07 * 1.36) < 1.0
    assert emptied_cells(None, None, block, side).numel() == 0
    fine = scene.model.field.occupancy
    empty = emptied_cells(scene.model.actor_fields, training.where, block, fine.resolution)
    assert not fine.occupied[empty].any()


def test_who_moves_is_drawn_more_often(clip: Clip) -> None:
    moving = load_pixels(clip, 0, np.arange(1), 1.0, clip.actors[1:])
    both = load_pixels(clip, 0, np.arange(1), 1.0, (in_place(PARKED, EDGES_US), clip.actors[1]))
    standing = len(both.of_actors) - len(moving.of_actors)
    assert standing > 10
    assert torch.equal(both.of_actors[standing:], moving.of_actors)
    assert torch.equal(both.actor_weight[standing:], moving.actor_weight)
    wanted = torch.full((standing,), STANDING_WEIGHT * standing**-0.5)
    torch.testing.assert_close(both.actor_weight[:standing], wanted)


def test_who_stands_is_never_corrected(clip: Clip, data: Data) -> None:
    training = new_training(clip, replace(PARKED_CONFIG, steps=4), data)
    for step in range(3):
        train_step(training, data, replace(PARKED_CONFIG, steps=4), step)
    actor_fields = training.model.actor_fields
    assert actor_fields is not None
    assert actor_fields.ids == (5, 7)
    assert not actor_fields.corrections[0].any()
    assert actor_fields.corrections[1].any()


def looked(scene: Scene, actors: tuple[Actor, ...], y_m: float = -2.5) -> tuple[float, float]:
    """Distance down from 3 m above the car's middle, and how red it is there."""
    x, y = np.meshgrid(np.linspace(10.8, 13.2, 6), np.linspace(-0.5, 0.5, 4) + y_m)
    start = np.stack([x.ravel(), y.ravel(), np.full(24, 3.0)], axis=1)
    placed = scene.placed(actors, torch.full((24,), 500_000))
    down = torch.tensor([0.0, 0.0, -1.0]).expand(24, 3).contiguous()
    out = scene.render_rays(torch.from_numpy(start).float(), down, torch.full((24,), 1e-3), placed)
    red = (out.linear[:, 0] / out.linear[:, 1]).median()
    return float(out.range_m.median()), float(red)


def test_a_car_is_there_and_the_ground_is_under_it(scene: Scene) -> None:
    range_m, red = looked(scene, scene.clip.actors)
    assert range_m < 2.6
    assert red > 5.0
    range_m, red = looked(scene, ())
    assert range_m > 2.6
    assert red < 3.0  # the plain's is 1.25


def test_it_is_removed_and_moved_where_the_scene_has_a_field_of_it(scene: Scene) -> None:
    fielded = frozenset(scene.actor_models)
    gone = resolve(Scenario(edits=(RemoveActor(actor=5),)), scene.clip, fielded=fielded)
    assert looked(scene, gone.actors)[0] > 2.6
    aside = MoveActor(actor=5, left_m=-3.0)
    there = Scenario(edits=(aside,), allow_unmeasured=True)  # the drive measured its lane alone
    moved = resolve(there, scene.clip, fielded=fielded).actors
    assert looked(scene, moved)[0] > 2.6
    assert looked(scene, moved, y_m=-5.5)[0] < 2.6


def test_nobody_saw_the_ground_under_it(scene: Scene) -> None:
    support = scene.model.support
    support.hits += 1.0
    points = torch.tensor(
        [[12.0, -2.5, 0.0], [12.0, -2.5, 1.0], [10.0, -3.3, -0.1], [12.0, 0.0, 0.0], [12, -2.5, 3]]
    )
    assert scene.observed(points).tolist() == [False, False, False, True, True]
    assert hidden_by(PARKED, points).tolist() == [True, True, True, False, False]
    support.hits -= 1.0
    alone = replace(scene, actor_models={7: scene.actor_models[7]})
    assert bool(alone.observed(points).sum() >= scene.observed(points).sum())


def test_it_comes_back_from_its_files(clip: Clip, data: Data, scene: Scene, tmp_path: Path) -> None:
    save_model(tmp_path / "field.safetensors", scene.model)
    again = new_model(clip, scene.config, Backend.TORCH)
    load_model(path := tmp_path / "field.safetensors", path.read_bytes(), again)
    assert again.actor_fields is not None
    assert again.actor_fields.ids == (5, 7)
    assert looked(replace(scene, model=again, backend=Backend.TORCH, native=None, actor_models={}),
                  clip.actors) == pytest.approx(looked(scene, clip.actors), rel=0.01)  # fmt: skip
    settings = replace(PARKED_CONFIG, steps=6)
    one, other = (new_training(clip, settings, data) for _ in range(2))
    for step in range(2):
        train_step(one, data, settings, step)
    save_state(tmp_path / "training.safetensors", one, settings, 2, 0.0)
    load_state(tmp_path / "training.safetensors", other, settings)
    for training in (one, other):
        train_step(training, data, settings, 2)
    for name, tensor in one.model.field.state_dict().items():
        assert torch.equal(tensor, other.model.field.state_dict()[name]), name


def test_walkers_stay_as_they_are(clip: Clip) -> None:
    actors = (PARKED, walker())
    same = for_good(actors, frozenset({5, 9}), clip.ego.time_us)
    assert same[1] is actors[1]
    assert np.array_equal(same[0].trajectory.time_us, clip.ego.time_us)
    assert for_good(actors, frozenset(), clip.ego.time_us) == actors


def test_who_is_there_as_a_picture_begins_is_there_in_all_its_rows() -> None:
    """A rolling shutter goes on after the last pose."""
    track = PARKED.trajectory
    look = ActorModel(
        field=GridField(ACTORS.field, torch.Generator().manual_seed(0)),
        key_us=torch.arange(2),
        latent=None,
    )
    last = int(track.time_us[-1])
    rows = torch.tensor([last - 1000, last, last + 20_000])
    (item,) = place_actors({PARKED.id: look}, (), (PARKED,), rows).instances
    assert torch.equal(item.unit_from_world[2], item.unit_from_world[1])
    assert not torch.equal(item.unit_from_world[1], ABSENT)
    late = place_actors({PARKED.id: look}, (), (PARKED,), torch.tensor([last + 1, last + 20_000]))
    assert not late.instances
