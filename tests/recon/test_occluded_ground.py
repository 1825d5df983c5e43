"""Ground that standing vehicles hide: what is taken to be there."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.actors.actor_fields import GROWN
from recon.data.depth_rays import DepthEvidence
from recon.data.ground_inpainting import SOFT_M, blended, border_colours, inpainted_border, under
from recon.data.occluded_ground import RISE_M
from recon.data.road_prior import crossing
from recon.data.training_data import Data, load_data
from recon.field.model import new_model
from recon.training.ray_batch import PSEUDO_SHARE, draw_batch
from scenes.clip import Clip
from scenes.edits.parked_vehicles import in_place
from scenes.road.ground import fit_ground
from scenes.sensors.images import srgb_from_linear
from tests.actor_fields_maker import (
    EDGES_US,
    PARKED,
    PARKED_CONFIG,
    STANDING,
    standing_drive,
)
from tests.scene_maker import radiance


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return standing_drive(tmp_path_factory.mktemp("hidden"))


@pytest.fixture(scope="module")
def data(clip: Clip) -> Data:
    return load_data(clip, PARKED_CONFIG)


def test_the_ground_under_a_car_goes_on_from_around_it(clip: Clip, data: Data) -> None:
    standing, ground = in_place(PARKED, EDGES_US), fit_ground(clip)
    corners = np.array([[-0.5, -0.5], [0.5, 0.5], [0.0, 0.0]])
    points = under(standing, ground, corners)
    half_m = 0.5 * PARKED.size_m[:2] * GROWN[:2]
    np.testing.assert_allclose(points[:2, :2], [12.0, -2.5] + np.array([-1, 1])[:, None] * half_m)
    assert np.abs(points[:, 2]).max() < 0.05
    places = inpainted_border(standing, ground)
    outside_m = np.abs(places[:, :2] - [12.0, -2.5]) - half_m
    assert outside_m.max(axis=1).min() > 0.1
    colours = border_colours(clip, standing, data.pixels, places)
    known = np.isfinite(colours[:, 0])
    assert 0.2 < known.mean() < 1.0  # it hides what is behind it
    down = np.tile([0.0, 0.0, -1.0], (len(places), 1))
    np.testing.assert_allclose(colours[known], radiance(places, down)[known], atol=0.06)


def test_colours_blend() -> None:
    places, colours = np.zeros((3, 3)), np.full((3, 3), np.nan)
    places[:, 0] = [0.0, 2.0, 1.0]
    colours[0], colours[1] = 0.2, 0.6
    found = blended(np.array([[1.0, 0.0, 5.0], [0.0, 0.0, 0.0]]), places, colours)
    assert found[0] == pytest.approx(0.4)
    assert found[1] == pytest.approx(0.2, abs=SOFT_M**2)
    assert np.isnan(blended(places, places, np.full((3, 3), np.nan))).all()


def test_rays_reach_the_ground_through_the_box_alone(data: Data) -> None:
    hidden = data.hidden
    assert hidden is not None
    assert len(hidden.rays) > 1000
    ends = hidden.rays.ends_m()
    assert ends[:, 2].abs().max() < 0.05
    half_m = 0.5 * PARKED.size_m * np.array(GROWN)
    assert np.all(np.abs(ends[:, :2].numpy() - [12.0, -2.5]) <= half_m[:2] + 1e-4)
    pose = PARKED.trajectory.world_from_body[0]
    origins = hidden.rays.origins_m.double().numpy()
    entry, _ = crossing(pose, half_m, origins, ends.double().numpy())
    range_m = hidden.rays.range_m.numpy()
    before_m = entry * range_m
    assert np.percentile(before_m, 99) < RISE_M + 0.01
    assert range_m.min() > RISE_M - 0.01
    assert bool((hidden.pixel_angle > 0.0).all())
    assert len(hidden.coloured) == len(hidden.rays)
    there = ends.double().numpy()
    down = np.tile([0.0, 0.0, -1.0], (len(there), 1))
    wanted = srgb_from_linear(radiance(there, down))
    assert np.abs(hidden.srgb.numpy() - wanted).mean() < 0.08


def test_colours_are_lent_to_rays_on_which_nobody_is_there(data: Data, clip: Clip) -> None:
    batch = draw_batch(data, 400, 0.25, torch.Generator().manual_seed(0), STANDING)
    pseudo_colour, count = len(batch.pseudo_colour), batch.pixel_rays
    assert pseudo_colour == int(PSEUDO_SHARE * (count - pseudo_colour)) > 0
    moment = batch.rays.moment
    assert moment is not None
    assert bool((moment[: count - pseudo_colour] >= 0).all())
    assert bool((moment[count - pseudo_colour : count] == -1).all())
    assert bool((batch.rays.pixel_angle[count - pseudo_colour : count] > 0.0).all())
    assert torch.equal(batch.shown()[count - pseudo_colour :], batch.pseudo_colour)
    assert not batch.sky()[count - pseudo_colour :].any()
    photometry = new_model(clip, PARKED_CONFIG).photometry
    with torch.no_grad():
        photometry.log_gain[0] += 1.0
    exposure = batch.exposure(photometry)
    assert bool((exposure[count - pseudo_colour :] == 1.0).all())
    assert bool((exposure[: count - pseudo_colour] > 2.0).all())
    assert len(batch.corrected(new_model(clip, PARKED_CONFIG).poses).rays) == len(batch.rays)


def test_where_others_hide_all_of_it_nothing_is_drawn(data: Data) -> None:
    assert data.hidden is not None
    rays = data.hidden.rays
    nothing = DepthEvidence(
        origins_m=rays.origins_m[:0], directions=rays.directions[:0], range_m=rays.range_m[:0]
    )
    hidden = replace(
        data.hidden,
        rays=nothing,
        pixel_angle=data.hidden.pixel_angle[:0],
        srgb=data.hidden.srgb[:0],
        coloured=data.hidden.coloured[:0],
    )
    depth = replace(data.depth, of_actors=None, actor_weight=None)
    batch = draw_batch(
        replace(data, hidden=hidden, depth=depth), 400, 0.25, torch.Generator().manual_seed(0),
        STANDING,
    )  # fmt: skip
    assert len(batch.pseudo_colour) == 0
    assert len(batch.rays) == 400
