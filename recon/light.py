"""The light of a recorded drive, apart from its surfaces: an even sky, the sun, and what is around.

Light at a place is what the field itself shows in every direction from there. Where no picture
looked (forward cameras never see what is above), the field knows nothing: the sky goes on there as
it is where it was seen. The sun is too small and too bright for a picture: its direction comes with
the drive (`Clip.to_sun`), its strength from the road that it shines on, which is as dark as old
asphalt is (albedo 0.12 to 0.15), and is lit by sun and sky. Linear radiance in the scene's scale;
world axes, metres.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.evidence import camera_trajectory, pixel_angle, scaled_camera
from recon.march import OPAQUE, MarchOutput
from recon.scene import Scene
from scenes.camera import camera_rays
from scenes.clip import Clip
from scenes.trajectory import Trajectory

ROAD_ALBEDO = 0.14
"""Of old asphalt."""
OVERCAST = 0.5
"""Where the sun adds less than this share of the sky's light to level ground, it is hidden."""
VIEWS, WIDTH = 8, 96
"""Recorded poses that are looked from, and pixels across each look."""
CLEAR = 0.05
"""Rays that are absorbed less than this show the sky."""
ROAD_M, BESIDE_M, FAR_M, POSES = 0.15, 3.5, 40.0, 256
"""Road is this near to the height of the wheels, beside the path, and to the camera; and how many
poses of the path are looked at."""
BLUE, BLUER = torch.tensor([1.0, 1.2, 1.6]), 3.0
"""Colour of a clear sky overhead over that near the horizon, and how soon it is reached."""
SUN = torch.tensor([1.1, 1.02, 0.88])
"""Colour of sunlight by day, over its mean."""
LIT = 0.75
"""Road as bright as this share of it is not in a shadow."""
NIGHT = 0.1
"""Where the sky gives the road less than this share of its light, lamps do."""
LAMP_M, DOWN, LIT_M = 0.65, 0.05, (5.0, 15.0)
"""Height of headlamps, how they are tilted, and how far ahead the road has its light from both."""
INSIDE = 0.956, 0.927
"""Cosines to their direction between which the light of headlamps fades."""
LEVEL = 128
"""Directions over which the light of the sky is summed."""
LEAST = 20
"""Fewer points than this say nothing."""
BEAM_RAD = 0.1
SKIN_M = 0.3
"""Rays to the sun start this far off a surface."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Daylight:
    """What lights a whole drive."""

    sky: Float[Tensor, "3"]
    """Radiance of the open sky, mean over where it was seen; 0 where none was."""
    clear: float
    """Mean of `gradation` over where the sky was seen; 0 where there is too little light for a sun:
    the sky is even then, for what it has more overhead towns hide again."""
    to_sun: Float[Tensor, "3"] | None
    """Unit vector; None where it is not known, or not up."""
    sun: Float[Tensor, "3"]
    """Irradiance of a surface that faces the sun; 0 under cloud, and where nothing is known."""
    beam: Float[Tensor, "3"]
    """Irradiance a metre ahead of the car's own headlamps, at night; 0 by day."""

    def sky_at(
        self, directions: Float[Tensor, "n 3"], glowing: bool = True
    ) -> Float[Tensor, "n 3"]:
        """Radiance of the sky, with its glow about the sun or without."""
        if not self.clear:
            return self.sky.expand(len(directions), 3)
        blue = 1.0 - torch.exp(-BLUER * directions[:, 2:].clamp_min(0.0))
        colour = 1.0 + blue * (BLUE - 1.0)
        if self.to_sun is not None and glowing:  # as white as the sun
            colour = colour + glow(directions @ self.to_sun)[:, None] - 1.0
        return gradation(directions[:, 2:]) / self.clear * colour * self.sky

    def on_level(self, glowing: bool = True) -> Float[Tensor, "3"]:
        """Irradiance of level ground under the open sky."""
        return torch.pi * self.sky_at(hemisphere(LEVEL), glowing).mean(dim=0)

    @property
    def left_in_shadow(self) -> Float[Tensor, "3"]:
        """Share of the light of level ground that is left where something hides the sun.

        It hides the glow about the sun too.
        """
        if self.to_sun is None:
            return torch.ones(3)
        whole = self.on_level() + self.sun * self.to_sun[2]
        return self.on_level(glowing=False) / whole.clamp_min(1e-6)

    @property
    def shines(self) -> bool:
        """Whether there is a sun."""
        return self.to_sun is not None and bool(self.sun.any())


def gradation(height: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """How bright a clear sky is at a sine of elevation, apart from its glow about the sun.

    The standard general sky's type 12, "CIE standard clear sky, low luminance turbidity" (CIE S 011
    / ISO 15469:2004); so is `glow`.
    """
    return 1.0 - torch.exp(-0.32 / height.clamp_min(0.02))


def glow(cosine: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """How much brighter a clear sky is at a cosine to the sun than across from it."""
    near = torch.exp(-3.0 * cosine.clamp(-1.0, 1.0).acos()) - math.exp(-1.5 * math.pi)
    return 1.0 + 10.0 * near + 0.45 * cosine**2


@lru_cache(maxsize=2)
def daylight(scene: Scene) -> Daylight:
    """The light of a scene, as its recorded cameras saw it; found once."""
    sky, above, road, ahead = [], [], [], []
    for origins, directions, out in _looks(scene):
        open_sky = (out.opacity < CLEAR) & (directions[:, 2] > 0.0)
        sky.append(out.linear[open_sky])
        above.append(directions[open_sky])
        points = origins + directions * out.range_m[:, None]
        on_it = _on_road(points, out, scene.clip.ego)
        road.append(torch.cat([points[on_it], out.linear[on_it]], dim=1))
        ahead.append(beam_way(scene.clip, origins[:1], points[on_it]))
    seen, at = torch.cat(sky), torch.cat(above)
    points, shown = torch.cat(road).split(3, dim=1)
    none = torch.zeros(3)
    if len(shown) < LEAST:
        return Daylight(sky=none, clear=0.0, to_sun=None, sun=none, beam=none)
    even = seen.median(dim=0).values if len(seen) >= LEAST else none
    light = Daylight(sky=even, clear=0.0, to_sun=None, sun=none, beam=none)
    if float(even.mean()) * torch.pi < NIGHT * float(_level(shown, 0.5).mean()):
        return replace(light, beam=_beam(shown, *torch.cat(ahead).T))
    if float(_level(shown, LIT).mean()) < (1.0 + OVERCAST) * torch.pi * float(even.mean()):
        return light
    clear = float(gradation(at[:, 2]).mean())
    if scene.clip.to_sun is None or scene.clip.to_sun[2] <= 0.0:
        return replace(light, clear=clear)
    to_sun = torch.from_numpy(scene.clip.to_sun).float()
    light = replace(light, clear=clear, to_sun=to_sun)
    lit = sunlit(scene, points, torch.tensor([0.0, 0.0, 1.0]).expand_as(points), to_sun)
    total = _level(shown[lit], 0.5) if int(lit.sum()) >= LEAST else _level(shown, LIT)
    over = float((total - light.on_level()).mean() / to_sun[2])
    return replace(light, sun=max(0.0, over) * SUN)


def headlamp(
    clip: Clip, eye_m: Float[Tensor, "1 3"]
) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """Where the headlamps of the car are, taken as one, and point, while a camera is at a place."""
    poses = torch.from_numpy(clip.ego.world_from_body).float()
    pose = poses[torch.cdist(eye_m, poses[:, :3, 3]).argmin()]
    place = pose[:3, :3] @ torch.tensor([clip.ego_front_m, 0.0, LAMP_M]) + pose[:3, 3]
    tilted = torch.tensor([1.0, 0.0, -DOWN])
    return place, pose[:3, :3] @ (tilted / tilted.norm())


def beam_way(
    clip: Clip, eye_m: Float[Tensor, "1 3"], points_m: Float[Tensor, "n 3"]
) -> Float[Tensor, "n 2"]:
    """How far points are from the headlamps, and the cosine to where these point."""
    lamp, towards = headlamp(clip, eye_m)
    way = points_m - lamp
    away_m = way.norm(dim=1)
    return torch.stack([away_m, way @ towards / away_m.clamp_min(1e-6)], dim=1)


def _beam(
    road: Float[Tensor, "n 3"], range_m: Float[Tensor, "n"], cosine: Float[Tensor, "n"]
) -> Float[Tensor, "3"]:
    """Of headlamps that light the road ahead at a grazing angle, beside lamps that do so evenly."""
    lit = (range_m > LIT_M[0]) & (range_m < LIT_M[1]) & (cosine > INSIDE[0])
    if int(lit.sum()) < LEAST:
        return torch.zeros(3)
    level = torch.pi * road[lit] / ROAD_ALBEDO
    share = torch.stack([LAMP_M / range_m[lit] ** 3, torch.ones(int(lit.sum()))], dim=1)
    return torch.linalg.lstsq(share, level).solution[0].clamp_min(0.0)


def _level(road: Float[Tensor, "n 3"], quantile: float) -> Float[Tensor, "3"]:
    """Irradiance of level ground in the open, from the radiance of road."""
    return torch.pi * road.quantile(quantile, dim=0) / ROAD_ALBEDO


def _looks(scene: Scene) -> list[tuple[Tensor, Tensor, MarchOutput]]:
    """Rays from recorded poses of the first camera, and what they see of the standing scene."""
    stream, path = scene.clip.cameras[0], camera_trajectory(scene.clip, 0)
    small = scaled_camera(stream.camera, min(1.0, WIDTH / stream.camera.width))
    small = replace(small, readout_us=0)
    angle = torch.from_numpy(pixel_angle(small)).float()
    pixels = small.pixel_centres().reshape(-1, 2)
    chosen = np.unique(np.linspace(0, len(stream.time_us) - 1, VIEWS).round().astype(int))
    found = []
    for time_us in stream.time_us[chosen].tolist():
        pose = path.at(np.array([time_us]))[0]
        origins, directions = (
            torch.from_numpy(each).float() for each in camera_rays(small, pixels, pose, time_us)
        )
        found.append((origins, directions, scene.render_rays(origins, directions, angle)))
    return found


def _on_road(points: Float[Tensor, "n 3"], out: MarchOutput, ego: Trajectory) -> Bool[Tensor, "n"]:
    """Points of the road that the car drove on, or beside."""
    found = out.range_m < FAR_M
    near = torch.nonzero(found)[:, 0]
    poses = torch.from_numpy(ego.world_from_body[:: max(1, len(ego.time_us) // POSES)]).float()
    closest = torch.cdist(points[near, :2], poses[:, :2, 3]).argmin(dim=1)
    there = poses[closest]
    local = torch.einsum("nji,nj->ni", there[:, :3, :3], points[near] - there[:, :3, 3])
    found[near] = (local[:, 2].abs() < ROAD_M) & (local[:, 1].abs() < BESIDE_M)
    return found


def sunlit(
    scene: Scene,
    points: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    to_sun: Float[Tensor, "3"],
) -> Bool[Tensor, "n"]:
    """Whether nothing that stands, as far as pictures showed it, is between points and the sun."""
    if not len(points):
        return torch.zeros(0, dtype=torch.bool)
    start = points + SKIN_M * normals
    towards = to_sun.expand_as(start).contiguous()
    out = scene.render_rays(start, towards, torch.full((len(start),), BEAM_RAD))
    return ~shown_surface(scene, start, towards, out)


def shown_surface(
    scene: Scene, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"], out: MarchOutput
) -> Bool[Tensor, "n"]:
    """Which rays end on a surface that training pictures showed."""
    met = torch.isfinite(out.range_m) & (out.opacity >= OPAQUE)
    points = origins + directions * torch.where(met, out.range_m, 0.0)[:, None]
    support = scene.model.support
    voxel = support.voxels(scene.model.field.block.unit(points))
    return met & (support.hits[voxel] > 0)


def hemisphere(count: int, axis: int = 2, sign: float = 1.0) -> Float[Tensor, "count 3"]:
    """Directions about an axis of space, as dense as the cosine to it (Fibonacci's spiral)."""
    index = torch.arange(count) + 0.5
    radius, turn = (index / count).sqrt(), index * torch.pi * (3.0 - 5.0**0.5)
    found = torch.empty(count, 3)
    found[:, axis] = sign * (1.0 - radius**2).sqrt()
    found[:, (axis + 1) % 3] = radius * turn.cos()
    found[:, (axis + 2) % 3] = radius * turn.sin()
    return found
