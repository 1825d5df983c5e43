"""From a scene and a camera to a picture with all its labels.

`render_view` sends one ray through every pixel centre, marches once, and computes every entry of
the table of labels from what came back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Float32, Float64, Int64, UInt8, UInt16
from torch import Tensor

from recon.data.training_data import pixel_angle
from render.json_value import Json
from render.labels.cuboids import boxes_in_view, instance_numbers
from render.labels.gate import LabelGate
from render.labels.moment import Moment
from render.labels.normals import surface_normals
from render.labels.table import PIXEL_NAMES, PixelValues, frame_values, object_values
from render.labels.unlabelled import ignore_regions
from render.views.actors import (
    MarchResult,
    doubtful,
    march_people,
    row_times,
    shaded,
    support,
    whose,
)
from render.views.antialias import antialiased
from render.views.observed import observed_pixels
from scenes.actor import Actor
from scenes.clip import Clip
from scenes.motion.trajectory import Trajectory
from scenes.road.ground import Ground, fit_ground
from scenes.safety.encounters import Ego
from scenes.sensors.camera import Camera, camera_rays
from scenes.sensors.camera_look import NEUTRAL, CameraLook
from scenes.work.short_repr import short_repr


@runtime_checkable
class RenderableScene(Protocol):
    """What a scene must offer to be rendered (`recon.scene.Scene` does)."""

    @property
    def clip(self) -> Clip:
        """The drive it was made from."""
        ...

    def render_rays(
        self,
        origins: Float32[Tensor, "n 3"],
        directions: Float32[Tensor, "n 3"],
        pixel_angle: Float32[Tensor, "n"],
    ) -> MarchResult:
        """March along rays given in world coordinates [m], unit directions, pixels' angle [rad]."""
        ...

    def display(
        self,
        linear: Float[Tensor, "n 3"],
        stream: int,
        time_us: int,
        camera_look: CameraLook = NEUTRAL,
    ) -> Float[Tensor, "n 3"]:
        """sRGB in 0..1 of linear radiance, as a camera of the drive shows it then, under a look."""
        ...


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
def render_view(
    scene: RenderableScene,
    camera: Camera,
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory,
    *,
    stream: int = 0,
    time_us: int,
    camera_look: CameraLook = NEUTRAL,
    actors: Sequence[Actor] | None = None,
    assets: Mapping[int, str] | None = None,
    ground: Ground | None = None,
    ego: Ego | None = None,
    gate: LabelGate | None = None,
    labels: Sequence[str] | None = None,
) -> Frame:
    """Render one picture with all its labels.

    Args:
        scene: What to render.
        camera: Intrinsics of the picture.
        world_from_camera: Pose of the camera, or its trajectory where rows have their own times.
        stream: The clip's camera whose mounting and photometry apply.
        time_us: When the first row is exposed [µs].
        camera_look: Exposure and white balance; as recorded when left out.
        actors: Road users as staged; the clip's own when left out.
        assets: Which asset an actor looks like, by id; like itself when left out.
        ground: Road height, for those who render many; fitted to the clip when left out.
        ego: How the ego moves, for labels of safety, which are null when left out.
        gate: What road users must show to be labelled; `LabelGate()` when left out.
        labels: Which pixel labels the frame holds, by name; all when left out.
    """
    moment = _moment(
        scene,
        camera,
        world_from_camera,
        stream,
        time_us,
        camera_look,
        scene.clip.actors if actors is None else actors,
        assets or {},
        fit_ground(scene.clip) if ground is None else ground,
        ego,
        gate or LabelGate(),
    )
    values = PixelValues(moment)
    return Frame(
        camera=camera,
        time_us=time_us,
        world_from_camera=moment.world_from_camera,
        pixels={name: values[name] for name in (PIXEL_NAMES if labels is None else labels)},
        objects=tuple(object_values(moment, values)),
        labels=frame_values(moment),
    )


def _moment(
    scene: RenderableScene,
    camera: Camera,
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory,
    stream: int,
    time_us: int,
    camera_look: CameraLook,
    actors: Sequence[Actor],
    assets: Mapping[int, str],
    ground: Ground,
    ego: Ego | None,
    gate: LabelGate,
) -> Moment:
    """One march, and all that labels are computed from."""
    pixels = camera.pixel_centres().reshape(-1, 2)
    origins, directions = camera_rays(camera, pixels, world_from_camera, time_us)
    cosine, angle = camera.directions(pixels)[:, 2], pixel_angle(camera)
    blind = np.isnan(cosine)
    if blind.all():
        raise ValueError("the lens of the camera sees nothing in the picture")
    # a ray that the lens lacks is any other one, and what it meets is taken back below
    for each in (origins, directions, angle):
        each[blind] = each[~blind][0]
    rays = tuple(torch.from_numpy(each).float() for each in (origins, directions, angle))
    march, staged = march_people(scene, rays, actors, assets, row_times(camera, pixels, time_us))
    normals = cache(partial(_normals, camera, rays, march))
    linear = shaded(scene, march, staged, rays, normals, actors, time_us)
    linear = antialiased(
        scene, camera, world_from_camera, time_us, rays, actors, assets, staged, march, normals,
        linear,
    )  # fmt: skip
    shown = scene.display(linear, stream, time_us, camera_look)
    first, last = _pose_at(world_from_camera, np.array([time_us, time_us + camera.readout_us]))
    size = (camera.height, camera.width)
    known = support(march, staged, rays)
    middle = _pose_at(world_from_camera, np.array([time_us + camera.readout_us // 2]))[0]
    observed = observed_pixels(scene, march, known, origins, directions, middle[:3, 2])
    observed &= ~torch.from_numpy(blind)
    return Moment(
        clip=scene.clip,
        ground=ground,
        stream=stream,
        camera=camera,
        time_us=time_us,
        world_from_camera=first,
        world_from_camera_end=last,
        boxes=boxes_in_view(
            actors,
            camera,
            world_from_camera,
            time_us,
            () if staged is None else staged.looks,
            scene.clip.actors,
        ),
        shows=torch.from_numpy(
            whose(march, staged, instance_numbers(actors, scene.clip.actors), rays)
        ).view(size),
        support=known.view(size),
        observed=observed.view(size),
        ignore_regions=ignore_regions(scene, stream, camera, world_from_camera, time_us),
        ego=ego,
        doubtful=doubtful(scene, assets),
        gate=gate,
        origins_m=torch.from_numpy(origins).view(*size, 3),
        directions=torch.from_numpy(directions).view(*size, 3),
        cosine=torch.from_numpy(cosine).view(size),
        linear=_where_seen(linear, blind, 0.0).view(*size, 3),
        shown=_where_seen(shown.cpu(), blind, 0.0).view(*size, 3),
        opacity=_where_seen(march.opacity.cpu(), blind, 0.0).view(size),
        range_m=_where_seen(march.range_m.cpu(), blind, torch.inf).view(size),
    )


def _normals(camera: Camera, rays: tuple[Tensor, ...], march: MarchResult) -> Float[Tensor, "n 3"]:
    """Of what rays through a picture's pixels meet, in the world; NaN where there is none."""
    size = (camera.height, camera.width)
    found = surface_normals(
        rays[0].double().view(*size, 3), rays[1].double().view(*size, 3),
        march.range_m.cpu().view(size), float(rays[2].nanmedian()),
    )  # fmt: skip
    return found.view(-1, 3)


def _where_seen(
    values: Float[Tensor, "n *c"], blind: Bool[np.ndarray, "n"], empty: float
) -> Float[Tensor, "n *c"]:
    """Values of pixels, `empty` where the lens sees nothing."""
    return values.index_fill(0, torch.from_numpy(np.flatnonzero(blind)), empty)


def _pose_at(
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory, time_us: Int64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 4 4"]:
    if isinstance(world_from_camera, Trajectory):
        return world_from_camera.at(time_us)
    return np.broadcast_to(world_from_camera, (len(time_us), 4, 4)).copy()
