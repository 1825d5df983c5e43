"""A job gives the same bytes for any number of workers, order, and interruption."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from recon.rendering.shot import Renderer
from render.folders.frames import read_pixels, read_records
from render.jobs.job import RenderJob
from render.jobs.pool import run_job, tidy
from scenes.errors import OtherlaneError
from scenes.storage.files import ASIDE, remove_asides
from tests.conftest import ROOT
from tests.render.analytic import CAMERA, FRAMES, LICENCE
from tests.render.conftest import analytic_job

PATIENCE_S = 240.0


def tree(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def rendered(job: RenderJob, folder: Path, workers: int = 1) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    run_job(job, folder, workers=workers)
    tidy(folder)
    return tree(folder)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return rendered(analytic_job(), tmp_path_factory.mktemp("once"))


def test_two_workers_give_the_same_bytes(once: dict[str, bytes], tmp_path: Path) -> None:
    assert rendered(analytic_job(), tmp_path, workers=2) == once


def test_order_does_not_matter(once: dict[str, bytes], tmp_path: Path) -> None:
    job = analytic_job()
    assert rendered(replace(job, tasks=job.tasks[::-1]), tmp_path) == once


def test_threads_of_the_caller_do_not_matter(once: dict[str, bytes], tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert rendered(analytic_job(), tmp_path) == once
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


class PulledPlugError(Exception):
    """The machine dies."""


@pytest.mark.parametrize("writes", [0, 1, 6, 9])
def test_goes_on_after_an_interruption(
    writes: int, once: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import render.jobs.pool as pool

    whole, done = pool.write_whole, 0

    def fails(path: Path, content: bytes) -> None:
        nonlocal done
        if done == writes:
            path.with_name(f".{path.name}.0{ASIDE}").write_bytes(content[: len(content) // 2])
            raise PulledPlugError
        done += 1
        whole(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(pool, "write_whole", fails)
        with pytest.raises(PulledPlugError):
            run_job(analytic_job(), tmp_path)
    files_each = 5  # three pictures, one archive, one record
    assert run_job(analytic_job(), tmp_path) == FRAMES - writes // files_each
    tidy(tmp_path)
    remove_asides(tmp_path)  # as `scenes.storage.folders.writing` does
    assert tree(tmp_path) == once


def test_a_damaged_frame_is_made_again(once: dict[str, bytes], tmp_path: Path) -> None:
    run_job(analytic_job(), tmp_path)
    (tmp_path / "frames" / "front" / "000001.rgb.png").write_bytes(b"x")
    (tmp_path / "frames" / "front" / "000002.npz").unlink()
    (tmp_path / "tasks" / "000003.front.json").write_text("{")
    assert run_job(analytic_job(), tmp_path) == 3
    tidy(tmp_path)
    assert tree(tmp_path) == once


def test_nothing_is_kept_from_another_job(tmp_path: Path) -> None:
    run_job(analytic_job(), tmp_path)
    other = replace(analytic_job(), identity={"scene": "another"})
    assert run_job(other, tmp_path) == FRAMES


def no_scene(folder: Path) -> Renderer:
    raise OtherlaneError(folder, "is not a scene", "otherlane reconstruct")


def test_a_scene_that_does_not_open_is_the_users_problem(tmp_path: Path) -> None:
    job = replace(analytic_job(), load=partial(no_scene, Path("nowhere")))
    with pytest.raises(OtherlaneError, match="nowhere: is not a scene"):
        run_job(job, tmp_path)


def sleeping(folder: Path) -> Renderer:
    (folder / f"{os.getpid()}.worker").touch()
    time.sleep(3600.0)
    raise AssertionError("slept through")


KILLED = """
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from render.jobs.pool import run_job
from tests.render.conftest import analytic_job
from tests.render.test_jobs import sleeping
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    job = replace(analytic_job(), load=partial(sleeping, folder))
    run_job(job, folder / "out", workers=2)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="asks /proc who lives")
def test_workers_die_with_who_wanted_their_work(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=paths) as parent:
        wait_for(lambda: parent.poll() is not None or len([*tmp_path.glob("*.worker")]) == 2)
        parent.kill()
    workers = [int(path.stem) for path in tmp_path.glob("*.worker")]
    assert len(workers) == 2
    wait_for(lambda: not any(map(lives, workers)))


def wait_for(ready: Callable[[], bool]) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < patience
        time.sleep(0.05)


def lives(process: int) -> bool:
    """Whether it is there, and not one that has ended and that nobody has asked about."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_labels_and_pixels_come_back(tmp_path: Path) -> None:
    rendered(analytic_job(), tmp_path)
    records = read_records(tmp_path)
    assert [record["key"] for record in records] == [f"{i:06d}.front" for i in range(FRAMES)]
    assert all(record["licence"] == LICENCE for record in records)
    pixels = read_pixels(tmp_path, "000000.front")
    assert pixels["rgb"].shape == (CAMERA.height, CAMERA.width, 3)
    assert pixels["instance"].dtype == "uint16"
    assert set(read_pixels(tmp_path, "000000.front", ["semantic"])) == {"semantic"}


def test_a_job_names_each_picture_once() -> None:
    job = analytic_job()
    with pytest.raises(ValueError, match="different keys"):
        replace(job, tasks=job.tasks[:1] * 2)
