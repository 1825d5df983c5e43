"""What surfaces are made of: fields of materials hold no light, and are lit where they are put.

Their colour is albedo. Beside it they know how polished a place is, how open to the light around,
and its normal, which is finer than one that is told from the depths of a few pixels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from recon.kernels.mlp import MIN_WIDTH, mlp_shapes

HARMONICS = 4
"""Spherical harmonics of the direction."""
MOST_MIRROR, MOST_OPEN = 0.1, 1.5
"""Of reflectance straight on, and of openness."""
POLISHED = 0.03
"""Whatever mirrors more than this straight on is as smooth as a pane; less fades to matt."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Material:
    """Of places on surfaces."""

    mirror: Float[Tensor, "n"]
    """Share of light that is mirrored straight on (Fresnel's reflectance at normal incidence)."""
    openness: Float[Tensor, "n"]
    """Light that comes from around, over what would come to a face of the box with that normal."""
    normal: Float[Tensor, "n 3"]
    """Unit vector, in the frame of the box."""

    def mirrored(self, facing: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Share of light that is mirrored, by the cosine between the normal and the way to the eye.

        Schlick's approximation (1994) of Fresnel's equations.
        """
        steep = self.mirror + (1.0 - self.mirror) * (1.0 - facing.clamp(0.0, 1.0)) ** 5
        return (self.mirror / POLISHED).clamp(0.0, 1.0) * steep


def material_shapes(geometry_features: int) -> tuple[tuple[int, int], ...]:
    """Shapes of the weights of the network that knows materials.

    Its inputs are the geometry's features and harmonics of the direction: within the thickness of a
    corner, it depends on the side that one looks at which of its faces one sees.
    """
    return mlp_shapes(geometry_features + HARMONICS, MIN_WIDTH, 1, 5)


def material_of(raw: Float[Tensor, "n 5"]) -> Material:
    """What the outputs of that network say."""
    return Material(
        mirror=MOST_MIRROR * raw[:, 0].sigmoid(),
        openness=MOST_OPEN * raw[:, 1].sigmoid(),
        normal=torch.nn.functional.normalize(raw[:, 2:], dim=1),
    )
