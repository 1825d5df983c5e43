"""Road users that move: learnt, kept, put elsewhere, scored and taken out as assets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recon.actors.actor_fields import MIRRORED, OBSERVED, box_poses, support_of
from recon.actors.placement import ActorModel, place_actors
from recon.assets.asset_files import load_actor_model
from recon.assets.extraction import extract, faces_seen
from recon.commands import extract_actor
from recon.data.free_space import swept_evidence
from recon.data.training_data import Data, actors_to_show, load_data
from recon.evaluation.actor_scores import actors_summary
from recon.evaluation.evaluate import evaluate_scene
from recon.field.field import GridField
from recon.field.model import new_model
from recon.kernels.backend import Backend, choose_backend
from recon.lighting.relighting import shadowed
from recon.scene import RADIANCE_FIELD, Scene, write_scene
from recon.training.checkpoint import load_model, save_model
from recon.training.loop import train
from recon.training.ray_batch import draw_batch
from render.folders.verification import verify_folder
from render.labels.gate import LabelGate
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.edits.assets import MODEL_FILE
from scenes.errors import OtherlaneError
from scenes.semantics import Semantic
from scenes.sensors.camera import camera_rays
from scenes.storage.folders import writing
from scenes.storage.manifests import Provenance
from tests.actor_fields_maker import ACTORS, RED, crowd_config, meets, peopled_drive, stepped
from tests.scene_maker import FRAMES, driving_car, tiny_config
from tests.viewing import render_view


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return peopled_drive(tmp_path_factory.mktemp("actor_fields"))


@pytest.fixture(scope="module")
def data(clip: Clip) -> Data:
    return load_data(clip, crowd_config())


@pytest.fixture(scope="module")
def scene(clip: Clip, data: Data) -> Scene:
    """A scene that was trained just long enough to show who moves."""
    backend = choose_backend(None)
    settings = replace(crowd_config(steps=150), backend=str(backend))
    return Scene(
        clip=clip, config=settings, model=train(clip, settings, data=data), backend=backend
    )


def test_what_moves_trains_and_rays_know_when(clip: Clip, data: Data) -> None:
    assert [actor.id for actor in actors_to_show(clip, crowd_config())] == [7, 9]
    assert actors_to_show(clip, tiny_config()) == ()
    pixels, where = data.pixels[0], data.where
    assert where is not None
    assert len(pixels.usable) == pixels.srgb.shape[0] * pixels.srgb.shape[1]  # nothing is masked
    assert len(pixels.of_actors) > 0
    red = (pixels.srgb.flatten(0, 1) == torch.from_numpy(RED)).all(1)
    assert red.sum() > 20
    assert bool(torch.isin(torch.nonzero(red)[:, 0], pixels.of_actors).all())
    batch = draw_batch(data, 400, 0.25, torch.Generator().manual_seed(0), ACTORS)
    moment, moments = batch.rays.moment, len(where.time_us)
    assert moment is not None
    share = (torch.isin(batch.pixels[0][1], pixels.of_actors)).float().mean()
    assert share > 0.5
    mirrored = moment[: batch.pixel_rays] >= moments
    assert mirrored.sum() == int(ACTORS.mirrored * int(ACTORS.share * batch.pixel_rays))
    assert bool((moment[: batch.pixel_rays] >= 0).all())
    times = where.time_us[moment[: batch.pixel_rays] % moments]
    wanted = pixels.time_us(batch.pixels[0][1])
    assert (times - wanted).abs().max() <= 1000
    assert not draw_batch(data, 50, 0.0, torch.Generator().manual_seed(0)).depth_m.numel()


def test_where_somebody_drove_light_falls_to_the_road(clip: Clip) -> None:
    evidence = swept_evidence(clip, (driving_car(),), seed=0)
    assert len(evidence) > 1000
    assert evidence.time_us is None
    assert evidence.ends_m()[:, 2].abs().max() < 0.1
    assert bool(((evidence.origins_m[:, 1] - 2.5).abs() < 0.9).all())
    assert evidence.range_m.min() > 1.5


def test_boxes_are_where_the_drive_says_and_absent_else(clip: Clip) -> None:
    times = np.array([-200_000, 0, 150_000, 10_000_000])
    where = box_poses(clip.actors, times, 0)
    assert where.there[:, 0].tolist() == [False, True, True, False]
    place = torch.tensor([*clip.actors[0].trajectory.at(times[2:3])[0, :3, 3], 1.0]).float()
    assert (where.box_from_world[2, 0] @ place).abs().max() < 1e-5
    assert where.row(torch.tensor([-9, 60_000, 90_000])).tolist() == [1, 1, 2]


def test_both_backends_learn_the_same_from_a_step(
    clip: Clip, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    if choose_backend(None) is not Backend.NATIVE:
        pytest.skip("no native backend")
    wanted = stepped(clip, data, "torch", monkeypatch).model
    found = stepped(clip, data, "native", monkeypatch).model
    assert wanted.actor_fields is not None
    assert found.actor_fields is not None
    mine = dict(found.actor_fields.named_parameters())
    for name, parameter in wanted.actor_fields.named_parameters():
        truth, other = parameter.grad, mine[name].grad
        assert truth is not None
        assert other is not None
        assert bool(truth.any()), name
        assert (truth - other).abs().max() <= 2e-4 * truth.abs().max(), name
    for name in ("hits", "seen_through"):
        torch.testing.assert_close(getattr(found.support, name), getattr(wanted.support, name))


def test_who_moves_is_shown_better_than_nobody(scene: Scene) -> None:
    scores, _ = evaluate_scene(scene)
    rows = [replace(row) for score in scores for row in score.actors]
    assert {row.actor for row in rows} <= {7, 9}
    said = actors_summary(rows)
    assert actors_summary([]) is None
    if said is not None:
        assert said["boxes"] == len(rows)
    frame = render_view(
        scene, scene.clip.cameras[0].camera, scene.clip.world_from_camera(0, 200_000),
        time_us=200_000, gate=LabelGate(min_px=0),
    )  # fmt: skip
    shown = frame.rgb[meets_picture(scene.clip, 200_000)].astype(int)
    assert (shown[:, 0] - shown[:, 1]).mean() > 60.0  # red, as nothing else of the plain
    car = next(item for item in frame.objects if item["track_id"] == 7)
    assert car["rendered"]
    assert car["visible_px"] > 0
    assert car["observed_share"] > 0.5
    assert car["ignore_region"] is None


def meets_picture(clip: Clip, time_us: int) -> np.ndarray:
    camera = clip.cameras[0].camera
    pose = clip.world_from_camera(0, time_us)
    starts, along = camera_rays(camera, camera.pixel_centres().reshape(-1, 2), pose)
    return meets(starts, along, clip.actors[0], time_us).reshape(16, 24)


def test_who_is_put_elsewhere_is_seen_there(scene: Scene) -> None:
    car, time = scene.clip.actors[0], torch.full((1,), 200_000)
    aside = replace(car, trajectory=car.trajectory.shifted_left(np.full(FRAMES + 1, -2.0)))
    for actor, left_m in ((car, 0.0), (aside, -2.0)):
        centre = torch.from_numpy(car.trajectory.at(time.numpy())[0, :3, 3]).float()
        centre = centre + torch.tensor([0.0, left_m, 0.0])
        placed = scene.placed((actor,), time)
        assert placed is not None
        assert placed.ids == (7,)
        ray = torch.tensor([[1.0, 0.0, 0.0]])
        start = centre[None] - torch.tensor([[12.0, 0.0, 0.0]])
        out = scene.render_rays(start, ray, torch.full((1,), 1e-3), placed)
        assert float(out.instance_weights[0, 1]) > 0.5
    check_shadow(scene, car, aside)
    gone = scene.placed((), time)
    assert gone is not None
    assert gone.instances == ()
    later = scene.placed((car,), torch.full((1,), 10**9))
    assert later is not None
    assert later.instances == ()
    assert later.modelled == {7}  # it will be there again: it is not part of the static scene


@pytest.mark.parametrize(
    ("time_us", "latent"), [(0, 0.0), (399_999, 2.0), (400_000, 2.0), (500_000, 0.5)]
)
def test_limbs_go_on_from_the_start_only_past_what_was_learnt(
    scene: Scene, time_us: int, latent: float
) -> None:
    walker = next(actor for actor in scene.clip.actors if actor.id == 9)
    keys = torch.tensor([0, 200_000, 400_000])
    values = torch.tensor([[0.0], [1.0], [2.0]])
    look = replace(scene.actor_models[9], key_us=keys, latent=values)
    placed = place_actors({9: look}, scene.clip.actors, (walker,), torch.full((1,), time_us))
    found = placed.instances[0].latent
    assert found is not None
    assert float(found[0, 0]) == pytest.approx(latent, abs=1e-3)


def check_shadow(scene: Scene, car: Actor, aside: Actor) -> None:
    """Who was moved darkens the ground around, whoever drives as recorded does not."""
    camera, pose = scene.clip.cameras[0].camera, scene.clip.world_from_camera(0, 200_000)
    changed = []
    for actor in (car, aside):
        shots = []
        for shadow in (shadowed, lambda *given: given[3]):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("recon.rendering.shading.shadowed", shadow)
                patch.setattr("recon.rendering.renderer.antialiased", lambda *given, **_: given[4])
                frame = render_view(scene, camera, pose, time_us=200_000, actors=(actor,))
            shots.append(frame.linear.astype(np.float32))
        assert np.all(shots[0] <= shots[1])
        changed.append(int((shots[0] < shots[1]).any(-1).sum()))
    assert changed[0] == 0
    assert changed[1] > 0


def test_a_scene_comes_back_from_its_file(scene: Scene, tmp_path: Path) -> None:
    save_model(tmp_path / "field.safetensors", scene.model)
    again = new_model(scene.clip, scene.config, Backend.TORCH)
    load_model(path := tmp_path / "field.safetensors", path.read_bytes(), again)
    assert again.actor_fields is not None
    assert scene.model.actor_fields is not None
    for name, tensor in scene.model.actor_fields.state_dict().items():
        assert torch.equal(tensor, again.actor_fields.state_dict()[name]), name


def test_an_actor_becomes_an_asset_that_another_can_wear(scene: Scene, tmp_path: Path) -> None:
    asset = extract(scene, 7, tmp_path / "car")
    assert (asset.kind, asset.synthetic, asset.licence) == (Semantic.CAR, False, "CC0-1.0")
    assert asset.faces_seen[1] > 0.2  # it drove ahead: its rear was seen
    look = load_actor_model(str(tmp_path / "car"), Backend.TORCH)
    unit = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    kept = scene.actor_models[7].field.density(unit, None)[0]
    torch.testing.assert_close(look.field.density(unit, None)[0], kept, rtol=0.05, atol=0.05)
    time = torch.full((1,), 200_000)
    other = replace(scene.clip.actors[0], id=55)
    placed = scene.placed((other,), time, {55: look})
    assert placed is not None
    assert placed.ids == (55,)
    assert look.light is not None
    # it knows how much light was on every side
    assert bool((look.light.cube > 0.0).any(dim=1).all())
    (brought,) = placed.lights
    assert brought is not None
    assert torch.equal(brought.cube, look.light.cube)
    extract(scene, 9, tmp_path / "walker")
    assert load_actor_model(str(tmp_path / "walker"), Backend.TORCH).latent is not None
    with pytest.raises(OtherlaneError, match="not in this drive"):
        extract(scene, 1234, tmp_path / "nobody")
    (tmp_path / "car" / "field.safetensors").write_bytes(b"no tensors")
    with pytest.raises(OtherlaneError, match="cannot be read"):
        load_actor_model(str(tmp_path / "car"), Backend.TORCH)


def test_an_asset_is_a_folder_like_any_other(scene: Scene, tmp_path: Path) -> None:
    """Whole, verified, made once; and it takes nobody's place."""
    home = tmp_path / "scene"
    about = {"renderer": RADIANCE_FIELD}
    with writing(home, Provenance(kind="scene", inputs={}, config={}), about=about) as into:
        write_scene(into, home, scene.clip, scene.config, scene.model, {}, scene.light)
    out = tmp_path / "car"
    told = extract_actor(home, 7, out)
    assert told["kind"] == "CAR"
    assert verify_folder(out)["ok"]
    before = (out / MODEL_FILE).stat().st_mtime_ns
    assert extract_actor(home, 7, out) == told
    assert (out / MODEL_FILE).stat().st_mtime_ns == before
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / MODEL_FILE).write_text("mine")
    for taken, actor in ((home, 7), (mine, 7), (out, 9)):
        with pytest.raises(OtherlaneError, match="another --out"):
            extract_actor(home, actor, taken)
    assert (mine / MODEL_FILE).read_text() == "mine"
    assert verify_folder(home)["ok"]
    with pytest.raises(OtherlaneError, match="not in this drive"):
        extract_actor(home, 1234, tmp_path / "nobody")
    assert not (tmp_path / "nobody").exists()


def test_a_face_is_seen_where_pictures_showed_it() -> None:
    field = GridField(ACTORS.field, torch.Generator().manual_seed(0))
    field.log_initial = 5.0  # solid everywhere: one sees the faces of the box
    hits = torch.zeros(16, 16, 16)
    hits[:, :, 0] = 1.0  # z, y, x: at its rear
    look = ActorModel(field=field, key_us=torch.arange(2), latent=None, hits=hits.flatten())
    front, rear, *sides = faces_seen(look, (4.0, 2.0, 1.5))
    assert (front, rear) == (0.0, 1.0)
    assert sides == pytest.approx([2 / 16] * 4, abs=0.02)
    assert faces_seen(replace(look, hits=None), (4.0, 2.0, 1.5)) == (1.0,) * 6


def test_support_knows_the_other_side() -> None:
    hits = torch.zeros(16, 16, 16)
    hits[8, 2, 8] = 1.0  # z, y, x
    unit = torch.tensor([[0.53, 0.16, 0.53], [0.53, 0.84, 0.53], [0.1, 0.5, 0.9]])
    assert support_of(hits.flatten(), unit).tolist() == [OBSERVED, MIRRORED, 0]
