"""What a second camera says of views beside the path: train on one camera, score on the other.

    python -m benchmarks.lateral_truth OUT [--clip CLIP] [--camera NAME] [--world street] ...

Recorded drives have no truth off their path, but rigs of two cameras or more have some: what one
camera recorded is where the path of the other lies, moved by the baseline (KITTI: 0.54 m). CLIP is
any imported drive of such a rig; without one, a procedural world is recorded with a stereo rig.
Prints the scores of held-out pictures on the path, and those of the other cameras beside it.
"""

from pathlib import Path

import tyro

from benchmarks.machine import Report
from recon.evaluation.evaluate import NUMBERS, evaluate_scene, result
from recon.reconstruct import ReconstructRequest, reconstruct_clip
from recon.scene import load_scene
from render.folders.selection import parse_size
from scenes.errors import OtherlaneError
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.recorder import record
from scenes.worlds.record.recording import Recording


def recorded_stereo(out: Path, world: str, seed: int, size: str, frames: int, workers: int) -> Path:
    """Folder of a world's recording by two cameras, 0.54 m apart; what is there stays."""
    width, height = parse_size(size)
    recording = Recording(
        recipe=world, seed=seed, width=width, height=height, frames=frames, rig="stereo",
        view_frames=(),
    )  # fmt: skip
    record(recording, out, workers)
    return out


def beside_the_path(clip: Path, scene: Path, camera: str | None, recipe: str) -> dict[str, object]:
    """Reconstruct a drive from one of its cameras and score it on all.

    Raises:
        OtherlaneError: The drive has one camera only, or none of that name.
    """
    names = [images.name for images in load_clip(clip).cameras]
    if len(names) < 2:
        raise OtherlaneError(clip, "has one camera", "a drive that was recorded by two or more")
    request = ReconstructRequest(recipe=recipe, train_cameras=(camera or names[0],))
    reconstruct_clip(clip, scene, request)
    loaded = load_scene(scene)
    return result(loaded, evaluate_scene(loaded)[0])


def main(
    out: Path,
    /,
    clip: Path | None = None,
    camera: str | None = None,
    world: str = "street",
    seed: int = 101,
    size: str = "320x96",
    frames: int = 40,
    recipe: str = "standard",
    workers: int = 2,
    json_file: Path | None = None,
) -> None:
    """Measure a view beside the path against what was recorded there.

    Args:
        out: Folder for the scene and, without a clip, for the recording; what is there stays.
        clip: An imported drive of two cameras or more.
        camera: The one that trains; the first when left out.
        world: Recipe of the world that is recorded when there is no clip.
        seed: Of that world.
        size: Of its pictures.
        frames: Of its drive.
        recipe: Of the reconstruction.
        workers: Processes that record.
        json_file: Write the numbers there too.
    """
    drive = clip or recorded_stereo(out / "clip", world, seed, size, frames, workers)
    found = beside_the_path(drive, out / "scene", camera, recipe)
    beside = found["beside"]
    assert isinstance(beside, dict)
    rows = [["on the path", 0.0, found["frames"], *(found[name] for name in NUMBERS)]]
    rows += [
        [name, scores["beside_m"], scores["frames"], *(scores[number] for number in NUMBERS)]
        for name, scores in beside.items()
    ]
    report = Report(title=f"{drive}: trained on one camera, {found['steps']} steps")
    report.table("Beside the path", ["camera", "beside [m]", "pictures", *NUMBERS], rows)
    report.numbers["scores"] = found
    report.finish(json_file)


if __name__ == "__main__":
    tyro.cli(main)
