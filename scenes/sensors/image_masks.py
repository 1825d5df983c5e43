"""Masks of cameras: where every picture shows the ego itself, its bonnet or the camera's mount.

A mask is a PNG of the camera's size: 0 (black) where pictures show nothing of the world, anything
else (white) where they are used. What it hides is treated as what alpha hides
(`scenes.sensors.images`).
"""

from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from scenes.errors import DriveError
from scenes.sensors.images import sizes_judged_here

MODES = ("1", "L", "RGB")
"""The pixels that may be in a mask, by Pillow's names: black and white, 8-bit grey or colour."""
DRAWN = "a PNG of black and white, grey or RGB: 0 where pictures show the car itself"


@lru_cache(maxsize=16)  # a camera's, for all of its pictures
def decode_mask(data: bytes, path: Path, width: int, height: int) -> Bool[np.ndarray, "h w"]:
    """Which pixels the bytes of a mask's file, named in errors, leave to be used; read-only.

    Raises:
        DriveError: No such picture, damaged, of another size, or it hides every pixel.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with sizes_judged_here(), Image.open(BytesIO(data), formats=("PNG",)) as image:
            if image.size != (width, height):  # before a pixel is decoded
                wrong = f"is {image.width}x{image.height}, its camera {width}x{height}"
                raise DriveError(path, wrong, "a mask of the size of the camera's pictures")
            if image.mode not in MODES:
                raise DriveError(path, f"has pixels of mode {image.mode}", DRAWN)
            shown = np.asarray(image) != 0
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DriveError(path, "is no PNG, or far too large", DRAWN) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DriveError(path, f"is cut short or damaged ({error})", "copy it again") from error
    usable = shown.any(axis=-1) if shown.ndim == 3 else shown
    if not usable.any():
        raise DriveError(path, "hides every pixel", DRAWN)
    usable.flags.writeable = False
    return usable
