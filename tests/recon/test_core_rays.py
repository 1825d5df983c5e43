"""Rays that end in the middle of who moves: through its core, where nothing is nearer."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.actors.actor_fields import GROWN, core_in_cube
from recon.actors.cores import core_of
from recon.config import ReconstructionConfig
from recon.data.core_rays import NEARER_M, SHALLOW, solid_rays
from recon.data.depth_rays import DepthEvidence
from recon.data.training_data import Data, load_data
from recon.kernels.backend import choose_backend
from recon.scene import Scene
from recon.training.loop import train
from recon.training.ray_batch import SOLID_SHARE, draw_batch
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.motion.geometry import invert, translation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import camera_rays
from tests.actor_fields_maker import ACTORS, crowd_config, meets, peopled_drive
from tests.scene_maker import FRAMES, STEP_US


def far_car(number: int = 3, ahead_m: float = 60.0, speed_mps: float = 5.0) -> Actor:
    """Somebody huge, for some pixels, who drives away slowly far ahead."""
    time_us = STEP_US * np.arange(FRAMES + 1)
    place_m = np.outer(time_us * 1e-6, [speed_mps, 0.0, 0.0]) + [ahead_m, 0.0, 4.0]
    return Actor(
        id=number,
        kind=Semantic.BUS,
        size_m=np.array([6.0, 12.0, 8.0]),
        trajectory=Trajectory(time_us=time_us, world_from_body=translation(place_m)),
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return peopled_drive(tmp_path_factory.mktemp("solid"), (far_car(),))


@pytest.fixture(scope="module")
def settings() -> ReconstructionConfig:
    return crowd_config()


@pytest.fixture(scope="module")
def data(clip: Clip, settings: ReconstructionConfig) -> Data:
    return load_data(clip, settings)


def test_they_end_in_the_box_and_go_through_its_core(clip: Clip, data: Data) -> None:
    rays, actor = data.solid, clip.actors[0]
    assert rays is not None
    assert len(rays) == 8
    assert rays.time_us is not None
    core = core_of(actor.kind)
    assert core is not None
    for ray in range(len(rays)):
        pose = actor.at(int(rays.time_us[ray]))
        assert pose is not None
        into = torch.from_numpy(invert(pose)).float()
        size = torch.from_numpy(actor.size_m).float()

        def share(distance: torch.Tensor, ray: int = ray) -> torch.Tensor:
            place = rays.origins_m[ray] + distance[..., None] * rays.directions[ray]
            return (place @ into[:3, :3].T + into[:3, 3]) / size / torch.tensor(GROWN) + 0.5  # noqa: B023

        end = share(rays.range_m[ray])
        assert bool(((end >= -1e-4) & (end <= 1.0 + 1e-4)).all())
        along = share(torch.linspace(0.0, 120.0, 4001))
        inside = core_in_cube(actor.kind)
        assert inside is not None
        assert bool(((along >= inside[0] - 0.01) & (along <= inside[1] + 0.01)).all(1).any())


def test_nobody_near_and_nobody_behind_something_has_any(clip: Clip, data: Data) -> None:
    actor, depth = clip.actors[0], data.depth
    assert solid_rays((actor,), clip.actors, data.pixels, depth) is not None
    near = far_car(ahead_m=18.0)  # its box is deeper than a fifth of the way there
    assert 6.0 / 14.0 > SHALLOW
    assert solid_rays((near,), (near,), data.pixels, depth) is None
    other = replace(far_car(4, ahead_m=40.0), kind=Semantic.TRUCK)
    assert solid_rays((actor,), (actor, other), data.pixels, depth) is None
    hidden = solid_rays((actor, other), (actor, other), data.pixels, depth)
    assert hidden is not None
    assert hidden.range_m.max() < 50.0  # the nearer one alone
    stands = replace(actor, trajectory=Trajectory(
        time_us=actor.trajectory.time_us[:1], world_from_body=actor.trajectory.world_from_body[:1]
    ))  # fmt: skip
    assert solid_rays((stands,), (stands,), data.pixels, depth) is None
    assert solid_rays((replace(actor, kind=Semantic.BICYCLE),), (), data.pixels, depth) is None


def test_evidence_that_something_is_nearer_counts(clip: Clip, data: Data) -> None:
    rays, actor = data.solid, clip.actors[0]
    assert rays is not None
    assert rays.time_us is not None
    for before_m, hides in ((20.0, True), (0.0, False)):
        wall = DepthEvidence(
            origins_m=rays.origins_m,
            directions=rays.directions,
            range_m=rays.range_m - before_m,
            time_us=rays.time_us,
        )
        found = solid_rays((actor,), clip.actors, data.pixels, wall)
        assert (found is None) == hides
    assert NEARER_M < 20.0


def test_some_of_each_step_are_drawn(data: Data) -> None:
    with_, without = (
        draw_batch(one, 400, 0.25, torch.Generator().manual_seed(0), ACTORS)
        for one in (data, replace(data, solid=None))
    )
    assert len(with_.depth_m) - len(without.depth_m) == int(100 * SOLID_SHARE)


def test_pixels_of_whoever_is_slow_and_far_are_its_own(
    clip: Clip, data: Data, settings: ReconstructionConfig
) -> None:
    """Not half the static scene's, seen through it: its mask is all of it."""
    backend = choose_backend(None)
    settings = replace(settings, steps=150, backend=str(backend))
    model = train(clip, settings, data=data)
    scene = Scene(clip=clip, config=settings, model=model, backend=backend)
    camera, actor = clip.cameras[0].camera, clip.actors[0]
    for frame in (0, 3, 5):
        time_us = int(clip.cameras[0].time_us[frame])
        rays = camera_rays(
            camera, camera.pixel_centres().reshape(-1, 2), clip.world_from_camera(0, time_us)
        )
        inside = torch.from_numpy(meets(*rays, actor, time_us))
        origins, along = (torch.from_numpy(each).float() for each in rays)
        placed = scene.placed((actor,), torch.full((len(origins),), time_us))
        out = scene.render_rays(origins, along, torch.full((len(origins),), 1 / 20.0), placed)
        assert (out.instance[inside] == 1).float().mean() > 0.9  # 0.5 where nothing hides it
        assert out.instance_weights[inside, 1].mean() > 0.75  # 0.42
