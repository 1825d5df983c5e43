"""Where limbs of a look are put, and that they are kept in its file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from recon.actors.actor_fields import GROWN
from recon.actors.limbs import Hinge, Limbs
from recon.actors.placement import ActorModel, place_actors
from recon.assets.asset_files import load_actor_model, write_asset
from recon.config import FieldConfig
from recon.field.field import GridField
from recon.kernels.backend import Backend
from recon.kernels.hash_grid import HashGridSpec
from scenes.actor import Actor
from scenes.edits.assets import MODEL_FILE, library
from scenes.errors import OtherlaneError
from scenes.motion.geometry import invert, transform_points
from scenes.semantics import Semantic
from tests.clip_maker import ride

SIZE_M, LIMB_M = (1.0, 0.6, 1.8), (0.3, 0.2, 0.8)
STRIDE_M, SPEED_MPS, SWING = 1.5, 1.5, 0.4
HIP_M = np.array([0.0, 0.1, 0.0])
GRID = HashGridSpec(levels=2, features=2, log2_table=8, base_resolution=4, per_level_scale=2.0)
CONFIG = FieldConfig(grid=GRID, look_harmonics=4, material=True)


def field(seed: int, grid: HashGridSpec = GRID) -> GridField:
    return GridField(replace(CONFIG, grid=grid), torch.Generator().manual_seed(seed))


def walker() -> ActorModel:
    """A body with a left leg, and a right one that is the same mirrored."""
    left = Hinge(
        part=0, mirrored=False, middle_m=(0.05, 0.1, -0.4), hinge_m=(0.0, 0.1, 0.0),
        axis=(0.0, 1.0, 0.0), swing_rad=SWING, phase=0.25,
    )  # fmt: skip
    right = replace(
        left, mirrored=True, middle_m=(0.05, -0.1, -0.4), hinge_m=(0.0, -0.1, 0.0), phase=0.75
    )
    small = replace(GRID, log2_table=6)
    limbs = Limbs(
        stride_m=STRIDE_M, size_m=SIZE_M, hinges=(left, right), fields=(field(1, small),),
        sizes_m=(LIMB_M,), samples=32,
    )  # fmt: skip
    return ActorModel(field=field(0), key_us=torch.arange(2), latent=None, samples=48, limbs=limbs)


def somebody(speed_mps: float = SPEED_MPS, scale: float = 1.0) -> Actor:
    path = ride(speed_mps=speed_mps, seconds=4.0)
    return Actor(id=7, kind=Semantic.PERSON, size_m=scale * np.array(SIZE_M), trajectory=path)


def places(actor: Actor, time_us: int, point_m: np.ndarray) -> list[np.ndarray]:
    """A point of the box's frame in the unit cubes of the body and of its limbs, at a time."""
    placed = place_actors({7: walker()}, (), (actor,), torch.tensor([time_us]))
    world = transform_points(actor.trajectory.at(np.array([time_us]))[0], point_m)
    maps = [item.unit_from_world[0].double().numpy() for item in placed.instances]
    return [each[:, :3] @ world + each[:, 3] for each in maps]


def in_limb(offset_m: np.ndarray) -> np.ndarray:
    """A place about the middle of a limb's own box, in its unit cube."""
    return offset_m / (np.array(LIMB_M) * GROWN) + 0.5


def test_limbs_belong_to_their_owner() -> None:
    placed = place_actors({7: walker()}, (), (somebody(),), torch.tensor([0, 10**6]))
    assert placed.ids == (7, 7, 7)
    assert placed.modelled == {7}
    assert [item.samples for item in placed.instances] == [48, 32, 32]
    assert placed.asset_ids == {7}
    body, left, right = placed.instances
    assert left.field is right.field
    assert left.field is not body.field
    gone = place_actors({7: walker()}, (), (somebody(),), torch.tensor([10**9]))
    assert gone.instances == ()
    assert len(placed.only([7]).instances) == 3


@pytest.mark.parametrize("quarter", range(4))
def test_a_limb_swings_about_its_hinge(quarter: int) -> None:
    """It begins a quarter on, with the left leg as far back as it goes."""
    time_us = 1_000_000 + quarter * 250_000
    _, left, _ = places(somebody(), time_us, HIP_M)
    assert_allclose(left, in_limb(np.array([-0.05, 0.0, 0.4])), atol=1e-4)
    angle = SWING * np.cos(0.5 * np.pi * quarter)
    # a turn about y by a positive angle takes what hangs down backward
    foot = HIP_M + 0.7 * np.array([-np.sin(angle), 0.0, -np.cos(angle)])
    _, left, _ = places(somebody(), time_us, foot)
    assert_allclose(left, in_limb(np.array([-0.05, 0.0, -0.3])), atol=1e-4)


def test_the_other_limb_is_its_mirror_half_a_swing_on() -> None:
    point, flip = np.array([0.1, 0.15, -0.5]), np.array([1.0, -1.0, 1.0])
    for time_us in (1_000_000, 1_200_000, 1_375_000):
        _, left, _ = places(somebody(), time_us, point)
        _, _, right = places(somebody(), time_us + 500_000, flip * point)
        assert_allclose(right, left, atol=1e-4)


def test_who_stands_has_both_legs_straight_down() -> None:
    for side, k in ((1.0, 1), (-1.0, 2)):
        foot = np.array([0.0, 0.1 * side, -0.7])
        found = places(somebody(0.0), 1_300_000, foot)[k]
        assert_allclose(found, in_limb(np.array([-0.05, 0.0, -0.3])), atol=1e-4)


def test_limbs_grow_with_the_box() -> None:
    point = np.array([0.1, 0.12, -0.5])
    for small, large in zip(
        places(somebody(), 1_300_000, point), places(somebody(scale=1.5), 1_300_000, 1.5 * point),
        strict=True,
    ):  # fmt: skip
        assert_allclose(large, small, atol=1e-4)


def test_the_way_back_is_the_turn_of_the_hinge() -> None:
    limbs = walker().limbs
    assert limbs is not None
    path, moments = somebody().trajectory, np.array([1_000_000, 1_400_000])
    for hinge in limbs.hinges:
        maps = invert(hinge.limb_from_box(path, moments, STRIDE_M))
        kept = maps @ np.array([*(np.array(hinge.hinge_m) - hinge.middle_m), 1.0])
        assert_allclose(kept[:, :3], np.broadcast_to(hinge.hinge_m, (2, 3)), atol=1e-12)


def written(folder: Path) -> Path:
    write_asset(folder, library()["person"], walker(), CONFIG)
    return folder / MODEL_FILE


def test_limbs_are_kept(tmp_path: Path) -> None:
    path, look = written(tmp_path / "one"), walker()
    again = load_actor_model(str(path.parent), Backend.TORCH).limbs
    assert look.limbs is not None
    assert again is not None
    for name in ("stride_m", "size_m", "hinges", "sizes_m", "samples"):
        assert getattr(again, name) == getattr(look.limbs, name)
    for mine, theirs in zip(again.fields, look.limbs.fields, strict=True):
        assert mine.spec == theirs.spec
        for name, value in theirs.state_dict().items():
            assert torch.equal(mine.state_dict()[name], value.half().float())


@pytest.mark.parametrize(
    "break_it",
    [
        lambda limbs: limbs.update(hinges=[limbs["hinges"][0] | {"part": 3}]),
        lambda limbs: limbs.update(sizes_m=[]),
        lambda limbs: limbs.update(samples="many"),
        lambda limbs: limbs.update(fields=[*limbs["fields"], *limbs["fields"]]),
        lambda limbs: limbs.pop("stride_m"),
    ],
)
def test_damaged_limbs_are_refused_with_the_file(tmp_path: Path, break_it: object) -> None:
    path = written(tmp_path / "one")
    with safe_open(path, framework="pt") as file:
        meta = json.loads(file.metadata()["otherlane"])
    break_it(meta["limbs"])  # pyright: ignore[reportCallIssue]
    save_file(load_file(path), path, metadata={"otherlane": json.dumps(meta)})
    with pytest.raises(OtherlaneError, match=MODEL_FILE):
        load_actor_model(str(path.parent), Backend.TORCH)
