"""The packaged assets in sun and under cloud, against photographs of who they were learnt from.

    python -m benchmarks.packaged_assets [KIND...]

Each stands on an empty street whose light is exact, so that what is measured is the asset and how
light falls on it, not how light is found. Prints, over a ring of views it was not learnt from, PSNR
of the pixels that truth says are its own, the IoU of its mask, its least, and how much too bright
it is. Who has limbs goes ahead, and is looked at as often in a swing, from as many sides.
Needs the extra `worlds`.
"""

from dataclasses import replace

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float
from torch import Tensor

from recon.actors.placement import place_actors
from recon.assets import multiview_capture as shots
from recon.assets.asset_files import load_actor_model
from recon.field.photometry import srgb
from recon.kernels.backend import Backend
from recon.lighting.relighting import relit
from recon.rendering.rays import Rays
from scenes.actor import Actor
from scenes.edits.assets import LIBRARY, LIBRARY_SEED
from scenes.sensors.camera import camera_rays
from scenes.worlds.light.light import Light
from scenes.worlds.models.procedural import procedural
from scenes.worlds.models.world import Limb
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.view import photograph, true_view
from tests.recon.test_relighting_sun import Camera4, Street, empty_street, sunlight_of

SIDE_PX, ACROSS = 64, 3
"""Of a picture, and rays along the side of a pixel (as `recon.rendering.antialias`)."""
RING: tuple[shots.Ring, ...] = ((1.3, 1.5, None),)
EVERY, EVERY_MOVING = 3, 2
"""Of the ring's views, those that are looked from; of who has limbs, at the next moment each."""
SPEED_MPS = 1.5
"""Of who has limbs."""


def seen(
    scene: Street, actor: Actor, name: str, view: Camera4, time_us: int
) -> tuple[Float[Tensor, "n 3"], Bool[Tensor, "n"]]:
    """Radiance of each pixel before nothing, and whether the asset fills its middle."""
    camera, box_from_camera = view
    fine = camera.scaled(SIDE_PX * ACROSS, SIDE_PX * ACROSS)
    pose = actor.trajectory.at(np.array([time_us]))[0]
    pixels = fine.pixel_centres().reshape(-1, 2)
    origins, directions = (
        torch.from_numpy(each).float()
        for each in camera_rays(fine, pixels, pose @ box_from_camera, time_us)
    )
    angle = torch.full((len(pixels),), 1.0 / fine.fx)
    rays = Rays(origins_m=origins, directions=directions, pixel_angle=angle)
    look = load_actor_model(name, Backend.TORCH)
    times = torch.full((len(pixels),), time_us)
    placed = place_actors({actor.id: look}, (), (actor,), times)
    out = scene.render_rays(*rays.parts, placed)
    box = torch.from_numpy(pose).float(), torch.from_numpy(actor.size_m).float()
    nothing = torch.full((len(pixels), 3), torch.nan)
    linear = relit(scene, rays, out, nothing, placed, {actor.id: box})
    parts = SIDE_PX, ACROSS, SIDE_PX, ACROSS
    solid = out.instance_weights[:, 1:].sum(dim=1).view(parts)[:, ACROSS // 2, :, ACROSS // 2] > 0.5
    return linear.view(*parts, 3).mean(dim=(1, 3)).view(-1, 3), solid.flatten()


def moments_us(limbs: tuple[Limb, ...], views: int) -> list[int]:
    """When it is looked at from each of the views: after a swing, evenly over the next."""
    if not limbs:
        return [0] * views
    swing_us = limbs[0].stride_m / SPEED_MPS * 1e6
    return [round(swing_us * (1.0 + k / views)) for k in range(views)]


def scores(name: str, overcast: float) -> tuple[float, float, float, float]:
    """Mean PSNR [dB], mean and least IoU, and median brightness over truth's [stops]."""
    limbs = procedural(LIBRARY[name], LIBRARY_SEED)[1]
    world, actor, _ = shots.stage(name, SPEED_MPS if limbs else 0.0)
    world = replace(world, lighting=replace(world.lighting, overcast=overcast))
    truth, scene = Light(Tracer(world)), replace(empty_street(world), light=sunlight_of(world))
    squared, iou, stops = [], [], []
    ring = shots.cameras(actor.size_m, RING)[1 :: EVERY_MOVING if limbs else EVERY]
    for (camera, box_from_camera), now in zip(ring, moments_us(limbs, len(ring)), strict=True):
        view = camera.scaled(SIDE_PX, SIDE_PX), box_from_camera
        eye = actor.trajectory.at(np.array([now]))[0] @ box_from_camera
        mine = true_view(truth.tracer, view[0], eye, now).instance.ravel() == actor.id
        pixels = view[0].pixel_centres().reshape(-1, 2)[mine]
        shot = torch.from_numpy(photograph(truth, view[0], eye, now, 0, pixels))
        linear, solid = seen(scene, actor, name, view, now)
        found, mask = linear[torch.from_numpy(mine)], torch.from_numpy(mine)
        off = srgb(found).clamp(0.0, 1.0) - srgb(shot).clamp(0.0, 1.0)
        squared.append(float(off.square().mean()))
        iou.append(float((solid & mask).sum() / (solid | mask).sum()))
        both = (each.mean(dim=1).clamp_min(1e-3).log2() for each in (found, shot))
        stops.append(float(torch.sub(*both).median()))
    psnr = float(np.mean(-10.0 * np.log10(squared)))
    return psnr, float(np.mean(iou)), min(iou), float(np.median(stops))


def main(kinds: tuple[str, ...] = tuple(LIBRARY), /) -> None:
    """Print a table.

    Args:
        kinds: Which assets; all when left out.
    """
    torch.set_num_threads(1)
    print("| asset | light | PSNR [dB] | mask IoU | least | brightness [stops] |")
    print("|---|---|---|---|---|---|")
    for name in kinds:
        for title, overcast in (("sun", 0.0), ("cloud", 1.0)):
            psnr, iou, least, stops = scores(name, overcast)
            print(f"| {name} | {title} | {psnr:.1f} | {iou:.3f} | {least:.3f} | {stops:+.2f} |")


if __name__ == "__main__":
    tyro.cli(main)
