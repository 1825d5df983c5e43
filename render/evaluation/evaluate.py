"""From a scene's folder to a folder of scores and pictures: the verb `evaluate`."""

from pathlib import Path
from typing import Any

from recon.evaluation.evaluate import evaluate_scene, result, without_nan, write_pictures
from recon.scene import Scene, load_scene
from recon.training.progress import last_seconds
from render.evaluation.off_path import by_shift, has_truth, score_off_path
from scenes.storage.clip_files import read_clip
from scenes.storage.files import write_json
from scenes.storage.folders import check_out, is_finished, writing
from scenes.storage.manifests import LOG, Provenance, finished, folder_hash
from scenes.work.phases import phase

SCORES = "scores.json"


def evaluate_folder(folder: Path, out: Path, drive: Path | None = None) -> dict[str, object]:
    """Score a scene on its held-out pictures and, where its drive has truth, off the path.

    Writes scores.json and a picture for each view: photo (or truth), render, error.

    Args:
        folder: Of the scene.
        out: For scores and pictures.
        drive: Where the recording lies now, if it has moved.

    Raises:
        OtherlaneError: Not a scene, nothing was held out, or a picture cannot be read or was
            replaced since it was imported.
    """
    check_out(out, "evaluation")
    clip = read_clip(finished(folder, "scene"), drive)
    clip.check_contents(absent=True)
    inputs = {"scene": folder_hash(folder, "scene")}
    made_from = Provenance(kind="evaluation", inputs=inputs, config={})
    if not is_finished(out, made_from):
        clip.check_contents()
        with phase("opening the scene"):
            scene = load_scene(folder, drive=drive)
        with writing(out, made_from) as partial:
            write_json(partial / SCORES, _scored(scene, partial))
    scores = finished(out, "evaluation").parsed(SCORES, dict[str, Any])
    return {**scores, "train_seconds": last_seconds(folder / LOG), "out": str(out)}


def _scored(scene: Scene, folder: Path) -> dict[str, object]:
    scores, pictures = evaluate_scene(scene)
    names = [f"{score.camera}_{score.frame:06d}" for score in scores]
    write_pictures(folder, names, pictures)
    values = result(scene, scores)
    if has_truth(scene.clip):
        views, comparisons = score_off_path(scene)
        names = [f"off_path_{v.time_us // 1000:06d}ms_{v.shift_m:.0f}m" for v in views]
        write_pictures(folder, names, comparisons)
        values["off_path"] = without_nan(by_shift(views))
    return values
