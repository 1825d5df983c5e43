"""From words to a verb and its arguments; what is wrong with them, for people and for programs."""

import contextlib
import io
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps

from render.console.streams import Unwritten, out
from scenes.errors import OtherlaneError
from scenes.work.phase_lines import wrapped
from scenes.work.suggestions import nearest

Result = Mapping[str, object]
WHERE = "command line"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CHOICES = re.compile(r"\{[a-z,-]{40,}\}")
"""All commands, as tyro's usage has them: in one word of a hundred letters."""
REPEATED = "--mask"
"""The option that is said once for each camera."""
FRAME = re.compile(r"[─│╭╮╰╯|+]|-{3,}")
"""What tyro draws around its messages."""


class UsageError(OtherlaneError):
    """The command line cannot be understood; `shown` is what people read about it."""

    def __init__(self, wrong: str, fix: str, shown: str) -> None:
        super().__init__(WHERE, wrong, fix)
        self.shown = shown


def parse(
    words: Sequence[str],
    verbs: Mapping[str, Callable[..., Result]],
    description: str,
    around: Callable[[Callable[..., Result], str], Callable[..., Result]],
) -> Callable[[], Result]:
    """The verb that the words ask for, to be called without arguments.

    Args:
        words: What stands behind the program's name.
        verbs: Name -> function.
        description: What help says first.
        around: Wraps a verb, given its name, before it is called.

    Raises:
        UsageError: There is no such verb or option, or something is missing.
        SystemExit: Help was asked for, and printed.
    """
    import tyro

    _refuse_unknown(words, verbs)
    words = gathered(words, REPEATED)
    config = (
        tyro.conf.DisallowNone,  # an optional argument is left out, never spelled None
        tyro.conf.FlagCreatePairsOff,
        tyro.conf.PositionalMetavarFromFieldName,
    )
    later = {name: _later(around(verb, name)) for name, verb in verbs.items()}
    said = io.StringIO()
    try:
        with _help_that_fits(), contextlib.redirect_stderr(said):
            return tyro.extras.subcommand_cli_from_dict(
                later, prog="otherlane", description=description, args=words, config=config
            )
    except SystemExit as exit_:
        if not exit_.code or isinstance(exit_, Unwritten):
            raise
        shown = said.getvalue().rstrip()
        shown = shown if _coloured(sys.stderr) else COLOUR.sub("", shown)
        raise UsageError(*_meant(shown, words, verbs), shown) from exit_


def gathered(words: Sequence[str], option: str) -> list[str]:
    """Words with the values of an option that may be said again and again behind its last one.

    Of an option said twice, argparse forgets the first.
    """
    left, values = list[str](), list[str]()
    rest = iter(words)
    for word in rest:
        if word == option:
            values.append(next(rest, ""))
        elif word.startswith(f"{option}="):
            values.append(word.removeprefix(f"{option}="))
        else:
            left.append(word)
    return [*left, option, *values] if values else left


def _refuse_unknown(words: Sequence[str], verbs: Mapping[str, object]) -> None:
    """Name the nearest verb, which tyro does not."""
    first = words[0] if words else ""
    if first in verbs or first.startswith("-"):
        return
    near = nearest(first, verbs)
    fix = f"one of {', '.join(verbs)}" if near is None else f"otherlane {near}"
    wrong = f"{first!r} is no command"
    raise UsageError(wrong, fix, f"otherlane: {wrong}\n  try: {fix}")


def _later(verb: Callable[..., Result]) -> Callable[..., Callable[[], Result]]:
    """The verb as something to parse for: called with its arguments, it waits to be called."""

    @wraps(verb)
    def parsed(*args: object, **kwargs: object) -> Callable[[], Result]:
        return lambda: verb(*args, **kwargs)

    return parsed


def _meant(shown: str, words: Sequence[str], verbs: Mapping[str, object]) -> tuple[str, str]:
    """What is wrong, and what to try, out of a message that was made to be looked at."""
    plain = FRAME.sub(" ", COLOUR.sub("", shown))
    wrong = " ".join(re.split("Argument helptext|For full helptext", plain)[0].split())
    verb = next((word for word in words if word in verbs), "")
    return wrong, " ".join(filter(None, ("otherlane", verb, "--help")))


def _coloured(stream: object) -> bool:
    """Whether colours belong on a stream: NO_COLOR (no-color.org) turns them off."""
    isatty = getattr(stream, "isatty", lambda: False)
    return not os.environ.get("NO_COLOR") and isatty()


class _Aside(io.StringIO):
    """Stands in for standard output while help is written, which is then made to fit."""

    def __init__(self, stream: object) -> None:
        super().__init__()
        self._stream = stream

    @property
    def encoding(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether there are lines to draw boxes with."""
        return getattr(self._stream, "encoding", None)

    def isatty(self) -> bool:
        """Whether colours are wanted, which is what tyro wants to know of it."""
        return _coloured(self._stream)


@contextlib.contextmanager
def _help_that_fits() -> Iterator[None]:
    """What tyro prints, without colours where NO_COLOR says so, and no wider than the terminal."""
    aside = _Aside(sys.stdout)
    try:
        with contextlib.redirect_stdout(aside):
            yield
    finally:
        out(fitted_help(aside.getvalue(), shutil.get_terminal_size().columns))


def fitted_help(text: str, width: int) -> str:
    """Help with its longest lines broken, and without the list of all commands in its usage."""
    lines = []
    for line in CHOICES.sub("COMMAND ...", text).splitlines(keepends=True):
        wide = len(COLOUR.sub("", line).rstrip("\n")) > width
        hanging = 2 if line.startswith("usage:") else 0
        lines.append(wrapped(COLOUR.sub("", line), width, hanging) + "\n" if wide else line)
    return "".join(lines)
