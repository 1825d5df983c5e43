"""Running a job: here or in local processes, going on where an interrupted run stopped.

A picture is done when its record lies in the folder `tasks`, signed, and names the hash of every
one of its files as they are. Files are written aside and renamed, the record last, so a run may be
killed at any moment.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, as_completed
from functools import partial
from pathlib import Path
from typing import Any, cast

from recon.rendering.shot import Renderer
from render.folders.frames import encode_frame, frame_files, write_records
from render.jobs.job import RenderJob, Task, render_task
from render.json_value import Json
from scenes.errors import OtherlaneError
from scenes.storage.files import is_plain, read_signed, sha256, write_signed, write_whole
from scenes.storage.folders import clear
from scenes.work.phases import counted
from scenes.work.workers import working

TASKS, IDENTITY = "tasks", "job.json"
LOG = logging.getLogger("otherlane.render")


def run_job(job: RenderJob, folder: Path, *, workers: int = 1) -> int:
    """Render what is missing of the job into `folder`, then write `labels.jsonl`.

    Returns:
        How many pictures were rendered now; the others were there, whole, from an earlier run.

    Raises:
        OtherlaneError: The scene cannot be opened, or a worker died.
    """
    _begin(job, folder)
    missing = [task for task in job.tasks if not _is_done(job, folder, task)]
    if len(missing) < len(job.tasks):
        LOG.info("%d of %d frames kept", len(job.tasks) - len(missing), len(job.tasks))
    for _ in counted(_rendered(job, folder, missing, workers), "rendering", len(missing), "frames"):
        pass
    write_records(folder, [_labels(folder, task) for task in job.tasks])
    return len(missing)


def tidy(folder: Path) -> None:
    """Remove what only serves to go on after an interruption; the last step."""
    shutil.rmtree(folder / TASKS)


def _begin(job: RenderJob, folder: Path) -> None:
    """An empty folder, or the one that an interrupted run of the same job left."""
    wanted = json.loads(json.dumps(job.identity))
    if _read(folder / TASKS / IDENTITY) != wanted:
        clear(folder)
        (folder / TASKS).mkdir()
        write_signed(folder / TASKS / IDENTITY, wanted)
    for task in job.tasks:
        for name in frame_files(task.key, job.labels)[:1]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)


def _read(path: Path) -> dict[str, Any] | None:
    """A signed file; None where it is damaged, which is as good as not there."""
    try:
        return read_signed(path, "")
    except OtherlaneError:
        return None


def _record_path(folder: Path, key: str) -> Path:
    return folder / TASKS / f"{key}.json"


def _labels(folder: Path, task: Task) -> Mapping[str, Json]:
    record = read_signed(_record_path(folder, task.key), "the same command again")
    return cast("Mapping[str, Json]", record["labels"])


def _is_done(job: RenderJob, folder: Path, task: Task) -> bool:
    record = _read(_record_path(folder, task.key))
    if record is None:
        return False
    files = record["files"]
    return files.keys() == set(frame_files(task.key, job.labels)) and all(
        is_plain(folder / name) and sha256(folder / name) == digest
        for name, digest in files.items()
    )


def _rendered(job: RenderJob, folder: Path, tasks: list[Task], workers: int) -> Iterator[Task]:
    """Each task when it is done."""
    if workers <= 1 or len(tasks) <= 1:
        renderer = job.load() if tasks else None
        for task in tasks:
            assert renderer is not None
            _render_one(job, renderer, folder, task)
            yield task
        return
    with working(min(workers, len(tasks)), partial(_start_worker, job, folder)) as pool:
        # a task's number, not the task: a job's pictures share their road users, once pickled
        known = {task.key: number for number, task in enumerate(job.tasks)}
        futures: dict[Future[None], Task] = {
            pool.submit(_work, known[task.key]): task for task in tasks
        }
        for future in as_completed(futures):
            future.result()
            yield futures[future]


def _render_one(job: RenderJob, renderer: Renderer, folder: Path, task: Task) -> None:
    frame = render_task(job, renderer, task)
    labels = {"key": task.key, "objects": list(frame.objects), **frame.labels}
    for name, content in encode_frame(task.key, frame.pixels).items():
        write_whole(folder / name, content)
    record = {
        "labels": json.loads(json.dumps(labels | dict(job.stamp), allow_nan=False)),
        "files": {name: sha256(folder / name) for name in frame_files(task.key, job.labels)},
    }
    write_signed(_record_path(folder, task.key), record)


_worker: dict[str, object] = {}
"""What this worker process renders; empty in every other process."""


def _start_worker(job: RenderJob, folder: Path) -> None:
    _worker.update(job=job, folder=folder)


def _work(number: int) -> None:
    job, folder = _worker["job"], _worker["folder"]
    assert isinstance(job, RenderJob)
    assert isinstance(folder, Path)
    if "renderer" not in _worker:  # not in the initializer, whose errors the pool would swallow
        _worker["renderer"] = job.load()
    renderer = _worker["renderer"]
    assert isinstance(renderer, Renderer)
    _render_one(job, renderer, folder, job.tasks[number])
