"""A finished folder of frames of the analytic street, made once."""

from pathlib import Path

import numpy as np
import pytest

from recon.rendering.shot import Shot
from render.jobs.job import RenderJob, Task
from render.jobs.render_job import FolderPlan, write_folder
from scenes.road.ground import fit_ground
from tests.render.analytic import CAMERA, CAMERAS, EGO_FROM_CAMERA, FRAMES, LICENCE, STEP_US, street


def analytic_job() -> RenderJob:
    clip = street().clip
    path = clip.ego.mounted(EGO_FROM_CAMERA)
    return RenderJob(
        load=street,
        identity={"scene": "analytic"},
        stamp={"licence": LICENCE},
        tasks=tuple(
            Task(
                key=f"{i:06d}.front",
                shot=Shot(
                    camera=CAMERA,
                    world_from_camera=path.at(np.array([i * STEP_US]))[0],
                    time_us=i * STEP_US,
                    actors=clip.actors,
                ),
            )
            for i in range(FRAMES)
        ),
        ground=fit_ground(clip),
    )


@pytest.fixture(scope="session")
def frames_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `render` writes: frames, KITTI and COCO exports, preview; not to be changed."""
    out = tmp_path_factory.mktemp("frames") / "out"
    batch = FolderPlan(
        job=analytic_job(),
        clip=street().clip,
        inputs={"scene": "analytic"},
        config={"frames": list(range(FRAMES)), "cameras": CAMERAS},
        formats=("kitti", "coco"),
    )
    write_folder(batch, out)
    return out
