"""The labels of pixels: what each is, and its reference in torch (in the order of the table)."""

import torch
from torch import Tensor

from render.labels.entry import Done, PixelLabel
from render.labels.moment import Moment
from render.labels.surfaces import instance_map, on_ground, surface_points
from scenes.semantics import Semantic


def _rgb(moment: Moment, done: Done) -> Tensor:
    del done
    return torch.round(moment.buffers["shown"].clamp(0.0, 1.0) * 255.0)


def _z_m(moment: Moment, done: Done) -> Tensor:
    range_m = done["range_m"].double()
    # beside and behind a wide lens the cosine is 0 or less: the sky is infinite there, too
    return torch.where(torch.isinf(range_m), range_m, range_m * moment.cosine)


def _instance(moment: Moment, done: Done) -> Tensor:
    del done
    return torch.from_numpy(instance_map(moment))


def _semantic(moment: Moment, done: Done) -> Tensor:
    semantic = torch.full(done["range_m"].shape, int(Semantic.UNKNOWN), dtype=torch.uint8)
    points, normal = surface_points(moment), done["normal"].double().numpy()
    semantic[torch.from_numpy(on_ground(points, normal, moment.ground))] = int(Semantic.GROUND)
    semantic[moment.buffers["instance"] < 0] = int(Semantic.GROUND)
    semantic[torch.isinf(done["range_m"])] = int(Semantic.SKY)
    semantic[torch.isnan(moment.cosine)] = int(Semantic.UNKNOWN)
    for box in moment.boxes:
        semantic[done["instance"] == box.index] = int(box.actor.kind)
    return semantic


PIXEL_LABELS: tuple[PixelLabel, ...] = (
    PixelLabel(
        name="linear",
        definition="Radiance of the scene in linear light, sky included; relative to the mean "
        "exposure of the clip, untouched by the look. Along the pixel's middle, as all labels; at "
        "edges of inserted assets, and of new shadows, the mean along nine rays.",
        unit="relative radiance",
        dtype="float16",
        shape="h w 3",
        stored="npz",
        compute=lambda moment, _: moment.buffers["linear"].clamp(0.0, 65504.0),
        channels=("linear",),
    ),
    PixelLabel(
        name="rgb",
        definition="The picture: radiance under the exposure of its moment, the look, and sRGB's "
        "response.",
        unit="sRGB, 0 to 255",
        dtype="uint8",
        shape="h w 3",
        stored="png",
        compute=_rgb,
        channels=("shown",),
    ),
    PixelLabel(
        name="opacity",
        definition="Share of the light that the scene absorbs along the ray; a pixel below 0.5 is "
        "sky.",
        unit="1, 0 to 1",
        dtype="float32",
        shape="h w",
        stored="npz",
        compute=lambda moment, _: moment.buffers["opacity"],
        channels=("opacity",),
    ),
    PixelLabel(
        name="range_m",
        definition="Distance along the ray to the first surface, where half of its light is "
        "absorbed; infinite for sky, and where the lens sees nothing.",
        unit="m",
        dtype="float32",
        shape="h w",
        stored="npz",
        compute=lambda moment, _: moment.range_m,
        channels=("range_m",),
    ),
    PixelLabel(
        name="z_m",
        definition="Distance of the same surface along the camera's axis, in the frame of the "
        "camera at the time of the pixel's line: range_m times the cosine of ray and axis, so 0 or "
        "less where a wide lens looks sideways or back; infinite for sky.",
        unit="m",
        dtype="float32",
        shape="h w",
        stored="npz",
        compute=_z_m,
        needs=("range_m",),
    ),
    PixelLabel(
        name="normal",
        definition="Unit normal of the surface, towards the camera: a plane fitted to the first "
        "surface in 5 x 5 pixels (or the corner of them that fits far better) without crossing "
        "a depth edge; NaN where none fits.",
        unit="1, world axes",
        dtype="float16",
        shape="h w 3",
        stored="npz",
        compute=lambda moment, _: moment.buffers["normal"],
        channels=("normal",),
    ),
    PixelLabel(
        name="observed",
        definition="255 where training pictures showed what the pixel shows, else 0: the same "
        "surface (at their distance there, within 3 % and 0.15 m), or sky in the same direction, "
        "from within 60 degrees of the same side and at most 4 times as far away; of road users "
        "with fields, see `observed_share`. What was not observed is made up.",
        unit="0 or 255",
        dtype="uint8",
        shape="h w",
        stored="png",
        compute=lambda moment, _: moment.observed.to(torch.uint8) * 255,
        channels=("observed",),
    ),
    PixelLabel(
        name="instance",
        definition="Which road user the surface belongs to: the ray meets its own field; or it "
        "lies in the box, grown by 0.15 m, of one that stands still. The ground under it is not "
        "part of it, nor, in the field of a car, van, truck or bus that was learnt from pictures, "
        "is what is lower over the foot of its box than 0.1 of its height (0.14 at its ends), "
        "unless the ray meets a wheel there (taken to be 0.66 m high, to begin 0.25 m inside its "
        "sides, and to be 0.3 of its length from its middle), or than 0.03 m. The number is the "
        "`instance` of an object of the same frame, and the same in all frames; 0 is none.",
        unit="id",
        dtype="uint16",
        shape="h w",
        stored="png",
        compute=_instance,
        channels=("range_m", "instance"),
    ),
    PixelLabel(
        name="semantic",
        definition="What the surface is, as far as the drive knows: the class of its road user; "
        "GROUND where it faces up within max(0.1 m, 3 residuals) of the fitted road (pavement and "
        "grass at that height too), or lies below it (nothing is seen through a road), or is what "
        "a vehicle's field shows under the vehicle; SKY where "
        "opacity is below 0.5; else UNKNOWN, as where the lens sees nothing. "
        "Ids: scenes.semantics.",
        unit="id",
        dtype="uint8",
        shape="h w",
        stored="png",
        compute=_semantic,
        channels=("range_m", "instance"),
        needs=("range_m", "normal", "instance"),
    ),
)
