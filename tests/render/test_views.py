"""Which pictures a job renders of a rig whose cameras are not triggered together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon.config import ReconstructionConfig
from recon.data.holdout import select_frames
from render.exporters.exporter import pictures_of
from render.folders.frames import read_records
from render.folders.verification import verify_folder
from render.jobs.job import RenderJob
from render.jobs.render_job import FolderPlan, write_folder
from render.jobs.views import View, chosen_streams, planned_tasks
from scenes.clip import Clip, ImageStream
from scenes.edits.edited_scene import EditedScene
from scenes.errors import OtherlaneError
from scenes.motion.trajectory import Trajectory
from scenes.road.ground import fit_ground
from scenes.sensors.camera import Camera
from tests.render.analytic import CAMERA, LICENCE, AnalyticScene, street
from tests.scene_maker import tiny_config

SMALL = replace(CAMERA, width=48, height=24, fx=30.0, fy=30.0, cx=24.0, cy=11.0)


def stream(name: str, time_us: np.ndarray, camera: Camera = CAMERA) -> ImageStream:
    first = street().clip.cameras[0]
    return replace(
        first, name=name, camera=camera, time_us=time_us.astype(np.int64),
        files=tuple(Path(f"{name}_{i}.png") for i in range(len(time_us))),
        exposure=np.ones(len(time_us)),
    )  # fmt: skip


def rig(*others: ImageStream, count: int = 21) -> Clip:
    clip = street().clip
    time_us = 100_000 * np.arange(count, dtype=np.int64)
    poses = np.broadcast_to(np.eye(4), (count, 4, 4)).copy()
    poses[:, 0, 3] = np.arange(count)
    ego = Trajectory(time_us=time_us, world_from_body=poses)
    return replace(clip, ego=ego, cameras=(stream("front", time_us), *others), actors=())


def keys(clip: Clip, start_us: int = 0, end_us: int = 2_000_000) -> list[str]:
    edited = EditedScene(ego=clip.ego, actors=(), start_us=start_us, end_us=end_us)
    views = [View(stream=k, name=s.name, camera=s.camera) for k, s in enumerate(clip.cameras)]
    tasks = planned_tasks(AnalyticScene(clip=clip), edited, views, None)[1]
    for task in tasks:
        assert start_us <= task.shot.time_us <= end_us
    of_camera = [(task.key.partition(".")[2], task.shot.time_us) for task in tasks]
    assert len(set(of_camera)) == len(of_camera), "a picture is rendered once"
    return [task.key for task in tasks]


def test_a_camera_that_starts_later_lacks_the_first_frames() -> None:
    clip = rig(stream("late", 1_000_000 + 100_000 * np.arange(11)))
    late = [key for key in keys(clip) if key.endswith(".late")]
    assert late == [f"{i:06d}.late" for i in range(10, 21)]


def test_a_slower_camera_lacks_frames_between() -> None:
    clip = rig(stream("slow", 200_000 * np.arange(11) + 3_000))
    slow = [key for key in keys(clip, end_us=2_003_000) if key.endswith(".slow")]
    assert slow == [f"{i:06d}.slow" for i in range(0, 21, 2)]


def test_nothing_is_rendered_outside_the_window() -> None:
    clip = rig(stream("slow", 200_000 * np.arange(11)))
    assert keys(clip, 300_000, 500_000) == [
        "000003.front", "000004.front", "000004.slow", "000005.front",
    ]  # fmt: skip


def test_held_out_are_moments_of_all_cameras() -> None:
    clip = rig(
        stream("same", 100_000 * np.arange(21) + 4_000),
        stream("before", -3_000_000 + 100_000 * np.arange(20)),
    )
    config: ReconstructionConfig = tiny_config(holdout=8)
    wanted = [0, 8, 16]
    for camera in (0, 1):
        assert select_frames(clip, config, camera)[1].tolist() == wanted
    assert select_frames(clip, config, 2)[1].tolist() == []  # the first camera was not there yet


def test_cameras_are_chosen_by_name() -> None:
    clip = rig(stream("left", 100_000 * np.arange(21)))
    assert chosen_streams(clip, ()) == [0, 1]
    assert chosen_streams(clip, ("left",)) == [1]
    with pytest.raises(OtherlaneError, match="no camera of") as refused:
        chosen_streams(clip, ("lfet",))
    assert "left" in refused.value.fix


@pytest.mark.parametrize("name", ["a/b", "../up", "", ".hidden", "caméra", "a b"])
def test_names_of_cameras_become_names_of_files(name: str) -> None:
    with pytest.raises(ValueError, match="its name"):
        stream(name, 100_000 * np.arange(3))


def load_two() -> AnalyticScene:
    times = 100_000 * np.arange(4)
    return AnalyticScene(clip=rig(stream("front.left", times, SMALL), count=4))


def test_a_folder_of_two_cameras_is_sound_and_pictures_keep_their_names(tmp_path: Path) -> None:
    """Cameras of two sizes, one name the end of the other's; alone or together, the same."""
    whole = written(tmp_path / "both", ("front", "front.left"))
    alone = written(tmp_path / "one", ("front",))
    assert len(read_records(whole)) == 8
    assert verify_folder(whole)["ok"]
    assert verify_folder(alone)["ok"]
    of_both = {x.record["key"]: (x.name, x.number) for x in pictures_of([whole])}
    for picture in pictures_of([alone]):
        assert of_both[picture.record["key"]] == (picture.name, picture.number)
    with pytest.raises(OtherlaneError, match="of the same scenario"):
        pictures_of([whole, alone])


def written(out: Path, cameras: tuple[str, ...]) -> Path:
    renderer = load_two()
    clip = renderer.clip
    edited = EditedScene(ego=clip.ego, actors=(), start_us=0, end_us=300_000)
    views = [
        View(stream=k, name=s.name, camera=s.camera)
        for k, s in enumerate(clip.cameras)
        if s.name in cameras
    ]
    numbers, tasks = planned_tasks(renderer, edited, views, None)
    job = RenderJob(
        load=load_two, identity={"cameras": list(cameras)}, stamp={"licence": LICENCE}, tasks=tasks,
        ground=fit_ground(clip),
    )  # fmt: skip
    sizes = {view.name: f"{view.camera.width}x{view.camera.height}" for view in views}
    plan = FolderPlan(
        job=job, clip=clip, inputs={"scene": "two"},
        config={"frames": numbers, "cameras": sizes}, formats=("kitti", "coco"),
    )  # fmt: skip
    write_folder(plan, out)
    return out
