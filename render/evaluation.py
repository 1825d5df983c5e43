"""From a scene's folder to a folder of scores and pictures: the verb `evaluate`."""

from pathlib import Path

from recon.evaluate import evaluate_scene, result, write_pictures
from recon.progress import last_seconds
from recon.scene import load_scene
from scenes.folders import LOG, Recipe, folder_hash, is_finished, write_json, writing

SCORES = "scores.json"


def evaluate_folder(folder: Path, out: Path) -> dict[str, object]:
    """Score a scene on its held-out pictures; write scores.json and photo | render | error.

    Raises:
        OtherlaneError: Not a scene, nothing was held out, or a picture cannot be read.
    """
    import msgspec

    made_from = Recipe(kind="evaluation", inputs={"scene": folder_hash(folder)}, config={})
    if not is_finished(out, made_from):
        scene = load_scene(folder)
        scores, pictures = evaluate_scene(scene)
        with writing(out, made_from) as partial:
            write_json(partial / SCORES, result(scene, scores))
            write_pictures(partial, scores, pictures)
    scores = msgspec.json.decode((out / SCORES).read_bytes())
    return {**scores, "train_seconds": last_seconds(folder / LOG), "out": str(out)}
