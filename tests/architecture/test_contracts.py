"""The arrows between the layers hold, and what the packages promise others resolves."""

import os
from importlib.metadata import distribution
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from render.exporters.exporter import Exporter

ROOT = Path(__file__).parents[2]


def test_import_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        failed = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)
    finally:
        os.chdir(before)
    assert not failed, capsys.readouterr().out


def test_every_entry_point_resolves_to_what_it_should() -> None:
    ours = distribution("otherlane").entry_points
    assert {"otherlane", "kitti-tracking", "kitti-odometry"} <= ours.names
    for entry_point in ours:
        if entry_point.group.startswith("nerfstudio."):
            continue  # they load where nerfstudio is: `make test-nerfstudio`
        found = entry_point.load()
        assert callable(found) or isinstance(found, Exporter), entry_point
