"""Commands that are killed, at every file operation and at any moment, and then run again.

The second run has to end as one that was never disturbed, with nothing lost of what was done and
nothing left over.
"""

import json
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recon.reconstruct import CHECKPOINT
from scenes.storage.folders import partial_folder
from tests.faults.stage import VERBS, Result, Stage, Verb, left_behind, log_of, result
from tests.faults.tally import Counted, Tally
from tests.faults.workbench import WRITING, Fault, Run

KILLED = (
    "import", "perturb", "reconstruct", "render", "render with 2 workers", "evaluate",
    "extract-actor", "export coco", "export kitti",
)  # fmt: skip
"""Names of the verbs."""
WEIGHT = {"reconstruct": 0.8, "render": 0.8, "render with 2 workers": 0.3}
"""Kills of verbs that take seconds, for each of others."""
NUMBERS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)
"""Signals in turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What a killed command had done."""

    frames: int | None = None
    """Finished frames, where the work is resumed by frames."""
    step: int | None = None
    """Steps of a training that its checkpoint holds ..."""
    lines: int = 0
    """... and lines of its log."""


def kill_verb(stage: Stage, verb: Verb, times: int, seed: int, tally: Tally) -> None:
    """Kill a verb so many times: two thirds at file operations, the rest by the clock."""
    rng, undisturbed = random.Random(f"{seed}/{verb.name}"), stage.reference(verb)
    began = time.monotonic()
    whole = stage.run(verb, stage.fresh(), fault=Fault(kinds=WRITING, under=stage.outs))
    seconds = time.monotonic() - began
    at = _spread(whole.count, round(times * 2 / 3) if stage.server.shim else 0, rng)
    for number, k in enumerate(at):
        sent = NUMBERS[number % len(NUMBERS)]
        fault = Fault(kinds=WRITING, under=stage.outs, k=k, signal=sent)
        out = stage.fresh()
        killed = stage.run(verb, out, fault=fault)
        again(stage, verb, out, tally, undisturbed, f"{sent.name} at operation {k}", killed)
    for _ in range(times - len(at)):
        after_s = rng.uniform(0.0, seconds)
        out = stage.fresh()
        killed = stage.run(verb, out, kill_after_s=after_s, kill_signal=int(signal.SIGKILL))
        again(stage, verb, out, tally, undisturbed, f"SIGKILL after {after_s:.3f} s", killed)


def _spread(count: int, times: int, rng: random.Random) -> list[int]:
    """Numbers of operations, spread over all, the last ones always: there the folder is named."""
    if times >= count:
        return list(range(1, count + 1))
    last = [count - i for i in range(min(4, times // 2))]
    return sorted({*last, *rng.sample(range(1, count + 1), times - len(last))})


def again(
    stage: Stage, verb: Verb, out: Path, tally: Tally, undisturbed: Result, what: str, first: Run
) -> None:
    """Run the verb once more after a fault, and count what came of it."""
    if first.outlived:
        tally.count("doubled", f"{what}: workers went on behind its back")
    kept = Kept() if out.exists() else kept_of(partial_folder(out))
    second = stage.run(verb, out)
    if tally.judge(second, f"run again after {what}", at_door=False):
        tally.lost += 1
        return
    got, left = result(second, out), left_behind(stage, out)
    if wrong := lost_work(second, out, kept):
        tally.count("lost", f"{what}: {wrong}")
    elif left:
        tally.count("doubled", f"{what}: left {left[:3]}")
    else:
        compare(tally, got, undisturbed, what)


def compare(
    tally: Tally, got: Result, undisturbed: Result, what: str, differs: str | None = None
) -> None:
    """Count how a result differs from the undisturbed one; as `differs`, however it does."""
    if missing := sorted(undisturbed.files.keys() - got.files.keys()):
        tally.count(differs or "lost", f"{what}: no {missing[:3]}")
    elif more := sorted(got.files.keys() - undisturbed.files.keys()):
        tally.count(differs or "doubled", f"{what}: also {more[:3]}")
    elif changed := [name for name in got.files if got.files[name] != undisturbed.files[name]]:
        tally.count("silent", f"{what}: other bytes in {changed[:3]}")
    elif got.answer != undisturbed.answer:
        tally.count("silent", f"{what}: another answer")
    else:
        tally.count("unchanged")


def kept_of(left: Path) -> Kept:
    """What lies in a folder of unfinished work, by its records."""
    step = None
    if (left / CHECKPOINT).is_file():
        header = (left / CHECKPOINT).read_bytes()
        size = int.from_bytes(header[:8], "little")
        meta = json.loads(header[8 : 8 + size])["__metadata__"]["otherlane"]
        step = json.loads(meta)["done"]["step"]
    records = left / "tasks"
    found = records.glob("[0-9]*.json") if records.is_dir() else ()
    frames = len(list(found)) if records.is_dir() else None
    return Kept(frames=frames, step=step, lines=len(log_of(left)))


def lost_work(second: Run, out: Path, kept: Kept) -> str | None:
    """What was done before, and done again."""
    if kept.frames is not None and "rendered_now" in second.answer:
        made, total = second.answer["rendered_now"], second.answer["frames"]
        if made > total - kept.frames:
            return f"{kept.frames} of {total} frames were there, {made} rendered"
    if kept.step is not None:
        now = log_of(out)[kept.lines :]
        steps = [line["step"] for line in now if line.get("event") == "train"]
        if steps and steps[0] != kept.step + 1:
            return f"{kept.step} steps were done, training began with step {steps[0]}"
    return None


def kills(stage: Stage, times: int, seed: int, names: Sequence[str] = KILLED) -> Counted:
    """So many kills of all verbs together; those that take long get fewer."""
    share = times / sum(WEIGHT.get(name, 1.0) for name in names)
    for name in names:
        number = round(share * WEIGHT.get(name, 1.0))
        yield f"kill: {name}", partial(kill_verb, stage, VERBS[name], number, seed)
