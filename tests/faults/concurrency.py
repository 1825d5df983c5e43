"""Several commands that write one folder at once.

One of them makes it, and the others say by whom it is being made, or find it done.
"""

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.faults.kills import compare
from tests.faults.stage import VERBS, Result, Stage, Verb, left_behind, result
from tests.faults.tally import Counted, Tally
from tests.faults.workbench import Run

TOGETHER = ("import", "perturb", "reconstruct", "render", "evaluate", "extract-actor",
            "export coco", "export kitti")  # fmt: skip
"""Names of the verbs."""
OTHERWISE = {
    "perturb": ("--seed", "5"),
    "reconstruct": ("--seed", "5"),
    "render": ("--frames", "1:3"),
    "export coco": ("--min-px", "30"),
}
"""Other requests, to meet on one folder."""
BUSY = ("is being made by process", "is being made by another process", "was made by another",
        "was made with another")  # fmt: skip
"""What the losers say."""


def otherwise(verb: Verb) -> Verb:
    """The verb with another request."""
    more = OTHERWISE[verb.name]
    words = list(verb.words)
    if more[0] in words:
        words[words.index(more[0]) + 1] = more[1]
    else:
        words += more
    return Verb(name=f"{verb.name} otherwise", words=tuple(words))


def race(
    stage: Stage, verbs: Sequence[Verb], rng: random.Random, tally: Tally, apart_s: float
) -> None:
    """Run all at once, up to so many seconds apart, into one folder."""
    undisturbed = [stage.reference(verb) for verb in verbs]
    out, what = stage.fresh(), " and ".join(verb.name for verb in verbs)
    delays = [rng.uniform(0.0, apart_s) for _ in verbs]
    commands = [verb.into(out) for verb in verbs]
    runs = stage.server.together(commands, stage.root, delays_s=delays)
    won = [number for number, run in enumerate(runs) if run.code == 0]
    for run in runs:
        if not tally.judge(run, what, at_door=False):
            continue
        if run.typed and not any(words in run.err for words in BUSY):
            tally.count("silent", f"{what}: says {run.err[:200]}")
    _one_result(stage, what, won, runs, undisturbed, out, tally)


def _one_result(
    stage: Stage, what: str, won: list[int], runs: Sequence[Run], undisturbed: Sequence[Result],
    out: Path, tally: Tally,
) -> None:  # fmt: skip
    if not won:
        tally.count("lost", f"{what}: nobody won")
        return
    for number in won:
        compare(tally, result(runs[number], out), undisturbed[number], what)
    if left := left_behind(stage, out):
        tally.count("doubled", f"{what}: left {left[:3]}")


def races(stage: Stage, name: str, times: int, seed: int, tally: Tally) -> None:
    """So many races of a verb."""
    rng, verb = random.Random(f"{seed}/{name}"), VERBS[name]
    run = stage.run(verb, stage.fresh())
    for number in range(times):
        apart_s = (0.0, run.seconds / 2, run.seconds * 1.2)[number % 3]
        verbs = [verb] * (2 + number % 2)
        if number % 4 == 3 and name in OTHERWISE:
            verbs = [verb, otherwise(verb)]
        race(stage, verbs, rng, tally, apart_s)


def concurrency(stage: Stage, times: int, seed: int, names: Sequence[str] = TOGETHER) -> Counted:
    """So many races of two and three, and of two different requests."""
    for name in names:
        number = max(2, times // len(names))
        yield f"at once: {name}", partial(races, stage, name, number, seed)
