"""Depth evidence that gets as far as road users' boxes is found, and drawn more often."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.actors.actor_fields import GROWN, box_poses
from recon.data.actor_rays import STANDING_WEIGHT, weight_of, with_crossing
from recon.data.depth_rays import DepthEvidence
from recon.data.training_data import Data, load_data
from recon.training.ray_batch import ACTORS_SHARE, OFTEN, draw_batch
from scenes.actor import Actor
from scenes.motion.geometry import invert, transform_points
from tests.actor_fields_maker import ACTORS, crowd_config, peopled_drive, waiting_car
from tests.scene_maker import driving_car

TIMES = np.arange(0, 600_000, 50_000)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return load_data(peopled_drive(tmp_path_factory.mktemp("actor_fields")), crowd_config())


def beams(actor: Actor, count: int = 600) -> DepthEvidence:
    """Rays from around a road user to around it, at random times."""
    rng = np.random.default_rng(5)
    time_us = rng.choice(TIMES, count)
    place = actor.trajectory.at(time_us)[:, :3, 3]
    starts = place + rng.normal(size=(count, 3)) * [8.0, 8.0, 2.0]
    along = place + rng.normal(size=(count, 3)) * [2.0, 2.0, 1.0] - starts
    length = np.linalg.norm(along, axis=1)
    return DepthEvidence(
        origins_m=torch.from_numpy(starts).float(),
        directions=torch.from_numpy(along / length[:, None]).float(),
        range_m=torch.from_numpy(length * rng.uniform(0.2, 2.0, count)).float(),
        time_us=torch.from_numpy(time_us),
    )


def test_rays_that_get_into_a_box_are_found() -> None:
    actor = driving_car()
    evidence = beams(actor)
    found = with_crossing(evidence, box_poses((actor,), TIMES), (actor,)).of_actors
    assert found is not None
    assert evidence.time_us is not None
    wanted = []
    for ray, time_us in enumerate(evidence.time_us.tolist()):
        there = np.linspace(0.0, float(evidence.range_m[ray]), 4000)[:, None]
        points = evidence.origins_m[ray].numpy() + there * evidence.directions[ray].numpy()
        local = transform_points(invert(actor.trajectory.at(np.array([time_us]))[0]), points)
        wanted.append((np.abs(local) <= 0.5 * actor.size_m * np.array(GROWN)).all(1).any())
    hit = torch.zeros(len(evidence), dtype=torch.bool)
    hit[found] = True
    # some only graze a corner between two of the places that are looked at
    assert (hit.numpy() != np.array(wanted)).sum() <= 2
    assert 100 < len(found) < 500


def test_nothing_is_found_where_nobody_is() -> None:
    actor = driving_car()
    evidence = beams(actor)
    assert evidence.time_us is not None
    late = replace(evidence, time_us=evidence.time_us + 150_000_000)
    where = box_poses((actor,), np.array([0, 200_000_000]))
    found = with_crossing(late, where, (actor,)).of_actors
    assert found is not None
    assert len(found) == 0
    still = replace(evidence, time_us=None)
    assert with_crossing(still, where, (actor,)) is still


def test_near_and_far_ones_have_the_root_of_their_sizes() -> None:
    actor = driving_car()
    few, many = weight_of(100, actor), weight_of(400, actor)
    assert many.sum() == pytest.approx(2.0 * few.sum())
    assert weight_of(100, waiting_car()).sum() == pytest.approx(STANDING_WEIGHT * few.sum())


def test_more_rays_show_them_beside_the_others(data: Data) -> None:
    assert data.depth.of_actors is not None
    assert data.where is not None
    few = torch.arange(3)
    depth = replace(data.depth, of_actors=few, actor_weight=torch.ones(3))
    batch = draw_batch(
        replace(data, depth=depth, solid=None), 400, 0.5, torch.Generator().manual_seed(1), ACTORS
    )
    special = int(ACTORS_SHARE * 200)
    drawn = batch.rays.directions[batch.pixel_rays :][-special:]
    among = torch.isclose(drawn[:, None], depth.directions[few][None], atol=1e-6).all(-1).any(-1)
    assert bool(among.all())
    assert len(batch.depth_m) == 200 + special
    moment = batch.rays.moment
    assert moment is not None
    mirrored = moment[batch.pixel_rays :] >= len(data.where.time_us)
    assert mirrored.sum() == int(ACTORS.mirrored * special)
    assert bool(mirrored[-int(ACTORS.mirrored * special) :].all())


def test_few_rays_are_not_drawn_all_the_time(data: Data) -> None:
    few = replace(data.depth, of_actors=torch.arange(2), actor_weight=torch.ones(2))
    many = {name: torch.cat([getattr(few, name)] * 40) for name in ("origins_m", "directions")}
    many |= {name: getattr(few, name).repeat(40) for name in ("range_m", "time_us")}
    none = replace(few, of_actors=torch.zeros(0, dtype=torch.int64), actor_weight=torch.zeros(0))
    counts = []
    for depth in (none, replace(few, **many)):
        batch = draw_batch(
            replace(data, depth=depth, solid=None),
            4000,
            0.5,
            torch.Generator().manual_seed(1),
            ACTORS,
        )
        counts.append(len(batch.depth_m))
    assert counts[0] == 2000
    assert counts[1] - counts[0] == int(2000 * OFTEN * 2 / (40 * len(few)))
    assert counts[1] - counts[0] < ACTORS_SHARE * 2000
