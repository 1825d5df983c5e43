"""The middle of a road, as a smooth curve in the plane; the straight street is bent along it.

Rest coordinates of a road are (s, d): metres along its middle, and metres to the left of it.
Curvature is continuous, as on real roads, so that nobody has to jerk the wheel. World
coordinates are x, y [m]; headings are radians.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64

from scenes.motion.geometry import rigid, yaw_rotation
from scenes.worlds.models.mesh import Mesh

STEP_M = 0.25
"""Between two knots of the table; at a radius of 12 m the chord is off by 0.7 mm."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CentreLine:
    """A plane curve by arc length, straight beyond both ends."""

    s_m: Float64[np.ndarray, "n"]
    """Arc length of each knot, increasing."""
    xy_m: Float64[np.ndarray, "n 2"]
    """Where the knots are."""
    yaw: Float64[np.ndarray, "n"]
    """Heading at each, unwrapped."""

    def yaw_at(self, s_m: Float[np.ndarray, "*k"]) -> Float64[np.ndarray, "*k"]:
        """Heading at each arc length [rad]."""
        return np.interp(s_m, self.s_m, self.yaw)

    def at(
        self, s_m: Float[np.ndarray, "*k"], d_m: Float[np.ndarray, "*k"]
    ) -> Float64[np.ndarray, "*k 2"]:
        """World x and y of rest positions."""
        inside = np.clip(s_m, self.s_m[0], self.s_m[-1])
        yaw = self.yaw_at(inside)
        ahead = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
        left = np.stack([-np.sin(yaw), np.cos(yaw)], axis=-1)
        middle = np.stack([np.interp(inside, self.s_m, self.xy_m[:, i]) for i in (0, 1)], axis=-1)
        beyond = np.asarray(s_m - inside)[..., None]
        return middle + beyond * ahead + np.asarray(d_m)[..., None] * left

    def poses(
        self, s_m: Float[np.ndarray, "k"], d_m: Float[np.ndarray, "k"], z_m: float = 0.0
    ) -> Float64[np.ndarray, "k 4 4"]:
        """World poses of rest positions, x axis along the road."""
        place = np.concatenate([self.at(s_m, d_m), np.full((len(s_m), 1), z_m)], axis=1)
        return rigid(yaw_rotation(self.yaw_at(s_m)), place)

    def bent(self, mesh: Mesh) -> Mesh:
        """A mesh made in rest coordinates, laid along the road and painted as before."""
        flat = self.at(mesh.vertices_m[:, 0], mesh.vertices_m[:, 1])
        return replace(mesh, vertices_m=np.column_stack([flat, mesh.vertices_m[:, 2]]))

    def standing(self, mesh: Mesh, s_m: float, d_m: float, z_m: float, yaw: float = 0.0) -> Mesh:
        """A mesh made about its own origin, put up beside the road without being bent.

        It is painted at its rest position, so that no two look the same.
        """
        turn = yaw_rotation(np.array(yaw))
        painted = mesh.placed(rigid(turn, np.array([s_m, d_m, z_m])))
        pose = self.poses(np.array([s_m]), np.array([d_m]), z_m)[0]
        pose[:3, :3] = pose[:3, :3] @ turn
        return replace(painted, vertices_m=mesh.moved(pose).vertices_m)


def straight(length_m: float = 1000.0, start_m: Sequence[float] = (0.0, 0.0), yaw: float = 0.0):
    """A straight line through `start_m` at s = 0, as long behind as ahead."""
    s = np.array([-length_m, 0.0, length_m])
    ahead = np.array([np.cos(yaw), np.sin(yaw)])
    return CentreLine(s_m=s, xy_m=np.asarray(start_m) + s[:, None] * ahead, yaw=np.full(3, yaw))


def from_curvature(
    s_m: Sequence[float], curvature: Sequence[float], start_m: float = 0.0
) -> CentreLine:
    """A road of given curvature [1/m, left positive], linear between knots (clothoids).

    It passes the origin along x at s = `start_m`.
    """
    count = int(np.ceil((s_m[-1] - s_m[0]) / STEP_M)) + 1
    s = np.linspace(s_m[0], s_m[-1], count)
    step = s[1] - s[0]
    turn = np.interp(s, s_m, curvature)
    yaw = np.concatenate([[0.0], np.cumsum(0.5 * step * (turn[1:] + turn[:-1]))])
    middle = 0.5 * (yaw[1:] + yaw[:-1])
    xy = np.concatenate(
        [[[0.0, 0.0]], np.cumsum(step * np.stack([np.cos(middle), np.sin(middle)], 1), axis=0)]
    )
    yaw0 = float(np.interp(start_m, s, yaw))
    origin = np.array([np.interp(start_m, s, xy[:, i]) for i in (0, 1)])
    back = yaw_rotation(np.array(-yaw0))[:2, :2]
    return CentreLine(s_m=s, xy_m=(xy - origin) @ back.T, yaw=yaw - yaw0)
