"""Rendering a scene with the whole table of labels: seconds a frame, where they go, what it costs.

    python -m benchmarks.bench_render SCENE [--size 1242x375] [--json-file FILE] [--hot-spots]

A frame is what `otherlane render` makes of one picture: rays marched, labels computed, files
encoded and written. One worker renders on one thread, so two cores render two frames at once; that
rate is measured too, with worker processes, from frame to frame. The pictures' quality is compared
with fine steps on held-out pictures, at training resolution (needs the drive's pictures).
"""

import cProfile
import pstats
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import tyro

from benchmarks.machine import Cost, Report, bar, median
from recon.data.holdout import select_frames
from recon.data.training_data import camera_trajectory
from recon.evaluation.evaluate import compare
from recon.evaluation.metrics import affine_fit, psnr_db
from recon.rendering.renderer import FieldRenderer, load_renderer
from recon.rendering.shot import Shot
from recon.scene import Scene, load_scene
from render.folders.frames import encode_frame
from render.folders.selection import parse_size
from render.jobs.job import RenderJob, Task, one_thread, render_task
from render.jobs.pool import TASKS, run_job
from scenes.road.ground import fit_ground
from scenes.storage.files import write_whole

SLOWEST_S, JUDGED_PIXELS, LOSS_DB = 1.4, 1242 * 375, 0.3
"""Bars: a frame on two cores, if it is so large; below fine steps."""
FINE_GROWTH, FINE_TERMINATION = 1.0 / 128.0, 1e-4
PARTS = ("march", "labels", "files")


def job_of(folder: Path, scene: Scene, size: str | None, frames: Sequence[int]) -> RenderJob:
    """The drive as it was recorded, at the recorded size when `size` is None."""
    clip = scene.clip
    images, path = clip.cameras[0], camera_trajectory(clip, 0)
    camera = images.camera if size is None else images.camera.scaled(*parse_size(size))

    def shot(index: int) -> Shot:
        time_us = int(images.time_us[index])
        return Shot(
            camera=camera,
            world_from_camera=path if camera.readout_us else path.at(np.array([time_us]))[0],
            time_us=time_us,
            actors=clip.actors,
            light=scene.light,
        )

    return RenderJob(
        load=partial(load_renderer, folder.absolute(), str(scene.backend)),
        identity={"benchmark": str(scene.backend)},
        stamp={"licence": clip.licence},
        tasks=tuple(Task(key=f"{i:06d}.{images.name}", shot=shot(i)) for i in frames),
        ground=fit_ground(clip),
    )


def one_frame(job: RenderJob, scene: Scene, task: Task, folder: Path) -> dict[str, Cost]:
    """What each part of a frame took: the colour march, all labels, files."""
    renderer = FieldRenderer(scene=scene)
    with one_thread():
        began = time.perf_counter(), time.process_time()
        renderer.render(task.shot, ("linear", "shown"))
        march = _since(began)
        began = time.perf_counter(), time.process_time()
        frame = render_task(job, renderer, task)
        whole = _since(began)
    began = time.perf_counter(), time.process_time()
    for name, content in encode_frame(task.key, frame.pixels).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, content)
    labels = Cost(wall_s=whole.wall_s - march.wall_s, cpu_s=whole.cpu_s - march.cpu_s)
    return {"march": march, "labels": labels, "files": _since(began)}


def _since(began: tuple[float, float]) -> Cost:
    return Cost(wall_s=time.perf_counter() - began[0], cpu_s=time.process_time() - began[1])


def in_turns(
    jobs: dict[str, tuple[RenderJob, Scene]], rounds: int
) -> dict[str, list[dict[str, Cost]]]:
    """Frames of every backend in turns; each renders one before anything counts."""
    taken: dict[str, list[dict[str, Cost]]] = {name: [] for name in jobs}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(-1, rounds):
            for name, (job, scene) in jobs.items():
                cost = one_frame(job, scene, job.tasks[turn % len(job.tasks)], Path(folder))
                if turn >= 0:
                    taken[name].append(cost)
    return taken


def seconds_with_workers(job: RenderJob, workers: int) -> float:
    """Seconds from frame to frame of that many processes, their start left out."""
    with tempfile.TemporaryDirectory() as folder:
        run_job(job, Path(folder), workers=workers)
        done = sorted(
            (Path(folder) / TASKS / f"{shot.key}.json").stat().st_mtime for shot in job.tasks
        )
    # the first frame of each worker contains its start
    return (done[-1] - done[workers - 1]) / (len(done) - workers)


def quality(scene: Scene, pictures: int) -> dict[str, list[float]]:
    """Mean PSNR and PSNR after a colour fit [dB] of held-out pictures, default and fine steps."""
    sampling = replace(
        scene.config.sampling, render_growth=FINE_GROWTH, termination=FINE_TERMINATION
    )
    fine = replace(scene, config=replace(scene.config, sampling=sampling))
    trained, held = select_frames(scene.clip, scene.config, 0)
    inside = [int(i) for i in held if trained.min() < i < trained.max()][:pictures]
    found = {}
    for name, one in (("default", scene), ("fine", fine)):
        rows = []
        for frame in inside:
            shown = compare(one, 0, frame)
            triple = shown.render, shown.photo, shown.counts
            fitted = psnr_db(affine_fit(*triple), shown.photo, shown.counts)
            rows.append([psnr_db(*triple), fitted])
        found[name] = np.mean(rows, axis=0).tolist()
    return found


def hottest(job: RenderJob, scene: Scene, lines: int = 20) -> str:
    """Where the processor time of one frame goes, by function."""
    watch = cProfile.Profile(time.process_time)
    with tempfile.TemporaryDirectory() as folder:
        watch.runcall(one_frame, job, scene, job.tasks[0], Path(folder))
    rows = sorted(pstats.Stats(watch).stats.items(), key=lambda item: -item[1][2])  # pyright: ignore[reportAttributeAccessIssue]
    shown = [
        f"{own:8.3f} s alone {whole:8.3f} s in all {calls:6d} x  {Path(file).name}:{line} {name}"
        for (file, line, name), (_, calls, own, whole, _) in rows[:lines]
    ]
    return "```\n" + "\n".join(shown) + "\n```"


def main(
    scene: Path,
    /,
    json_file: Path | None = None,
    size: str | None = None,
    backends: tuple[str, ...] = ("native", "torch"),
    rounds: int = 3,
    workers: int = 2,
    frames_per_worker: int = 4,
    held: int = 4,
    hot_spots: bool = False,
) -> None:
    """Measure rendering.

    Args:
        scene: Folder of a scene.
        json_file: Write the numbers there too.
        size: Of the frames; the recorded size when left out.
        backends: Which take turns.
        rounds: Turns that count.
        workers: Processes of the second measurement, on the first backend; 0 leaves it out.
        frames_per_worker: Frames that each of them renders, at least 2.
        held: Held-out pictures whose quality is compared; 0 leaves that out.
        hot_spots: Print the functions that take the most time.
    """
    report = Report(title=f"Rendering {scene.name}")
    scenes = {name: load_scene(scene, name) for name in backends}
    first = scenes[backends[0]]
    images = len(first.clip.cameras[0])
    frames = np.linspace(0, images - 1, min(images, max(rounds, 1))).astype(int).tolist()
    jobs = {name: (job_of(scene, one, size, frames), one) for name, one in scenes.items()}
    taken = in_turns(jobs, rounds)
    of_first = jobs[backends[0]][0]
    camera = of_first.tasks[0].shot.camera
    report.title += f" at {camera.width}x{camera.height}"
    _print_parts(report, taken, camera.width * camera.height)
    if workers:
        wanted = min(images, workers * frames_per_worker)
        seconds = seconds_with_workers(job_of(scene, first, size, range(wanted)), workers)
        report.numbers["seconds_per_frame"] = seconds
        shown = judge(seconds, camera.width * camera.height)
        report.say(
            f"{workers} processes, {backends[0]}: {shown} s from frame to frame, start left out."
        )
    if held:
        _print_quality(report, {name: quality(one, held) for name, one in scenes.items()})
    if hot_spots:
        report.say(hottest(of_first, first))
    report.finish(json_file)


def judge(seconds: float, pixels: int) -> str:
    """Beside the bar, which is for large frames."""
    if pixels < JUDGED_PIXELS:
        return f"{seconds:.3g}"
    return bar(seconds, SLOWEST_S, at_least=False)


def _print_parts(report: Report, taken: dict[str, list[dict[str, Cost]]], pixels: int) -> None:
    rows, kept = [], {}
    for name, frames in taken.items():
        parts = {part: median([frame[part] for frame in frames]) for part in PARTS}
        whole = Cost(
            wall_s=sum(part.wall_s for part in parts.values()),
            cpu_s=sum(part.cpu_s for part in parts.values()),
        )
        for part, cost in {**parts, "frame": whole}.items():
            rate = pixels / cost.cpu_s / 1e6 if part in ("march", "frame") else None
            two = 0.5 * cost.cpu_s
            judged = judge(two, pixels) if part == "frame" else two
            rows.append([name, part, cost.wall_s, cost.cpu_s, judged, rate])
            kept[f"{name} {part}"] = asdict(cost)
    report.numbers["parts"] = kept
    head = ["backend", "part", "s", "CPU s", "s on two undisturbed cores", "Mrays/s of one core"]
    report.table("A frame, one worker of one thread", head, rows)


def _print_quality(report: Report, found: dict[str, dict[str, list[float]]]) -> None:
    rows = []
    for name, by_steps in found.items():
        (raw, fitted), (fine, fine_fitted) = by_steps["default"], by_steps["fine"]
        lost = bar(fine - raw, LOSS_DB, at_least=False)
        rows.append([name, f"{raw:.3f}", f"{fine:.3f}", lost, f"{fine_fitted - fitted:.3f}"])
    head = ["backend", "PSNR [dB]", "fine steps", "lost", "lost after a colour fit"]
    fine = f"1/{1 / FINE_GROWTH:.0f}, light above {FINE_TERMINATION:g}"
    report.table(f"Held-out pictures, default steps and fine ones ({fine})", head, rows)
    report.numbers["quality"] = found


if __name__ == "__main__":
    tyro.cli(main)
