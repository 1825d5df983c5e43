"""The verbs of the recon layer: reconstruct a clip as a scene, and take an actor out of one."""

import time
from pathlib import Path

LOADING = "loading the engine"
"""What happens first: torch takes seconds to import."""


def extract_actor(scene: Path, actor: int, /, out: Path) -> dict[str, object]:
    """Save a road user of a scene as an asset, to be put into other scenes.

    Args:
        scene: Folder of the scene.
        actor: The drive's id of the road user; the scene has to have a field of it.
        out: Folder of the asset, made whole or not at all.
    """
    from scenes.work.phases import phase

    with phase(LOADING):
        from recon.assets.extraction import extract
        from recon.scene import load_scene
    from scenes.edits.assets import FACES, load_asset
    from scenes.storage.folders import check_out, is_finished, writing
    from scenes.storage.manifests import Provenance, folder_hash

    check_out(out, "asset")
    inputs = {"scene": folder_hash(scene, "scene")}
    provenance = Provenance(kind="asset", inputs=inputs, config={"actor": actor})
    if not is_finished(out, provenance):
        loaded = load_scene(scene)
        with phase("taking the road user out"), writing(out, provenance) as partial:
            extract(loaded, actor, partial)
    asset = load_asset(out)
    seen = dict(zip(FACES, asset.faces_seen, strict=True))
    return {"asset": str(out), **asset.tables(), "faces_seen": seen}


def reconstruct(
    clip: Path,
    /,
    out: Path,
    recipe: str = "standard",
    scale: float | None = None,
    holdout: int = 8,
    holdout_first: int = 0,
    train_share: float | None = None,
    train_cameras: tuple[str, ...] = (),
    seed: int = 0,
    backend: str | None = None,
    budget: str | None = None,
    drive: Path | None = None,
) -> dict[str, object]:
    """Train a radiance field on a clip and write it as a scene.

    Args:
        clip: Folder of the clip.
        out: Folder of the scene; started again, an interrupted training goes on.
        recipe: Which reconstruction recipe: preview, standard or best.
        scale: Image size to train at, as a share of the recorded size.
        holdout: Keep every n-th frame for evaluation; 0 keeps none.
        holdout_first: The first of those frames, from 0 to n - 1.
        train_share: KITTI's 0.75, 0.5 or 0.25 of the frames train, instead of `holdout`.
        train_cameras: Only these cameras train, the others measure; all when left out.
        seed: Random seed.
        backend: Kernels to train with; the fastest that works here when left out.
        budget: Time until the scene is there, such as 90s or 5m; turned into steps once.
        drive: Where the recording lies now, if it has moved since it was imported.
    """
    began = time.monotonic()
    from scenes.work.phases import phase

    with phase(LOADING):
        from recon.reconstruct import ReconstructRequest, reconstruct_clip
        from recon.scene import load_scene
        from recon.training.progress import last_seconds
    from scenes.storage.manifests import LOG

    request = ReconstructRequest(
        recipe=recipe,
        scale=scale,
        holdout=holdout,
        holdout_first=holdout_first,
        train_share=train_share,
        train_cameras=train_cameras,
        seed=seed,
        backend=backend,
        budget=budget,
    )
    reconstruct_clip(clip, out, request, began, drive)
    scene = load_scene(out)
    return {
        "scene": str(out),
        "recipe": recipe,
        "steps": scene.config.steps,
        "train_seconds": last_seconds(out / LOG),
        "seconds": time.monotonic() - began,
        "backend": scene.config.backend,
        "licence": scene.clip.licence,
    }
