"""What the battery counts, and how it says so."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.faults.workbench import Run

REFUSED_S, REFUSED_MIB = 2.0, 512.0
"""A refusal takes no longer and no more memory than this."""
BARS = ("tracebacks", "silent", "lost", "doubled", "hung", "late")
"""What there must be none of."""


@dataclass(kw_only=True, slots=True)
class Tally:
    """Counts of one kind of fault."""

    name: str
    runs: int = 0
    typed: int = 0
    """Refused in words: exit code 2, where, what is wrong, what to try."""
    unchanged: int = 0
    """Done, and the result is that of an undisturbed run to the byte."""
    other: int = 0
    """Done from what reads as another input, and told apart from the original."""
    tracebacks: int = 0
    silent: int = 0
    """Accepted although it changed the result."""
    lost: int = 0
    """Work that was done is not there in the next run, or the next run fails."""
    doubled: int = 0
    """Something is there twice, or was left behind."""
    hung: int = 0
    late: int = 0
    """Refused, but after more than `REFUSED_S` or in more than `REFUSED_MIB`."""
    slowest_s: float = 0.0
    """Of refusals at the door ..."""
    slowest: str = ""
    """... which it was."""
    peak_mib: float = 0.0
    """Of refusals at the door, beyond what the process had before the verb."""
    problems: list[str] = field(default_factory=list)
    """What went wrong, so that it can be done again."""

    def judge(self, run: Run, what: str, *, at_door: bool = True) -> bool:
        """Count how a command ended; True if it was refused, or failed in any other way.

        `at_door` says that a refusal has to be a quick one: no work was to be done before.
        """
        self.runs += 1
        if run.hung:
            self.hung += 1
            self.problems.append(f"{self.name}: {what}: hung")
        elif run.traceback:
            self.tracebacks += 1
            last = run.err.strip().splitlines()[-1:] or [f"exit code {run.code}"]
            self.problems.append(f"{self.name}: {what}: {last[0][:200]}")
        elif run.code == 2:
            self.refused(run, what, at_door)
        else:
            return False
        return True

    def refused(self, run: Run, what: str, at_door: bool) -> None:
        """Count a refusal, and how long it took."""
        if not run.typed:
            self.tracebacks += 1
            self.problems.append(f"{self.name}: {what}: exit 2 without words: {run.err[-200:]}")
            return
        self.typed += 1
        if not at_door:
            return
        if run.seconds > self.slowest_s:
            self.slowest_s, self.slowest = run.seconds, what
        self.peak_mib = max(self.peak_mib, run.peak_mib)
        if run.seconds > REFUSED_S or run.peak_mib > REFUSED_MIB:
            self.late += 1
            how = f"{run.seconds:.1f} s, {run.peak_mib:.0f} MiB"
            self.problems.append(f"{self.name}: {what}: refused late ({how})")

    def count(self, kind: str, what: str = "") -> None:
        """One more of a kind; with what happened, where it must not."""
        setattr(self, kind, getattr(self, kind) + 1)
        if kind in BARS:
            self.problems.append(f"{self.name}: {what}: {kind}")

    def add(self, more: "Tally") -> None:
        """Take another one's counts in."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(more, each.name)
            if each.name in ("slowest_s", "peak_mib"):
                setattr(self, each.name, max(mine, theirs))
            elif each.name == "slowest":
                self.slowest = self.slowest or more.slowest
            elif each.name != "name":
                setattr(self, each.name, mine + theirs)


Counted = Iterator[tuple[str, Callable[[Tally], None]]]
"""Kinds of faults in turn: the name of each, and what commits them and counts."""
COLUMNS = {
    "runs": "runs", "typed": "typed errors", "unchanged": "same result", "other": "another input",
    "tracebacks": "tracebacks", "silent": "silent", "lost": "lost", "doubled": "doubled",
    "hung": "hung", "late": "late", "slowest_s": "slowest refusal [s]",
    "peak_mib": "most memory [MiB]",
}  # fmt: skip


def table(tallies: Iterable[Tally]) -> str:
    """As Markdown, with a sum below."""
    rows, total = list(tallies), Tally(name="**all**")
    for row in rows:
        total.add(row)
    lines = ["| fault | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in (*rows, total):
        values = [getattr(row, name) for name in COLUMNS]
        cells = [f"{x:.2f}" if isinstance(x, float) else f"{x:,}" for x in values]
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def save(path: Path, tallies: Iterable[Tally]) -> None:
    """Keep counts, so that a long battery can be run in parts."""
    path.write_text(json.dumps([asdict(tally) for tally in tallies], indent=1))


def load(path: Path) -> list[Tally]:
    """The inverse of `save`."""
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return [Tally(**each) for each in found]
