"""The five verbs in a row on a tiny recorded drive, through the command line, as users run them."""

import contextlib
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recon.kernels.backend import choose_backend
from render.cli import main
from scenes.storage.manifests import LOG
from tests.kitti_maker import make_tracking

REQUEST = """\
name = "left"
[[edits]]
kind = "exposure"
stops = 0.5
[[edits]]
kind = "lane-change"
offset_m = 2.5
start_us = 0
duration_us = 3_000_000
"""
SCORES = {
    *("psnr_db", "psnr_affine_db", "ssim", "flip", "depth_abs_rel", "frames"),
    *("resolution", "train_seconds", "steps", "backend"),
}
"""What `otherlane evaluate --json` promises."""
TIMES = {"seconds", "seconds_per_frame", "rendered_now"}
"""What a second run may say differently: it had nothing to do."""
VERBS: dict[str, tuple[str, ...]] = {
    "import": ("DRIVE", "--out", "clip", "--fmt", "kitti-tracking"),
    "reconstruct": ("clip", "--out", "scene", "--budget", "2s", "--holdout", "4"),
    "evaluate": ("scene", "--out", "scores"),
    "perturb": ("clip", "--request", "left.toml", "--out", "scenarios"),
    "render": (
        "scene",
        "--scenario",
        "scenarios/0000/scenario.toml",
        "--out",
        "frames",
        "--size",
        "32x12",
    ),
    "verify": ("frames",),
    "export": ("frames", "--out", "kitti", "--format", "kitti"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """A folder in which every verb has run once."""

    folder: Path
    answers: Mapping[str, dict[str, Any]]
    """What each verb said."""

    def run(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit code of a command, and the one JSON object that it prints."""
        said = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(said):
            code = main([*words, "--json"])
        assert said.getvalue().count("\n") == 1, "stdout holds one line, the result"
        answer = json.loads(said.getvalue())
        assert isinstance(answer, dict)
        return code, answer


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """All verbs in turn; not to be changed, or changed back."""
    folder = tmp_path_factory.mktemp("verbs")
    make_tracking(folder / "DRIVE")
    (folder / "left.toml").write_text(REQUEST)
    answers: dict[str, dict[str, Any]] = {}
    made = Chain(folder=folder, answers=answers)
    for name, words in VERBS.items():
        code, answers[name] = made.run(name, *words)
        assert code == 0, answers[name]
    return made


def test_they_say_what_they_did(chain: Chain) -> None:
    answers = chain.answers
    assert answers["import"]["frames"] == 6
    assert answers["import"]["actors"] == 2
    assert answers["reconstruct"]["steps"] >= 1
    assert answers["perturb"]["accepted"] == 1
    assert answers["render"]["frames"] == answers["render"]["rendered_now"] == 6
    assert answers["render"]["size"] == "32x12"
    assert answers["verify"]["ok"] is True
    assert answers["export"]["pictures"] == 6
    licences = {answers[name]["licence"] for name in ("import", "reconstruct", "render")}
    assert len(licences) == 1
    assert "BY-NC-SA" in licences.pop()
    assert not list(chain.folder.glob(".*")), "work in progress is left"


def test_scores_have_the_promised_keys(chain: Chain) -> None:
    scores = chain.answers["evaluate"]
    assert set(scores) >= SCORES
    assert scores["frames"] == 1  # 0 and 4 are held out, and 0 lies before all that train
    assert scores["extrapolation"]["frames"] == 1
    assert scores["resolution"] == [64, 24]
    assert scores["backend"] == choose_backend(None)
    assert scores["steps"] == chain.answers["reconstruct"]["steps"]
    assert scores["train_seconds"] == chain.answers["reconstruct"]["train_seconds"] > 0
    for name in ("psnr_db", "psnr_affine_db", "ssim", "flip"):
        assert np.isfinite(scores[name])


def test_a_second_run_finds_everything_done(chain: Chain) -> None:
    before = written(chain.folder)
    for name, words in VERBS.items():
        code, again = chain.run(name, *words)
        assert code == 0
        assert written(chain.folder) == before, f"{name} made something again"
        assert without_times(again) == without_times(chain.answers[name])
        assert again.get("rendered_now", 0) == 0


def test_equal_work_gives_equal_bytes(chain: Chain) -> None:
    for name in ("perturb", "render", "export"):
        words = list(VERBS[name])
        out = words.index("--out") + 1
        words[out] += "-again"
        assert chain.run(name, *words)[0] == 0
        first, again = chain.folder / VERBS[name][out], chain.folder / words[out]
        assert contents(again) == contents(first)
        shutil.rmtree(again)


def test_another_request_for_the_same_folder_is_refused(chain: Chain) -> None:
    before = written(chain.folder)
    for name, change, said in (
        ("reconstruct", ("--seed", "1"), "another seed"),
        ("perturb", ("--count", "2"), "another count"),
        ("render", ("--frames", "0"), "another frames"),
        ("export", ("--min-px", "9"), "another gate"),
    ):
        code, answer = chain.run(name, *VERBS[name], *change)
        assert code == 2
        assert said in answer["error"]["wrong"]
    assert written(chain.folder) == before


@pytest.mark.parametrize(
    "pattern", ["frames/*/*.rgb.png", "frames/*/*.npz", "labels.jsonl", "*.mp4"]
)
def test_one_wrong_byte_is_found(pattern: str, chain: Chain) -> None:
    path = min((chain.folder / "frames").glob(pattern))
    whole = path.read_bytes()
    harmed = bytearray(whole)
    harmed[len(harmed) // 2] ^= 1
    path.write_bytes(harmed)
    try:
        code, answer = chain.run("verify", "frames")
    finally:
        path.write_bytes(whole)
    assert code == 2
    assert answer["ok"] is False
    name = path.relative_to(chain.folder / "frames").as_posix()
    assert [problem["where"] for problem in answer["problems"]] == [name]


def files(folder: Path) -> list[Path]:
    """All files below, but for logs, which say when things happened."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LOG)


def contents(folder: Path) -> dict[str, bytes]:
    """What each file holds."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files(folder)}


def written(folder: Path) -> dict[str, tuple[int, bytes]]:
    """When each file was written, and what it holds."""
    return {
        name: ((folder / name).stat().st_mtime_ns, data) for name, data in contents(folder).items()
    }


def without_times(answer: dict) -> dict:
    return {key: value for key, value in answer.items() if key not in TIMES}
