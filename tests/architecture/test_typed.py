"""Type checkers of those who use us see our annotations: each package says so, in the wheel too."""

import fnmatch
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["scikit-build"]


def test_every_package_of_the_wheel_is_marked_as_typed() -> None:
    packages = BUILD["wheel"]["packages"]
    assert packages == ["scenes", "recon", "render"]
    for package in packages:
        assert (ROOT / package / "py.typed").is_file()
        assert not any(
            fnmatch.fnmatch(f"{package}/py.typed", out) for out in BUILD["wheel"]["exclude"]
        )
        assert f"/{package}" in BUILD["sdist"]["include"]
