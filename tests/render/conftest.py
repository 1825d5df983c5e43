"""A finished folder of frames of the analytic street, made once."""

from pathlib import Path

import pytest

from render.jobs.job import RenderJob, Shot
from render.jobs.render_job import Batch, write_batch
from scenes.road.ground import fit_ground
from tests.render.analytic import CAMERA, EGO_FROM_CAMERA, FRAMES, LICENCE, STEP_US, street


def analytic_job() -> RenderJob:
    clip = street().clip
    return RenderJob(
        load=street,
        identity={"scene": "analytic"},
        stamp={"licence": LICENCE},
        shots=tuple(Shot(key=f"{i:06d}", time_us=i * STEP_US) for i in range(FRAMES)),
        stream=0,
        camera=CAMERA,
        world_from_camera=clip.ego.mounted(EGO_FROM_CAMERA),
        actors=clip.actors,
        ground=fit_ground(clip),
    )


@pytest.fixture(scope="session")
def frames_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `render` writes: frames, KITTI and COCO exports, preview; not to be changed."""
    out = tmp_path_factory.mktemp("frames") / "out"
    batch = Batch(
        job=analytic_job(),
        clip=street().clip,
        inputs={"scene": "analytic"},
        config={"frames": list(range(FRAMES))},
        formats=("kitti", "coco"),
    )
    write_batch(batch, out)
    return out
