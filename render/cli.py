"""The command `otherlane`: its verbs, each a plain typed function of one layer's `commands.py`.

A verb returns a dictionary of results. Exactly that goes to stdout, as text or, with `--json`, as
one JSON object; whatever else is said on the way goes to stderr. A result whose `ok` is False and
an `OtherlaneError` are problems the user can fix: exit code 2. A traceback is a bug: exit code 1.
Ctrl-C ends any verb with one line and exit code 130.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from shutil import get_terminal_size

import recon.commands
import render.commands
import scenes.commands
from render.console.command_line import Result, UsageError, parse
from render.console.interruption import CODE, interruptible, say_interrupted
from render.console.printing import as_json, as_text, log_to_stderr
from render.console.streams import out, ready
from scenes.errors import OtherlaneError
from scenes.storage.files import system_errors_typed
from scenes.work.phases import phase, say, write

VERBS: Mapping[str, Callable[..., Result]] = {
    "import": scenes.commands.import_,
    "reconstruct": recon.commands.reconstruct,
    "extract-actor": recon.commands.extract_actor,
    "evaluate": render.commands.evaluate,
    "perturb": scenes.commands.perturb,
    "render": render.commands.render,
    "export": render.commands.export,
    "prove": render.commands.prove,
    "verify": render.commands.verify,
    "doctor": render.commands.doctor,
    "demo": render.commands.demo,
}
"""Command name -> function, in the order in which they are used."""

DESCRIPTION = """Turn a recorded drive into labelled images of the drives nobody had to make.

After any command, --json prints one JSON object on stdout, all else on stderr.

Alone, --version prints the version.

Exit codes: 0 done, 2 you can fix it, 130 interrupted, 141 nobody reads on, 1 a bug."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0 is success, 2 is a problem the user can fix, 130 an interruption."""
    # torch's idle threads would spin on the cores that the engine needs
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    ready()
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        from importlib.metadata import version

        out(f"otherlane {version('otherlane')}\n")
        return 0
    # Taken out before parsing, so that it may stand anywhere and no verb has to know of it.
    in_json = "--json" in words
    words = [word for word in words if word != "--json"] or ["--help"]
    try:
        with interruptible():
            result = parse(words, VERBS, DESCRIPTION, around=_result_alone_on_stdout)()
    except OtherlaneError as error:
        _complain(error)
        if in_json:
            problem = {"where": error.where, "wrong": error.wrong, "fix": error.fix}
            out(as_json({"ok": False, "error": problem}, sys.stdout.encoding) + "\n")
        return 2
    except KeyboardInterrupt:
        say_interrupted()
        return CODE
    columns, encoding = get_terminal_size().columns, sys.stdout.encoding
    out((as_json(result, encoding) if in_json else as_text(result, words[0], columns)) + "\n")
    return 0 if result.get("ok", True) else 2


def _complain(error: OtherlaneError) -> None:
    if isinstance(error, UsageError):
        write(error.shown + "\n")
    else:
        say(f"otherlane: {error}")


def _result_alone_on_stdout(verb: Callable[..., Result], name: str) -> Callable[..., Result]:
    @wraps(verb)
    def run(*args: object, **kwargs: object) -> Result:
        log_to_stderr()
        args = tuple(map(_at_home, args))
        kwargs = {key: _at_home(value) for key, value in kwargs.items()}
        with (
            contextlib.redirect_stdout(sys.stderr),
            phase(f"otherlane {name}", lasting=False),
            system_errors_typed(f"otherlane {name}"),
        ):
            return verb(*args, **kwargs)

    return run


def _at_home(value: object) -> object:
    """A path with the user's home in place of `~`, which no shell replaces in --out=~/x."""
    if isinstance(value, tuple):
        return tuple(map(_at_home, value))
    if not isinstance(value, Path):
        return value
    try:
        return value.expanduser()
    except RuntimeError as error:
        raise OtherlaneError(value, f"cannot be found ({error})", "the path in full") from error
