"""What no training picture showed: pixels say so, whoever rests on it is no label, frames fail."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Bool, Float64

from recon.rendering.shot import Shot
from render.exporters.coco import ANNOTATIONS
from render.folders.frames import read_records
from render.folders.verification import verify_folder
from render.jobs.render_job import FolderPlan, write_folder
from render.labels.gate import LabelGate
from render.labels.gating import is_ignored, is_labelled
from render.views.frame import Frame
from tests.render.analytic import CAMERA, STEP_US, AnalyticScene, box_actor, enter_box_m, street
from tests.render.analytic import CAMERAS as STREET_CAMERAS
from tests.render.conftest import analytic_job
from tests.render.test_fisheye_labels import CAMERAS
from tests.viewing import render_view

Known = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From ends of rays [m, world] and their directions to whether they were observed."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PartlySeen(AnalyticScene):
    """The street, of which training pictures showed some places."""

    known: Known

    def observed(
        self,
        ends_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        shot: Shot,
    ) -> Bool[np.ndarray, "n"]:
        del shot
        return self.known(ends_m, directions)


def everywhere(points: np.ndarray, _: np.ndarray) -> np.ndarray:
    return np.ones(len(points), bool)


def nowhere(points: np.ndarray, _: np.ndarray) -> np.ndarray:
    return np.zeros(len(points), bool)


def right_of_the_car(points: np.ndarray, _: np.ndarray) -> np.ndarray:
    return points[:, 1] < 0.0


def seen(known: Known, actors: Any = None, gate: LabelGate | None = None) -> Frame:
    scene = PartlySeen(clip=street(actors=actors).clip, known=known)
    pose = scene.clip.world_from_camera(0, 0)
    return render_view(scene, CAMERA, pose, time_us=0, gate=gate or LabelGate(min_px=0))


def test_every_pixel_says_whether_it_was_observed() -> None:
    frame = seen(right_of_the_car)
    observed = frame.pixels["observed"]
    assert set(np.unique(observed)) == {0, 255}
    assert not observed[:, :47].any()  # the middle column looks straight ahead
    assert observed[:, 49:].all()
    assert frame.labels["observed_share"] == pytest.approx((observed > 0).mean())


def test_who_rests_on_what_nobody_saw_is_no_label() -> None:
    labelled = {i["track_id"] for i in seen(everywhere).objects if is_labelled(i)}
    assert {3, 7, 8} <= labelled
    items = {i["track_id"]: i for i in seen(right_of_the_car).objects}
    for number in (3, 7):
        assert items[number]["observed_share"] == 0.0
        assert items[number]["ignored"] == "not observed: 0.00 of its pixels, of 0.5"
        assert items[number]["box_2d"] is not None  # it is seen all the same
        assert is_ignored(items[number])
    assert items[8]["observed_share"] == 1.0
    assert is_labelled(items[8])


def test_the_threshold_is_the_jobs() -> None:
    items = seen(right_of_the_car, gate=LabelGate(min_px=0, min_observed=0.0)).objects
    assert all(item["ignored"] is None for item in items if item["rendered"])


def test_a_frame_of_nothing_is_rejected() -> None:
    assert seen(everywhere).labels["gate"] == "accept"
    frame = seen(nowhere)
    assert frame.labels["gate"] == "reject"
    assert frame.labels["observed_share"] == 0.0
    assert not any(map(is_labelled, frame.objects))


@pytest.mark.parametrize("left", [False, True])
def test_what_the_lens_does_not_show_counts_neither_way(left: bool) -> None:
    """Half of what a fisheye sees was observed: so is half of the frame, whatever its corners."""
    camera = CAMERAS["circle"]
    scene = PartlySeen(
        clip=street(camera, ()).clip, known=lambda points, _: (points[:, 1] > 0.0) == left
    )
    pose = scene.clip.world_from_camera(0, 0)
    frame = render_view(scene, camera, pose, time_us=0)
    sighted = np.isfinite(camera.directions(camera.pixel_centres())[..., 2])
    assert 0.4 < (~sighted).mean() < 0.6
    assert not frame.pixels["observed"][~sighted].any()
    assert frame.labels["observed_share"] == pytest.approx(0.5, abs=0.02)


def wall_and_car() -> tuple[Any, ...]:
    """A truck across the road, and a car behind it that it hides but for its sides."""
    return box_actor(1, (9.0, 0.0), (1.0, 1.8, 3.0)), box_actor(2, (18.0, 0.0), (4.0, 4.2, 1.5))


def on_the_wall(points: np.ndarray) -> np.ndarray:
    return np.abs(points[:, 0] - 9.0) < 0.6


def test_only_what_was_observed_hides() -> None:
    """Haze before a far car that is plainly there must not make it partly hidden."""
    car = {i["track_id"]: i for i in seen(everywhere, wall_and_car()).objects}[2]
    assert 0.0 < car["visible_fraction"] < 0.5
    hazy = seen(lambda points, _: ~on_the_wall(points), wall_and_car())
    car = {i["track_id"]: i for i in hazy.objects}[2]
    assert car["visible_fraction"] == 1.0
    assert car["occlusion"] == 0


def test_who_should_be_seen_and_is_not_is_an_ignore_region() -> None:
    """Behind something that was observed one is hidden; behind haze one may well be there."""
    actors = box_actor(1, (9.0, 0.0), (1.0, 4.6, 3.0)), box_actor(2, (20.0, 0.0))
    hidden = {i["track_id"]: i for i in seen(everywhere, actors).objects}[2]
    assert (hidden["visible_px"], hidden["ignored"]) == (0, None)
    doubt = seen(lambda points, _: ~on_the_wall(points), actors)
    item = {i["track_id"]: i for i in doubt.objects}[2]
    assert item["box_2d"] is None
    assert item["ignored"].startswith("not shown: 0 px of ")
    assert item["ignore_region"] is not None


def test_who_shows_as_a_fringe_is_no_label() -> None:
    """The static scene shows it elsewhere: of its box, a few pixels are left."""

    class Gone(PartlySeen):
        """The box is there, the car in it is not, but for its lowest hand's breadth."""

        def render_rays(self, origins, directions, pixel_angle):
            import torch

            out = super().render_rays(origins, directions, pixel_angle)
            start, along = origins.double().numpy(), directions.double().numpy()
            entry = enter_box_m(start, along, self.clip.actors[0])
            height = start[:, 2] + np.where(np.isfinite(entry), entry, 0.0) * along[:, 2]
            gone = np.isfinite(entry) & (height > 0.15)
            return replace(out, range_m=out.range_m.masked_fill(torch.from_numpy(gone), 60.0))

    scene = Gone(clip=street(actors=(box_actor(3, (12.0, 0.0)),)).clip, known=everywhere)
    pose = scene.clip.world_from_camera(0, 0)
    (item,) = render_view(scene, CAMERA, pose, time_us=0, gate=LabelGate(min_px=0)).objects
    assert 0 < item["visible_px"] < 30
    assert item["ignored"].startswith(f"not shown: {item['visible_px']} px of ")


@pytest.mark.parametrize("keep", [False, True])
def test_rejected_frames_stay_out_of_exports(tmp_path: Path, keep: bool) -> None:
    job = replace(analytic_job(), load=_blind_halfway)
    config = {"frames": [0, 1, 2, 3], "cameras": STREET_CAMERAS, "gate": LabelGate().config()}
    batch = FolderPlan(
        job=job, clip=street().clip, inputs={}, config=config,
        formats=("kitti", "coco"), preview=False, keep_rejected=keep,
    )  # fmt: skip
    made = write_folder(batch, tmp_path / "out")
    assert made["rejected_frames"] == 2
    records = read_records(tmp_path / "out")
    assert [record["gate"] for record in records] == ["accept", "accept", "reject", "reject"]
    expected = 4 if keep else 2
    exports = tmp_path / "out" / "exports"
    assert len(list((exports / "kitti" / "label_2").iterdir())) == expected
    assert len(json.loads((exports / "coco" / ANNOTATIONS).read_text())["images"]) == expected
    assert verify_folder(tmp_path / "out")["ok"]


def _blind_halfway() -> PartlySeen:
    return BlindHalfway(clip=street().clip, known=everywhere)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BlindHalfway(PartlySeen):
    """From the third frame on nobody saw anything."""

    def observed(
        self,
        ends_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        shot: Shot,
    ) -> Bool[np.ndarray, "n"]:
        del directions
        return np.full(len(ends_m), shot.time_us < 2 * STEP_US)
