"""Arms and legs of a look: rigid parts with fields of their own that swing as somebody goes.

One field that is told the time shows a little of every moment at any of them: four legs. A limb
that is learnt by itself is sharp at all of them, and its field serves left and right.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recon.actors.actor_fields import mirror, square, unit_from_box
from recon.field.field import GridField
from scenes.motion.gait import strides, swung
from scenes.motion.geometry import invert, translation
from scenes.motion.trajectory import Trajectory

Place = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hinge:
    """How a limb hangs on somebody, in the frame of his box [m]."""

    part: int
    """Which of the fields shows it."""
    mirrored: bool
    """Whether that shows it with left and right exchanged."""
    middle_m: Place
    """Of its own box, when it hangs straight."""
    hinge_m: Place
    """A point of the hinge."""
    axis: Place
    """Unit vector along the hinge."""
    swing_rad: float
    """How far it swings to either side."""
    phase: float
    """Where in its swing it begins, 0 to 1."""

    def limb_from_box(
        self, path: Trajectory, time_us: Int64[np.ndarray, "n"], stride_m: float
    ) -> Float[np.ndarray, "n 4 4"]:
        """From the frame of the whole's box to that of the limb's own, as it swings on a path."""
        swings, share = strides(path, time_us, stride_m)
        angle = share * self.swing_rad * np.sin(2.0 * np.pi * (swings + self.phase))
        turned = swung(np.array(self.hinge_m), np.array(self.axis), angle)
        return translation(-np.array(self.middle_m)) @ invert(turned)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Limbs:
    """All of somebody's."""

    stride_m: float
    """Way of a swing there and back."""
    size_m: Place
    """The whole's box."""
    hinges: tuple[Hinge, ...]
    fields: tuple[GridField, ...]
    sizes_m: tuple[Place, ...]
    """Boxes of the fields."""
    samples: int
    """Into so many steps a ray through the box of a limb is cut."""

    def __post_init__(self) -> None:
        if len(self.fields) != len(self.sizes_m):
            raise ValueError(f"{len(self.fields)} fields of limbs, {len(self.sizes_m)} boxes")
        if not {hinge.part for hinge in self.hinges} <= set(range(len(self.fields))):
            raise ValueError(f"limbs of fields that are not there ({len(self.fields)} are)")

    def placed(
        self,
        box_from_world: Float[Tensor, "moments 4 4"],
        path: Trajectory,
        time_us: Int64[np.ndarray, "moments"],
        size_m: Float[Tensor, "3"],
    ) -> list[tuple[GridField, Float[Tensor, "moments 3 4"]]]:
        """Field of each limb, and the way from the world to its unit cube.

        Args:
            box_from_world: Of the whole's box.
            path: Where that goes.
            time_us: Of the moments.
            size_m: The box as it is staged: limbs grow with it.
        """
        grown = torch.tensor([*self.size_m, 1.0]) / torch.cat([size_m.cpu(), torch.ones(1)])
        there = torch.diag(grown).to(box_from_world) @ box_from_world
        found = []
        for hinge in self.hinges:
            limb_from_box = hinge.limb_from_box(path, time_us, self.stride_m)
            unit = unit_from_box(torch.tensor(self.sizes_m[hinge.part]))
            unit = square(mirror(unit) if hinge.mirrored else unit).to(box_from_world)
            maps = unit @ torch.from_numpy(limb_from_box).to(box_from_world) @ there
            found.append((self.fields[hinge.part], maps[:, :3]))
        return found
