"""The whole training step of the native backend: samples a second, where the time goes, two cores.

    python -m benchmarks.bench_step [CLIP] [--json-file FILE]

Trains on the packaged drive (or CLIP) until the occupancy has settled, then times blocks of steps
with one thread and with two in turns. Each block holds one refresh of the occupancy and as many
steps with support statistics as any other. *Kept* samples take part in the losses; *evaluated*
ones are those whose density was computed to find them.
"""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import tyro

from benchmarks.kernels_field import lines
from benchmarks.machine import Cost, Report, bar, median, rooflines, scaling
from benchmarks.step_parts import ENGINE, PARTS, Watch, watched
from recon.config import ReconstructionConfig
from recon.data.training_data import Data, load_data
from recon.field.field import GridField
from recon.recipes import RECIPES
from recon.rendering.march import march
from recon.training.loop import REFRESH_EVERY, train_step
from recon.training.ray_batch import draw_batch
from recon.training.state import Training, new_training
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.sample import sample_path

FASTEST, CORES, OUTSIDE = 4.0, 1.8, 0.08
"""Bars: Msamples/s; two threads as one; share of a step, on one thread, outside the engine."""
LOOKED_AT = 512
"""Rays of which the reference says what share of their samples has a colour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """What some steps took."""

    cost: Cost
    parts: dict[str, Cost]
    counted: dict[str, int]


def block(training: Training, data: Data, config: ReconstructionConfig, first: int) -> Block:
    """Steps from one refresh of the occupancy to the next."""
    with watched(training) as watch:
        wall, cpu = time.perf_counter(), time.process_time()
        for step in range(first, first + REFRESH_EVERY):
            train_step(training, data, config, step)
        cost = Cost(wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu)
    return Block(cost=cost, parts=_parts(watch, cost), counted=dict(watch.counted))


def _parts(watch: Watch, whole: Cost) -> dict[str, Cost]:
    parts = {name: watch.cost(name) for name in PARTS}
    rest = Cost(
        wall_s=whole.wall_s - sum(part.wall_s for part in parts.values()),
        cpu_s=whole.cpu_s - sum(part.cpu_s for part in parts.values()),
    )
    return {**parts, "rest": rest}


@torch.no_grad()
def coloured_share(training: Training, data: Data, config: ReconstructionConfig) -> float:
    """Share of the samples kept that weigh enough to have a colour, by the reference."""
    random = torch.Generator().manual_seed(0)
    batch = draw_batch(data, LOOKED_AT, config.loss.depth_share, random)
    sampling = config.sampling
    _, samples = march(
        training.model.field, batch.rays, sampling=sampling, growth=sampling.growth,
        termination=sampling.termination,
    )  # fmt: skip
    weights = samples.static.weights
    return float((weights > sampling.colour_threshold).float().mean()) if len(weights) else 1.0


def ideal_s(
    field: GridField, counted: dict[str, int], coloured: float, roofs: dict[str, float]
) -> float:
    """Seconds of one core, if all products ran at the peak of sgemm and every cache line of the
    table took as long as a random gather, one after the other.

    Counted: hash encoding and density network of evaluated samples, colour network of coloured
    ones, and backwards what is kept. Not counted: drawing, compositing, losses, Adam.
    """
    peak = 1e9 * max(roofs["sgemm_384x64x64_gflops"], roofs["sgemm_1024_gflops"])
    density, colour = (
        2.0 * sum(weight.numel() for weight in layers)
        for layers in (field.density_layers, field.colour_layers)
    )
    evaluated, kept = counted["evaluated"], counted["kept"]
    products = density * (evaluated + 2.0 * kept) + colour * 3.0 * coloured * kept
    gathers = lines(field, 2) * evaluated / (1e6 * roofs["gather_table_mloads"])
    return (
        products / peak + gathers + lines(field, 4) * kept / (1e6 * roofs["gather_gradient_mloads"])
    )


def main(
    clip: Path | None = None,
    /,
    json_file: Path | None = None,
    recipe: str = "standard",
    warm_steps: int = 320,
    rounds: int = 5,
    samples_per_step: int | None = None,
    scale: float | None = None,
) -> None:
    """Measure the step.

    Args:
        clip: A clip; the packaged drive when left out.
        json_file: Write the numbers there too.
        recipe: Whose reconstruction.
        warm_steps: Steps before anything is timed.
        rounds: Blocks with each number of threads.
        samples_per_step: Instead of the recipe's.
        scale: Instead of the recipe's.
    """
    loaded = load_clip(clip or sample_path())
    config = replace(RECIPES[recipe](loaded), backend="native", steps=2 * warm_steps)
    config = replace(config, scale=scale or config.scale)
    config = replace(config, samples_per_step=samples_per_step or config.samples_per_step)
    report = Report(title=f"Training step: {loaded.name}, recipe {recipe}")
    data = load_data(loaded, config)
    training, step = new_training(loaded, config, data), 0
    for step in range(warm_steps):
        train_step(training, data, config, step)
    blocks: dict[int, list[Block]] = {1: [], 2: []}
    step = warm_steps // REFRESH_EVERY * REFRESH_EVERY
    for _ in range(rounds):
        for threads, done in blocks.items():
            torch.set_num_threads(threads)
            done.append(block(training, data, config, step))
            step += REFRESH_EVERY
    _print(report, training, config, blocks, coloured_share(training, data, config))
    report.finish(json_file)


def _print(
    report: Report, training: Training, config: ReconstructionConfig,
    blocks: dict[int, list[Block]], coloured: float,
) -> None:  # fmt: skip
    field = training.model.field.static
    size = field.table.numel()
    level = 4 * field.spec.features * max(field.spec.sizes)
    roofs = rooflines(table_bytes=2 * size, gradient_bytes=level)
    costs = {threads: median([one.cost for one in done]) for threads, done in blocks.items()}
    per_step, rows = {}, []
    for threads, done in blocks.items():
        steps = REFRESH_EVERY * len(done)
        mean = {name: sum(one.counted[name] for one in done) / steps for name in done[0].counted}
        wall = costs[threads].wall_s / REFRESH_EVERY
        cpu = costs[threads].cpu_s / REFRESH_EVERY
        row: list[object] = [threads, 1e3 * wall, 1e3 * cpu, mean["rays"]]
        for name in ("kept", "evaluated"):
            speed = mean[name] / wall / 1e6
            row += [mean[name], bar(speed, FASTEST) if threads == 2 else speed]
            row.append(threads * mean[name] / cpu / 1e6)
        rows.append(row)
        per_step[threads] = mean
    head = ["threads", "step [ms]", "CPU [ms]", "rays", "kept", "Ms/s", "by CPU time",
        "evaluated", "Ms/s", "by CPU time"]  # fmt: skip
    report.table(f"Steps of {config.samples_per_step} samples wanted", head, rows)
    wall, cpu = scaling(costs[1], costs[2])
    report.say(
        f"From one thread to two: {bar(wall, CORES)} by the clock; at the most, by processor "
        f"time, {bar(cpu, CORES)}."
    )
    _print_parts(report, blocks)
    ideal = ideal_s(field, {k: round(v) for k, v in per_step[1].items()}, coloured, roofs)
    outside = _outside(blocks[1])
    report.say(f"Outside the engine: {bar(outside, OUTSIDE, at_least=False)} of one thread's step.")
    report.numbers["outside_the_engine"] = outside
    engine = median([one.parts["engine"] for one in blocks[1]]).cpu_s / REFRESH_EVERY
    whole = costs[1].cpu_s / REFRESH_EVERY
    shown = ", ".join(f"{name} {value:.0f}" for name, value in roofs.items())
    report.say(
        f"Roofline of one core: {1e3 * ideal:.2f} ms a step (`ideal_s`; {100 * coloured:.0f} % of "
        f"the samples kept have a colour): {100 * ideal / engine:.0f} % of the engine's "
        f"{1e3 * engine:.2f} ms and {100 * ideal / whole:.0f} % of the step's {1e3 * whole:.2f} ms "
        f"of processor time. Measured: {shown}."
    )
    report.numbers |= {"rooflines": roofs, "coloured_share": coloured, "ideal_s": ideal}
    report.numbers |= {"scaling": {"wall": wall, "cpu": cpu}, "per_step": per_step}
    report.numbers["steps"] = {threads: asdict(cost) for threads, cost in costs.items()}


def _outside(blocks: list[Block]) -> float:
    """Share of the processor time of steps that passes outside the engine."""
    shares = [1.0 - sum(one.parts[x].cpu_s for x in ENGINE) / one.cost.cpu_s for one in blocks]
    return sorted(shares)[len(shares) // 2]


def _print_parts(report: Report, blocks: dict[int, list[Block]]) -> None:
    rows, kept = [], {}
    for part in (*PARTS, "rest"):
        row: list[object] = [part]
        for threads, done in blocks.items():
            cost, whole = median([one.parts[part] for one in done]), median([o.cost for o in done])
            row += [1e3 * cost.wall_s / REFRESH_EVERY, 1e3 * cost.cpu_s / REFRESH_EVERY]
            row.append(f"{100 * cost.cpu_s / whole.cpu_s:.1f} %")
            kept[f"{part} {threads}"] = asdict(cost)
        rows.append(row)
    head = ["part", "1 thread [ms]", "CPU [ms]", "of CPU", "2 threads [ms]", "CPU [ms]", "of CPU"]
    report.table("Where a step's time goes", head, rows)
    report.numbers["parts_of_16_steps"] = kept


if __name__ == "__main__":
    tyro.cli(main)
