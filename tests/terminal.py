"""A person's terminal, played by a test: a command runs under a pseudo-terminal of some width.

`python -m tests.terminal COMMAND ...` runs any command on one of 80 columns, shows what it shows,
and fails where it fails or breaks a law of `problems`; needs nothing but Python.
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])")
MARKUP = re.compile(r"\[/?(bold|dim|red|green|cyan|yellow|blue|magenta|italic|/)\]")
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """What came of a command on a terminal."""

    code: int
    """Exit code; negative for a signal."""
    raw: str
    """Everything that was sent to the terminal."""
    columns: int
    times_s: tuple[float, ...]
    """When output came, since the start."""
    group: int
    """The process group of the command."""

    @property
    def lines(self) -> list[str]:
        """What stays on the terminal, after carriage returns have had their effect."""
        return [_settled(line) for line in self.raw.replace("\r\n", "\n").split("\n")]

    @property
    def text(self) -> str:
        """The lines in one string."""
        return "\n".join(self.lines)

    def longest_silence_s(self) -> float:
        """Between two pieces of output, or before the first."""
        at = (0.0, *self.times_s)
        return max((b - a for a, b in pairwise(at)), default=0.0)


def _settled(line: str) -> str:
    shown: list[str] = []
    for part in ESCAPE.sub("", line).split("\r"):
        shown[: len(part)] = part
    return "".join(shown).rstrip()


def widest(raw: str) -> int:
    """Columns of the widest thing that was ever written into one line."""
    parts = re.split(r"[\r\n]", ESCAPE.sub("", raw))
    return max(len(part.rstrip("\n")) for part in parts)


def run_on_terminal(
    run: Callable[[], int],
    *,
    columns: int = 80,
    colour: bool = True,
    folder: Path | None = None,
    interrupt_at: Callable[[str], bool] | None = None,
    presses: int = 1,
    patience_s: float = 300.0,
    echo: bool = False,
) -> Session:
    """Fork, and let the child `run` as a person would have it, with a terminal for all it says.

    Args:
        run: What the child does; returns its exit code.
        columns: Width of the terminal.
        colour: Whether NO_COLOR is left unset.
        folder: To run in.
        interrupt_at: Asked with the output so far: when it says so, Ctrl-C is pressed.
        presses: How often.
        patience_s: After which the test fails [s].
        echo: Whether to show the output as it comes.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        _become(run, columns, colour, folder)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    began, raw, times, pressed = time.monotonic(), bytearray(), [], False
    while True:
        passed = time.monotonic() - began
        if passed > patience_s:
            os.killpg(pid, signal.SIGKILL)
            raise TimeoutError(f"after {passed:.0f} s:\n{raw.decode(errors='replace')}")
        if select.select([terminal], [], [], 0.02)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # Linux's way to say that nobody has the other end open any more
                part = b""
            if not part:
                break
            raw += part
            if echo:
                sys.stdout.buffer.write(part)
                sys.stdout.buffer.flush()
            times.append(passed)
        if interrupt_at is not None and not pressed:
            pressed = interrupt_at(raw.decode(errors="replace"))
            if pressed:
                os.write(
                    terminal, b"\x03" * presses
                )  # the terminal turns it into SIGINT for all in front
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return Session(
        code=code, raw=raw.decode(), columns=columns, times_s=tuple(times), group=pid
    )  # fmt: skip


def _become(run: Callable[[], int], columns: int, colour: bool, folder: Path | None) -> None:
    """The child: its standard streams are the terminal already."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for name in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"):
            os.environ.pop(name, None)
        os.environ["TERM"] = "xterm-256color"
        if not colour:
            os.environ["NO_COLOR"] = "1"
        for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
        _wait_for_width(columns)
        if folder is not None:
            os.chdir(folder)
        code = run()
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does at its end
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)


def _wait_for_width(columns: int) -> None:
    while os.get_terminal_size(1).columns != columns:
        time.sleep(0.001)


def executed(words: Sequence[str]) -> Callable[[], int]:
    """To run: another program in place of this one."""

    def run() -> int:
        os.execvp(words[0], list(words))  # noqa: S606

    return run


def left_in(group: int) -> list[int]:
    """Processes of a group that still live."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def nobody_left_in(group: int, patience_s: float = 10.0) -> bool:
    """Whether all processes of a group end, soon."""
    until = time.monotonic() + patience_s
    while left := left_in(group):
        if time.monotonic() > until:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(0.05)
    return True


def problems(session: Session, *, colour: bool) -> Iterator[str]:
    """Laws that everything keeps that was ever written on a terminal."""
    if "Traceback" in session.raw or "Error:" in session.raw:
        yield "it shows a traceback"
    if widest(session.raw) > session.columns:
        long = [x for x in session.lines if len(x) > session.columns]
        yield f"wider than {session.columns} columns: {long[:3] or 'the line drawn again'}"
    if found := MARKUP.search(session.raw):
        yield f"markup is left over: {found[0]}"
    if not colour and (found := ESCAPE.search(session.raw)):
        yield f"an escape code despite NO_COLOR: {found[0]!r}"
    if '{"' in session.raw:
        yield "it shows JSON to a person"


def main(words: Sequence[str]) -> int:
    """The exit code of a command, or 1 where it shows itself badly."""
    session = run_on_terminal(executed(words), patience_s=7200.0, echo=True)
    found = list(problems(session, colour=True))
    for problem in found:
        print(f"on a terminal of {session.columns} columns {problem}", file=sys.stderr)
    print(f"longest silence: {session.longest_silence_s():.1f} s", file=sys.stderr)
    return session.code or int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
