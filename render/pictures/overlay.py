"""Drawing labels over pictures: for previews, reports and documentation.

Everything is drawn at twice the size and averaged down, because Pillow's lines have no smooth
edges. Colours here mean nothing outside of pictures.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8

from render.folders.frames import camera_of
from render.json_value import Json
from render.labels.cuboids import faces_px
from render.labels.gating import is_ignored
from render.labels.palettes import Colour
from render.labels.palettes import bright as track_colour
from scenes.semantics import COLOURS, Semantic
from scenes.sensors.camera import Camera

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont


SUPERSAMPLING = 2
INK, PAPER = (24, 28, 34), (245, 246, 248)
TINTED = {Semantic.GROUND: (64, 196, 160), Semantic.ROAD: (64, 196, 160)}
"""Ground is tinted so that it stands out from grey road; road users get their own colour."""
GROUND_TINT, ACTOR_TINT = 0.28, 0.42
"""How strongly."""
DEPTH_NEAR_M, DEPTH_FAR_M = 3.0, 80.0
"""Ends of the scale of distances."""
DEPTH_STOPS = (
    (255, 246, 196), (253, 206, 116), (244, 143, 78), (214, 82, 92),
    (154, 48, 120), (92, 34, 126), (44, 28, 96), (16, 14, 44),
)  # fmt: skip
"""Near to far, evenly spaced in the logarithm of distance; brightness falls all the way."""
DEPTH_TICKS_M = (5, 10, 20, 40)


def tinted(
    rgb: UInt8[np.ndarray, "h w 3"], pixels: Mapping[str, np.ndarray], objects: Sequence[Json]
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with ground and road users coloured."""
    out = rgb.astype(np.float32)
    for kind, colour in TINTED.items():
        _blend(out, pixels["semantic"] == kind, colour, GROUND_TINT)
    for item in objects:
        mask = pixels["instance"] == item["instance"]
        _blend(out, mask, track_colour(item["track_id"]), ACTOR_TINT)
    return np.round(out).astype(np.uint8)


def _blend(
    out: Float[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], colour: Colour, share: float
) -> None:
    out[mask] = out[mask] * (1.0 - share) + np.array(colour, dtype=np.float32) * share


def semantic_picture(semantic: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Classes in their own colours."""
    table = np.zeros((256, 3), dtype=np.uint8)
    for kind, colour in COLOURS.items():
        table[kind] = colour
    return table[semantic]


def depth_picture(range_m: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Distances on a logarithmic scale, bright is near; sky is a blue of its own."""
    stops = np.array(DEPTH_STOPS, dtype=np.float64)
    span = np.log(DEPTH_FAR_M / DEPTH_NEAR_M)
    with np.errstate(divide="ignore"):
        share = np.log(np.maximum(range_m, 1e-3) / DEPTH_NEAR_M) / span
    place = np.clip(share, 0.0, 1.0) * (len(stops) - 1)
    low = np.minimum(place.astype(np.int64), len(stops) - 2)
    part = (place - low)[..., None]
    colours = stops[low] * (1.0 - part) + stops[low + 1] * part
    colours[~np.isfinite(range_m)] = (70, 96, 130)
    return np.round(colours).astype(np.uint8)


def labelled(
    rgb: UInt8[np.ndarray, "h w 3"],
    pixels: Mapping[str, np.ndarray],
    record: Mapping[str, Json],
    width: int,
) -> "Image.Image":
    """The picture, `width` pixels wide, with tints, 2D boxes, cuboids and track ids."""
    from PIL import Image, ImageDraw

    base = Image.fromarray(tinted(rgb, pixels, record["objects"]))
    height = round(width * rgb.shape[0] / rgb.shape[1])
    large = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    picture = base.resize(large, Image.Resampling.BICUBIC)
    camera = camera_of(record).scaled(*large)
    # Far ones first, so that what is near is drawn over what it hides.
    ordered = sorted(record["objects"], key=lambda item: -item["camera_from_box"][2][3])
    scale = large[0] / rgb.shape[1]
    for item in ordered:
        layer = Image.new("RGBA", large)
        draw = ImageDraw.Draw(layer)
        if not is_ignored(item):
            _draw_cuboid(draw, camera, item)
            if item["box_2d"] is not None:
                _draw_box(draw, item, scale)
        else:
            _draw_ignored(layer, draw, item, scale)
        picture.paste(layer, mask=layer)
    for region in record.get("ignore_regions", ()):
        layer = Image.new("RGBA", large)
        _draw_ignored(layer, ImageDraw.Draw(layer), {"ignore_region": region["polygon"]}, scale)
        picture.paste(layer, mask=layer)
    draw = ImageDraw.Draw(picture)
    for item in ordered:
        _draw_tag(draw, item, scale, large)
    return picture.resize((width, height), Image.Resampling.BOX)


def _draw_cuboid(draw: "ImageDraw.ImageDraw", camera: Camera, item: Mapping[str, Json]) -> None:
    colour = track_colour(item["track_id"])
    faces = faces_px(camera, np.array(item["camera_from_box"]), np.array(item["size_m"]))
    bottom, top, front, right, back, left = faces
    for face in (bottom, back, left, right, top, front):
        if len(face) >= 3:
            points = [(float(x), float(y)) for x, y in face]
            # The end that drives ahead is filled: it tells the heading.
            fill = (*colour, 70) if face is front else None
            draw.polygon(points, fill=fill)
            draw.line([*points, points[0]], fill=(*colour, 210), width=2, joint="curve")


def _draw_box(draw: "ImageDraw.ImageDraw", item: Mapping[str, Json], scale: float) -> None:
    left, top, right, bottom = (edge * scale for edge in item["box_2d"])
    for grow, colour in ((2, (*INK, 160)), (0, (*PAPER, 235))):
        draw.rectangle(
            (left - grow, top - grow, right + grow, bottom + grow), outline=colour, width=2
        )


def _draw_ignored(
    layer: "Image.Image", draw: "ImageDraw.ImageDraw", item: Mapping[str, Json], scale: float
) -> None:
    from PIL import Image, ImageDraw

    points = [(x * scale, y * scale) for x, y in item["ignore_region"]]
    inside = Image.new("L", layer.size)
    ImageDraw.Draw(inside).polygon(points, fill=255)
    hatch = Image.new("RGBA", layer.size)
    lines = ImageDraw.Draw(hatch)
    for start in range(-layer.height, layer.width, 12):
        lines.line((start, layer.height, start + layer.height, 0), fill=(*PAPER, 130), width=2)
    layer.paste(hatch, mask=inside)
    draw.line([*points, points[0]], fill=(*PAPER, 220), width=2, joint="curve")


def _draw_tag(
    draw: "ImageDraw.ImageDraw", item: Mapping[str, Json], scale: float, size: tuple[int, int]
) -> None:
    """Class, track id and distance on a chip above the box."""
    if item["box_2d"] is None and not is_ignored(item):
        return
    outline = np.array(item["ignore_region"] or np.array(item["box_2d"]).reshape(2, 2)) * scale
    distance_m = float(np.linalg.norm(np.array(item["camera_from_box"])[:3, 3]))
    name = item["class"].lower().replace("_", " ")
    words = f"{name} {item['track_id']}  {distance_m:.0f} m"
    if is_ignored(item):
        words = f"{name} {item['track_id']}  {item['ignored'].partition(':')[0]}"
    font = font_of(11 * SUPERSAMPLING)
    pad = 3 * SUPERSAMPLING
    wide, high = draw.textlength(words, font=font) + 2 * pad, 15 * SUPERSAMPLING
    if is_ignored(item) and np.ptp(outline[:, 1]) < high:
        return  # there are many small ones, far away, and their tags would hide the rest
    x = float(np.clip(outline[:, 0].min(), 0, max(size[0] - wide, 0)))
    y = float(np.clip(outline[:, 1].min() - high - 2, 0, size[1] - high))
    colour = track_colour(item["track_id"]) if not is_ignored(item) else (190, 194, 200)
    draw.rounded_rectangle((x, y, x + wide, y + high), radius=pad, fill=colour)
    light = np.dot(colour, (0.299, 0.587, 0.114)) > 110
    ink = INK if light else PAPER
    draw.text((x + pad, y + high / 2), words, font=font, fill=ink, anchor="lm")


@cache
def font_of(size: int) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    """The font that Pillow brings, so that pictures look the same everywhere."""
    from PIL import ImageFont

    return ImageFont.load_default(size)
