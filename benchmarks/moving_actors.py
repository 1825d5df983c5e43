"""How well road users that move are shown, in pictures that did not train.

    python -m benchmarks.moving_actors WORLD... [--recipe standard]
    python -m benchmarks.moving_actors CLIP --actor 0 --from-frame 33 --scale 1 --folds 4

A WORLD is a recorded procedural world (its clip has truth): scores are of the true masks of moving
cars. Another CLIP is scored inside the extents of boxes. Each is reconstructed twice, with fields
for what moves and with its pixels masked, and both are scored on the same pixels.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from jaxtyping import Bool

from benchmarks.machine import Report, bar
from recon.config import ReconstructionConfig
from recon.data.holdout import select_frames
from recon.data.training_data import masked_pixels, scaled_camera
from recon.evaluation.actor_scores import LEAST_PX, box_pixels
from recon.evaluation.comparison import Comparison
from recon.evaluation.evaluate import compare
from recon.evaluation.metrics import psnr_db
from recon.kernels.backend import choose_backend
from recon.recipes import RECIPES
from recon.scene import Scene
from recon.training.loop import train
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.semantics import Semantic
from scenes.storage.clip_files import load_clip
from scenes.worlds.truth.truth_files import read_instances

WORLD_DB, WORLD_GAIN_DB, DRIVE_GAIN_DB = 24.0, 4.0, 3.0
"""Bars: in true masks, and above the masked static model; above it on a recorded drive."""
VEHICLES = frozenset({Semantic.CAR, Semantic.VAN, Semantic.TRUCK, Semantic.BUS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One road user in one picture."""

    frame: int
    actor: int
    pixels: int
    fields_db: float
    masked_db: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """What came of one choice of the pictures that are held out."""

    rows: list[Row]
    away: list[tuple[float, float]]
    """PSNR away from what moves in each picture, with fields and with masks [dB]."""


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


def scored(
    scene: Scene, folder: Path, actors: list[Actor], first: int
) -> tuple[dict[tuple[int, int], tuple[int, float]], dict[int, float]]:
    """Pixels and PSNR of who has enough, by held-out picture and id; and PSNR of what stands."""
    found, away = {}, {}
    images, scale = scene.clip.cameras[0], scene.config.scale
    has_truth = (folder / "truth").is_dir()
    for frame in select_frames(scene.clip, scene.config, 0)[1].tolist():
        if frame < first:
            continue
        picture = compare(scene, 0, frame)
        still = ~masked_pixels(scene.clip, 0, frame, scale)
        away[frame] = psnr_db(picture.render, picture.photo, still)
        camera, time_us = scaled_camera(images.camera, scale), int(images.time_us[frame])
        for actor in actors:
            mask = (
                true_mask(folder, frame, actor, picture)
                if has_truth
                else box_pixels(scene, camera, 0, actor, time_us)
            )
            if mask.sum() >= LEAST_PX:
                db = psnr_db(picture.render, picture.photo, mask)
                found[frame, actor.id] = (int(mask.sum()), db)
    return found, away


def main(
    clips: tuple[Path, ...],
    /,
    recipe: str = "standard",
    scale: float | None = None,
    steps: int | None = None,
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
        steps: Of each training, instead of the recipe's.
        actor: Only this one counts; all vehicles that move when left out.
        from_frame: Pictures before this one do not count.
        folds: 1 holds out every 8th picture; n reconstructs n times, each time without another
            nth of the pictures, so that each is held out once.
        json_file: Write the numbers there too.
    """
    report = Report(title="Road users that move, in held-out pictures")
    head = ["clip", "fold", "boxes", "fields [dB]", "masked [dB]", "gain [dB]"]
    head += ["away, fields", "away, masked"]
    table: list[list[object]] = []
    for folder in clips:
        clip = load_clip(folder)
        moving = [each for each in clip.actors if each.is_moving and each.kind in VEHICLES]
        chosen = [each for each in moving if actor in (None, each.id)]
        config = RECIPES[recipe](clip)
        config = replace(config, scale=scale or config.scale, steps=steps or config.steps)
        found = [
            measured(folder, clip, settings, chosen, from_frame)
            for settings in folded(config, folds)
        ]
        table += [_line(folder, str(k), fold) for k, fold in enumerate(found)]
        together = Fold(
            rows=[row for fold in found for row in fold.rows],
            away=[pair for fold in found for pair in fold.away],
        )
        table.append(_line(folder, "all", together, bars=True))
        report.numbers[str(folder)] = [asdict(fold) for fold in found]
    asked = f"recipe {recipe}" if steps is None else f"recipe {recipe}, {steps} steps"
    report.table(f"PSNR of road users, {asked}", head, table)
    report.finish(json_file)


def folded(config: ReconstructionConfig, folds: int) -> list[ReconstructionConfig]:
    """The reconstructions that hold out each picture once; one as it is for a single fold."""
    if folds == 1:
        return [config]
    return [replace(config, holdout=folds, holdout_first=first) for first in range(folds)]


def measured(
    folder: Path, clip: Clip, config: ReconstructionConfig, chosen: list[Actor], first: int
) -> Fold:
    """One reconstruction with fields for what moves, one with masks, both scored."""
    fields, away = scored(reconstructed(clip, config), folder, chosen, first)
    masks, masks_away = scored(
        reconstructed(clip, replace(config, actors=None)), folder, chosen, first
    )
    rows = [
        Row(
            frame=frame,
            actor=number,
            pixels=pixels,
            fields_db=db,
            masked_db=masks[frame, number][1],
        )
        for (frame, number), (pixels, db) in fields.items()
    ]
    return Fold(rows=rows, away=[(away[frame], masks_away[frame]) for frame in away])


def _line(folder: Path, name: str, fold: Fold, *, bars: bool = False) -> list[object]:
    if not fold.rows:
        return [f"{folder.parent.name}/{folder.name}", name, 0, *[None] * 5]
    fields = float(np.mean([row.fields_db for row in fold.rows]))
    masked = float(np.mean([row.masked_db for row in fold.rows]))
    world = (folder / "truth").is_dir()
    gain_db = WORLD_GAIN_DB if world else DRIVE_GAIN_DB
    return [
        f"{folder.parent.name}/{folder.name}",
        name,
        len(fold.rows),
        bar(fields, WORLD_DB) if bars and world else fields,
        masked,
        bar(fields - masked, gain_db) if bars else fields - masked,
        *np.mean(fold.away, axis=0).tolist(),
    ]


if __name__ == "__main__":
    tyro.cli(main)
