"""Which pixels of a picture show what the training pictures showed, and which something made up."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float64, UInt8
from torch import Tensor

from recon.actors.actor_fields import OBSERVED
from render.views.actors import MarchResult

if TYPE_CHECKING:
    from render.views.view import RenderableScene


@runtime_checkable
class ObservedScene(Protocol):
    """What a scene offers besides that was learnt from pictures (`recon.scene.Scene` does)."""

    def observed_surfaces(
        self,
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        range_m: Float64[np.ndarray, "n"],
        forward: Float64[np.ndarray, "3"],
    ) -> Bool[np.ndarray, "n"]:
        """Whether some training picture showed what each ray of a picture ends on.

        Args:
            origins_m: Where rays start (world).
            directions: Their unit directions (world); NaN where a lens shows nothing.
            range_m: Distances to the static scene's first surface; inf for sky.
            forward: Unit vector along which the camera looks (world).
        """
        ...


def observed_pixels(
    scene: "RenderableScene",
    march: MarchResult,
    support: UInt8[Tensor, "n"],
    origins_m: Float64[np.ndarray, "n 3"],
    directions: Float64[np.ndarray, "n 3"],
    forward: Float64[np.ndarray, "3"],
) -> Bool[Tensor, "n"]:
    """Whether training pictures showed what each pixel shows, from a comparable side and distance.

    Of road users with fields, `support` knows; a scene that was not learnt from pictures knows all.
    """
    static = march.instance.cpu() == 0
    observed = (support == OBSERVED) | static
    if isinstance(scene, ObservedScene):
        asked = static.numpy()
        found = scene.observed_surfaces(
            origins_m[asked],
            directions[asked],
            march.range_m.cpu().double().numpy()[asked],
            forward,
        )
        observed[static] = torch.from_numpy(found)
    return observed
