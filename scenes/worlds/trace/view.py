"""Pictures and exact truth of a world, through any `scenes.sensors.camera.Camera`, from any pose.

A picture averages rays of a scrambled Sobol sequence in every pixel, more where they disagree;
truth is one ray through the centre of each pixel, because averaged depths and classes belong to
nothing. A camera with a readout time sees each line, and who moves, at the line's own time; its
pose may be a trajectory. Where a lens sees nothing, pictures are black and truth says UNKNOWN.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, Int64, UInt8, UInt64

from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, camera_rays
from scenes.sensors.images import srgb_from_linear
from scenes.worlds.light.light import Light
from scenes.worlds.trace.tracer import Tracer

ROUNDS = (16, 64, 256)
"""Rays of a pixel after each round; every pixel takes the first."""
WORTH = 6e-7
"""A pixel takes another round where its expected squared error (sRGB) per ray is more than this."""
_BATCH = 400_000
"""Rays shaded at once; bounds the memory."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """Exact truth at the centre of every pixel."""

    range_m: Float32[np.ndarray, "h w"]
    """Distance along the ray [m]; infinite for the sky."""
    z_m: Float32[np.ndarray, "h w"]
    """Distance along the optical axis [m], 0 or less beside and behind; infinite for the sky."""
    normal: Float32[np.ndarray, "h w 3"]
    """Unit normal, world, towards the camera; 0 for the sky."""
    albedo: Float32[np.ndarray, "h w 3"]
    """Linear; 0 for the sky."""
    semantic: UInt8[np.ndarray, "h w"]
    """A `Semantic` each."""
    instance: Int32[np.ndarray, "h w"]
    """Id of the actor, -1 for none."""


def rays_at(
    camera: Camera,
    pixels: Float64[np.ndarray, "n 2"],
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory,
    time_us: int,
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"], Int64[np.ndarray, "n"]]:
    """Origins, unit directions (NaN where the lens sees nothing) and times of rays.

    `time_us` is the time of the first line.
    """
    origins, directions = camera_rays(camera, pixels, world_from_camera, time_us)
    offset = np.round(camera.readout_offset_us(pixels)).astype(np.int64)
    return origins, directions, time_us + offset


def true_view(
    tracer: Tracer,
    camera: Camera,
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory,
    time_us: int,
) -> View:
    """What is at the centre of each pixel, at the time of its line."""
    pixels = camera.pixel_centres().reshape(-1, 2)
    origins, directions, when = rays_at(camera, pixels, world_from_camera, time_us)
    blind = np.isnan(directions[:, 0])
    directions[blind] = [0.0, 0.0, 1.0]
    truth = tracer.truth(origins, directions, when)
    shape = (camera.height, camera.width)
    sky = np.isinf(truth.range_m)
    z_m = np.where(sky, np.inf, np.where(sky, 0.0, truth.range_m) * camera.directions(pixels)[:, 2])

    def image(values: np.ndarray, where_blind: float | int, dtype: type) -> np.ndarray:
        values = values.astype(dtype)
        values[blind] = where_blind
        return values.reshape(*shape, *values.shape[1:])

    return View(
        range_m=image(truth.range_m, np.inf, np.float32),
        z_m=image(z_m, np.inf, np.float32),
        normal=image(truth.normal, 0.0, np.float32),
        albedo=image(truth.albedo, 0.0, np.float32),
        semantic=image(truth.semantic, int(Semantic.UNKNOWN), np.uint8),
        instance=image(truth.instance, -1, np.int32),
    )


def photograph(
    light: Light,
    camera: Camera,
    world_from_camera: Float64[np.ndarray, "4 4"] | Trajectory,
    time_us: int,
    seed: int,
    pixels: Float64[np.ndarray, "n 2"] | None = None,
) -> Float32[np.ndarray, "n 3"]:
    """Mean linear radiance of each pixel (all of them, row by row, unless their centres are given).

    A pixel's value depends on the arguments alone, whatever other pixels are asked for; another
    `seed` scrambles the rays within each pixel in another way.
    """
    if pixels is None:
        pixels = camera.pixel_centres().reshape(-1, 2)
    key = _keys(pixels, seed, time_us)

    def shoot(at: Float64[np.ndarray, "m 2"], cell: Int64[np.ndarray, "m"]) -> np.ndarray:
        origins, directions, when = rays_at(camera, at, world_from_camera, time_us)
        seen = np.flatnonzero(~np.isnan(directions[:, 0]))
        colour = np.zeros((len(at), 3))
        rays = origins[seen], directions[seen], when[seen]
        colour[seen] = light.radiance(*rays, 0.4 / camera.fx, cell[seen])
        return colour

    picture, error = np.zeros((len(pixels), 3)), np.full(len(pixels), np.inf)
    for start, end in zip((0, *ROUNDS), ROUNDS, strict=False):
        rough = np.flatnonzero(error > WORTH)
        step = max(_BATCH // (end - start), 1)
        for first in range(0, len(rough), step):
            part = rough[first : first + step]
            mean, spread = _round(shoot, pixels[part], key[part], start, end)
            picture[part] += (end - start) / end * (mean - picture[part])
            error[part] = _shown_error(picture[part], spread) / end
    return picture.astype(np.float32)


def _round(
    shoot: Callable[[np.ndarray, np.ndarray], np.ndarray],
    pixels: Float64[np.ndarray, "n 2"],
    key: UInt64[np.ndarray, "n"],
    start: int,
    end: int,
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Mean over a stretch of each pixel's sequence, and the expected squared error with it."""
    place = _sobol(end)[start:]
    scramble = np.stack([key >> np.uint64(32), key & np.uint64(0xFFFFFFFF)], axis=-1)
    place = place[None] ^ scramble.astype(np.uint32)[:, None]
    eighth = (place >> np.uint32(29)).astype(np.int64)
    quarter, fine = eighth >> 2, eighth & 3
    cell = 16 * (2 * quarter[..., 1] + quarter[..., 0]) + 4 * fine[..., 1] + fine[..., 0]
    cell += 64 * np.arange(len(pixels))[:, None]
    at = pixels[:, None] - 0.5 + (place + 0.5) / 2.0**32
    colour = shoot(at.reshape(-1, 2), cell.ravel()).reshape(len(pixels), end - start, 3)
    # Quarters of the stretch are well spread each, so they say how far their mean can be trusted;
    # they are few, so it is never trusted much more than as many independent rays would be.
    quarters = colour.reshape(len(pixels), 4, -1, 3).mean(axis=2)
    spread = quarters.var(axis=1) / 3.0
    spread = np.maximum(spread, 0.15 * colour.var(axis=1) / (end - start))
    return colour.mean(axis=1), spread * ((end - start) / end)


def _shown_error(mean: np.ndarray, spread: np.ndarray) -> Float64[np.ndarray, "n"]:
    """Expected squared error in sRGB; none where the mean is far beyond white."""
    level = np.clip(mean, 0.0031308, 1.0)
    slope = 1.055 / 2.4 * level ** (1.0 / 2.4 - 1.0)
    white = mean > 1.0 + 3.0 * np.sqrt(spread)
    return np.where(white, 0.0, slope**2 * spread).mean(axis=1)


def _sobol(count: int) -> np.ndarray:
    """The first points of Sobol's sequence in two dimensions, as 32 bits each."""
    index = np.arange(count, dtype=np.uint32)
    out, direction = np.zeros((count, 2), np.uint32), [1 << 31, 1 << 31]
    for bit in range(int(count - 1).bit_length()):
        odd = (index >> np.uint32(bit)) & np.uint32(1)
        out ^= odd[:, None] * np.array(direction, np.uint32)
        direction = [direction[0] >> 1, direction[1] ^ (direction[1] >> 1)]
    return out


def _keys(pixels: Float64[np.ndarray, "n 2"], seed: int, time_us: int) -> UInt64[np.ndarray, "n"]:
    """64 random bits of each pixel (the finalizer of splitmix64)."""
    salt = int(np.random.default_rng([seed, time_us]).integers(1 << 63))
    place = np.round(pixels * 256.0).astype(np.int64).astype(np.uint64)
    key = (place[:, 0] << np.uint64(32)) ^ place[:, 1] ^ np.uint64(salt)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
    return key ^ (key >> np.uint64(31))


def developed(
    radiance: Float[np.ndarray, "*n 3"], exposure: float = 1.0
) -> UInt8[np.ndarray, "*n 3"]:
    """The sRGB picture that a camera makes of linear radiance; white is radiance 1 / exposure."""
    shown = srgb_from_linear(np.clip(radiance.astype(np.float64) * exposure, 0.0, 1.0))
    return np.round(255.0 * shown).astype(np.uint8)
