"""Pictures and exact truth of a world, through any `scenes.camera.Camera`, from any pose.

A picture averages stratified rays in every pixel, more where they disagree; truth is one ray
through the centre of each pixel, because averaged depths and classes belong to nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, UInt8

from scenes.camera import Camera, camera_rays
from scenes.images import srgb_from_linear
from scenes.worlds.light import Light
from scenes.worlds.tracer import Tracer

FIRST_GRID = 3
"""Rays along each side of every pixel."""
MORE_GRIDS = ((0.008, 5), (0.02, 10))
"""Rays along each side of a pixel, beyond the first, where the standard error of their mean
exceeds a bound (sRGB): edges take more, foliage most."""
_BATCH = 400_000
"""Rays shaded at once; bounds the memory."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """Exact truth at the centre of every pixel."""

    range_m: Float32[np.ndarray, "h w"]
    """Distance along the ray [m]; infinite for the sky."""
    z_m: Float32[np.ndarray, "h w"]
    """Distance along the optical axis [m]; infinite for the sky."""
    normal: Float32[np.ndarray, "h w 3"]
    """Unit normal, world, towards the camera; 0 for the sky."""
    albedo: Float32[np.ndarray, "h w 3"]
    """Linear; 0 for the sky."""
    semantic: UInt8[np.ndarray, "h w"]
    """A `Semantic` each."""
    instance: Int32[np.ndarray, "h w"]
    """Id of the actor, -1 for none."""


def true_view(
    tracer: Tracer, camera: Camera, world_from_camera: Float64[np.ndarray, "4 4"], time_us: int
) -> View:
    """What is at the centre of each pixel, at one moment."""
    pixels = camera.pixel_centres().reshape(-1, 2)
    origins, directions = camera_rays(camera, pixels, world_from_camera)
    truth = tracer.truth(origins, directions, np.full(len(pixels), time_us, np.int64))
    shape = (camera.height, camera.width)
    z_m = truth.range_m * (directions @ world_from_camera[:3, 2])
    return View(
        range_m=truth.range_m.reshape(shape).astype(np.float32),
        z_m=z_m.reshape(shape).astype(np.float32),
        normal=truth.normal.reshape(*shape, 3).astype(np.float32),
        albedo=truth.albedo.reshape(*shape, 3).astype(np.float32),
        semantic=truth.semantic.reshape(shape),
        instance=truth.instance.reshape(shape),
    )


def photograph(
    light: Light,
    camera: Camera,
    world_from_camera: Float64[np.ndarray, "4 4"],
    time_us: int,
    seed: int,
    pixels: Float64[np.ndarray, "n 2"] | None = None,
) -> Float32[np.ndarray, "n 3"]:
    """Mean linear radiance of each pixel (all of them, row by row, unless their centres are given).

    The same arguments give the same bytes; another `seed` moves the rays within their strata.
    """
    if pixels is None:
        pixels = camera.pixel_centres().reshape(-1, 2)
    rng = np.random.default_rng([seed, time_us])

    def shoot(at: np.ndarray, grid: int) -> np.ndarray:
        rays = camera_rays(camera, at, world_from_camera)
        when = np.full(len(at), time_us, np.int64)
        return light.radiance(*rays, when, 1.0 / (camera.fx * grid))

    picture, error = _mean_of(shoot, pixels, FIRST_GRID, rng)
    bounds = [*(bound for bound, _ in MORE_GRIDS), np.inf]
    for (low, grid), high in zip(MORE_GRIDS, bounds[1:], strict=True):
        rough = np.flatnonzero((error > low) & (error <= high))
        if len(rough):
            more, _ = _mean_of(shoot, pixels[rough], grid, rng)
            share = grid**2 / (FIRST_GRID**2 + grid**2)
            picture[rough] += share * (more - picture[rough])
    return picture.astype(np.float32)


def _mean_of(
    shoot: Callable[[np.ndarray, int], np.ndarray],
    pixels: Float64[np.ndarray, "n 2"],
    grid: int,
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n"]]:
    """Mean of `grid` x `grid` stratified rays in each pixel, and its standard error in sRGB."""
    cell = np.stack(np.meshgrid(np.arange(grid), np.arange(grid)), axis=-1).reshape(-1, 2)
    mean, error = np.empty((len(pixels), 3)), np.empty(len(pixels))
    step = max(_BATCH // grid**2, 1)
    for start in range(0, len(pixels), step):
        part = pixels[start : start + step]
        jitter = rng.uniform(size=(len(part), grid**2, 2))
        at = (part[:, None] - 0.5 + (cell + jitter) / grid).reshape(-1, 2)
        colour = shoot(at, grid).reshape(len(part), grid**2, 3)
        mean[start : start + step] = colour.mean(axis=1)
        shown = srgb_from_linear(np.clip(colour, 0.0, 1.0)).mean(axis=2)
        error[start : start + step] = shown.std(axis=1) / grid
    return mean, error


def developed(
    radiance: Float32[np.ndarray, "*n 3"], exposure: float = 1.0
) -> UInt8[np.ndarray, "*n 3"]:
    """The sRGB picture that a camera makes of linear radiance; white is radiance 1 / exposure."""
    shown = srgb_from_linear(np.clip(radiance.astype(np.float64) * exposure, 0.0, 1.0))
    return np.round(255.0 * shown).astype(np.uint8)
