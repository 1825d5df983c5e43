"""What a vehicle's own field shows under the vehicle is ground.

Pictures show a vehicle with its shadow, which goes where it goes, so a field that was learnt from
them fills what is under it with darkness. What is that low is ground, unless one looks at a wheel.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.field.space import cross_box
from recon.lighting.box_shadows import CLEARANCE

BUMPER = 0.14
"""Height over their own at which vehicles begin at their ends, 0.2 m of cars and half a metre of
lorries (where ECE R58 wants guards, 0.55 m up at most); between their axles it is `CLEARANCE`."""
AXLE, RADIUS_M, TYRE_M, FOOT_M = 0.3, 0.33, 0.25, 0.03
"""How far from the middle axles are, in lengths (wheelbases are about 0.6 of them); half the
diameter of wheels, and how far in from the vehicle's side they reach; below this, one sees road."""
SLACK_M, BULGE = 0.2, 1.1
"""Fields put surfaces so far behind where they are, and make things wider by so much."""


def under_vehicle(
    points_m: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"], size_m: Float[Tensor, "3"]
) -> Bool[Tensor, "n"]:
    """Whether rays see ground under a vehicle, where its field has them end at points.

    Args:
        points_m: In a frame whose axes are the vehicle's (x ahead) and whose origin is on the
            ground under its middle [m].
        directions: Of the rays, in that frame (any length).
        size_m: Length, width, height of the vehicle.
    """
    length, width = size_m[:2]
    wheel_end = AXLE * length + RADIUS_M
    behind = (0.5 * length - wheel_end).clamp_min(0.01)  # quads are shorter than their wheels
    share = ((points_m[:, 0].abs() - wheel_end) / behind).clamp(0.0, 1.0)
    low = points_m[:, 2] < size_m[2] * (CLEARANCE + (BUMPER - CLEARANCE) * share)
    ways = torch.nn.functional.normalize(directions, dim=1)
    on_wheel = torch.zeros_like(low)
    for ahead in (-1.0, 1.0):
        for left in (-1.0, 1.0):
            inner, outer = 0.5 * width - TYRE_M, 0.5 * BULGE * width
            middle = [ahead * AXLE * length, 0.5 * left * (inner + outer), RADIUS_M + 0.5 * FOOT_M]
            half = [RADIUS_M, 0.5 * (outer - inner), RADIUS_M - 0.5 * FOOT_M]
            centre, reach = torch.tensor([middle, half])
            near, far = cross_box(points_m, ways, centre - reach, centre + reach)
            on_wheel |= (near <= far) & (far >= -SLACK_M)
    return low & ~on_wheel
