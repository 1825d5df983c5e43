"""The light of a recorded drive, apart from its surfaces: the sky, the sun, and headlamps.

Light at a place is what the field itself shows in every direction from there. Where no picture
looked (forward cameras never see what is above), the field knows nothing: the sky goes on there as
it is where it was seen. The sun is too small and too bright for a picture: its direction comes with
the drive (`Clip.to_sun`), its strength from the road that it shines on, which is as dark as old
asphalt is (albedo 0.12 to 0.15), and is lit by sun and sky. Linear radiance in the scene's scale;
world axes, metres.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.data.training_data import camera_trajectory, pixel_angle, scaled_camera
from recon.lighting.daylight import Daylight, gradation
from recon.lighting.light_probes import around, nearest_pose, sun_share
from recon.rendering.march import MarchOutput
from recon.scene import Scene
from scenes.clip import Clip
from scenes.motion.trajectory import Trajectory
from scenes.sensors.camera import camera_rays

ROAD_ALBEDO = 0.14
"""Of old asphalt."""
OVERCAST = 0.35
"""Where the sun adds less than this share of the sky's light to level ground, it is hidden."""
WHITE = 0.9
"""Sky as bright as this was white in the pictures, however bright it was."""
LOWEST = 0.1
"""Sine of the elevation below which the sun is taken to stand, where road says how strong it is."""
VIEWS, WIDTH = 8, 96
"""Recorded poses that are looked from, over all cameras, and pixels across each look."""
CLEAR = 0.05
"""Rays that are absorbed less than this show the sky."""
ROAD_M, BESIDE_M, FAR_M = 0.15, 3.5, 40.0
"""Road is this near to the height of the wheels, beside the path, and to the camera."""
SUN = torch.tensor([1.1, 1.02, 0.88])
"""Colour of sunlight by day, over its mean."""
LIT = 0.75
"""Road as bright as this share of it is not in a shadow, nor of the darkest asphalt."""
NIGHT, NIGHT_ABOVE = 0.1, 0.04
"""Where the sky gives the road less than this share of its light, lamps do; and where no sky was
seen, if all that is above the horizon has the mean radiance of such a sky."""
SUNLIT = 0.5
"""Road that more than this share of the sun's light reaches is in it."""
DIFFUSE = 0.35
"""Of the light of level ground in the sun, the glow about it may make the sky's up to this share:
on fair days it is 0.15 to 0.35, down to a clearness of 0.64 (Erbs, Klein, Duffie 1982)."""
OPEN, MIXED, HAZY = 0.5, 2.0, 0.5
"""Where less than this share of the road is in the sun, and is not so many times brighter than the
rest (as it should be: 1 / `DIFFUSE`), sun and shade of leaves share its pixels. There the sky says
how much light there is: it has `DIFFUSE` of it at most, and no more glow than this (as the standard
skies 7 and 10: 5, not 10)."""
GLOWS = 21
"""Strengths of the glow, from all of the standard sky's to none, that are tried."""
LAMP_M, DOWN, LIT_M = 0.65, 0.05, (5.0, 15.0)
"""Height of headlamps, how they are tilted, and how far ahead the road has its light from both."""
INSIDE = 0.956, 0.927
"""Cosines to their direction between which the light of headlamps fades."""
LEAST = 20
"""Fewer points than this say nothing."""


def estimate_daylight(scene: Scene) -> Daylight:
    """The light of a drive, as its recorded cameras saw it."""
    seen = _evidence(scene)
    none = torch.zeros(3)
    even = seen.sky.median(dim=0).values if len(seen.sky) >= LEAST else None
    light = Daylight(
        sky=none if even is None else even, clear=False, to_sun=None, sun=none, beam=none
    )
    if len(seen.road) < LEAST:
        return light
    level = _level(seen.road, 0.5)
    above, night = (seen.above, NIGHT_ABOVE) if even is None else (even, NIGHT)
    if torch.pi * float(above.mean()) < night * float(level.mean()):
        return replace(light, beam=_beam(seen.road, seen.away_m, seen.ahead))
    if even is None:
        return replace(light, sky=level / torch.pi)
    if float(_level(seen.road, LIT).mean()) < (1.0 + OVERCAST) * torch.pi * float(even.mean()):
        return light
    return _clear_day(scene, seen, light)


def incoming(
    scene: Scene, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """Radiance that comes to places from directions, all but the sun itself, and from how far."""
    linear, stands, range_m = around(scene, origins, directions)
    sky = scene.light.sky_at(directions)
    return torch.where(stands[:, None], linear, sky), range_m


def _clear_day(scene: Scene, seen: "_Evidence", light: Daylight) -> Daylight:
    """A clear sky that was as it was seen, and a sun that gives road what it has more."""
    to_sun = scene.clip.to_sun
    known = to_sun is not None and to_sun[2] > 0.0
    sun = torch.from_numpy(to_sun).float() if to_sun is not None and known else None
    whole = replace(light, clear=True, sky=torch.ones(3), to_sun=sun)
    if sun is None:
        return _as_seen(whole, seen)
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(seen.points)
    lit = sun_share(scene, seen.points, up, sun) > SUNLIT
    total = _level(seen.road[lit] if int(lit.sum()) >= LEAST else seen.road, LIT).mean()
    if _dappled(seen, lit):
        light = _glowing(whole, seen, torch.inf, HAZY)
        total = torch.maximum(total, light.on_level().mean() / DIFFUSE)
    else:
        light = _glowing(whole, seen, DIFFUSE * float(total))
    over = float(total - light.on_level().mean()) / max(float(sun[2]), LOWEST)
    return replace(light, sun=max(0.0, over) * SUN)


def _dappled(seen: "_Evidence", lit: Bool[Tensor, "m"]) -> bool:
    """Whether road under leaves is all that says how strong the sun is."""
    if float(lit.float().mean()) >= OPEN:
        return False
    bright, dark = seen.road[lit].mean(dim=1), seen.road[~lit].mean(dim=1)
    return len(bright) < LEAST or bool(bright.median() < MIXED * dark.median())


def _glowing(light: Daylight, seen: "_Evidence", most: float, strongest: float = 1.0) -> Daylight:
    """That clear day with the glow that fits what was seen, if level ground gets no more than that.

    The less of what was seen towards the sun is its glow, the brighter is the rest of the sky.
    """
    glows = torch.linspace(strongest, 0.0, GLOWS).tolist()
    tries = [_as_seen(replace(light, glow=glow), seen) for glow in glows]
    able = [each for each in tries if float(each.on_level().mean()) <= most] or tries[-1:]
    shown = ~_white(seen)
    if int(shown.sum()) < max(LEAST, len(shown) // 2):
        return able[0]

    def misfit(one: Daylight) -> float:
        ratio = seen.sky[shown].mean(dim=1) / one.sky_at(seen.at[shown]).mean(dim=1)
        return float(ratio.clamp_min(1e-6).log().abs().median())

    return min(able, key=misfit)


def _as_seen(light: Daylight, seen: "_Evidence") -> Daylight:
    """A clear day of that pattern, as bright as its sky was seen."""
    one = replace(light, sky=torch.ones(3))
    white = _white(seen)[:, None]
    pattern = torch.where(white, gradation(seen.at[:, 2:]), one.sky_at(seen.at))
    return replace(light, sky=(seen.sky / pattern).median(dim=0).values)


def _white(seen: "_Evidence") -> Bool[Tensor, "n"]:
    """What is white in pictures was brighter, and shows nothing of its blue and its glow."""
    return (seen.sky > WHITE).any(dim=1)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Evidence:
    """What recorded cameras saw of sky and road."""

    sky: Float[Tensor, "n 3"]
    at: Float[Tensor, "n 3"]
    """In which directions."""
    above: Float[Tensor, "3"]
    """Mean radiance of all that is above the horizon."""
    points: Float[Tensor, "m 3"]
    road: Float[Tensor, "m 3"]
    away_m: Float[Tensor, "m"]
    """From the headlamps."""
    ahead: Float[Tensor, "m"]
    """Cosine to where these point."""


def _evidence(scene: Scene) -> _Evidence:
    sky, at, above, points, road, away_m, ahead = [], [], [], [], [], [], []
    for origins, directions, out in _looks(scene):
        high = directions[:, 2] > 0.0
        open_sky = (out.opacity < CLEAR) & high
        sky.append(out.linear[open_sky])
        at.append(directions[open_sky])
        above.append(out.linear[high])
        places = origins + directions * out.range_m[:, None]
        on_it = on_road(places, out, scene.clip.ego)
        points.append(places[on_it])
        road.append(out.linear[on_it])
        way_m, cosine = beam_way(scene.clip, origins[:1], places[on_it])
        away_m.append(way_m.norm(dim=1))
        ahead.append(cosine)
    return _Evidence(
        sky=torch.cat(sky),
        at=torch.cat(at),
        above=torch.cat(above).mean(dim=0).nan_to_num(),
        points=torch.cat(points),
        road=torch.cat(road),
        away_m=torch.cat(away_m),
        ahead=torch.cat(ahead),
    )


def headlamp(
    clip: Clip, eye_m: Float[Tensor, "1 3"]
) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """Where the headlamps of the car, taken as one, are and point, for a place of its camera."""
    poses = torch.from_numpy(clip.ego.world_from_body).float()
    mounts = [torch.from_numpy(c.ego_from_camera[:3, 3]).float() for c in clip.cameras]
    eyes = torch.stack([poses[:, :3, :3] @ mount + poses[:, :3, 3] for mount in mounts])
    stream, pose = divmod(int(torch.cdist(eye_m, eyes.view(-1, 3)).argmin()), len(poses))
    turn, mount = poses[pose, :3, :3], mounts[stream]
    # it goes with the camera, wherever it is looked from
    place = eye_m[0] + turn @ (torch.tensor([clip.ego_front_m, 0.0, LAMP_M]) - mount)
    tilted = torch.tensor([1.0, 0.0, -DOWN])
    return place, turn @ (tilted / tilted.norm())


def beam_way(
    clip: Clip, eye_m: Float[Tensor, "1 3"], points_m: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """The way from the headlamps to points [m], and the cosine to where these point."""
    lamp, towards = headlamp(clip, eye_m)
    way_m = points_m - lamp
    return way_m, way_m @ towards / way_m.norm(dim=1).clamp_min(1e-6)


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
    """Rays from recorded poses of every camera, and what they see of the standing scene."""
    found, cameras = [], scene.clip.cameras
    each = max(1, VIEWS // len(cameras))
    for number, stream in enumerate(cameras):
        path = camera_trajectory(scene.clip, number)
        small = scaled_camera(stream.camera, min(1.0, WIDTH / stream.camera.width))
        small = replace(small, readout_us=0)
        angle = torch.from_numpy(pixel_angle(small)).float()
        pixels = small.pixel_centres().reshape(-1, 2)
        chosen = np.unique(np.linspace(0, len(stream.time_us) - 1, each).round().astype(int))
        for time_us in stream.time_us[chosen].tolist():
            pose = path.at(np.array([time_us]))[0]
            origins, directions = (
                torch.from_numpy(part).float() for part in camera_rays(small, pixels, pose, time_us)
            )
            found.append((origins, directions, scene.render_rays(origins, directions, angle)))
    return found


def on_road(points: Float[Tensor, "n 3"], out: MarchOutput, ego: Trajectory) -> Bool[Tensor, "n"]:
    """Where what rays meet is the road that the car drove on, or beside."""
    found = out.range_m < FAR_M
    near = torch.nonzero(found)[:, 0]
    there = nearest_pose(ego, points[near])
    local = torch.einsum("nji,nj->ni", there[:, :3, :3], points[near] - there[:, :3, 3])
    found[near] = (local[:, 2].abs() < ROAD_M) & (local[:, 1].abs() < BESIDE_M)
    return found
