"""Every benchmark runs, says what it must, and judges by its bars; at sizes that mean nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import tyro

import recon.recipes
from benchmarks import (
    bench_functions,
    bench_kernels,
    bench_length,
    bench_memory,
    bench_render,
    bench_step,
    machine,
)
from recon.kernels.native import native_problem
from recon.reconstruct import reconstruct_clip
from scenes.errors import OtherlaneError
from tests.conftest import ROOT
from tests.scene_maker import TINY, save_drive, tiny_config

pytestmark = pytest.mark.skipif(
    native_problem() is not None, reason=f"no native backend: {native_problem()}"
)

ROOFS = {
    "sgemm_384x64x64_gflops": 90.0,
    "sgemm_1024_gflops": 100.0,
    "gather_table_mloads": 500.0,
    "gather_gradient_mloads": 800.0,
    "copy_gb_s": 20.0,
}
PEER = ROOT / ".venv-nerfstudio" / "bin" / "python"
"""Where `make test-nerfstudio` puts it."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recon.recipes.RECIPES, "tiny", lambda _: tiny_config())
    often = tiny_config(holdout=2)
    monkeypatch.setitem(recon.recipes.RECIPES, "often", lambda _: often)
    for module in (bench_kernels, bench_step):
        monkeypatch.setattr(module, "rooflines", lambda **_: ROOFS)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is asked for: beside other tests, threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    yield
    monkeypatch.undo()
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_drive(tmp_path_factory.mktemp("drive"))


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark that starts itself again is called instead."""

    def run(command: Sequence[str], **_: object) -> SimpleNamespace:
        module = sys.modules[command[2]]
        said = StringIO()
        with redirect_stdout(said):
            tyro.cli(module.main, args=command[3:])
        return SimpleNamespace(stdout=said.getvalue())

    monkeypatch.setattr(subprocess, "run", run)


def read(file: Path) -> dict[str, Any]:
    """Numbers of a benchmark that says what machine it ran on."""
    found = json.loads(file.read_text(encoding="utf-8"))
    said = {"cpu", "cores", "native_instruction_set", "torch", "load_before", "load_after"}
    assert said <= found["machine"].keys()
    return found


def test_contestants_take_turns_and_the_first_does_not_count() -> None:
    called: list[str] = []

    def work(name: str, seconds: Sequence[float]) -> Any:
        left = iter(seconds)

        def run() -> machine.Cost:
            called.append(name)
            return machine.Cost(wall_s=next(left), cpu_s=1.0)

        return run

    works = {"a": work("a", [9.0, 1.0, 5.0, 2.0]), "b": work("b", [9.0, 3.0, 3.0, 8.0])}
    taken = machine.interleaved(works, rounds=3)
    assert called == ["a", "b"] * 4
    assert (taken["a"].wall_s, taken["b"].wall_s) == (2.0, 3.0)


def test_bars_judge() -> None:
    assert machine.bar(15.0, 15.0) == "15 (passes ≥ 15)"
    assert machine.bar(14.2, 15.0) == "14.2 (FAILS ≥ 15)"
    assert machine.bar(1.5, 1.4, at_least=False) == "1.5 (FAILS ≤ 1.4)"


def test_rooflines_are_positive() -> None:
    assert all(value > 0.0 for value in machine.rooflines(1 << 16, 1 << 16).values())


def test_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SAMPLES": 256, "CHECKED": 128, "REPEATS": 1}.items():
        monkeypatch.setattr(bench_functions, name, value)
    bench_functions.main(tmp_path / "numbers.json")
    names = {row["name"] for row in read(tmp_path / "numbers.json")["timings"]}
    assert {"hash_grid", "mlp 32-32-16", "render_weights"} <= names


def test_kernels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench_kernels.main(json_file=tmp_path / "numbers.json", samples=256, rounds=1)
    found = read(tmp_path / "numbers.json")
    assert found["parity"] <= 1e-4
    assert {"native both 2", "torch forward 1"} <= found["seconds"].keys()
    assert "From one thread to two" in capsys.readouterr().out


def test_kernels_of_the_peer(tmp_path: Path) -> None:
    if not PEER.is_file():
        pytest.skip("no nerfstudio: `make test-nerfstudio` builds its environment")
    bench_kernels.main(PEER, tmp_path / "numbers.json", samples=256, rounds=1, threads=(1,))
    found = read(tmp_path / "numbers.json")
    assert found["peer"]["parameters"] > 8 * 4 * 2**17
    assert found["seconds"]["nerfstudio both 1"]["wall_s"] > 0.0


def test_step(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench_step.main(clip, tmp_path / "numbers.json", recipe="tiny", warm_steps=16, rounds=1)
    found = read(tmp_path / "numbers.json")
    kept, evaluated = (found["per_step"]["1"][name] for name in ("kept", "evaluated"))
    assert 0 < kept <= evaluated
    parts = sum(found["parts_of_16_steps"][f"{name} 1"]["wall_s"] for name in ("engine",))
    assert 0.0 < parts < found["steps"]["1"]["wall_s"]
    assert "Where a step's time goes" in capsys.readouterr().out


def test_render(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = reconstruct_clip(clip, tmp_path / "scene", TINY)
    bench_render.main(
        scene, tmp_path / "numbers.json", rounds=1, workers=1, frames_per_worker=3, held=1,
        hot_spots=True,
    )  # fmt: skip
    found = read(tmp_path / "numbers.json")
    assert found["seconds_per_frame"] > 0.0
    assert {"native march", "torch labels", "native frame"} <= found["parts"].keys()
    native, torchs = (found["quality"][name]["default"][0] for name in ("native", "torch"))
    assert native == pytest.approx(torchs, abs=0.2)
    assert " s alone " in capsys.readouterr().out


@pytest.mark.usefixtures("no_processes")
def test_memory(clip: Path, tmp_path: Path) -> None:
    bench_memory.main(clip, tmp_path / "numbers.json", ("native",), steps=2, recipe="tiny")
    found = read(tmp_path / "numbers.json")["mb"]["native"]
    assert found["peak"] >= found["read"] >= found["imports"] > 0.0


@pytest.mark.usefixtures("no_processes")
def test_length(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench_length.main(clip, tmp_path / "numbers.json", (5, 6), "often", threads=1)
    short, whole = read(tmp_path / "numbers.json")["lengths"]
    assert short["drive_m"] < whole["drive_m"]
    assert "on the common frames" in capsys.readouterr().out
    with pytest.raises(OtherlaneError, match="first 2 pictures"):
        bench_length.main(clip, frames=(2, 6), recipe="often", threads=1)
