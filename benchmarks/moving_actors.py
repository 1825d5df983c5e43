"""How well road users that move are shown, in pictures that did not train.

    python -m benchmarks.moving_actors WORLD... [--recipe standard]
    python -m benchmarks.moving_actors CLIP --actor 0 --from-frame 33 --scale 1 --folds 2

A WORLD is a recorded procedural world (its clip has truth): scores are of the true masks of moving
cars. Another CLIP is scored inside the extents of boxes. Each is reconstructed twice, with fields
for what moves and with its pixels masked, and both are scored on the same pixels.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from jaxtyping import Bool

from benchmarks.machine import Report, bar
from recon.actor_scores import LEAST_PX, box_pixels
from recon.config import ReconstructionConfig
from recon.evaluate import Comparison, compare
from recon.evidence import masked_pixels, scaled_camera, select_frames
from recon.kernels.backend import choose_backend
from recon.metrics import psnr_db
from recon.recipes import RECIPES
from recon.scene import Scene
from recon.train import train
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.semantics import Semantic
from scenes.worlds.truth_files import read_instances

WORLD_DB, WORLD_GAIN_DB, DRIVE_GAIN_DB = 24.0, 4.0, 3.0
"""Bars: in true masks, and above the masked static model; above it on a recorded drive."""
VEHICLES = frozenset({Semantic.CAR, Semantic.VAN, Semantic.TRUCK, Semantic.BUS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One road user in one picture."""

    frame: int
    actor: int
    pixels: int
    psnr_db: float


def reconstructed(clip: Clip, config: ReconstructionConfig) -> Scene:
    """A scene of the clip."""
    backend = choose_backend(None)
    config = replace(config, backend=str(backend))
    return Scene(clip=clip, config=config, model=train(clip, config), backend=backend)


def true_mask(
    folder: Path, frame: int, actor: Actor, picture: Comparison
) -> Bool[np.ndarray, "h w"]:
    """Pixels whose centres show an actor."""
    truth = read_instances(folder / "truth" / f"instance_{frame:04d}.png")
    sides = zip(picture.counts.shape, truth.shape, strict=True)
    rows, columns = (((np.arange(n) + 0.5) * of / n).astype(int) for n, of in sides)
    return truth[np.ix_(rows, columns)] == actor.id


def scored(scene: Scene, folder: Path, actors: list[Actor], first: int) -> tuple[list[Row], float]:
    """Everybody with enough pixels in a held-out picture, and the mean away from what moves."""
    rows, away = [], []
    images, scale = scene.clip.cameras[0], scene.config.scale
    has_truth = (folder / "truth").is_dir()
    for frame in select_frames(scene.clip, scene.config, 0)[1]:
        if frame < first:
            continue
        picture = compare(scene, 0, int(frame))
        still = ~masked_pixels(scene.clip, 0, int(frame), scale)
        away.append(psnr_db(picture.render, picture.photo, still))
        for actor in actors:
            camera, time_us = scaled_camera(images.camera, scale), int(images.time_us[frame])
            mask = (
                true_mask(folder, int(frame), actor, picture)
                if has_truth
                else box_pixels(scene, camera, 0, actor, time_us)
            )
            if mask.sum() >= LEAST_PX:
                found = psnr_db(picture.render, picture.photo, mask)
                rows.append(
                    Row(frame=int(frame), actor=actor.id, pixels=int(mask.sum()), psnr_db=found)
                )
    return rows, float(np.mean(away))


def main(
    clips: tuple[Path, ...],
    /,
    recipe: str = "standard",
    scale: float | None = None,
    actor: int | None = None,
    from_frame: int = 0,
    folds: int = 1,
    json_file: Path | None = None,
) -> None:
    """Measure.

    Args:
        clips: Folders of clips.
        recipe: How they are reconstructed.
        scale: Instead of the recipe's.
        actor: Only this one counts; all vehicles that move when left out.
        from_frame: Pictures before this one do not count.
        folds: 1 holds out every 8th picture; 2 adds the KITTI protocol's 75 % split.
        json_file: Write the numbers there too.
    """
    report = Report(title="Road users that move, in held-out pictures")
    table = []
    for folder in clips:
        clip = Clip.load(folder)
        moving = [each for each in clip.actors if each.is_moving and each.kind in VEHICLES]
        chosen = [each for each in moving if actor in (None, each.id)]
        config = RECIPES[recipe](clip)
        config = replace(config, scale=scale or config.scale)
        found: dict[str, list[Row]] = {"fields": [], "masked": []}
        away: dict[str, list[float]] = {"fields": [], "masked": []}
        for share in (None, 0.75)[:folds]:
            for name in found:
                settings = replace(config, train_share=share)
                settings = settings if name == "fields" else replace(settings, actors=None)
                rows, still = scored(reconstructed(clip, settings), folder, chosen, from_frame)
                found[name] += rows
                away[name].append(still)
        table.append(_line(folder, found, away))
        report.numbers[str(folder)] = {name: [r.psnr_db for r in found[name]] for name in found}
    head = [
        "clip",
        "boxes",
        "fields [dB]",
        "masked [dB]",
        "gain [dB]",
        "away, fields",
        "away, masked",
    ]
    report.table(f"PSNR of road users, recipe {recipe}", head, table)
    report.finish(json_file)


def _line(folder: Path, found: dict[str, list[Row]], away: dict[str, list[float]]) -> list[object]:
    mean = {name: float(np.mean([row.psnr_db for row in rows])) for name, rows in found.items()}
    world = (folder / "truth").is_dir()
    gain = mean["fields"] - mean["masked"]
    return [
        f"{folder.parent.name}/{folder.name}",
        len(found["fields"]),
        bar(mean["fields"], WORLD_DB) if world else mean["fields"],
        mean["masked"],
        bar(gain, WORLD_GAIN_DB if world else DRIVE_GAIN_DB),
        float(np.mean(away["fields"])),
        float(np.mean(away["masked"])),
    ]


if __name__ == "__main__":
    tyro.cli(main)
