"""The label `observed` of reconstructed worlds, against what their recordings truly showed.

    python -m benchmarks.observed_pixels PROVE_OUT

PROVE_OUT is what `otherlane prove` wrote; the views of the ego's axes are looked at. In truth, a
pixel was observed where some training frame saw the surface (traced exactly), or the sky, from
within the angle and the distance that `recon.training.observation` asks for. Pixels of road users
that move do not count. Recall is the share of truly observed pixels that the label calls so,
precision the share of those it calls so that truly were.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Int64

from benchmarks.machine import machine
from recon.data.holdout import select_frames
from recon.data.training_data import scaled_camera
from recon.rendering.renderer import FieldRenderer
from recon.scene import Scene, load_scene
from recon.training.observation import FURTHER, SIDE
from render.prove.run import WORLDS
from render.prove.scoring import render_target
from render.prove.stages import SCENE, TRUTH
from render.prove.target import Target, target_of
from scenes.road.ground import fit_ground
from scenes.worlds.models.surface_points import surface_points
from scenes.worlds.record.recording import Recording
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.visibility import Eye, Likeness, seen_points, seen_sky
from scenes.worlds.truth.perturbations import AXES
from scenes.worlds.truth.truth import ABOUT, read_truth, rig_of
from scenes.worlds.truth.truth_view import Rig, traced


def truly_observed(
    tracer: Tracer, eyes: tuple[Eye, ...], target: Target
) -> Bool[np.ndarray, "h w"]:
    """What training frames showed of a view's surfaces and sky."""
    rays = traced(tracer, target.camera, target.world_from_camera, target.time_us)
    like = Likeness(
        directions=rays.directions[rays.met], range_m=rays.hits.range_m, side=SIDE, further=FURTHER
    )
    points = surface_points(tracer, rays.hits, rays.points_m, target.time_us)
    found = np.zeros(len(rays.pixels), bool)
    found[rays.met] = seen_points(tracer, eyes, points, target.time_us, like)
    sky = rays.sighted.copy()
    sky[rays.met] = False
    found[sky] = seen_sky(tracer, eyes, rays.directions[sky], target.time_us)
    return found.reshape(target.camera.height, target.camera.width)


def training_eyes(scene: Scene, rig: Rig) -> tuple[Eye, ...]:
    """The cameras of the recording, at the frames that trained."""
    frames = (select_frames(scene.clip, scene.config, s)[0] for s in range(len(rig.eyes)))
    return tuple(
        replace(eye, time_us=eye.time_us[chosen])
        for eye, chosen in zip(rig.eyes, frames, strict=True)
    )


def main(out: Path, /) -> None:
    """Print a table.

    Args:
        out: Folder of `otherlane prove`.
    """
    torch.set_num_threads(1)
    print(machine())
    print("\n| world | axis | amount | observed | recall | precision | not: recall | precision |")
    print("|---|---|---|---|---|---|---|---|")
    pooled = np.zeros((2, 2), int)
    for folder in sorted((out / WORLDS).iterdir()):
        about = json.loads((folder / TRUTH / ABOUT).read_text(encoding="utf-8"))
        recording = Recording(**about["recording"])
        scene, world = load_scene(folder / SCENE), recording.world()
        ground, tracer = fit_ground(scene.clip), Tracer(world)
        eyes = training_eyes(scene, rig_of(recording, world))
        for view in (v for v in read_truth(folder / TRUTH) if AXES[v.axis or "sun"].kind == "ego"):
            full = view.camera or scene.clip.cameras[0].camera
            target = target_of(view, scaled_camera(full, scene.config.scale))
            frame, shown = render_target(FieldRenderer(scene=scene), target, ground, 0.0)
            true = truly_observed(tracer, eyes, target)[shown.counts]
            said = frame.pixels["observed"][shown.counts] > 0
            counted = np.array(
                [[np.sum((true == t) & (said == s)) for s in (0, 1)] for t in (0, 1)]
            )
            pooled += counted
            print(
                f"| {folder.name} | {view.axis} | {view.amount:g} | {_cells(counted)} |", flush=True
            )
    print(f"| all | | | {_cells(pooled)} |")


def _cells(counted: Int64[np.ndarray, "2 2"]) -> str:
    """Share, recall and precision of pixels counted by truth, then by label (not, observed)."""
    shares = [counted[1].sum() / counted.sum()]
    for kind in (1, 0):
        right = counted[kind, kind]
        shares += [
            right / max(counted[kind].sum(), 1e-9),
            right / max(counted[:, kind].sum(), 1e-9),
        ]
    known = [True, *(counted.sum(axis=axis)[kind] > 0 for kind in (1, 0) for axis in (1, 0))]
    return " | ".join(f"{x:.3f}" if there else "-" for x, there in zip(shares, known, strict=True))


if __name__ == "__main__":
    tyro.cli(main)
