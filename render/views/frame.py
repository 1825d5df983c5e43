"""From a shot to a frame: one picture with all its labels.

`render_frame` asks the renderer once for the channels that the wanted labels need, and computes
every entry of the table of labels from what came back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float16, Float32, Float64, UInt8, UInt16

from recon.rendering.shot import Renderer, Shot
from render.json_value import Json
from render.labels.gate import LabelGate
from render.labels.moment import moment_of
from render.labels.table import (
    PIXEL_NAMES,
    PixelValues,
    channels_of,
    frame_values,
    object_values,
)
from scenes.road.ground import Ground, fit_ground
from scenes.safety.encounters import Ego
from scenes.sensors.camera import Camera
from scenes.work.short_repr import short_repr


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One picture and its labels; `render.labels.table` says what each is."""

    camera: Camera
    time_us: int
    world_from_camera: Float64[np.ndarray, "4 4"]
    """Pose while the first row is exposed [m]."""
    pixels: Mapping[str, np.ndarray]
    """Pixel labels by name, each [h, w] or [h, w, 3]; all of them, if all were asked for."""
    objects: tuple[Mapping[str, Json], ...] = field(default=())
    """Labels of every road user in view."""
    labels: Mapping[str, Json]
    """Labels of the whole picture."""

    __repr__ = short_repr

    @property
    def rgb(self) -> UInt8[np.ndarray, "h w 3"]:
        """The picture, sRGB."""
        return self.pixels["rgb"]

    @property
    def linear(self) -> Float16[np.ndarray, "h w 3"]:
        """Linear radiance."""
        return self.pixels["linear"]

    @property
    def z_m(self) -> Float32[np.ndarray, "h w"]:
        """Planar depth [m]."""
        return self.pixels["z_m"]

    @property
    def range_m(self) -> Float32[np.ndarray, "h w"]:
        """Distance along the ray [m]."""
        return self.pixels["range_m"]

    @property
    def opacity(self) -> Float32[np.ndarray, "h w"]:
        """Share of light that the scene absorbs."""
        return self.pixels["opacity"]

    @property
    def normal(self) -> Float16[np.ndarray, "h w 3"]:
        """Surface normal (world)."""
        return self.pixels["normal"]

    @property
    def semantic(self) -> UInt8[np.ndarray, "h w"]:
        """Class ids."""
        return self.pixels["semantic"]

    @property
    def instance(self) -> UInt16[np.ndarray, "h w"]:
        """Road user ids."""
        return self.pixels["instance"]


@torch.no_grad()
def render_frame(
    renderer: Renderer,
    shot: Shot,
    *,
    ground: Ground | None = None,
    ego: Ego | None = None,
    gate: LabelGate | None = None,
    labels: Sequence[str] = PIXEL_NAMES,
) -> Frame:
    """Render one picture with all its labels.

    Args:
        renderer: What renders it.
        shot: What picture is wanted.
        ground: Road height, for those who render many; fitted to the clip when left out.
        ego: How the ego moves, for labels of safety, which are null when left out.
        gate: What road users must show to be labelled; `LabelGate()` when left out.
        labels: Which pixel labels the frame holds, by name. What they do not need is not rendered.
    """
    buffers = renderer.render(shot, channels_of(labels))
    ground = fit_ground(renderer.clip) if ground is None else ground
    moment = moment_of(renderer, shot, buffers, ground, ego, gate or LabelGate())
    values = PixelValues(moment)
    return Frame(
        camera=shot.camera,
        time_us=shot.time_us,
        world_from_camera=moment.world_from_camera,
        pixels={name: values[name] for name in labels},
        objects=tuple(object_values(moment, values)),
        labels=frame_values(moment),
    )
