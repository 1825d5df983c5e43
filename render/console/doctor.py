"""What works on this machine, what does not, why, and what to do about it."""

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import (
    PackageNotFoundError,
    entry_points,
    packages_distributions,
    version,
)
from importlib.util import find_spec
from pathlib import Path

OUR_PACKAGES = ("scenes", "recon", "render")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that works, or does not."""

    name: str
    works: bool
    found: str
    """What is here: a version, a device, a size, or what is wrong."""
    optional: bool = False
    """otherlane is useful without it."""
    remedy: str = ""
    """What to do where it does not work."""


def examine() -> list[Check]:
    """Every check, in the order in which things build on each other."""
    torch_check = _torch()
    return [
        _python(),
        *(owners(package, packages_distributions()) for package in OUR_PACKAGES),
        _plugins("importers"),
        _plugins("exporters"),
        torch_check,
        torchvision_trap(_version("torch"), _version("torchvision")),
        native_backend(),
        *([_cuda(), _backends()] if torch_check.works else []),
        _installed("safetensors", "safetensors", optional=False),
        _installed("flip", "flip-evaluator", optional=False),
        _h264(),
        _installed("coco evaluation", "faster-coco-eval", extra="labels"),
        _installed("worlds (mitsuba)", "mitsuba", extra="worlds"),
        *_machine(),
    ]


def owners(package: str, distributions: Mapping[str, Iterable[str]]) -> Check:
    """Whether `package` is ours alone.

    `recon` and `render` exist on the package index: installed beside us they would overwrite each
    other's files, or shadow ours.

    Args:
        package: Import name, one of ours.
        distributions: Import name -> distributions that installed it.
    """
    # An editable install lists no files, so we own the package even where nobody says so.
    others = sorted(set(distributions.get(package, ())) - {"otherlane"})
    spec = find_spec(package)
    home = Path(spec.origin).parent.parent if spec is not None and spec.origin else None
    ours = Path(__file__).parents[2]
    if others:
        found = f"also installed by {', '.join(others)}"
        remedy = f"pip uninstall {' '.join(others)}; pip install --force-reinstall otherlane"
        return Check(name=f"package {package}", works=False, found=found, remedy=remedy)
    if home != ours:
        found = f"imports from {home}, not from {ours}"
        remedy = "leave the folder that shadows it, or take it off PYTHONPATH"
        return Check(name=f"package {package}", works=False, found=found, remedy=remedy)
    return Check(name=f"package {package}", works=True, found=str(ours / package))


def torchvision_trap(torch_version: str | None, torchvision_version: str | None) -> Check:
    """Whether an installed torchvision fits torch: judged by versions, since importing it may die.

    torch 2.n goes with torchvision 0.(n + 15), and builds (+cpu, +cu130, none) must be the same.
    """
    name = "torchvision"
    if torchvision_version is None or torch_version is None:
        return Check(name=name, works=True, found="not installed, not needed", optional=True)
    pair = f"torchvision {torchvision_version} beside torch {torch_version}"
    torch_number, _, torch_build = torch_version.partition("+")
    vision_number, _, vision_build = torchvision_version.partition("+")
    fits = int(vision_number.split(".")[1]) == int(torch_number.split(".")[1]) + 15
    if fits and torch_build == vision_build:
        return Check(name=name, works=True, found=pair, optional=True)
    wrong = f"{pair}: importing it, or what needs it, will fail"
    remedy = "pip uninstall torchvision (otherlane does not use it)"
    return Check(name=name, works=False, found=wrong, optional=True, remedy=remedy)


def native_backend() -> Check:
    """Whether the native CPU backend loads; torch does its work too, many times slower."""
    from recon.kernels.native import instruction_set, native_problem

    name, problem = "native backend", native_problem()
    if problem is None:
        found = f"instruction set {instruction_set()}"
        return Check(name=name, works=True, found=found, optional=True)
    compilers = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    compiler = next(filter(None, map(shutil.which, compilers)), None)
    if find_spec("recon.kernels._native") is not None:
        found, first = f"does not load: {problem}", ""
    elif compiler is not None:
        found, first = f"not compiled at installation, although {compiler} is here now", ""
    else:
        found = f"not compiled: no C++ compiler (looked for {', '.join(compilers)})"
        first = "install g++ or clang++, then "
    # Only a clone has the Makefile; pip would reuse what it once made without a compiler.
    clone = (Path(__file__).parents[2] / "Makefile").is_file()
    reinstall = "pip install -v --no-deps --no-cache-dir --force-reinstall otherlane"
    again = "make native" if clone else reinstall
    return Check(name=name, works=False, found=found, optional=True, remedy=first + again)


def native_notice() -> str:
    """One line where the native backend works; where it does not, what nobody can overlook."""
    check = native_backend()
    if check.works:
        return f"{check.name}: {check.found}"
    line = "=" * 100
    return (
        f"{line}\nWARNING: otherlane is installed WITHOUT its native CPU backend.\n"
        f"It works, on torch, many times slower.\n"
        f"  why: {check.found}\n  try: {check.remedy}\n{line}"
    )


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _installed(name: str, distribution: str, *, extra: str = "", optional: bool = True) -> Check:
    found = _version(distribution)
    wanted = f"otherlane[{extra}]" if extra else distribution
    return Check(
        name=name,
        works=found is not None,
        found=found or "not installed",
        optional=optional,
        remedy="" if found else f'pip install "{wanted}"',
    )


def _plugins(kind: str) -> Check:
    names = sorted(entry_points(group=f"otherlane.{kind}").names)
    remedy = "" if names else "pip install --force-reinstall otherlane"
    return Check(
        name=kind, works=bool(names), found=", ".join(names) or "none found", remedy=remedy
    )


def _python() -> Check:
    return Check(
        name="python",
        works=sys.version_info >= (3, 11),
        found=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        remedy="" if sys.version_info >= (3, 11) else "Python 3.11 or newer",
    )


def _torch() -> Check:
    remedy = 'pip install -c constraints.txt "torch>=2.6"'
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of it does not load
        return Check(name="torch", works=False, found=str(error), remedy=remedy)
    build = f"CUDA {torch.version.cuda} build" if torch.version.cuda else "CPU build"
    return Check(name="torch", works=True, found=f"{torch.__version__}, {build}")


def _cuda() -> Check:
    import torch

    if torch.cuda.is_available():
        found = torch.cuda.get_device_name()
        return Check(name="cuda device", works=True, found=found, optional=True)
    has_build = torch.version.cuda is not None
    found = "no usable NVIDIA GPU or driver" if has_build else "torch is a CPU build"
    remedy = "nvidia-smi must list the GPU" if has_build else "with an NVIDIA GPU: docs/install.md"
    return Check(name="cuda device", works=False, found=found, optional=True, remedy=remedy)


def _backends() -> Check:
    from recon.kernels.backend import usable_backends

    return Check(name="backends", works=True, found=", ".join(usable_backends()))


def _h264() -> Check:
    remedy = "pip install --force-reinstall av (its wheels bring libx264)"
    try:
        import av.codec
    except (ImportError, OSError) as error:
        return Check(name="h264 video", works=False, found=str(error), remedy=remedy)
    if "libx264" not in av.codec.codecs_available:
        found = f"av {av.__version__} without libx264"
        return Check(name="h264 video", works=False, found=found, remedy=remedy)
    return Check(name="h264 video", works=True, found=f"av {av.__version__} with libx264")


def _machine() -> list[Check]:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    disk_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return [
        Check(name="cpu threads", works=True, found=str(len(os.sched_getaffinity(0)))),
        Check(
            name="memory",
            works=memory_gb >= 4.0,
            found=f"{memory_gb:.1f} GB",
            optional=True,
            remedy="" if memory_gb >= 4.0 else "reconstruct at a smaller --scale",
        ),
        Check(
            name="disk here",
            works=disk_gb >= 2.0,
            found=f"{disk_gb:.1f} GB free",
            optional=True,
            remedy="" if disk_gb >= 2.0 else "write --out to another disk",
        ),
    ]
