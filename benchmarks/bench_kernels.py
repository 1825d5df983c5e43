"""The field's kernels: native, PyTorch and nerfstudio's own classes, in turns, on the same points.

    python -m benchmarks.bench_kernels [--peer-python .venv-nerfstudio/bin/python]
        [--sizes nerfacto] [--json-file FILE]

One field for all: by default 8 levels of 4 x 2^17 numbers, resolutions 16 to 2048, networks with
one and two hidden layers of 32 neurons. `density` is hash encoding and first network, `forward`
the second network too, `both` that and the gradients of every parameter. Answers are checked
before anything is timed. `make test-nerfstudio` builds an environment for the peer.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import tyro

from benchmarks.kernels_field import (
    NativeField,
    TorchField,
    ceiling_msamples,
    check,
    new_field,
    work_of,
)
from benchmarks.kernels_inputs import SIZES, WORKS, Inputs, inputs
from benchmarks.machine import Cost, Report, Work, bar, clocked, interleaved, rooflines, scaling

ROOT = Path(__file__).parents[1]
FASTER, CORES = 15.0, 1.9
"""Bars: times as fast as the peer; two threads as one."""


@contextmanager
def peer(python: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The peer's process, ready."""
    command = [str(python), "-W", "ignore", "-m", "benchmarks.kernels_peer", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def answer(process: subprocess.Popen[str]) -> dict[str, float]:
    """Its next line.

    Raises:
        RuntimeError: It has ended.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the peer has ended: does its Python have nerfstudio? (see above)")
    return json.loads(line)


def of_peer(process: subprocess.Popen[str], work: str, threads: int) -> Work:
    """The peer as a contestant."""

    def run() -> Cost:
        assert process.stdin is not None
        print(json.dumps({"work": work, "threads": threads}), file=process.stdin, flush=True)
        return Cost(**answer(process))

    return run


def contestants(
    native: NativeField, reference: TorchField, process: subprocess.Popen[str] | None,
    at: Inputs, threads: tuple[int, ...],
) -> dict[str, Work]:  # fmt: skip
    """Everyone with every work, by "who work threads"."""
    works = {}
    for work in WORKS:
        for count in threads:
            works[f"native {work} {count}"] = clocked(work_of(native, work, at), count)
            works[f"torch {work} {count}"] = clocked(work_of(reference, work, at), count)
            if process is not None:
                works[f"nerfstudio {work} {count}"] = of_peer(process, work, count)
    return works


def main(
    peer_python: Path | None = None,
    json_file: Path | None = None,
    sizes: Literal["otherlane", "nerfacto"] = "otherlane",
    samples: int = 2**17,
    rounds: int = 7,
    order: Literal["rays", "random"] = "rays",
    threads: tuple[int, ...] = (1, 2),
) -> None:
    """Measure the kernels.

    Args:
        peer_python: Python of an environment with nerfstudio, to run beside.
        json_file: Write the numbers there too.
        sizes: Our field's, or nerfacto's (16 levels of 2 x 2^19 numbers, 64 neurons).
        samples: Points at once.
        rounds: Turns that count.
        order: Points along rays, or anywhere.
        threads: Numbers of threads.
    """
    report = Report(title=f"Kernels: {sizes}'s sizes, {samples} points ({order}), {rounds} rounds")
    field, at = new_field(SIZES[sizes]), inputs(samples, in_rays=order == "rays")
    native, reference = NativeField(field), TorchField(field.static)
    error = check(native, reference, at)
    spec, table = field.static.spec, field.static.table
    level_bytes = 4 * spec.features * max(spec.sizes)
    roofs = rooflines(table_bytes=2 * table.numel(), gradient_bytes=level_bytes)
    about: dict[str, float] = {}
    if peer_python is None:
        costs = interleaved(contestants(native, reference, None, at, threads), rounds)
    else:
        with peer(peer_python, sizes, str(samples), order) as process:
            about = answer(process)
            costs = interleaved(contestants(native, reference, process, at, threads), rounds)
    report.say(
        f"Native and PyTorch agree to {error:.1e} of the largest value. Peer: {about or 'none'}"
    )
    _speeds(report, costs, samples, threads)
    _scaling(report, costs, threads)
    ceilings = {work: ceiling_msamples(work, SIZES[sizes], field.static, roofs) for work in WORKS}
    _shares(report, costs, samples, roofs, ceilings)
    report.numbers |= {"sizes": sizes, "samples": samples, "order": order, "parity": error}
    report.numbers |= {"peer": about, "rooflines": roofs, "ceilings_msamples": ceilings}
    report.numbers["seconds"] = {name: asdict(cost) for name, cost in costs.items()}
    report.finish(json_file)


def _speeds(report: Report, costs: dict[str, Cost], samples: int, threads: tuple[int, ...]) -> None:
    head = ["work", "threads", "native Ms/s", "by CPU", "torch Ms/s", "nerfstudio Ms/s",
        "native / torch", "native / nerfstudio", "by CPU time"]  # fmt: skip
    rows = []
    for work in WORKS:
        for count in threads:
            name = f"{work} {count}"
            ours, torchs = costs[f"native {name}"], costs[f"torch {name}"]
            row: list[object] = [work, count, samples / ours.wall_s / 1e6]
            row += [samples * count / ours.cpu_s / 1e6, samples / torchs.wall_s / 1e6]
            theirs = costs.get(f"nerfstudio {name}")
            if theirs is None:
                rows.append([*row, "", torchs.wall_s / ours.wall_s, "", ""])
                continue
            ratio, of_cpu = theirs.wall_s / ours.wall_s, theirs.cpu_s / ours.cpu_s
            judged = work != "density"
            row += [samples / theirs.wall_s / 1e6, torchs.wall_s / ours.wall_s]
            rows.append([*row, *(bar(x, FASTER) if judged else x for x in (ratio, of_cpu))])
    report.table("Million samples a second; native, times as fast", head, rows)


def _scaling(report: Report, costs: dict[str, Cost], threads: tuple[int, ...]) -> None:
    if threads != (1, 2):
        return
    head = ["work", "1 -> 2 threads, native", "at most, by CPU time", "torch", "nerfstudio"]
    rows, kept = [], {}
    for work in WORKS:
        wall, cpu = scaling(costs[f"native {work} 1"], costs[f"native {work} 2"])
        row: list[object] = [work, bar(wall, CORES), bar(cpu, CORES)]
        for name in ("torch", "nerfstudio"):
            one, two = costs.get(f"{name} {work} 1"), costs.get(f"{name} {work} 2")
            row.append(scaling(one, two)[0] if one and two else "")
        rows.append(row)
        kept[work] = {"wall": wall, "cpu": cpu}
    report.numbers["scaling"] = kept
    report.table("From one thread to two", head, rows)


def _shares(
    report: Report, costs: dict[str, Cost], samples: int, roofs: dict[str, float],
    ceilings: dict[str, float],
) -> None:  # fmt: skip
    rows: list[list[object]] = []
    for work in WORKS:
        cost = costs.get(f"native {work} 1")
        if cost is None:
            return
        reached, most = samples / cost.cpu_s / 1e6, ceilings[work]
        rows.append([work, reached, most, f"{100 * reached / most:.0f} %"])
    head = ["work", "Ms/s of one core, by CPU time", "roofline", "share"]
    shown = ", ".join(f"{name} {value:.0f}" for name, value in roofs.items())
    report.table(
        f"Share of the roofline (sgemm + gathers, one after the other): {shown}", head, rows
    )


if __name__ == "__main__":
    tyro.cli(main)
