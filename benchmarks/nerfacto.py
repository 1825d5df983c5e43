"""nerfstudio's nerfacto beside otherlane: the same pictures, masks, held-out pictures and scores.

    python benchmarks/nerfacto.py CLIP OUT [--preset small] [--rays 4096] [--cpu-seconds 7200]
    python benchmarks/nerfacto.py CLIP OUT --ours 15 30 60 120

The first form needs nerfstudio (`make test-nerfstudio` builds its environment). It trains
nerfacto, scores it now and then, and writes each score into OUT/PRESET-RAYS.json as it comes;
run again, it goes on. The second trains otherlane's standard recipe once for each number of
seconds, each with a schedule of that length, and prints which one passes each of nerfacto's
scores. Budgets are processor seconds of training alone: two cores spend 120 in a minute.
"""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float, Float32

from benchmarks.nerfacto_peer import Nerfacto, Peer, PeerRays
from recon.config import ReconstructionConfig
from recon.data.holdout import select_frames
from recon.data.opened import open_picture
from recon.data.training_data import (
    Pixels,
    camera_trajectory,
    load_data,
    load_pixels,
    masked_pixels,
    pixel_angle,
    scaled_camera,
)
from recon.evaluation.metrics import affine_fit, flip, psnr_db, ssim
from recon.recipes import standard
from scenes.clip import Clip
from scenes.sensors.camera import camera_rays
from scenes.sensors.images import srgb_from_linear
from scenes.storage.clip_files import load_clip

TWO_CORE_MINUTES = (1, 2, 5, 10, 20, 30, 45, 60)
"""When nerfacto is scored: processor minutes of training over 2."""
NUMBERS = ("psnr_db", "psnr_affine_db", "ssim", "flip")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Held:
    """A held-out picture: its rays in the world, and what the camera saw."""

    frame: int
    extrapolated: bool
    origins_m: Float[np.ndarray, "n 3"]
    directions: Float[np.ndarray, "n 3"]
    pixel_angle: Float[np.ndarray, "n"]
    photo: Float32[np.ndarray, "h w 3"]
    counts: Bool[np.ndarray, "h w"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """nerfacto's space: the training cameras fill [-1, 1] along the longest axis."""

    centre_m: tuple[float, float, float]
    per_metre: float

    def __call__(self, points_m: torch.Tensor) -> torch.Tensor:
        """World points there."""
        return (points_m - torch.tensor(self.centre_m)) * self.per_metre


def held_out(clip: Clip, config: ReconstructionConfig) -> list[Held]:
    """The held-out pictures of the first camera, as `recon.evaluation.evaluate` has them."""
    images, track = clip.cameras[0], camera_trajectory(clip, 0)
    camera = scaled_camera(images.camera, config.scale)
    centres = camera.pixel_centres().reshape(-1, 2)
    trained, held = select_frames(clip, config, 0)
    result = []
    for frame in held.tolist():
        origins, directions = camera_rays(camera, centres, track, int(images.time_us[frame]))
        photo = open_picture(images, frame, camera)
        result.append(
            Held(
                frame=frame,
                extrapolated=not trained.min() < frame < trained.max(),
                origins_m=origins,
                directions=directions,
                pixel_angle=pixel_angle(camera),
                photo=srgb_from_linear(photo.linear).clip(0, 1).astype(np.float32),
                counts=~(masked_pixels(clip, 0, frame, config.scale) | photo.hidden),
            )
        )
    return result


def peer_pixels(clip: Clip, config: ReconstructionConfig) -> Pixels:
    """What it trains on: the first camera's pictures, without the road users that move."""
    return load_pixels(clip, 0, select_frames(clip, config, 0)[0], config.scale)


def peer_space(pixels: Pixels) -> Space:
    """Centred on the training cameras and scaled by the furthest, as nerfstudio does."""
    origins = pixels.line_origin_m.flatten(0, 1)
    centre = origins.mean(0)
    x, y, z = centre.tolist()
    return Space(centre_m=(x, y, z), per_metre=1.0 / (origins - centre).abs().max().item())


def peer_rays(pixels: Pixels, space: Space) -> PeerRays:
    """Every pixel that may train."""
    rays = pixels.rays(pixels.usable)
    return PeerRays(
        origins=space(rays.origins_m),
        directions=rays.directions,
        pixel_angle=rays.pixel_angle,
        picture=pixels.usable.div(len(pixels.directions), rounding_mode="floor"),
        srgb=pixels.srgb.flatten(0, 1)[pixels.usable].float() / 255.0,
    )


def score(peer: Peer, held: list[Held], space: Space) -> dict[str, object]:
    """Means over the interpolated pictures, where there are any; over all, and of each, apart."""
    rows = []
    for item in held:
        shown = peer.render(
            space(torch.from_numpy(item.origins_m).float()),
            torch.from_numpy(item.directions).float(),
            torch.from_numpy(item.pixel_angle).float(),
        )
        triple = shown.srgb.view(*item.photo.shape).numpy(), item.photo, item.counts
        values = (
            psnr_db(*triple),
            psnr_db(affine_fit(*triple), item.photo, item.counts),
            ssim(*triple),
            flip(*triple),
        )
        outside = {"frame": item.frame, "extrapolated": item.extrapolated}
        rows.append(outside | dict(zip(NUMBERS, values, strict=True)))
    inside = [row for row in rows if not row["extrapolated"]] or rows
    return {**_mean(inside), "frames": len(inside), "all": _mean(rows), "per_frame": rows}


def _mean(rows: list[dict]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in NUMBERS}


def measure_peer(
    clip: Clip, config: ReconstructionConfig, out: Path, preset: str, rays: int, cpu_seconds: float
) -> None:
    """Train nerfacto to `cpu_seconds`, from where OUT left it, and score it on the way."""
    pixels, held = peer_pixels(clip, config), held_out(clip, config)
    space = peer_space(pixels)
    peer = Nerfacto(preset, len(pixels.frame_index), config.seed)
    name = f"{preset}-{rays}"
    path, state = out / f"{name}.json", out / f"{name}.pt"
    curve: list[dict[str, object]] = []
    if state.exists():
        peer.load(state)
        curve = json.loads(path.read_text())["curve"] if path.exists() else []
        curve = [row for row in curve if float(str(row["steps"])) <= peer.spent.steps]
    known = peer_rays(pixels, space)
    about = {"preset": preset, "rays_per_step": rays, "parameters": peer.parameters}
    about |= {"training_rays": len(known.srgb), "resolution": list(held[0].photo.shape[1::-1])}
    for minutes in TWO_CORE_MINUTES:
        until = min(minutes * 120.0, cpu_seconds)
        while peer.spent.cpu_seconds < until:
            peer.train_until(known, rays, min(peer.spent.cpu_seconds + 300.0, until))
            peer.save(state)
        if minutes * 120.0 > cpu_seconds or any(row["minutes"] == minutes for row in curve):
            continue
        curve.append({"minutes": minutes, **_cost(peer), **score(peer, held, space)})
        path.write_text(json.dumps({**about, **machine(), "curve": curve}, indent=1))
        print(_line(name, curve[-1]), flush=True)


def _cost(peer: Nerfacto) -> dict[str, object]:
    spent = peer.spent
    recent = sorted(spent.step_cpu_seconds)
    return {
        "steps": spent.steps,
        "cpu_seconds": round(spent.cpu_seconds, 2),
        "wall_seconds": round(spent.wall_seconds, 2),
        "step_cpu_seconds_median": recent[len(recent) // 2] if recent else None,
        "step_cpu_seconds_least": recent[0] if recent else None,
        "load": [round(value, 2) for value in os.getloadavg()],
        "at": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "niceness": os.nice(0),
        "torch": torch.__version__,
    }


def _line(name: str, row: dict) -> str:
    numbers = "  ".join(f"{key} {row[key]:.3f}" for key in NUMBERS)
    cost = f"{row['cpu_seconds']:.0f} CPU s, {row['wall_seconds']:.0f} s"
    return f"{name}: {row['minutes']} min, {row['steps']} steps, {cost}  {numbers}"


def measure_ours(
    clip: Clip, config: ReconstructionConfig, out: Path, budgets: tuple[float, ...]
) -> list[dict[str, object]]:
    """Train otherlane once for each budget [s of wall time], and score each."""
    from recon.evaluation.evaluate import evaluate_scene, result
    from recon.kernels.backend import choose_backend
    from recon.scene import Scene
    from recon.training.budget import steps_within
    from recon.training.loop import Progress, train

    backend = choose_backend(None)
    config = replace(config, backend=str(backend))
    data, rows = load_data(clip, config), []
    for seconds in budgets:
        wanted = replace(config, steps=steps_within(clip, config, seconds, data))
        took: list[Progress] = []
        cpu = time.process_time()
        model = train(clip, wanted, report=took.append, data=data)
        cpu = time.process_time() - cpu
        scene = Scene(clip=clip, config=wanted, model=model, backend=backend)
        found = result(scene, evaluate_scene(scene)[0])
        rows.append(
            {
                "budget_seconds": seconds,
                "wall_seconds": took[-1].seconds,
                "cpu_seconds": cpu,
                "load": os.getloadavg(),
                **{key: found[key] for key in (*NUMBERS, "steps", "backend", "frames", "all")},
            }
        )
        about = {"recipe": config.recipe, **machine()}
        path = out / f"ours-{backend}.json"
        path.write_text(json.dumps({**about, "config": asdict(wanted), "curve": rows}, indent=1))
        print(f"ours: {rows[-1]}", flush=True)
    return rows


def print_crossings(out: Path, ours: list[dict[str, object]]) -> None:
    """For each of nerfacto's scores, the cheapest of our trainings that reaches it."""
    print("\n| nerfacto | CPU s | PSNR | affine | ours: CPU s | PSNR | affine | times less CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for path in sorted(out.glob("*-*.json")):
        if path.name.startswith("ours-"):
            continue
        for row in json.loads(path.read_text())["curve"]:
            start = f"| {path.stem} | {row['cpu_seconds']:.0f} | {row['psnr_db']:.2f} "
            start += f"| {row['psnr_affine_db']:.2f} "
            passing = [
                mine
                for mine in ours
                if all(float(str(mine[key])) >= row[key] for key in NUMBERS[:2])
            ]
            if not passing:
                print(start + "| not reached | | | |")
                continue
            best = min(passing, key=lambda mine: float(str(mine["cpu_seconds"])))
            cpu = float(str(best["cpu_seconds"]))
            print(
                start + f"| {cpu:.1f} | {best['psnr_db']:.2f} | {best['psnr_affine_db']:.2f} "
                f"| {row['cpu_seconds'] / cpu:.0f} |"
            )


def main(
    clip: Path,
    out: Path,
    /,
    preset: Literal["default", "small"] = "default",
    rays: int = 4096,
    cpu_seconds: float = 7200.0,
    ours: tuple[float, ...] = (),
    scale: float = 0.25,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Measure nerfacto, or, with `--ours`, otherlane and the ratio."""
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    loaded = load_clip(clip)
    config = replace(standard(loaded), scale=scale, holdout=8, seed=seed)
    if ours:
        print_crossings(out, measure_ours(loaded, config, out, ours))
    else:
        measure_peer(loaded, config, out, preset, rays, cpu_seconds)


if __name__ == "__main__":
    tyro.cli(main)
