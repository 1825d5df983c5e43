"""Pictures side by side, each with its caption: what previews and reports are made of."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from render.json_value import Json
from render.pictures import overlay

if TYPE_CHECKING:
    from PIL import Image

GAP = 4
"""Between panels [px]."""
HEADER = 34
"""Height of the line above them [px]."""
BACKGROUND = (17, 20, 25)


def panels(
    pixels: Mapping[str, np.ndarray],
    record: Mapping[str, Json],
    width: int,
    recorded: UInt8[np.ndarray, "h w 3"] | None = None,
    camera: str = "",
) -> list["Image.Image"]:
    """Four pictures `width` wide: recorded (or classes), rendered, labels, distance.

    The caption of the first one names the camera, where it is given.
    """
    height = round(width * pixels["rgb"].shape[0] / pixels["rgb"].shape[1])

    def sized(image: UInt8[np.ndarray, "h w 3"]) -> "Image.Image":
        from PIL import Image

        smooth = Image.Resampling.LANCZOS
        return Image.fromarray(image).resize((width, height), smooth)

    name = f"{camera}, " if camera else ""
    if recorded is None:
        first = captioned(sized(overlay.semantic_picture(pixels["semantic"])), f"{name}classes")
    else:
        first = captioned(sized(recorded), f"{name}recorded")
    distance = captioned(sized(overlay.depth_picture(pixels["range_m"])), "distance")
    _draw_scale(distance)
    return [
        first,
        captioned(sized(pixels["rgb"]), "rendered"),
        captioned(overlay.labelled(pixels["rgb"], pixels, record, width), "labels"),
        distance,
    ]


def captioned(picture: "Image.Image", words: str) -> "Image.Image":
    """The picture with a small caption in its lower left corner."""
    from PIL import Image, ImageDraw

    font = overlay.font_of(13)
    layer = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    wide = draw.textlength(words, font=font) + 14
    low = picture.height - 6
    draw.rounded_rectangle((6, low - 21, 6 + wide, low), radius=4, fill=(*overlay.INK, 190))
    draw.text((13, low - 10.5), words, font=font, fill=overlay.PAPER, anchor="lm")
    out = picture.convert("RGB")
    out.paste(layer, mask=layer)
    return out


def _draw_scale(picture: "Image.Image") -> None:
    """The colours of some distances, in the lower right corner."""
    from PIL import Image, ImageDraw

    wide, high = min(220, picture.width // 3), 8
    span = np.geomspace(overlay.DEPTH_NEAR_M, overlay.DEPTH_FAR_M, wide)
    bar = overlay.depth_picture(np.broadcast_to(span, (high, wide)).copy())
    left, top = picture.width - wide - 12, picture.height - 16
    layer = Image.new("RGBA", picture.size)
    ImageDraw.Draw(layer).rounded_rectangle(
        (left - 8, top - 18, left + wide + 8, top + high + 4), radius=4, fill=(*overlay.INK, 190)
    )
    picture.paste(layer, mask=layer)
    picture.paste(Image.fromarray(bar), (left, top))
    draw = ImageDraw.Draw(picture)
    ends = np.log(overlay.DEPTH_FAR_M / overlay.DEPTH_NEAR_M)
    for distance_m in overlay.DEPTH_TICKS_M:
        x = left + wide * np.log(distance_m / overlay.DEPTH_NEAR_M) / ends
        words = f"{distance_m} m"
        draw.text((x, top - 8), words, font=overlay.font_of(11), fill=overlay.PAPER, anchor="mm")


def grid(
    pictures: Sequence["Image.Image"], columns: int, title: str = "", note: str = ""
) -> "Image.Image":
    """Pictures in rows, under a line with a title and, at its right end, a note.

    Smaller pictures lie in the middle of cells of the largest one's size.
    """
    from PIL import Image, ImageDraw

    wide, high = (max(picture.size[axis] for picture in pictures) for axis in (0, 1))
    rows = -(-len(pictures) // columns)
    top = HEADER if title or note else 0
    size = (columns * (wide + GAP) - GAP, top + rows * (high + GAP) - GAP)
    # H.264's usual colour format needs even sides.
    out = Image.new("RGB", (size[0] + size[0] % 2, size[1] + size[1] % 2), BACKGROUND)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        left, above = ((wide - picture.width) // 2, (high - picture.height) // 2)
        out.paste(picture, (column * (wide + GAP) + left, top + row * (high + GAP) + above))
    if top:
        draw, middle = ImageDraw.Draw(out), HEADER / 2
        draw.text((10, middle), title, font=overlay.font_of(16), fill=overlay.PAPER, anchor="lm")
        draw.text(
            (size[0] - 10, middle),
            note,
            font=overlay.font_of(14),
            fill=(170, 176, 186),
            anchor="rm",
        )
    return out
