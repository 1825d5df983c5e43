"""Named reconstructions: functions of a clip that return a `ReconstructionConfig`.

Steps follow the number of pictures, and the table follows the length of the drive, so that a
longer drive is reconstructed as well as a short one, in proportionally more time. How the numbers
were chosen, and on which drives, is said in docs/recipes.md.
"""

from collections.abc import Callable
from dataclasses import replace
from math import ceil, log2

from recon.config import ActorsConfig, FieldConfig, ReconstructionConfig
from recon.field.model import drive_block, drive_length_m
from recon.kernels.hash_grid import HashGridSpec
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.work.suggestions import guess

TRAINING_WIDTH = 320
"""Width of the training pictures [px], unless a scale is asked for."""
FINEST_CELL_M = 0.08
"""Side of the finest cells of the hash grid near the path [m]."""
TABLE_LENGTH_M = 80.0
"""Up to this length of drive the smallest table does; twice as long needs one twice as large."""
STANDING_PX = 20.0
"""Parked vehicles that pictures show so large get fields [px, as trained]."""
SMALLEST_TABLE, LARGEST_TABLE = 17, 20
"""Logarithms of the entries of one level."""


def standard(clip: Clip) -> ReconstructionConfig:
    """About a second for each picture on two cores, at about 320 pixels across."""
    return _scaled(clip, "standard", steps_per_picture=50)


def preview(clip: Clip) -> ReconstructionConfig:
    """Two fifths of `standard`: to see whether a drive works."""
    return _scaled(clip, "preview", steps_per_picture=20)


def best(clip: Clip) -> ReconstructionConfig:
    """Three times `standard`, with finer steps along the rays."""
    config = _scaled(clip, "best", steps_per_picture=150)
    sampling = replace(config.sampling, growth=1.0 / 40.0)
    return replace(config, sampling=sampling, samples_per_step=65536)


def _scaled(clip: Clip, name: str, steps_per_picture: int) -> ReconstructionConfig:
    pictures = sum(len(images) for images in clip.cameras)
    return ReconstructionConfig(
        recipe=name,
        scale=min(1.0, TRAINING_WIDTH / clip.cameras[0].camera.width),
        steps=steps_per_picture * pictures,
        field=FieldConfig(grid=drive_grid(clip)),
        actors=ActorsConfig(standing_px=STANDING_PX),
    )


def drive_grid(clip: Clip) -> HashGridSpec:
    """A hash grid as fine near the path, and as large, as the drive needs."""
    across = 4.0 * drive_block(clip, None).half_size_m / FINEST_CELL_M
    coarsest = HashGridSpec(per_level_scale=2.0)
    doublings = max(0, ceil(log2(drive_length_m(clip) / TABLE_LENGTH_M)))
    return replace(
        coarsest,
        per_level_scale=(across / coarsest.base_resolution) ** (1.0 / (coarsest.levels - 1)),
        log2_table=min(SMALLEST_TABLE + doublings, LARGEST_TABLE),
    )


RECIPES: dict[str, Callable[[Clip], ReconstructionConfig]] = {
    "preview": preview,
    "standard": standard,
    "best": best,
}


def recipe(name: str, clip: Clip) -> ReconstructionConfig:
    """The recipe of that name for a clip.

    Raises:
        OtherlaneError: There is none; the nearest name is suggested.
    """
    if name not in RECIPES:
        raise OtherlaneError(f"recipe {name!r}", "is not known", guess(name, RECIPES))
    return RECIPES[name](clip)
