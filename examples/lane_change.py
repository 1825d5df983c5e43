"""A lane change that nobody drove, as a script: reconstruct, edit, check, render, look at it.

    .venv/bin/python examples/lane_change.py out/lane_change

Trains for two minutes. `--budget 20s` shows sooner that it works, `--clip CLIP` takes a drive of
your own (what `otherlane import` wrote), `--help` lists the rest. Of every frame:

    000020.png           the picture
    000020_labels.png    recorded, rendered, labels and distance, side by side
    000020_brighter.png  the same moment with twice the light
    000020.json          its labels
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import tyro

from recon.reconstruct import ReconstructRequest, reconstruct_clip
from recon.rendering.renderer import load_renderer
from recon.rendering.shot import Renderer, Shot
from render.folders.selection import parse_frames, sized
from render.labels.gating import is_labelled
from render.pictures.panels import grid, panels
from render.pictures.preview import recorded_picture
from render.views.frame import Frame, render_frame
from scenes.clip import Clip
from scenes.edits.ego import LaneChange
from scenes.errors import OtherlaneError
from scenes.motion.limits import check_limits
from scenes.road.ground import fit_ground
from scenes.sensors.camera_look import CameraLook
from scenes.storage.validation import rules
from scenes.worlds.record.sample import sample_path

BRIGHTER = CameraLook(exposure_ev=1.0)
PANEL_WIDTH = 640


def lane_change(
    out: Path,
    /,
    clip: Path | None = None,
    budget: str = "2m",
    offset_m: float = 3.0,
    frames: str = "20,30",
    size: str = "320x96",
) -> None:
    """Change lanes in a recorded drive and render what the camera would have seen.

    Args:
        out: Folder for the scene and the pictures; a scene that is there already is used.
        clip: Folder of the clip; the built-in sample drive when left out.
        budget: Time to train, such as 20s or 2m.
        offset_m: How far to the left [m]; negative is right.
        frames: Which frames of the drive, such as 20,30 or 0:40:10.
        size: Size of the pictures.
    """
    rules(LaneChange)["offset_m"].read(offset_m, "--offset-m")  # before any work is done
    wanted = ReconstructRequest(recipe="preview", budget=budget)
    renderer = load_renderer(reconstruct_clip(clip or sample_path(), out / "scene", wanted))
    drive = renderer.clip

    # Half a second into the drive, steer into the other lane, taking three seconds.
    start_us = int(drive.ego.time_us[0]) + 500_000
    edit = LaneChange(offset_m=offset_m, start_us=start_us, duration_us=3_000_000)
    # No car could drive some edits: they are refused, with the nearest values that work.
    check_limits(drive.ego, [edit], where="examples/lane_change.py")
    ego = edit.apply(drive.ego)  # edits are pure functions: the recorded drive stays as it is

    front = drive.cameras[0]
    camera = sized(front.camera, size)
    for index in parse_frames(frames, np.arange(len(front))):
        time_us = int(front.time_us[index])
        shot = Shot(
            camera=camera,
            world_from_camera=ego.mounted(front.ego_from_camera),
            time_us=time_us,
            actors=drive.actors,
            light=renderer.light,
        )
        frame, bright = _both(renderer, shot)
        name = f"{index:06d}"
        iio.imwrite(out / f"{name}.png", frame.rgb)
        iio.imwrite(out / f"{name}_brighter.png", bright.rgb)
        iio.imwrite(out / f"{name}_labels.png", _overlay(drive, frame, edit.describe()))
        labels = {**frame.labels, "objects": frame.objects, "licence": drive.licence}
        (out / f"{name}.json").write_text(json.dumps(labels) + "\n", encoding="utf-8")
        boxes = sum(is_labelled(item) for item in frame.objects)
        print(f"{out / name}.png: {boxes} road users with a tight box")


def _both(renderer: Renderer, shot: Shot) -> tuple[Frame, Frame]:
    """A moment as the camera would have shown it, and with twice the light."""
    ground = fit_ground(renderer.clip)
    frame = render_frame(renderer, shot, ground=ground)
    bright = render_frame(renderer, replace(shot, camera_look=BRIGHTER), ground=ground)
    # A look changes colours and nothing else: one set of labels belongs to both pictures.
    assert np.array_equal(frame.range_m, bright.range_m)
    assert frame.objects == bright.objects
    return frame, bright


def _overlay(drive: Clip, frame: Frame, title: str) -> np.ndarray:
    """Recorded, rendered, labels and distance in one picture."""
    record = {**frame.labels, "objects": frame.objects}
    recorded = recorded_picture(drive, drive.cameras[0].name, frame.time_us)
    shown = panels(frame.pixels, record, PANEL_WIDTH, recorded)
    return np.asarray(grid(shown, 2, drive.name, title))


def main(argv: Sequence[str] | None = None) -> int:
    """0 is success, 2 is a problem the user can fix."""
    try:
        tyro.cli(lane_change, args=argv)
    except OtherlaneError as error:
        print(f"lane_change.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
