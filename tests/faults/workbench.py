"""Runs commands, many a second, in children of one process that has loaded everything."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
SHIM = Path(__file__).with_name("shim.c")
TIMEOUT_S = 60.0
"""A run that takes longer hangs [s]."""

OPEN_TO_WRITE, WRITE, RENAME, MKDIR, FSYNC, TRUNCATE, CLOSE_WRITTEN, UNLINK, CHMOD = (
    1 << bit for bit in range(9)
)
OPEN_TO_READ, READ, MMAP, LIST = (1 << bit for bit in range(9, 13))
KINDS = {
    OPEN_TO_WRITE: "open to write", WRITE: "write", RENAME: "rename", MKDIR: "mkdir",
    FSYNC: "fsync", TRUNCATE: "truncate", CLOSE_WRITTEN: "close", UNLINK: "unlink",
    CHMOD: "chmod", OPEN_TO_READ: "open to read", READ: "read", MMAP: "mmap", LIST: "list",
}  # fmt: skip
"""Kinds of file operations, by their bits in `shim.c`."""
WRITING = OPEN_TO_WRITE | WRITE | RENAME | MKDIR | FSYNC | TRUNCATE | CLOSE_WRITTEN | UNLINK
_GROWS = OPEN_TO_WRITE | WRITE | RENAME | MKDIR | FSYNC | TRUNCATE | CLOSE_WRITTEN
_CHANGES = OPEN_TO_WRITE | RENAME | MKDIR | UNLINK | CHMOD
FAILS = {
    errno.ENOSPC: _GROWS,
    errno.EDQUOT: _GROWS,
    errno.EROFS: _CHANGES,
    errno.EACCES: _CHANGES,
    errno.EIO: WRITING,
}
"""What each error of writing may come from."""
READING = {errno.EIO: OPEN_TO_READ | READ | MMAP | LIST, errno.EACCES: OPEN_TO_READ | LIST}
"""What each error of reading may come from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Which file operation fails."""

    kinds: int
    """Bits of the kinds that are counted."""
    under: Path
    """Only under this folder (or with this beginning)."""
    k: int = 1 << 60
    """The k-th fails; counted from 1."""
    once: bool = True
    """The k-th alone, or all from it on."""
    error: int = 0
    """As which error ..."""
    signal: int = 0
    """... or the signal that the process then gets."""

    def at(self, k: int) -> "Fault":
        """The same, at another operation."""
        return replace(self, k=k)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kinds": self.kinds, "under": str(self.under), "k": self.k, "once": int(self.once),
            "error": int(self.error), "signal": int(self.signal),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What one command did."""

    words: tuple[str, ...]
    code: int
    """Exit code; the negative of a signal that ended it."""
    out: str
    err: str
    seconds: float
    """Of the processor, for the verb alone: everything was loaded before."""
    peak_mib: float
    """Beyond what the process was born with; 0 where it was killed."""
    count: int = 0
    """Operations of the armed kinds."""
    struck: bool = False
    struck_at: str = ""
    """The operation that failed, and on what."""
    hung: bool = False
    """Whether it had to be ended."""
    outlived: bool = False
    """Whether workers went on after its end."""

    @property
    def traceback(self) -> bool:
        """Whether it ended as programs end that their authors did not foresee."""
        crashed = self.code < 0 and -self.code not in (signal.SIGKILL, signal.SIGTERM)
        ended_well = self.code in (0, 2) or (self.code < 0 and not crashed)
        return not ended_well or "Traceback" in self.err

    @property
    def typed(self) -> bool:
        """Whether it was refused in words: where, what is wrong, what to try."""
        if self.code != 2 or self.traceback:
            return False
        said = self.answer
        error = said.get("error", {})
        worded = all(error.get(name) for name in ("where", "wrong", "fix"))
        return worded if "error" in said else bool(said.get("problems"))

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object on standard output; empty where there is none."""
        return json.loads(self.out) if self.out.startswith("{") else {}


class Server:
    """The process of `server.py`; a context."""

    def __init__(self, scratch: Path) -> None:
        library = compiled(scratch)
        environment = {
            **os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1", "XDG_CACHE_HOME": str(scratch / "cache"),
        }  # fmt: skip
        if library is not None:
            environment["LD_PRELOAD"] = str(library)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.shim = bool(self._answer()["shim"])
        """Whether file operations can fail on demand."""

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=TIMEOUT_S)
        self.process.stdout.close()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server of the battery died"
        return json.loads(line)

    def run(
        self, words: Sequence[str], cwd: Path, *, fault: Fault | None = None, **more: Any
    ) -> Run:
        """One command; `more` are keys of a job (see `server.py`)."""
        if fault is not None:
            more["fault"] = fault.plain()
        return self.together([words], cwd, **more)[0]

    def together(
        self, commands: Sequence[Sequence[str]], cwd: Path, *, delays_s: Sequence[float] = (),
        **more: Any,
    ) -> list[Run]:  # fmt: skip
        """Several commands at once, each delayed by so much."""
        delays = [*delays_s, *[0.0] * (len(commands) - len(delays_s))]
        jobs = [
            {"timeout_s": TIMEOUT_S, **more, "words": list(words), "cwd": str(cwd), "delay_s": wait}
            for words, wait in zip(commands, delays, strict=True)
        ]
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(jobs).encode() + b"\n")
        self.process.stdin.flush()
        return [_run(job["words"], said) for job, said in zip(jobs, self._answer(), strict=True)]


def _run(words: Sequence[str], said: dict[str, Any]) -> Run:
    err, _, numbers = said["err"].partition("\0")
    seconds, peak = map(float, numbers.split()) if numbers else (said["seconds"], 0.0)
    struck = bool(said.get("struck", False))
    at = f"{KINDS.get(said['struck_kind'], '?')} {said['struck_path']}" if struck else ""
    return Run(
        words=tuple(words), code=said["code"], out=said["out"], err=err, seconds=seconds,
        peak_mib=peak, count=said.get("count", 0), struck=struck, struck_at=at,
        hung=said["hung"], outlived=said["outlived"],
    )  # fmt: skip


def compiled(scratch: Path) -> Path | None:
    """The library of `shim.c`, where there is a compiler."""
    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    found = next((shutil.which(name) for name in names if name and shutil.which(name)), None)
    if found is None or sys.platform != "linux":
        return None
    library = scratch / "shim.so"
    words = [found, "-O1", "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"]
    made = subprocess.run(words, capture_output=True, check=False)
    return library if made.returncode == 0 else None
