"""Commands whose k-th file operation fails: a full disk, one that is read-only, one that dies.

The command has to end in words (exit code 2), or as if nothing had happened where the operation
did not matter; and once the fault is gone, a second run has to end as one that was never disturbed.
"""

import errno
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tests.faults.kills import again, compare
from tests.faults.stage import VERBS, Stage, Verb, log_of, result
from tests.faults.tally import Counted, Tally
from tests.faults.workbench import FAILS, READING, Fault

WRITERS = (
    "import", "perturb", "reconstruct", "render", "evaluate", "extract-actor", "export coco",
    "export kitti", "render with 2 workers",
)  # fmt: skip
"""Names of the verbs that write."""
READERS = (*WRITERS[:-1], "import odometry", "perturb with an asset", "render an asset",
           "verify clip", "verify scene", "verify asset", "verify scenarios", "verify frames",
           "verify export", "verify scores")  # fmt: skip
"""And of those that read."""
LOGGED = ("reconstruct",)
"""Verbs that keep a log beside the manifest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedFault:
    """One fault of one verb."""

    verb: Verb
    fault: Fault

    @property
    def says(self) -> str:
        """For lists of problems."""
        times = "once" if self.fault.once else "from then on"
        name = errno.errorcode[self.fault.error]
        return f"{self.verb.name}: {name} {times} at operation {self.fault.k}"


Planner = Callable[[Stage, Verb, int, random.Random], list[PlannedFault]]
"""Chooses so many faults of a verb."""


def writing_faults(stage: Stage, verb: Verb, times: int, rng: random.Random) -> list[PlannedFault]:
    """Faults of what a verb writes, spread over errors and operations."""
    plans, kinds = (
        list[PlannedFault](),
        [(error, once) for error in FAILS for once in (True, False)],
    )
    counts: dict[int, int] = {}
    rng.shuffle(kinds)
    for number in range(times):
        error, once = kinds[number % len(kinds)]
        mask = FAILS[error]
        if mask not in counts:
            counts[mask] = stage.run(
                verb, stage.fresh(), fault=Fault(kinds=mask, under=stage.outs)
            ).count
        k = rng.randint(1, max(counts[mask], 1))
        fault = Fault(kinds=mask, under=stage.outs, k=k, once=once, error=error)
        plans.append(PlannedFault(verb=verb, fault=fault))
    return plans


def reading_faults(stage: Stage, verb: Verb, times: int, rng: random.Random) -> list[PlannedFault]:
    """Faults of what a verb reads: its inputs alone, not what it has just written."""
    kinds = [
        Fault(kinds=mask, under=stage.root / name, error=error)
        for name in verb.reads
        for error, mask in READING.items()
    ]
    plans, counts = list[PlannedFault](), dict[Fault, int]()
    rng.shuffle(kinds)
    for number in range(times):
        fault = kinds[number % len(kinds)]
        if fault not in counts:
            counts[fault] = stage.run(verb, stage.fresh(), fault=fault).count
        k, once = rng.randint(1, max(counts[fault], 1)), number // len(kinds) % 2 == 0
        plans.append(PlannedFault(verb=verb, fault=replace(fault, k=k, once=once)))
    return plans


def strike(stage: Stage, plan: PlannedFault, tally: Tally) -> None:
    """Let it fail, then run it again."""
    undisturbed, out = stage.reference(plan.verb), stage.fresh()
    logged = len(log_of(stage.root / "scene")) if plan.verb.name in LOGGED else None
    run = stage.run(plan.verb, out, fault=plan.fault)
    if not run.struck and not plan.verb.workers:
        return
    what = f"{plan.says} ({run.struck_at.replace(str(stage.root), '')})"
    if not tally.judge(run, what, at_door=False):
        if logged is not None and len(log_of(out)) < logged:
            tally.count("silent", f"{what}: the log is cut short")
        else:
            compare(tally, result(run, out), undisturbed, what)
    after = Tally(name=tally.name)
    again(stage, plan.verb, out, after, undisturbed, what, run)
    after.runs = after.unchanged = 0  # the fault is what is counted, the run after it must be well
    tally.add(after)


def io_faults(
    stage: Stage, times: int, seed: int, writers: Sequence[str] = WRITERS,
    readers: Sequence[str] = READERS,
) -> Counted:  # fmt: skip
    """So many faults of writing, and as many of reading, spread over the verbs."""
    for names, kind, plan in (
        (writers, "writing", writing_faults), (readers, "reading", reading_faults),
    ):  # fmt: skip
        share = times / sum(0.3 if VERBS[name].workers else 1.0 for name in names)
        for name in names:
            number = max(2, round(share * (0.3 if VERBS[name].workers else 1.0)))
            title = f"{kind}: {name}"
            rng = random.Random(f"{seed}/{title}")
            yield title, partial(strike_all, stage, VERBS[name], plan, number, rng)


def strike_all(
    stage: Stage, verb: Verb, plan: Planner, times: int, rng: random.Random, tally: Tally
) -> None:
    """All that is planned for a verb."""
    for one in plan(stage, verb, times, rng):
        strike(stage, one, tally)
