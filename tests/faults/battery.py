"""All faults on all verbs: `python -m tests.faults.battery --long`.

Parts are kills, faults of reading and writing, damaged files, commands at once, and big inputs.
Counts are kept in `--work`, so that a battery that is interrupted goes on and parts may be run one
by one (`--parts kills`); `--page` is written from all that is there.
"""

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain
from pathlib import Path

from tests.faults.big_inputs import big_inputs
from tests.faults.concurrency import concurrency
from tests.faults.io_faults import io_faults
from tests.faults.kills import kills
from tests.faults.mutants import mutants
from tests.faults.stage import Stage, set_stage
from tests.faults.tally import BARS, REFUSED_MIB, REFUSED_S, Counted, Tally, load, save, table
from tests.faults.workbench import ROOT, Server

PAGE = ROOT / "docs" / "results" / "faults.md"
SEED = 20261130
QUICK = ("import", "perturb", "render", "evaluate", "export coco", "export kitti")
"""Verbs that take less than a second."""
Part = Callable[[Stage, bool], Counted]


def _kills(stage: Stage, long: bool) -> Counted:
    if long:
        return kills(stage, 320, SEED)
    return chain(kills(stage, 8, SEED, QUICK), kills(stage, 1, SEED, ["reconstruct"]))


def _io_faults(stage: Stage, long: bool) -> Counted:
    if long:
        return io_faults(stage, 130, SEED)
    return io_faults(stage, 12, SEED, QUICK, QUICK)


def _mutants(stage: Stage, long: bool) -> Counted:
    return mutants(stage, 6300 if long else 50, SEED)


def _concurrency(stage: Stage, long: bool) -> Counted:
    return concurrency(stage, 96, SEED) if long else concurrency(stage, 12, SEED, QUICK)


PARTS: dict[str, Part] = {
    "kills": _kills,
    "io": _io_faults,
    "mutants": _mutants,
    "at once": _concurrency,
    "big": lambda stage, long: big_inputs(stage, slow=long),
}
"""What can be run alone."""
TITLES = {
    "kills": "Killed and run again",
    "io": "File operations that fail",
    "mutants": "Damaged files",
    "at once": "Several commands on one folder",
    "big": "Inputs that are too large",
}


def run(parts: Sequence[str], work: Path, *, long: bool) -> dict[str, list[Tally]]:
    """The parts, but for what `work` has counts of already."""
    work.mkdir(parents=True, exist_ok=True)
    for part in parts:
        kept, done = _kept(work, part), _done(work, part)
        with (
            tempfile.TemporaryDirectory(prefix="faults-") as folder,
            Server(Path(folder)) as server,
        ):
            if not server.shim:
                print("no C compiler: nothing fails on demand, kills are by the clock alone")
            stage = set_stage(Path(folder).resolve(), server)
            for name, commit in PARTS[part](stage, long):
                if name not in done:
                    commit(tally := Tally(name=name))
                    done[name] = tally
                    _tell(tally)
                    save(kept, done.values())
    return {part: list(done.values()) for part in PARTS if (done := _done(work, part))}


def _kept(work: Path, part: str) -> Path:
    return work / f"{part.replace(' ', '_')}.json"


def _done(work: Path, part: str) -> dict[str, Tally]:
    kept = _kept(work, part)
    return {tally.name: tally for tally in load(kept)} if kept.is_file() else {}


def _tell(tally: Tally) -> None:
    bad = ", ".join(f"{getattr(tally, name)} {name}" for name in BARS if getattr(tally, name))
    print(f"{time.strftime('%H:%M:%S')} {tally.name}: {tally.runs} runs, {bad or 'well'}")
    for problem in tally.problems:
        print(f"    {problem}", flush=True)


def page(found: dict[str, list[Tally]], note: str = "") -> str:
    """What the battery found, as a page; `note` is what else to know about the runs."""
    everything = [tally for tallies in found.values() for tally in tallies]
    words = ["git", "rev-parse", "--short", "HEAD"]
    head = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    parts = [INTRODUCTION.format(
        date=date.today().isoformat(), machine=f"{platform.machine()}, {_processor()}",
        python=platform.python_version(), commit=head.stdout.strip() or "unknown",
        seconds=REFUSED_S, mib=REFUSED_MIB,
    )]  # fmt: skip
    total = Tally(name="all")
    for tally in everything:
        total.add(tally)
    bad = ", ".join(f"{getattr(total, name)} {name}" for name in BARS)
    parts.append(f"## In all\n\n{total.runs:,} runs: {bad}.\n" + (f"\n{note}\n" if note else ""))
    for part, tallies in found.items():
        parts.append(f"## {TITLES[part]}\n\n{table(tallies)}\n")
    if total.problems:
        parts.append("## What went wrong\n\n" + "".join(f"- `{x}`\n" for x in total.problems))
    return "\n".join([*parts, BEFORE])


INTRODUCTION = """\
# Faults

{date}, {machine}, Python {python}, commit {commit}. Made by
`python -m tests.faults.battery --long` (`tests/faults/`), whose short form is part of `make test`.

Every run is one command of `otherlane` on tiny inputs (drives of 6 pictures, trainings of 6 steps).
After a fault it is run again without, and its result compared to the byte with that of a command
that nothing disturbed, manifest included; the log, which holds times, is left out.

- **typed errors**: exit code 2, with where, what is wrong and what to try.
- **same result**: done, byte for byte as if nothing had happened.
- **another input**: done from a file that reads as a sound one (a drive's own file, a request, or
  one whose hash was made to fit); its manifest says so.
- **silent**: accepted although it changed the result. **lost**: work that was done is not there in
  the next run. **doubled**: something is there twice or was left behind. **hung**: had to be ended.
  **late**: a refusal of damaged files or large inputs took more than {seconds:g} s or {mib:g} MiB.
- Seconds (the processor's, as the machine is shared) and memory are those of these refusals, of the
  verb alone: a process that has imported torch and all else forks for each run, and what it held
  then is not counted.

File operations fail, and kill, by a library loaded before the system's (`tests/faults/shim.c`):
ENOSPC, EDQUOT, EROFS, EACCES and EIO at the k-th operation that can fail so, once or from then on.
"""
BEFORE = """\
## Before

A smaller battery on commit aafd047, before folders were locked and signed and drives known by their
content; the machine the same.

| part | runs | tracebacks | silent | lost | doubled | hung or late |
|---|---|---|---|---|---|---|
| killed and run again | 68 | 0 | 0 | 0 | 1 | 0 |
| operations of writing that fail | 100 | 97 | 0 | 0 | 0 | 0 |
| operations of reading that fail | 24 | 9 | 2 | 0 | 0 | 0 |
| damaged files (of 20 of the 26 kinds) | 1,000 | 45 | 39 | 0 | 0 | 5 |
| several commands on one folder | 76 | 33 | 3 | 3 | 2 | 0 |
| inputs that are too large | 17 | 2 | 0 | 0 | 0 | 7 |
"""


def _processor() -> str:
    names = [
        x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")
    ]
    return f"{len(names)} cores ({names[0].partition(':')[2].strip()})" if names else "?"


def main() -> int:
    """0 if nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.battery", description=__doc__)
    parser.add_argument("--long", action="store_true", help="thousands of runs: an hour or two")
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--work", type=Path, help="folder that keeps the counts of parts")
    parser.add_argument("--page", type=Path, help=f"where to write; {PAGE.name} with --long")
    parser.add_argument("--note", default="", help="a line for the page")
    said = parser.parse_args()
    work = said.work or Path(tempfile.mkdtemp(prefix="faults-counts-"))
    found = run(said.parts, work, long=said.long)
    to = said.page or (PAGE if said.long and set(found) == set(PARTS) else None)
    if to is not None:
        to.write_text(page(found, said.note), encoding="utf-8")
    if said.work is None:
        shutil.rmtree(work)
    everything = [tally for tallies in found.values() for tally in tallies]
    print(table(everything))
    return int(any(getattr(tally, name) for tally in everything for name in BARS))


if __name__ == "__main__":
    sys.exit(main())
