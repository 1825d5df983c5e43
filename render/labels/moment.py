"""What labels are computed from: a shot, the buffers that answered it, and the drive."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64, UInt8
from torch import Tensor

from recon.rendering.shot import Buffers, PixelRays, Renderer, Shot, pixel_rays
from render.labels.cuboids import ActorBox, boxes_in_view, instance_numbers
from render.labels.gate import LabelGate
from render.labels.unlabelled import ignore_regions
from scenes.clip import Clip
from scenes.road.ground import Ground
from scenes.safety.encounters import Ego
from scenes.sensors.camera import Camera


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moment:
    """One picture, as labels see it. A channel that was not requested is a `KeyError`."""

    clip: Clip
    ground: Ground
    shot: Shot
    buffers: Buffers
    boxes: tuple[ActorBox, ...]
    """Road users in view."""
    ignore_regions: tuple[Mapping[str, object], ...] = ()
    """What the drive left unlabelled, as the table says."""
    ego: Ego | None = None
    """How the car that carries the camera moves, where that is known."""
    doubtful: Mapping[int, str] = field(default_factory=dict)
    """Whose own field does not show it as recorded, by track id, and why in words."""
    gate: LabelGate = LabelGate()
    """What road users must show to be labelled."""

    @property
    def stream(self) -> int:
        """Which of the clip's cameras; it knows the mounting."""
        return self.shot.stream

    @property
    def camera(self) -> Camera:
        """Intrinsics."""
        return self.shot.camera

    @property
    def time_us(self) -> int:
        """When the first row is exposed [µs]."""
        return self.shot.time_us

    @property
    def world_from_camera(self) -> Float64[np.ndarray, "4 4"]:
        """Pose while the first row is exposed [m]."""
        return self.shot.pose_at(self.time_us)

    @property
    def world_from_camera_end(self) -> Float64[np.ndarray, "4 4"]:
        """Pose after the last row; the same for a global shutter [m]."""
        return self.shot.pose_at(self.time_us + self.camera.readout_us)

    @property
    def _rays(self) -> PixelRays:
        return pixel_rays(self.shot)

    @property
    def origins_m(self) -> Float64[Tensor, "h w 3"]:
        """Where rays start [m, world]."""
        return self._rays.origins_m.view(self.camera.height, self.camera.width, 3)

    @property
    def directions(self) -> Float64[Tensor, "h w 3"]:
        """Unit directions of rays (world)."""
        return self._rays.directions.view(self.camera.height, self.camera.width, 3)

    @property
    def cosine(self) -> Float64[Tensor, "h w"]:
        """Of each ray and the camera's axis; 0 or less beside and behind, NaN where nothing is."""
        return self._rays.cosine.view(self.camera.height, self.camera.width)

    @property
    def range_m(self) -> Float[Tensor, "h w"]:
        """First surface along each ray [m]; inf for sky."""
        return self.buffers["range_m"]

    @property
    def support(self) -> UInt8[Tensor, "h w"]:
        """What is known of surfaces of road users with fields (`recon.rendering.shot.CHANNELS`)."""
        return self.buffers["support"]

    @property
    def observed(self) -> Bool[Tensor, "h w"]:
        """Whether training pictures showed the same from a comparable side and distance."""
        return self.buffers["observed"]

    @property
    def instance_index(self) -> Int64[Tensor, "h w"]:
        """Number, by `instance_numbers`, of whose own field the pixel shows; 0 for none.

        Negative for the ground under a vehicle, in the vehicle's field.
        """
        numbers = instance_numbers(self.shot.actors, self.clip.actors)
        known = torch.tensor([0, *(numbers[actor.id] for actor in self.shot.actors)])
        shown = self.buffers["instance"]
        return torch.where(shown < 0, shown, known[shown.clamp_min(0)])


def moment_of(
    renderer: Renderer,
    shot: Shot,
    buffers: Buffers,
    ground: Ground,
    ego: Ego | None,
    gate: LabelGate,
) -> Moment:
    """What labels of a shot are computed from, given its buffers."""
    clip = renderer.clip
    view = shot.camera, shot.world_from_camera, shot.time_us
    doubts = renderer.doubtful_actors
    return Moment(
        clip=clip,
        ground=ground,
        shot=shot,
        buffers=buffers,
        boxes=boxes_in_view(shot.actors, *view, buffers.modelled, clip.actors),
        ignore_regions=ignore_regions(renderer, shot),
        ego=ego,
        # not who looks like an asset, wherever it drives
        doubtful={number: why for number, why in doubts.items() if number not in shot.assets},
        gate=gate,
    )
