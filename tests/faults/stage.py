"""One of everything that a verb reads or writes, tiny, and the commands that made it."""

import hashlib
import json
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenes.storage.clip_files import save_clip
from scenes.storage.manifests import DRIVE, LOG
from tests.actor_fields_maker import peopled_drive
from tests.faults.workbench import Run, Server
from tests.kitti_maker import make_odometry, make_tracking

OUT = "OUT"
"""Stands for the folder that a command writes."""
OUTS = "outs"
"""Folder in which battered commands write: nothing else may be left there."""
ACTOR = "7"
"""The car of `peopled_drive`."""
LEFT = """\
name = "left"
[[edits]]
kind = "exposure"
stops = 0.5
[[edits]]
kind = "lane-change"
offset_m = { min = 0.5, max = 0.9 }
start_us = 0
duration_us = 3_000_000
"""
INSERTED = """\
name = "somebody new"
[[edits]]
kind = "insert-actor"
actor = 1001
asset = "asset"
start_us = 0
ahead_m = 12.0
left_m = -2.5
speed_mps = 8.0
"""
TIMES = {"seconds", "seconds_per_frame", "rendered_now", "train_seconds", "out", "scene", "asset",
         "preview", "folder"}  # fmt: skip
"""What the answers of equal work may say differently."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verb:
    """A command on what the stage holds."""

    name: str
    words: tuple[str, ...]
    """With `OUT` for the folder that it writes; inputs lie in the stage's folder."""
    workers: bool = False
    """Whether it starts processes, which takes seconds."""

    @property
    def reads(self) -> list[str]:
        """What it reads of the stage."""
        named = {word.partition("/")[0] for word in self.words[1:]} & INPUTS
        if named & {"clip", "scene"}:
            named.add("pictures")
        return sorted(named | ({"asset"} if "insert.toml" in named else set()))

    def into(self, out: Path) -> tuple[str, ...]:
        """The words, with a folder to write."""
        return (*(str(out) if word == OUT else word for word in self.words), "--json")


INPUTS = frozenset(
    ("drive", "odometry", "clip", "scene", "asset", "scenarios", "frames", "coco", "scores",
     "left.toml", "insert.toml")
)  # fmt: skip
"""What commands may name."""


def _verb(name: str, *words: str, workers: bool = False) -> Verb:
    return Verb(name=name, words=words, workers=workers)


ONE_FRAME = ("--frames", "0", "--no-preview")
SCENARIO = ("--scenario", "scenarios/0000/scenario.toml")
VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        _verb("import", "import", "drive", "--out", OUT),
        _verb("import odometry", "import", "odometry", "--fmt", "kitti-odometry", "--out", OUT),
        _verb("perturb", "perturb", "clip", "--request", "left.toml", "--count", "3", "--out", OUT),
        _verb("perturb with an asset", "perturb", "clip", "--request", "insert.toml", "--out", OUT),
        _verb("reconstruct", "reconstruct", "clip", "--recipe", "tiny", "--holdout", "4",
              "--out", OUT),
        _verb("render", "render", "scene", *SCENARIO, "--frames", "0:4", "--out", OUT),
        _verb("render a frame", "render", "scene", *SCENARIO, *ONE_FRAME, "--out", OUT),
        _verb("render an asset", "render", "scene", "--scenario", "insert.toml", *ONE_FRAME,
              "--out", OUT),
        _verb("render with 2 workers", "render", "scene", "--workers", "2", "--frames", "0:4",
              "--no-preview", "--out", OUT, workers=True),
        _verb("evaluate", "evaluate", "scene", "--out", OUT),
        _verb("extract-actor", "extract-actor", "scene", ACTOR, "--out", OUT),
        _verb("export coco", "export", "frames", "--out", OUT),
        _verb("export kitti", "export", "frames", "--format", "kitti", "--out", OUT),
        _verb("verify clip", "verify", "clip"),
        _verb("verify scene", "verify", "scene"),
        _verb("verify asset", "verify", "asset"),
        _verb("verify scenarios", "verify", "scenarios"),
        _verb("verify frames", "verify", "frames"),
        _verb("verify export", "verify", "coco"),
        _verb("verify scores", "verify", "scores"),
    )
}  # fmt: skip
"""All that is battered, by name."""
MAKES = {
    "scenarios": "perturb", "scene": "reconstruct", "asset": "extract-actor", "frames": "render",
    "scores": "evaluate", "coco": "export coco", "kitti clip": "import",
}  # fmt: skip
"""What else the stage holds, and the verbs that make it, in an order that works."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What an undisturbed command leaves and says."""

    files: Mapping[str, str]
    answer: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A folder with one of everything, and what undisturbed commands make of it."""

    root: Path
    server: Server
    known: dict[str, Result] = field(default_factory=dict)

    @property
    def outs(self) -> Path:
        """Where battered commands write."""
        return self.root / OUTS

    def fresh(self) -> Path:
        """An output that is not there, in a folder where nothing else is."""
        shutil.rmtree(self.outs, ignore_errors=True)
        self.outs.mkdir()
        return self.outs / "out"

    def run(self, verb: Verb, out: Path, **more: Any) -> Run:
        """The verb, written into `out`."""
        return self.server.run(verb.into(out), self.root, **more)

    def reference(self, verb: Verb) -> Result:
        """What the verb makes when nothing disturbs it; made once."""
        if verb.name not in self.known:
            out = self.fresh()
            run = self.run(verb, out)
            assert run.code == 0, f"{verb.name}: {run.err}"
            self.known[verb.name] = result(run, out)
        return self.known[verb.name]


def result(run: Run, out: Path) -> Result:
    """What a finished command left in `out`, and said."""
    kept = {key: value for key, value in run.answer.items() if key not in TIMES}
    return Result(files=tree(out), answer=kept)


def tree(folder: Path) -> dict[str, str]:
    """Every entry below a folder and the hash of its content, but for times and places."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name, mode = path.relative_to(folder).as_posix(), path.lstat().st_mode
        if name in (LOG, DRIVE):
            continue
        if stat.S_ISREG(mode):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder" if stat.S_ISDIR(mode) else "neither file nor folder"
    return found


def set_stage(root: Path, server: Server) -> Stage:
    """Make one of everything below `root`, by the verbs themselves."""
    stage = Stage(root=root, server=server)
    make_tracking(root / "drive")
    make_odometry(root / "odometry")
    save_clip(peopled_drive(root / "pictures"), root / "clip")
    (root / "left.toml").write_text(LEFT)
    (root / "insert.toml").write_text(INSERTED)
    for name, maker in MAKES.items():
        run = stage.run(VERBS[maker], root / name)
        assert run.code == 0, f"{maker}: {run.err}"
    return stage


def left_behind(stage: Stage, out: Path) -> list[str]:
    """What lies beside or in a finished output that belongs to work in progress."""
    beside = [path.name for path in stage.outs.iterdir() if path != out]
    inside = [
        name for name in tree(out)
        if name.startswith("tasks") or name.endswith((".tmp", "training.safetensors"))
    ]  # fmt: skip
    return beside + inside


def log_of(out: Path) -> list[dict[str, Any]]:
    """The lines of an output's log."""
    path = out / LOG
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
