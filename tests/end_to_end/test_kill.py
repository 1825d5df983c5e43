"""A training that is killed with SIGKILL, again and again, ends as one that ran through."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from recon.reconstruct import CHECKPOINT, REQUEST
from recon.scene import FIELD
from recon.training.checkpoint import header_of
from scenes.storage.folders import partial_folder
from scenes.storage.manifests import LOG, MANIFEST
from tests.scene_maker import save_drive

ROOT = Path(__file__).parents[2]
STEPS = 60
PATIENCE_S = 60.0
SCRIPT = f"""
import sys, time
import recon.recipes, recon.training.loop
from render.cli import main
from tests.scene_maker import tiny_config

step = recon.training.loop.train_step
def slowly(*arguments):
    time.sleep(0.02)  # leaves time to be killed in
    return step(*arguments)

recon.training.loop.train_step = slowly
recon.training.loop.CHECKPOINT_SECONDS = 0.0
recon.recipes.RECIPES["tiny"] = lambda _: tiny_config(steps={STEPS})
sys.exit(main(sys.argv[1:]))
"""
"""`otherlane`, with one recipe more: every step is slow and followed by a checkpoint."""


def reconstructing(clip: Path, out: Path) -> subprocess.Popen[bytes]:
    words = ["reconstruct", str(clip), "--out", str(out), "--recipe", "tiny", "--holdout", "4"]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finished(clip: Path, out: Path) -> Path:
    with reconstructing(clip, out) as process:
        said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 0, said.decode()
    return out


def kill(clip: Path, out: Path, ready: Callable[[Path], bool]) -> None:
    """Start a training and kill it once what lies in its folder so far is `ready`."""
    with reconstructing(clip, out) as process:
        patience = time.monotonic() + PATIENCE_S
        while not ready(partial_folder(out)):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < patience
            time.sleep(0.002)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()


def begun(partial: Path) -> bool:
    """The training's configuration is there, and no checkpoint yet."""
    return (partial / REQUEST).exists()


def at_step(step: int) -> Callable[[Path], bool]:
    """The checkpoint is of that step, or a later one."""
    return lambda partial: (partial / CHECKPOINT).exists() and step_of(partial) >= step


def step_of(partial: Path) -> int:
    return header_of((partial / CHECKPOINT).read_bytes())["done"]["step"]


def test_killed_at_any_moment_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    clip = save_drive(tmp_path)
    out = tmp_path / "killed"
    kill(clip, out, begun)
    kill(clip, out, at_step(2))
    first = step_of(partial_folder(out))
    kill(clip, out, at_step(STEPS // 2))
    second = step_of(partial_folder(out))
    assert first < second < STEPS
    finished(clip, out)
    straight = finished(clip, tmp_path / "straight")
    assert (out / FIELD).read_bytes() == (straight / FIELD).read_bytes()
    assert (out / MANIFEST).read_bytes() == (straight / MANIFEST).read_bytes()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"clip", "pictures", "killed", "straight"}
    # Each run logs the first step it does: none went back behind the last checkpoint.
    logged = [json.loads(line)["step"] for line in (out / LOG).read_text().splitlines()]
    assert logged[-3:] == [first + 1, second + 1, STEPS]
    assert set(logged[:-3]) == {1}
