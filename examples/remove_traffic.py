"""The street without its traffic: reconstruct a drive, remove who moves, render, look at both.

    .venv/bin/python examples/remove_traffic.py out/no_traffic

`--clip CLIP` takes a drive of your own (what `otherlane import` wrote). Below OUT are `scene/`,
`frames/` with pictures and labels, and `000020.png`, recorded and empty, one above the other.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import tyro
from PIL import Image

from recon.commands import reconstruct
from render.commands import render
from scenes.errors import OtherlaneError
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.sample import sample_path

SCENARIO = Path(__file__).parent / "requests" / "no_traffic.toml"


def remove_traffic(
    out: Path,
    /,
    clip: Path | None = None,
    budget: str = "2m",
    frames: str = "20,30",
    size: str = "320x96",
) -> None:
    """Render a recorded drive as if nobody else had moved on the road; parked cars stay.

    Args:
        out: Folder for everything that is made.
        clip: Folder of the clip; the built-in sample drive when left out.
        budget: Time to train, such as 20s or 2m.
        frames: Which frames of the drive.
        size: Size of the pictures.
    """
    source = clip or sample_path()
    scene, folder = out / "scene", out / "frames"
    reconstruct(source, out=scene, recipe="preview", budget=budget)
    render(scene, out=folder, scenario=SCENARIO, size=size, frames=frames, preview=False)
    front = load_clip(source).cameras[0]
    for path in sorted((folder / "frames" / front.name).glob("*.rgb.png")):
        empty, index = iio.imread(path), int(path.name[:6])
        recorded = Image.fromarray(front.read(index)).resize(empty.shape[1::-1])
        iio.imwrite(out / f"{index:06d}.png", np.concatenate([np.asarray(recorded), empty]))
        print(f"{out / path.name[:6]}.png: recorded above, empty below")


def main(argv: Sequence[str] | None = None) -> int:
    """0 is success, 2 is a problem the user can fix."""
    try:
        tyro.cli(remove_traffic, args=argv)
    except OtherlaneError as error:
        print(f"remove_traffic.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
