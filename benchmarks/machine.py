"""What every benchmark says of the machine, and how it takes times where others work too.

Contestants take turns (A B A B ...), so that whatever else the machine does meets them alike. Wall
time is what a user waits for; processor time hardly minds neighbours. Medians of both are reported.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import torch

from recon.evaluation.evaluate import without_nan
from recon.kernels.native import instruction_set, native_problem

Work = Callable[[], "Cost"]
Row = Sequence[object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What something took."""

    wall_s: float
    cpu_s: float
    """Of all threads of the process that did it."""


def clocked(work: Callable[[], object], threads: int | None = None) -> Work:
    """`work` as a contestant; on so many of PyTorch's threads."""

    def run() -> Cost:
        if threads is not None:
            torch.set_num_threads(threads)
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return Cost(wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu)

    return run


def interleaved(works: Mapping[str, Work], rounds: int) -> dict[str, Cost]:
    """Medians of contestants that take turns; each runs once before anything counts."""
    taken: dict[str, list[Cost]] = {name: [] for name in works}
    for turn in range(-1, rounds):
        for name, work in works.items():
            cost = work()
            if turn >= 0:
                taken[name].append(cost)
    return {name: median(costs) for name, costs in taken.items()}


def median(costs: Sequence[Cost]) -> Cost:
    """Of wall and processor time, each by itself."""
    wall, cpu = ([getattr(cost, name) for cost in costs] for name in ("wall_s", "cpu_s"))
    return Cost(wall_s=statistics.median(wall), cpu_s=statistics.median(cpu))


def scaling(one: Cost, two: Cost) -> tuple[float, float]:
    """How many times faster two threads are: by the clock, and at the most, by processor time.

    The second is what two undisturbed cores could give: work that is done twice, or spent waiting
    in a loop, shows in it; cores that wait for each other do not.
    """
    return one.wall_s / two.wall_s, 2.0 * one.cpu_s / two.cpu_s


def machine() -> dict[str, object]:
    """Processor, cores, instruction sets, versions."""
    here = instruction_set() if native_problem() is None else f"none: {native_problem()}"
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cpu": _cpu_name(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "native_instruction_set": here,
        "torch_instruction_set": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "niceness": os.nice(0),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    known = {key.strip(): value.strip() for key, value in said.items()}
    if "model name" not in known:
        return platform.processor() or platform.machine()
    family = f"family {known.get('cpu family')}, model {known.get('model')}"
    return f"{known['model name']} ({family})"


def load() -> float:
    """Processes that run or wait to, mean of a minute."""
    return round(os.getloadavg()[0], 2)


def memory_mb(what: Literal["VmRSS", "VmHWM"]) -> float:
    """Memory of this process: now, or at its peak [MB]. Only the peak where Linux is not."""
    status = Path("/proc/self/status")
    if not status.is_file():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    lines = status.read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(what)) * 1024 / 1e6


def rooflines(table_bytes: int = 8 << 20, gradient_bytes: int = 2 << 20) -> dict[str, float]:
    """What one core can do at the best: least processor time of several tries.

    `sgemm_*` [GFLOP/s], matrices in the nearest cache and large ones; `gather_*` [M/s], random
    numbers of 8 bytes out of a table so large; `copy` [GB/s], read and written, of 64 MB.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        copied = torch.zeros(8 << 20, dtype=torch.int64)
        into = torch.empty_like(copied)
        return {
            "sgemm_384x64x64_gflops": _sgemm(384, 64, 64, 500),
            "sgemm_1024_gflops": _sgemm(1024, 1024, 1024, 1),
            "gather_table_mloads": _gather(table_bytes),
            "gather_gradient_mloads": _gather(gradient_bytes),
            "copy_gb_s": 2 * 8 * len(copied) / least_cpu_s(lambda: into.copy_(copied)) / 1e9,
        }
    finally:
        torch.set_num_threads(before)


def least_cpu_s(work: Callable[[], object], tries: int = 5) -> float:
    """Least processor time of this thread [s]."""
    work()
    best = float("inf")
    for _ in range(tries):
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
    return best


def _sgemm(rows: int, inner: int, columns: int, times: int) -> float:
    a, b, out = torch.rand(rows, inner), torch.rand(inner, columns), torch.empty(rows, columns)

    def work() -> None:
        for _ in range(times):
            torch.mm(a, b, out=out)

    return 2.0 * rows * inner * columns * times / least_cpu_s(work) / 1e9


def _gather(size: int) -> float:
    table, count = torch.zeros(size // 8, dtype=torch.int64), 1 << 20
    random = torch.Generator().manual_seed(0)
    index = torch.randint(len(table), (count,), generator=random, dtype=torch.int32)
    out = torch.empty(count, dtype=torch.int64)
    return count / least_cpu_s(lambda: torch.index_select(table, 0, index, out=out)) / 1e6


@dataclass(kw_only=True, slots=True)
class Report:
    """What a benchmark prints, and writes as JSON where it is asked to."""

    title: str
    parts: list[str] = field(default_factory=list)
    numbers: dict[str, object] = field(default_factory=dict)
    load_before: float = field(default_factory=load)
    cpu_before: tuple[float, float] = field(default_factory=lambda: _busy())

    def table(self, title: str, head: Sequence[str], rows: Sequence[Row]) -> None:
        """A table in Markdown; numbers have three digits that count."""
        lines = [head, ["---"] * len(head), *([_shown(cell) for cell in row] for row in rows)]
        text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        self.parts.append(f"**{title}**\n\n{text}" if title else text)

    def say(self, text: str) -> None:
        """A paragraph."""
        self.parts.append(text)

    def finish(self, json_file: Path | None) -> None:
        """Print everything, the machine first, and write the numbers."""
        about = machine() | {"load_before": self.load_before, "load_after": load()}
        about |= {"cores_busy": round(_share(self.cpu_before), 2)}
        about |= {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        said = "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in about.items())
        print(f"## {self.title}\n\n{said}\n")
        print("\n\n".join(self.parts), flush=True)
        if json_file is not None:
            content = {"benchmark": self.title, "machine": about, **self.numbers}
            text = json.dumps(without_nan(content), indent=1, allow_nan=False)
            json_file.write_text(text + "\n", encoding="utf-8")


def bar(value: float, limit: float, *, at_least: bool = True) -> str:
    """A number beside the bar it should pass."""
    passed = value >= limit if at_least else value <= limit
    sign = "≥" if at_least else "≤"
    return f"{_shown(value)} ({'passes' if passed else 'FAILS'} {sign} {_shown(limit)})"


def _shown(cell: object) -> str:
    if cell is None or cell != cell:
        return ""
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"


def _busy() -> tuple[float, float]:
    """Now, and processor seconds that the whole machine has spent since it started [s]."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return time.perf_counter(), float("nan")
    user, nice, system, _, _, interrupt, soft, *_ = (
        float(word) for word in stat.read_text(encoding="utf-8").split("\n")[0].split()[1:]
    )
    spent = (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), spent


def _share(before: tuple[float, float]) -> float:
    """Cores of the machine that were busy since, this benchmark's own included."""
    now = _busy()
    return (now[1] - before[1]) / max(now[0] - before[0], 1e-9)
