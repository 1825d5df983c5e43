"""From a scene's folder to a folder of scores and pictures: the verb `evaluate`."""

from pathlib import Path

import msgspec

from recon.evaluate import evaluate_scene, result, without_nan, write_pictures
from recon.progress import last_seconds
from recon.scene import Scene, load_scene
from render.truth import by_shift, has_truth, score_off_path
from scenes.folders import LOG, Recipe, folder_hash, is_finished, write_json, writing
from scenes.phases import phase

SCORES = "scores.json"


def evaluate_folder(folder: Path, out: Path) -> dict[str, object]:
    """Score a scene on its held-out pictures and, where its drive has truth, off the path.

    Writes scores.json and a picture for each view: photo (or truth), render, error.

    Raises:
        OtherlaneError: Not a scene, nothing was held out, or a picture cannot be read.
    """
    made_from = Recipe(kind="evaluation", inputs={"scene": folder_hash(folder, "scene")}, config={})
    if not is_finished(out, made_from):
        with phase("opening the scene"):
            scene = load_scene(folder)
        with writing(out, made_from) as partial:
            write_json(partial / SCORES, _scored(scene, partial))
    scores = msgspec.json.decode((out / SCORES).read_bytes())
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
