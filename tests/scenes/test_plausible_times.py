"""Nobody is faster than their kind: wrong rates and times are refused, with what repairs them."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from render.cli import main
from scenes.errors import DriveError
from scenes.importers import import_clip
from scenes.storage.clip_files import load_clip
from tests import kitti_maker as maker
from tests import street_maker as street


def tracking(root: Path, said: np.ndarray, *labels: str) -> Path:
    return street.make_tracking(root, said, labels=labels)


def odometry(root: Path, times_s: np.ndarray) -> Path:
    root = maker.make_odometry(root)
    maker.write(root / "sequences" / "04" / "times.txt", [f"{time:.9f}" for time in times_s])
    return root


@pytest.mark.parametrize("hz", [4.0, 12.5, 30.0])
def test_a_rate_makes_the_times_and_is_noted(hz: float, tmp_path: Path) -> None:
    root = tracking(tmp_path, street.drive(7, 0.5))
    clip = import_clip("kitti-tracking", root, rate=hz)
    assert_array_equal(clip.cameras[0].time_us, np.round(np.arange(7) * 1e6 / hz))
    assert any(f"as was asked for: {hz:g} Hz" in note for note in clip.notes)
    assumed = import_clip("kitti-tracking", root)
    assert_array_equal(assumed.cameras[0].time_us, np.arange(7) * 100_000)
    assert any("times are assumed: 10 Hz" in note for note in assumed.notes)


def test_the_command_takes_a_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = tracking(tmp_path / "drive", street.drive(7, 0.5)), tmp_path / "clip"
    assert main(["import", str(root), "--out", str(out), "--rate", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["duration_s"] == pytest.approx(1.2)
    assert_array_equal(load_clip(out).cameras[0].time_us, np.arange(7) * 200_000)


def test_a_format_with_times_takes_no_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = maker.make_odometry(tmp_path / "drive")
    words = ["import", str(drive), "--out", str(tmp_path / "clip"), "--fmt", "kitti-odometry"]
    assert main([*words, "--rate", "10"]) == 2
    said = capsys.readouterr().err
    assert "--rate 10: kitti-odometry takes no rate" in said
    assert not (tmp_path / "clip").exists()


class Stranger:
    """An importer of another package, from before there were rates."""

    name = "strange"

    def load(self) -> object:
        from scenes.importers.kitti_odometry import import_clip as theirs

        return lambda root, sequence=None: theirs(root, sequence)


def test_an_importer_that_knows_no_rate_is_not_called_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Found(dict[str, Stranger]):
        names = frozenset({"strange"})

    monkeypatch.setattr("scenes.importers.entry_points", lambda **_: Found(strange=Stranger()))
    drive = maker.make_odometry(tmp_path)
    assert len(import_clip("strange", drive).cameras[0]) == maker.FRAMES
    with pytest.raises(DriveError, match="strange takes no rate"):
        import_clip("strange", drive, rate=10.0)


@pytest.mark.parametrize("rate", [0.0, -10.0, float("nan"), float("inf"), 1e5])
def test_what_is_no_rate_is_refused(rate: float, tmp_path: Path) -> None:
    root = tracking(tmp_path, street.drive(7, 0.5))
    with pytest.raises(DriveError, match="is no rate of pictures"):
        import_clip("kitti-tracking", root, rate=rate)


def test_a_rate_ten_times_too_high_is_refused_with_the_right_one(tmp_path: Path) -> None:
    root = tracking(tmp_path, street.drive(41, 1.2))
    with pytest.raises(DriveError, match="would drive at 1") as caught:
        import_clip("kitti-tracking", root, rate=100.0)
    assert "--rate 10, at which it would be 1" in caught.value.fix
    assert import_clip("kitti-tracking", root, rate=10.0).notes


def test_a_rate_ten_times_too_low_is_noted_with_the_right_one(tmp_path: Path) -> None:
    root = tracking(tmp_path, street.drive(31, 1.2))
    notes = import_clip("kitti-tracking", root, rate=1.0).notes
    assert any("never drives faster than 1.2 m/s" in each and "--rate 10" in each for each in notes)
    assert not any("never drives" in each for each in import_clip("kitti-tracking", root).notes)


def test_a_car_that_creeps_is_not_noted(tmp_path: Path) -> None:
    creeping = tracking(tmp_path, street.drive(260, 0.1))
    assert not any("never drives" in each for each in import_clip("kitti-tracking", creeping).notes)


def test_a_bend_taken_at_ten_times_the_rate_is_refused(tmp_path: Path) -> None:
    """30 m/s is no speed to refuse, but no tyre holds in that bend."""
    root = tracking(tmp_path, street.drive(61, 0.3, 2.0))
    with pytest.raises(DriveError, match=r"speed up, brake or turn at .* m/s²") as caught:
        import_clip("kitti-tracking", root, rate=100.0)
    assert "--rate 10, at which it would be" in caught.value.fix
    assert import_clip("kitti-tracking", root).ego.travelled_m()[-1] == pytest.approx(18.0, abs=0.1)


def test_times_that_leap_are_refused_with_both_poses(tmp_path: Path) -> None:
    drive = street.drive(12, 1.0)
    drive[6:, 2, 3] += 26.0
    with pytest.raises(DriveError, match=r"27 m in 0\.1 s, from pose 5 to 6"):
        import_clip("kitti-tracking", tracking(tmp_path, drive))


def test_times_a_thousand_times_too_short_are_refused_with_the_factor(tmp_path: Path) -> None:
    root = odometry(tmp_path, np.arange(maker.FRAMES) * 1e-4)
    with pytest.raises(DriveError, match="would drive at") as caught:
        import_clip("kitti-odometry", root)
    assert "were its times 1e+03 times as long, it would be" in caught.value.fix
    assert "--rate" not in caught.value.fix


def test_a_jump_of_a_metre_is_the_jitter_of_poses(tmp_path: Path) -> None:
    drive = street.drive(60, 1.0)
    drive[30:, 0, 3] += 0.9
    drive[45:, 1, 3] -= 0.5
    assert import_clip("kitti-tracking", tracking(tmp_path, drive)).ego.travelled_m()[-1] > 58.0


def jumped(mps: float, hz: float, ahead_m: float, aside_m: float) -> np.ndarray:
    drive = street.drive(60, mps / hz)
    drive[30:, :3, 3] += [aside_m, 0.0, ahead_m]
    return drive


@pytest.mark.parametrize(
    ("mps", "hz", "ahead_m", "aside_m"),
    [(36.1, 10.0, 4.5, 0.0), (36.1, 30.0, 2.5, 0.0), (15.0, 30.0, 0.0, 3.5), (15.0, 10.0, 15.0, 0)],
)
def test_one_jump_of_gps_is_noted_with_when_and_how_far(
    mps: float, hz: float, ahead_m: float, aside_m: float, tmp_path: Path
) -> None:
    root = tracking(tmp_path, jumped(mps, hz, ahead_m, aside_m))
    (note,) = (
        each for each in import_clip("kitti-tracking", root, rate=hz).notes if "jump" in each
    )
    assert f"from pose 29 to 30 (at {29 / hz:.2f} s)" in note
    assert f"{np.hypot(ahead_m, aside_m):.3g} m off the steps around it" in note
    assert "--rate" not in note


def test_a_leap_in_the_times_of_a_drive_is_refused_without_a_rate(tmp_path: Path) -> None:
    """27 m in 0.023 s: that is no GPS."""
    drive = street.drive(60, 0.4)
    drive[30:, 2, 3] += 26.6
    with pytest.raises(DriveError, match=r"27 m in 0\.023 s, from pose 29 to 30") as caught:
        import_clip("kitti-tracking", tracking(tmp_path, drive), rate=1 / 0.023)
    assert "--rate" not in caught.value.fix


def test_jumps_all_along_are_refused(tmp_path: Path) -> None:
    drive = street.drive(60, 1.0)
    drive[:, 2, 3] += 8.0 * (np.arange(60) // 8)
    with pytest.raises(DriveError, match="6 more steps are too long"):
        import_clip("kitti-tracking", tracking(tmp_path, drive))


@pytest.mark.parametrize(
    ("kind", "mps", "times"),
    [
        ("Pedestrian", 7.5, "1 times"),
        ("Pedestrian", 10.0, "1.4 times"),
        ("Pedestrian", 4.0, ""),
        ("Cyclist", 30.0, "1.2 times"),
        ("Cyclist", 12.0, ""),
        ("Truck", 60.0, "1.3 times"),
        ("Truck", 28.0, ""),
        ("Van", 61.0, ""),
        ("Car", 80.0, "1.1 times"),
        ("Car", 55.0, ""),
    ],
)
def test_one_that_is_a_little_fast_for_its_kind_is_named(
    kind: str, mps: float, times: str, tmp_path: Path
) -> None:
    """One alone is refused only from 1.5 times its limit on: it proves nothing of the drive."""
    said = street.drive(40, 0.0)
    root = tracking(tmp_path, said, *street.walking(said, 0.1 * mps, kind=kind))
    clip = import_clip("kitti-tracking", root)
    assert len(clip.actors) == 1
    notes = [note for note in clip.notes if "1 would move at" in note]
    assert len(notes) == bool(times)
    assert all(times in note and "--rate" not in note for note in notes)


@pytest.mark.parametrize(
    ("kind", "mps"), [("Pedestrian", 13.0), ("Cyclist", 40.0), ("Truck", 70.0), ("Car", 110.0)]
)
def test_one_that_is_far_too_fast_all_along_is_refused(
    kind: str, mps: float, tmp_path: Path
) -> None:
    said = street.drive(40, 0.0)
    root = tracking(tmp_path, said, *street.walking(said, 0.1 * mps, kind=kind))
    with pytest.raises(DriveError, match="1 would move at") as caught:
        import_clip("kitti-tracking", root)
    assert "--rate" in caught.value.fix
    hz = float(caught.value.fix.split()[1].rstrip(","))
    assert len(import_clip("kitti-tracking", root, rate=hz).actors) == 1


def street_of(said: np.ndarray, speeds: tuple[float, ...], kind: str) -> list[str]:
    """Several of a kind, one track each."""
    each = (street.walking(said, 0.1 * mps, 1 + i, kind) for i, mps in enumerate(speeds))
    return [line for lines in each for line in lines]


def test_many_that_are_too_fast_are_refused_and_few_of_many_named(tmp_path: Path) -> None:
    said = street.drive(40, 0.0)
    few = tracking(tmp_path / "few", said, *street_of(said, (13.0, 13.0, *[1.4] * 5), "Pedestrian"))
    notes = import_clip("kitti-tracking", few).notes
    assert sum("would move at" in note for note in notes) == 2
    third = tracking(
        tmp_path / "third", said, *street_of(said, (13.0,) * 3 + (1.4,) * 7, "Cyclist")
    )
    assert import_clip("kitti-tracking", third).actors
    said = street.drive(60, 0.0)
    many = tracking(tmp_path / "many", said, *street_of(said, (3.0, 4.0, 5.0, 0.0), "Cyclist"))
    assert import_clip("kitti-tracking", many).actors
    with pytest.raises(DriveError, match="2 more are too fast") as caught:
        import_clip("kitti-tracking", many, rate=100.0)
    assert "--rate 10, at which it would be" in caught.value.fix


@pytest.mark.parametrize(
    ("kind", "boxes", "switch_m"), [("Pedestrian", 5, 4.0), ("Car", 8, 60.0), ("Car", 40, 300.0)]
)
@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_one_switch_of_identities_is_no_speed(
    kind: str, boxes: int, switch_m: float, part: float, tmp_path: Path
) -> None:
    said, lines = street.drive(40, 0.0), []
    for line in street.walking(said, 0.13, kind=kind)[:boxes]:
        words = line.split()
        words[15] = f"{float(words[15]) + switch_m * (int(words[0]) >= part * boxes):.3f}"
        lines.append(" ".join(words))
    clip = import_clip("kitti-tracking", tracking(tmp_path, said, *lines))
    assert not any("would move at" in note for note in clip.notes)


def test_jitter_of_labels_is_no_speed(tmp_path: Path) -> None:
    """A distant pedestrian whose labels jump by a metre, and once change places with another."""
    said = street.drive(40, 0.0)
    rng, lines = np.random.default_rng(2), []
    for line in street.walking(said, 0.13):
        words = line.split()
        words[15] = f"{float(words[15]) + rng.normal(0.0, 0.7) + 12.0 * (int(words[0]) > 30):.3f}"
        lines.append(" ".join(words))
    assert len(import_clip("kitti-tracking", tracking(tmp_path, said, *lines)).actors) == 1


def test_a_few_boxes_are_not_judged(tmp_path: Path) -> None:
    said = street.drive(40, 0.0)
    lines = street.walking(said, 2.0)[:4]
    assert len(import_clip("kitti-tracking", tracking(tmp_path, said, *lines)).actors) == 1


@pytest.mark.drives
def test_the_real_tracking_drive_at_wrong_rates(drives: Path) -> None:
    root = drives / "kitti_tracking_0002"
    with pytest.raises(DriveError, match="would drive at 1") as caught:
        import_clip("kitti-tracking", root, rate=100.0)
    assert caught.value.fix.startswith("--rate 10, at which it would be 12 m/s")
    slow = import_clip("kitti-tracking", root, rate=1.0)
    assert any("--rate 10" in note for note in slow.notes)
    assert not any("--rate" in note for note in import_clip("kitti-tracking", root).notes)
