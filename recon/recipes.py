"""Named reconstructions: functions of a clip that return a `ReconstructionConfig`.

Rates, table and core size follow published practice and earlier measurements on KITTI tracking
0002; little was tuned, and what was is said in docs/results/kitti.md.
"""

import difflib
from collections.abc import Callable
from dataclasses import replace

from recon.config import ReconstructionConfig
from scenes.clip import Clip
from scenes.errors import OtherlaneError

TRAINING_WIDTH = 320
"""Width of the training pictures [px], unless a scale is asked for."""


def standard(clip: Clip) -> ReconstructionConfig:
    """Minutes on two cores: the whole drive at about 320 pixels across."""
    scale = min(1.0, TRAINING_WIDTH / clip.cameras[0].camera.width)
    return ReconstructionConfig(recipe="standard", scale=scale, steps=2500)


def preview(clip: Clip) -> ReconstructionConfig:
    """About two minutes: every second picture, fewer samples; to see whether a drive works."""
    config = standard(clip)
    return replace(
        config,
        recipe="preview",
        steps=900,
        frame_stride=2,
    )


RECIPES: dict[str, Callable[[Clip], ReconstructionConfig]] = {
    "standard": standard,
    "preview": preview,
}


def recipe(name: str, clip: Clip) -> ReconstructionConfig:
    """The recipe of that name for a clip.

    Raises:
        OtherlaneError: There is none; the nearest name is suggested.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        fix = near[0] if near else f"one of {', '.join(RECIPES)}"
        raise OtherlaneError(f"recipe {name!r}", "is not known", fix)
    return RECIPES[name](clip)
