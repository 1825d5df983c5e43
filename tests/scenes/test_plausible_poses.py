"""Poses are judged by the way they travel, at any speed and rate; wrong ones are named."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scenes.clip import Clip
from scenes.errors import DriveError
from scenes.importers import import_clip
from scenes.importers.plausibility.conventions import (
    CAR_AXES,
    DOWN_AXES,
    FORWARD,
    OPENGL_AXES,
    RIGHT_AXES,
    likely_conventions,
    pitch_of,
)
from scenes.importers.plausibility.travel import STEP_M, travel_of
from scenes.motion.geometry import interpolate_rigid, invert, rigid, rotation_exp
from tests import street_maker as street

BEND_RAD = 0.4


def shaken(poses: np.ndarray, offset_m: float, seed: int = 0) -> np.ndarray:
    moved = poses.copy()
    moved[:, :3, 3] += np.random.default_rng(seed).normal(0.0, offset_m, (len(poses), 3))
    return moved


def pitched(poses: np.ndarray, pitch: float) -> np.ndarray:
    """The same camera, looking that far below the way."""
    return poses @ rigid(rotation_exp(np.array([-pitch, 0.0, 0.0])), np.zeros(3))


def at_rate(poses: np.ndarray, times: float) -> np.ndarray:
    """The same drive with so many times as many poses."""
    knots = np.arange(len(poses), dtype=np.int64) * 1_000_000
    count = round((len(poses) - 1) * times) + 1
    return interpolate_rigid(knots, poses, np.linspace(0, knots[-1], count).astype(np.int64))


def pitch_note_deg(clip: Clip) -> float:
    note = next(note for note in clip.notes if "below the direction of travel" in note)
    return float(note.split()[3])


@pytest.mark.parametrize("times", [0.25, 0.5, 3.0, 25.0])
@pytest.mark.parametrize("turn", [0.0, 1.2])
def test_pitch_is_the_same_at_any_rate(times: float, turn: float) -> None:
    drive = pitched(street.drive(121, 0.4, turn), 0.02)
    rated = at_rate(drive, times)
    assert np.degrees(pitch_of(travel_of(drive))) == pytest.approx(np.degrees(0.02), abs=0.05)
    assert np.degrees(pitch_of(travel_of(rated))) == pytest.approx(np.degrees(0.02), abs=0.05)


def test_a_dip_at_walking_pace_counts_by_its_way_not_by_its_pictures() -> None:
    """Braking, a car bows; slow pictures, which were many, must not outvote the rest."""
    fast, slow = street.drive(41, 1.0), street.drive(400, 0.02)
    slow = fast[-1] @ pitched(slow, 0.03)
    drive = np.concatenate([fast, slow[1:]])
    assert np.degrees(pitch_of(travel_of(drive))) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("step_m", [0.02, 0.14, 0.4, 1.7])
def test_steps_have_one_length_and_end_where_the_path_does(step_m: float) -> None:
    travel = travel_of(street.drive(1 + int(30.0 / step_m), step_m))
    assert travel.length_m == pytest.approx(30.0, abs=STEP_M + step_m)
    assert_allclose(travel.direction, np.tile(FORWARD, (len(travel.direction), 1)), atol=1e-9)


@pytest.mark.parametrize("far_m", [1e9, 1e300])
def test_poses_that_are_nowhere_on_earth_are_refused(far_m: float, tmp_path: Path) -> None:
    drive = street.drive(12, 1.0)
    drive[7, 0, 3] = far_m
    with pytest.raises(DriveError, match=r"pose 7 is .* m from the origin") as caught:
        import_clip("kitti-tracking", street.make_tracking(tmp_path, drive))
    assert "poses/0003.txt" in caught.value.where


def test_a_leap_of_a_million_metres_is_one_step() -> None:
    drive = street.drive(200, 1.0)
    drive[100:, 0, 3] += 1e6
    assert len(travel_of(drive).direction) < 410
    assert travel_of(drive).along(FORWARD)[0] > 0.98


def test_shaking_on_the_spot_is_no_travel() -> None:
    still = shaken(rigid(np.tile(np.eye(3), (500, 1, 1)), np.zeros((500, 3))), 0.03)
    assert not travel_of(still).measured


def bends(step_m: float) -> np.ndarray:
    """First left, then right: on one arc, an inverse is a car that reverses along it."""
    count = max(8, 2 + int(1.8 / step_m))
    first, then = street.drive(count, step_m, -BEND_RAD), street.drive(count, step_m, BEND_RAD)
    return np.concatenate([first, (first[-1] @ then)[1:]])


SIDEWAYS = {
    "x forward, y left, z up": CAR_AXES,
    "x right, y forward, z up": RIGHT_AXES,
    "x forward, y right, z down": DOWN_AXES,
}
BACKWARDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "camera_from_world": invert,
    "OpenGL": lambda poses: street.in_axes(poses, OPENGL_AXES),
}
SPEEDS = pytest.mark.parametrize("step_m", [0.1, 0.5, 1.5], ids=["4 km/h", "18 km/h", "54 km/h"])


def refused(root: Path) -> DriveError:
    with pytest.raises(DriveError, match="does not travel the way it looks") as caught:
        import_clip("kitti-tracking", root)
    assert "poses/0003.txt" in caught.value.where
    return caught.value


@SPEEDS
@pytest.mark.parametrize("name", SIDEWAYS)
def test_other_axes_are_named_at_any_speed(name: str, step_m: float, tmp_path: Path) -> None:
    drive = np.concatenate([bends(step_m), bends(step_m)[-1] @ bends(step_m)[1:]])
    wrong = street.in_axes(drive, SIDEWAYS[name])
    error = refused(street.make_tracking(tmp_path, wrong))
    assert name in error.wrong
    # Without pictures, nobody knows whether the car drives on its roof.
    repaired = [wrong @ rigid(turn, np.zeros(3)) for turn in matrices(error.fix)]
    assert any(np.allclose(poses, drive, atol=1e-9) for poses in repaired)


def matrices(fix: str) -> list[np.ndarray]:
    """The rotations that an error says to multiply with."""
    rows = [found.split(",") for found in re.findall(r"\[([^]]*)\]", fix)]
    return [np.array([row.split() for row in each], dtype=np.float64) for each in rows]


@SPEEDS
@pytest.mark.parametrize("name", BACKWARDS)
def test_what_looks_like_reversing_is_told_by_pictures(
    name: str, step_m: float, tmp_path: Path
) -> None:
    drive = bends(step_m)
    error = refused(street.make_tracking(tmp_path, BACKWARDS[name](drive), drive))
    assert f"these look like {name}" in error.wrong
    assert "pictures do not show a car that reverses" in error.wrong
    wanted = "invert each pose" if name == "camera_from_world" else "from the right"
    assert error.fix.startswith(("multiply", "invert"))
    assert wanted in error.fix


@SPEEDS
@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_a_car_that_reverses_is_accepted(step_m: float, turn: float, tmp_path: Path) -> None:
    drive = pitched(street.drive(2 + int(3.6 / step_m), step_m, turn), 0.03)[::-1]
    clip = import_clip("kitti-tracking", street.make_tracking(tmp_path, drive, drive))
    assert any("reverses over 100 % of its way" in note for note in clip.notes)
    assert pitch_note_deg(clip) == pytest.approx(np.degrees(0.03), abs=0.05)
    assert clip.ego.world_from_body[-1, 0, 3] < -3.0
    assert_allclose(clip.ego.world_from_body[:, 2, 3], 0.0, atol=0.01)


def test_a_car_that_reverses_for_a_part_needs_no_pictures(tmp_path: Path) -> None:
    there = street.drive(40, 0.3, 0.2)
    drive = np.concatenate([there, there[-2:18:-1]])
    clip = import_clip("kitti-tracking", street.make_tracking(tmp_path, drive))
    assert any("reverses over 3" in note for note in clip.notes)


def test_reversing_that_no_picture_shows_is_refused(tmp_path: Path) -> None:
    drive = street.drive(12, 1.0)
    error = refused(street.make_tracking(tmp_path, drive[::-1]))
    assert "do not tell whether the car reversed" in error.wrong
    assert "not its inverse" in error.fix


def test_a_car_that_stands_is_not_judged_and_said_so(tmp_path: Path) -> None:
    still = shaken(street.drive(40, 0.01), 0.005)
    clip = import_clip(
        "kitti-tracking", street.make_tracking(tmp_path, street.in_axes(still, CAR_AXES))
    )
    assert any("axes and pitch could not be measured" in note for note in clip.notes)
    assert not any("(measured" in note for note in clip.notes)


def waiting(sigma_m: float, memory_s: float, seed: int) -> np.ndarray:
    """A car that waits for a minute, at 10 Hz, while its GPS wanders."""
    rng, kept = np.random.default_rng(seed), np.exp(-0.1 / memory_s)
    place = np.zeros((600, 3))
    for index in range(1, 600):
        noise_m = sigma_m * np.sqrt(1.0 - kept**2) * rng.normal(size=2)
        place[index, [0, 2]] = kept * place[index - 1, [0, 2]] + noise_m
    return rigid(np.tile(np.eye(3), (600, 1, 1)), place)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("sigma_m", "memory_s"), [(0.7, 5.0), (0.7, 10.0), (1.5, 5.0), (1.5, 10.0)]
)
def test_a_car_that_waits_while_gps_wanders_is_not_judged(
    sigma_m: float, memory_s: float, seed: int, tmp_path: Path
) -> None:
    drive = waiting(sigma_m, memory_s, seed)
    assert travel_of(drive).length_m > 10.0
    clip = import_clip("kitti-tracking", street.make_tracking(tmp_path, drive))
    assert any("axes and pitch could not be measured" in note for note in clip.notes)


def test_a_car_that_parks_is_measured(tmp_path: Path) -> None:
    """Within 5 m of its middle all the time, yet it goes as its wheels roll."""
    back, ahead = street.drive(12, 0.3, 0.8)[::-1], street.drive(12, 0.3, -0.5)
    park = invert(back[:1]) @ back
    drive = np.concatenate([park, (park[-1] @ ahead)[1:], (park[-1] @ ahead[-1] @ ahead)[1:]])
    assert travel_of(drive).reach_m < 5.0
    clip = import_clip("kitti-tracking", street.make_tracking(tmp_path, drive))
    assert any("reverses over 3" in note for note in clip.notes)


SPOILT = [invert]
for AXES in (CAR_AXES, OPENGL_AXES, RIGHT_AXES, DOWN_AXES):
    SPOILT += [
        lambda poses, axes=AXES: street.in_axes(poses, axes),
        lambda poses, axes=AXES: invert(street.in_axes(poses, axes)),
    ]


@pytest.mark.parametrize("index", range(len(SPOILT)))
def test_every_mistake_is_undone_by_what_is_named(index: int) -> None:
    drive = bends(0.4)
    named = likely_conventions(SPOILT[index](drive))
    repaired = [each.ours(SPOILT[index](drive)) for each in named]
    assert any(np.allclose(poses, drive, atol=1e-9) for poses in repaired)


def test_nothing_is_named_where_nothing_is_wrong_but_the_way() -> None:
    """A camera that looks out of the side window is no mistake of conventions."""
    side = rigid(rotation_exp(np.array([0.0, 0.6 * np.pi, 0.0])), np.zeros(3))
    drive = bends(0.4) @ side
    assert all(
        np.abs(pitch_of(travel_of(each.ours(drive)))) < 0.2 for each in likely_conventions(drive)
    )


@pytest.mark.drives
@pytest.mark.parametrize(
    "drive", ["kitti-tracking kitti_tracking_0002", "kitti-odometry kitti_odometry_06"]
)
def test_a_real_drive_has_one_pitch_at_any_rate(drive: str, drives: Path) -> None:
    fmt, folder = drive.split()
    clip = import_clip(fmt, drives / folder)
    poses = clip.ego.at(clip.cameras[0].time_us) @ clip.cameras[0].ego_from_camera
    whole = np.degrees(pitch_of(travel_of(poses)))
    for other in (poses[::2], poses[::3], at_rate(poses, 10.0), poses[::-1]):
        assert np.degrees(pitch_of(travel_of(other))) == pytest.approx(whole, abs=0.05)
    assert pitch_note_deg(clip) == pytest.approx(whole, abs=0.006)
