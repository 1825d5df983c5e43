"""A process that has loaded everything and forks one child for each run of a command.

What is measured is then the verb alone: the processor's seconds from `main` to its end (other
programs take the clock's), and the most memory that the child holds beyond what it was born with
(torch and all else that is imported). Jobs come in as
JSON lines, outcomes go out as JSON lines. Started under LD_PRELOAD with the library of `shim.c`,
a job may also say which file operation fails, or kills.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

Job = dict[str, Any]
ADDRESSES_MIB = 6144
"""More than this beyond what it was born with, and a child's next allocation fails."""
GRACE_S = 10.0
"""So long workers may outlive a process that was killed [s]."""


class Shim:
    """The library that makes file operations fail, where it is loaded."""

    def __init__(self) -> None:
        self.calls = ctypes.CDLL(None)
        self.there = hasattr(self.calls, "fault_arm")
        if self.there:
            self.calls.fault_count.restype = ctypes.c_long
            self.calls.fault_struck_path.restype = ctypes.c_char_p

    def arm(self, fault: Job) -> None:
        """From now on the k-th operation fails, in this process."""
        numbers = [fault[name] for name in ("kinds", "k", "once", "error", "signal")]
        kinds, k, once, error, number = numbers
        under = os.fsencode(fault["under"])
        # workers are started, not forked: they read what to do from the environment
        said = b" ".join(str(value).encode() for value in numbers) + b" " + under
        os.environb[b"OTHERLANE_FAULT"] = said
        self.calls.fault_arm(kinds, ctypes.c_long(k), once, error, number, under)

    def report(self) -> Job:
        """What came of it, also in a child that died."""
        if not self.there:
            return {}
        where = self.calls.fault_struck_path()
        return {
            "count": self.calls.fault_count(),
            "struck": bool(self.calls.fault_struck()),
            "struck_kind": self.calls.fault_struck_kind(),
            "struck_path": os.fsdecode(where or b""),
        }

    def rest(self) -> None:
        """No more faults."""
        if self.there:
            self.calls.fault_rest()


def main() -> None:
    """Load everything, then serve until standard input ends."""
    from render.cli import main as command

    _load_all()
    shim = Shim()
    print(json.dumps({"ready": True, "shim": shim.there}), flush=True)
    for line in sys.stdin:
        jobs = json.loads(line)
        print(json.dumps(_together(jobs, command, shim)), flush=True)


def _load_all() -> None:
    """What the verbs import late, and a recipe that takes a second."""
    import av  # noqa: F401
    import flip_evaluator  # noqa: F401
    import imageio.v3  # noqa: F401

    import recon.assets.asset_files
    import recon.kernels.backend
    import recon.recipes
    import recon.reconstruct
    import recon.training.loop
    from recon.kernels.backend import choose_backend
    from tests.faults.tiny import tiny

    recon.training.loop.CHECKPOINT_SECONDS = 0.0
    recon.recipes.RECIPES["tiny"] = tiny
    choose_backend(None)


def _together(jobs: list[Job], command: Any, shim: Shim) -> list[Job]:
    """Run all jobs at once; what came of each."""
    shim.rest()
    said = [tuple(os.memfd_create(name) for name in ("out", "err")) for _ in jobs]
    ready, steady = os.pipe()
    children = []
    for job, files in zip(jobs, said, strict=True):
        child = os.fork()
        if child == 0:
            os.close(steady)
            _child(job, files, ready, command, shim)
        children.append(child)
    os.close(ready)
    began = time.monotonic()
    os.close(steady)  # all begin at once
    ended, hung = _wait(jobs, children, began)
    shim.rest()
    report = shim.report()
    results = []
    for child, files in zip(children, said, strict=True):
        out, err = (_content(file) for file in files)
        status, seconds, peak = ended[child]
        code = os.waitstatus_to_exitcode(status)
        result = {"code": code, "out": out, "err": err, "seconds": seconds, "peak_mib": peak}
        result |= {"hung": child in hung, "outlived": _outlived(child)}
        results.append({**result, **report})
    return results


def _child(job: Job, files: tuple[int, ...], ready: int, command: Any, shim: Shim) -> None:
    """Become the process that runs the command; never returns."""
    code = 1
    try:
        os.setsid()
        for number, file in enumerate(files, start=1):
            os.dup2(file, number)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.chdir(job["cwd"])
        os.environ.update(job.get("environment", {}))
        limit = (_status_kib("VmSize") + ADDRESSES_MIB * 1024) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        born = _status_kib("VmRSS")
        os.read(ready, 1)
        time.sleep(job.get("delay_s", 0.0))
        began = time.process_time()
        if job.get("fault"):
            shim.arm(job["fault"])
        try:
            code = command(job["words"])
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:  # noqa: BLE001 what Python does at its end
            traceback.print_exc()
            code = 1
        shim.rest()
        sys.stdout.flush()
        sys.stderr.flush()
        peak = (_status_kib("VmHWM") - born) / 1024
        os.write(2, f"\0{time.process_time() - began:.4f} {peak:.1f}".encode())
    finally:
        os._exit(code)


def _wait(
    jobs: list[Job], children: list[int], began: float
) -> tuple[dict[int, tuple[int, float, float]], set[int]]:
    """Exit status, seconds and peak of each; who takes too long is killed, and named."""
    ended: dict[int, tuple[int, float, float]] = {}
    killed, hung = set[int](), set[int]()
    while len(ended) < len(children):
        for job, child in zip(jobs, children, strict=True):
            if child in ended:
                continue
            now = time.monotonic() - began
            kill_at = job.get("kill_after_s")
            if kill_at is not None and now >= kill_at and child not in killed:
                killed.add(child)
                os.kill(child, job.get("kill_signal", signal.SIGKILL))
            if now >= job["timeout_s"]:
                hung.add(child)
                os.killpg(child, signal.SIGKILL)
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                ended[child] = (status, now, 0.0)
        time.sleep(0.0005)
    return ended, hung


def _outlived(child: int) -> bool:
    """Whether workers of a child go on behind its back; waits for them to end."""
    patience = time.monotonic() + GRACE_S
    while time.monotonic() < patience:
        try:
            os.killpg(child, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.002)
    os.killpg(child, signal.SIGKILL)
    return True


def _status_kib(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(name)


def _content(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(file, "rb") as stream:
        return stream.read().decode("utf-8", "replace")


if __name__ == "__main__":
    main()
