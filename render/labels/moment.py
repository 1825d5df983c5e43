"""What every label is computed from: one march through the scene, for one picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, UInt8
from torch import Tensor

from render.labels.cuboids import ActorBox
from render.labels.gate import LabelGate
from scenes.clip import Clip
from scenes.road.ground import Ground
from scenes.safety.encounters import Ego
from scenes.sensors.camera import Camera


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moment:
    """A picture's rays, what the march along them returned, and what the drive knows."""

    clip: Clip
    ground: Ground
    stream: int
    """Which of the clip's cameras; it knows the mounting."""
    camera: Camera
    time_us: int
    """When the first line is exposed [µs]."""
    world_from_camera: Float64[np.ndarray, "4 4"]
    """Pose while the first line is exposed [m]."""
    world_from_camera_end: Float64[np.ndarray, "4 4"]
    """Pose after the last line; the same for a global shutter [m]."""
    boxes: tuple[ActorBox, ...]
    """Road users in view."""
    origins_m: Float64[Tensor, "h w 3"]
    """Where rays start [m, world]."""
    directions: Float64[Tensor, "h w 3"]
    """Unit directions of rays (world)."""
    cosine: Float64[Tensor, "h w"]
    """Of each ray and the camera's axis: planar z = range * cosine, 0 or less beside and behind;
    NaN where the lens sees nothing."""
    linear: Float[Tensor, "h w 3"]
    """Linear radiance, sky included, before the look."""
    shown: Float[Tensor, "h w 3"]
    """sRGB of the same under the look and the camera's photometry, 0 to 1."""
    opacity: Float[Tensor, "h w"]
    """Share of light that the scene absorbs."""
    shows: Int64[Tensor, "h w"]
    """Number, among the actors from 1, of the one whose own field the pixel shows; 0 for none, and
    negative for the ground under a vehicle, in the vehicle's field."""
    support: UInt8[Tensor, "h w"]
    """Of its surface there: 2 where training pictures showed it, 1 where only its mirror image."""
    observed: Bool[Tensor, "h w"]
    """Whether training pictures showed the same from a comparable side and distance."""
    range_m: Float[Tensor, "h w"]
    """First surface along each ray [m]; inf for sky."""
    ignore_regions: tuple[Mapping[str, object], ...] = ()
    """What the drive left unlabelled, as the table says."""
    ego: Ego | None = None
    """How the car that carries the camera moves, where that is known."""
    doubtful: Mapping[int, str] = field(default_factory=dict)
    """Whose own field does not show it as recorded, by track id, and why in words."""
    gate: LabelGate = LabelGate()
    """What road users must show to be labelled."""
