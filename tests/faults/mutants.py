"""Damaged files of every kind that a verb reads.

A verb refuses them in words, or its result is that of the file as it was. Where nothing can tell
damage from another sound input (a drive's own files, requests, and files whose hashes were made to
fit), another result is "another input": it then has to differ in its manifest as well.
"""

import random
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scenes.storage.folders import partial_folder
from scenes.storage.manifests import MANIFEST
from tests.faults.kills import compare
from tests.faults.mutate_arrays import harms_of
from tests.faults.mutate_files import Harm
from tests.faults.stage import VERBS, Result, Stage, Verb, left_behind, result
from tests.faults.tally import Counted, Tally
from tests.faults.workbench import WRITING, Fault
from tests.harm import sign_again

TIMEOUT_S = 10.0
"""A mutant that takes longer hangs: a pipe that nobody writes to [s]."""

SLOW_SHARE = 0.25
"""Unfinished work, which is gone on with, gets so many mutants for one of others."""
PRISTINE = "pristine"
"""Folder of whole copies, from which what was harmed is put back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Files that are harmed, and who reads them."""

    name: str
    place: str
    """File or folder of the stage."""
    files: tuple[str, ...]
    """Which of its files are harmed: patterns."""
    verbs: tuple[str, ...]
    """Who reads them, in turn."""
    hashed: bool = False
    """Whether a manifest tells damage from another input."""
    signed: bool = False
    """Whether the manifest is made to fit the harmed file."""
    known_by_content: tuple[str, ...] = ()
    """Patterns of files of which any other byte is another input, that must be told apart."""
    resumed: bool = False
    """Whether it is the unfinished work of the verb."""
    finished: bool = False
    """Whether it is what the verb makes, which it only has to look at again."""


CLIP_FILES = ("clip.json", "arrays.npz", MANIFEST)
SCENE_FILES = (
    "field.safetensors",
    "config.json",
    "actors.json",
    "light.json",
    "arrays.npz",
    "clip.json",
    MANIFEST,
)
FRAME_FILES = ("labels.jsonl", "dataset.json", MANIFEST, "frames/*/*", "scenario.toml")
BOTH = "perturb", "verify clip"
SCENE_READERS = ("render a frame", "extract-actor", "verify scene", "evaluate")
TARGETS = (
    Target(name="clip", place="clip", files=CLIP_FILES, verbs=("perturb", "verify clip",
           "reconstruct"), hashed=True),
    Target(name="clip, hashes made to fit", place="clip", files=CLIP_FILES[:2], verbs=BOTH,
           signed=True),
    Target(name="pictures of a clip", place="pictures", files=("*.png", "*.npz"),
           verbs=("reconstruct", "evaluate"), hashed=True),
    Target(name="scene", place="scene", files=SCENE_FILES, verbs=SCENE_READERS, hashed=True),
    Target(name="scene, hashes made to fit", place="scene", files=SCENE_FILES[:-1],
           verbs=SCENE_READERS, signed=True),
    Target(name="asset", place="asset", files=("asset.json", "field.safetensors"),
           verbs=("render an asset", "perturb with an asset"), hashed=True),
    Target(name="asset, hashes made to fit", place="asset", files=("asset.json",
           "field.safetensors"), verbs=("render an asset", "perturb with an asset"), signed=True),
    Target(name="asset, verified", place="asset", files=("asset.json", "field.safetensors",
           MANIFEST), verbs=("verify asset",), hashed=True),
    Target(name="scenarios", place="scenarios", files=("0000/*", "0001/*", "summary.json",
           MANIFEST), verbs=("verify scenarios",), hashed=True),
    Target(name="a scenario", place="scenarios", files=("0000/scenario.toml",),
           verbs=("render a frame",)),
    Target(name="scenarios, hashes made to fit", place="scenarios", files=("0000/*",
           "summary.json"), verbs=("verify scenarios",), signed=True),
    Target(name="frames", place="frames", files=FRAME_FILES,
           verbs=("verify frames", "export coco", "export kitti"), hashed=True),
    Target(name="frames, hashes made to fit", place="frames", files=FRAME_FILES,
           verbs=("verify frames", "export coco", "export kitti"), signed=True),
    Target(name="export", place="coco", files=("*", "images/*"), verbs=("verify export",),
           hashed=True),
    Target(name="scores", place="scores", files=("*",), verbs=("verify scores",), hashed=True),
    Target(name="a KITTI tracking drive", place="drive", files=("**/*",), verbs=("import",),
           known_by_content=("image_02/**",)),
    Target(name="a KITTI odometry drive", place="odometry", files=("**/*",),
           verbs=("import odometry",), known_by_content=("sequences/04/image_0/*",)),
    Target(name="a request", place="left.toml", files=(), verbs=("perturb",)),
    Target(name="unfinished training", place="reconstruct", files=("*",), verbs=("reconstruct",),
           resumed=True),
    Target(name="unfinished frames", place="render", files=("tasks/*", "frames/*/*"),
           verbs=("render",), resumed=True),
    *(Target(name=f"{place}, made again", place=place, files=files, verbs=(verb,), finished=True)
      for place, files, verb in (
          ("scores", ("scores.json", MANIFEST), "evaluate"),
          ("scenarios", ("summary.json", MANIFEST), "perturb"),
          ("frames", ("labels.jsonl", "dataset.json", MANIFEST), "render"),
          ("asset", ("asset.json", MANIFEST), "extract-actor"),
          ("kitti clip", ("clip.json", "arrays.npz", MANIFEST), "import"),
          ("scene", ("config.json", "clip.json", "log.jsonl", MANIFEST), "reconstruct"))),
)  # fmt: skip
"""All kinds of files that we read."""


def keep_pristine(stage: Stage) -> None:
    """Copies of all that will be harmed, and unfinished work to be gone on with."""
    kept = stage.root / PRISTINE
    kept.mkdir(exist_ok=True)
    for target in TARGETS:
        if not target.resumed and not (kept / target.place).exists():
            _copy(stage.root / target.place, kept / target.place)
    for name in ("reconstruct", "render"):
        verb = VERBS[name]
        counted = stage.run(verb, stage.fresh(), fault=Fault(kinds=WRITING, under=stage.outs))
        half = Fault(
            kinds=WRITING, under=stage.outs, k=counted.count // 2, signal=int(signal.SIGKILL)
        )
        out = stage.fresh()
        assert stage.run(verb, out, fault=half).code == -signal.SIGKILL
        _copy(partial_folder(out), kept / name)


def _copy(source: Path, to: Path) -> None:
    shutil.copytree(source, to, symlinks=True) if source.is_dir() else shutil.copy2(source, to)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sum_of(targets: Sequence[Target]) -> float:
    """How many targets there are; those that take long count as part of one."""
    return sum(SLOW_SHARE if target.resumed else 1.0 for target in targets)


def mutants(stage: Stage, times: int, seed: int, targets: Sequence[Target] = TARGETS) -> Counted:
    """So many mutants, spread over the targets."""
    keep_pristine(stage)
    for target in targets:
        share = SLOW_SHARE if target.resumed else 1.0
        number = max(1, round(share * times / sum_of(targets)))
        yield f"mutant: {target.name}", partial(harm_all, stage, target, number, seed)


def harm_all(stage: Stage, target: Target, times: int, seed: int, tally: Tally) -> None:
    """So many mutants of a target."""
    rng = random.Random(f"{seed}/{target.name}")
    for number in range(times):
        verb = VERBS[target.verbs[number % len(target.verbs)]]
        stage.reference(verb)
        one_mutant(stage, target, verb, rng, tally)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A harmed file, and who reads it."""

    target: Target
    verb: Verb
    place: Path
    """Where the target lies."""
    file: Path
    pristine: Path
    """The file as it was."""
    harm: Harm

    @property
    def says(self) -> str:
        """For lists of problems."""
        name = self.file.relative_to(self.place.parent).as_posix()
        return f"{self.verb.name} after {self.harm.__name__} of {name}"

    @property
    def same_bytes(self) -> bool:
        """Whether the harm did nothing."""
        there = self.file.is_file() and not self.file.is_symlink()
        return there and self.file.read_bytes() == self.pristine.read_bytes()

    @property
    def known(self) -> bool:
        """Whether any other content must be told apart."""
        return any(self.pristine.match(pattern) for pattern in self.target.known_by_content)


def one_mutant(stage: Stage, target: Target, verb: Verb, rng: random.Random, tally: Tally) -> None:
    """Harm one file, run the verb, put the file back."""
    out, pristine = stage.fresh(), stage.root / PRISTINE / target.place
    place = partial_folder(out) if target.resumed else out
    place = place if target.resumed or target.finished else stage.root / target.place
    _remove(place)
    _copy(pristine, place)
    # each pattern as often, however many files it stands for
    groups = [[x for x in sorted(place.glob(name)) if x.is_file()] for name in target.files]
    file = rng.choice(rng.choice([group for group in groups if group])) if groups else place
    original = pristine / file.relative_to(place) if groups else pristine
    harm = rng.choice(harms_of(file))
    mutant = Mutant(target=target, verb=verb, place=place, file=file, pristine=original, harm=harm)
    if file.stat().st_size:
        harm(file, rng)
    if target.signed and file.name != MANIFEST:
        sign_again(place)
    run = stage.run(verb, out, timeout_s=TIMEOUT_S)
    if not tally.judge(run, mutant.says):
        _accepted(stage, mutant, result(run, out), tally)
        if target.resumed and (left := left_behind(stage, out)):
            tally.count("doubled", f"{mutant.says}: left {left[:3]}")
    _remove(place)
    if not (target.resumed or target.finished):
        _copy(pristine, place)


def _accepted(stage: Stage, mutant: Mutant, got: Result, tally: Tally) -> None:
    undisturbed, target = stage.reference(mutant.verb), mutant.target
    if target.finished:
        tally.count("unchanged" if got.answer == undisturbed.answer else "silent", mutant.says)
    elif target.hashed or target.resumed:
        compare(tally, got, undisturbed, mutant.says, differs="silent")
    elif got == undisturbed:
        unseen = mutant.known and not mutant.same_bytes
        tally.count("silent" if unseen else "unchanged", mutant.says)
    else:
        tally.count("other")
