"""A process that has torch imported and no threads, and forks a child on a terminal for each line.

A fresh interpreter would take seconds for every command. `python -m tests.terminal_host` reads one
`Order` a line on standard input and writes one `Session` a line on standard output, as JSON.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.terminal import ROOT, Session, executed, run_on_terminal

OTHERLANE = Path(sys.executable).with_name("otherlane")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A command, and the terminal that it shall run on."""

    words: tuple[str, ...]
    columns: int = 80
    colour: bool = True
    folder: str = "."
    fresh: bool = False
    """Whether a new interpreter runs it, as the shell would start it."""
    python: bool = False
    """The words are Python's, not otherlane's; implies `fresh`."""
    interrupt_at: str | None = None
    """Ctrl-C is pressed when the output so far matches this."""
    presses: int = 1
    """How often."""
    plain: bool = False
    """Whether `prove` finds worlds that cost nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """The process, seen from a test."""

    process: "subprocess.Popen[str]"

    def run(self, *words: str, **how: object) -> Session:
        """What comes of `otherlane` and these words on a terminal; `how` as in `Order`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        order = Order(words=words, **how)  # pyright: ignore[reportArgumentType]
        print(json.dumps(asdict(order)), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        return Session(**{**answer, "times_s": tuple(answer["times_s"])})


@contextmanager
def hosting() -> Iterator[Host]:
    """The process, for as long as it is wanted."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.terminal_host"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Host(process=process)
        assert process.stdin is not None
        process.stdin.close()


def _work() -> None:
    """Take orders until there are no more."""
    import recon.recipes
    import recon.reconstruct
    import render.console.demo
    import render.evaluation.evaluate
    import render.jobs.render_job
    from tests.scene_maker import tiny_config

    # The demo of minutes in seconds: its verbs, on postage stamps.
    recon.recipes.RECIPES["tiny"] = lambda _: tiny_config(scale=0.1, holdout=8, steps=12)
    render.console.demo.RECIPE, render.console.demo.FRAMES = "tiny", "0:40:20"
    for line in sys.stdin:
        order = Order(**json.loads(line))
        session = run_on_terminal(
            _run(order),
            columns=order.columns,
            colour=order.colour,
            folder=Path(order.folder),
            interrupt_at=_moment(order.interrupt_at),
            presses=order.presses,
        )
        print(json.dumps(asdict(session)), flush=True)


def _run(order: Order) -> Callable[[], int]:
    if order.python:
        return executed([sys.executable, *order.words])
    if order.fresh:
        return executed([str(OTHERLANE), *order.words])
    return _main(order)


def _main(order: Order) -> Callable[[], int]:
    from render.cli import main

    def run() -> int:
        if order.plain:
            import recon.recipes
            import render.prove.stages as stages
            from tests.render.test_prove_run import plain_worlds
            from tests.scene_maker import tiny_config

            recon.recipes.RECIPES["tiny"] = lambda _: tiny_config()
            for name, stand_in in plain_worlds()[0].items():
                setattr(stages, name, stand_in)
        return main(list(order.words))

    return run


def _moment(pattern: str | None) -> Callable[[str], bool] | None:
    if pattern is None:
        return None
    return lambda said: re.search(pattern, said) is not None


if __name__ == "__main__":
    _work()
