"""The backends of GPUs on this machine: parity, kernels, training, rendering, seconds to 25 dB.

    benchmarks/gpu.sh        (or: python -m benchmarks.gpu [--limit-s 450])

Needs a CUDA device (exit code 2 without) and no network. DRIVES is the folder of a clip, as
`otherlane import` writes it, for the seconds to 25 dB; without it the packaged drive is trained on.
Prints a page of Markdown, and writes it with a JSON of the numbers into $OUT (default: here). Each
backend runs in a process of its own: one that fails is said to have failed, and costs no other.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_kernels import Route, routes
from benchmarks.gpu_route import GOAL_DB, SAMPLES_PER_STEP
from recon.kernels.backend import Backend, backend_problem

ROUTE_S = 100.0
"""Longest that one backend may take, compiling included."""


def measure_all(limit_s: float) -> int:
    """Measure everything that fits into `limit_s` seconds."""
    until = time.perf_counter() + limit_s
    if problem := backend_problem(Backend.TRITON):
        print(f"benchmarks/gpu: {problem}\n  try: a machine with an NVIDIA GPU", file=sys.stderr)
        return 2
    out = Path(os.environ.get("OUT", "."))
    found = {route.name: measured(route, out, until) for route in routes()}
    trained = {n: v["training"]["samples_per_s"] for n, v in found.items() if "training" in v}
    if trained and os.environ.get("DRIVES"):
        fastest = max(trained, key=lambda name: trained[name])
        left = until - time.perf_counter()
        found[fastest] |= run(fastest, out, left, "--goal-s", f"{left - 10.0:.0f}")
    text = page(found)
    (out / "gpu.md").write_text(text, encoding="utf-8")
    device = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    numbers = json.dumps(device | {"backends": found}, indent=1)
    (out / "gpu.json").write_text(numbers, encoding="utf-8")
    print(text)
    return 0


def measured(route: Route, out: Path, until: float) -> dict[str, Any]:
    """What one backend achieves; "problem" says what kept it from doing so."""
    if route.problem:
        return {"problem": route.problem}
    found = run(route.name, out, min(ROUTE_S, until - time.perf_counter()))
    print(
        f"# {route.name}: {', '.join(found)}; {until - time.perf_counter():.0f} s left", flush=True
    )
    return found


def run(name: str, out: Path, seconds: float, *options: str) -> dict[str, Any]:
    """One backend in a process of its own, for at most so long."""
    file = out / f"gpu_{name.replace(' ', '_')}.json"
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.gpu_route", name, str(file), *options]
    problem = {}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=max(seconds, 1.0), check=False
        )
        if done.returncode:
            print(done.stderr[-4000:], file=sys.stderr, flush=True)
            problem = {"problem": f"failed: {done.stderr.strip().splitlines()[-1]}"}
    except subprocess.TimeoutExpired:
        problem = {"problem": f"stopped after {seconds:.0f} s"}
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    file.unlink(missing_ok=True)
    return found | problem


def page(found: dict[str, dict[str, Any]]) -> str:
    """The numbers in Markdown."""
    version = f"torch {torch.__version__}, CUDA {torch.version.cuda}"
    parts = [f"## {torch.cuda.get_device_name()}, {version}"]
    parts += [f"**{n}**: {v['problem']}" for n, v in found.items() if "problem" in v]
    for title, key in (
        ("Largest error over largest value, of values and (') gradients", "parity"),
        ("Msamples/s, forward / forward and gradients", "speed"),
    ):
        known = {name: numbers[key] for name, numbers in found.items() if key in numbers}
        names = list(dict.fromkeys(name for numbers in known.values() for name in numbers))
        rows = [[name, *(_shown(numbers[name]) for numbers in known.values())] for name in names]
        parts.append(f"{title}:\n\n{table(['', *known], rows)}")
    head = ["backend", "steps/s", "training Mrays/s", "training Msamples/s", "rendering Mrays/s"]
    rows = [
        [name, f"{t['steps_per_s']:.1f}", *(f"{t[key] / 1e6:.3f}" for key in (
            "rays_per_s", "samples_per_s", "render_rays_per_s"))]
        for name, v in found.items() if (t := v.get("training"))
    ]  # fmt: skip
    clip = next((v["clip"] for v in found.values() if "clip" in v), "nothing")
    title = f"Training and rendering of {clip}, {SAMPLES_PER_STEP} samples a step wanted"
    parts.append(f"{title}:\n\n{table(head, rows)}")
    goal = [(name, line) for name, v in found.items() for line in v.get("goal", [])]
    rows = [
        [name, f"{g['seconds']:.1f}", f"{g['steps']}", f"{g['psnr_affine_db']:.2f}"]
        for name, g in goal
    ]
    head = ["backend", "training s", "steps", "psnr_affine_db"]
    parts.append(
        f"To {GOAL_DB} dB on held-out pictures, one schedule a line:\n\n{table(head, rows)}"
        if goal
        else f"Seconds to {GOAL_DB} dB: not measured (DRIVES names no clip, or time ran out)"
    )
    return "\n\n".join(parts) + "\n"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _shown(value: float | list[float]) -> str:
    if isinstance(value, list):
        return " / ".join(f"{number:.0f}" for number in value)
    return f"{value:.1e}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--limit-s", type=float, default=450.0)
    sys.exit(measure_all(parser.parse_args().limit_s))
