"""Doctor tells the traps of an installation from a good one."""

import json

import pytest

from render.cli import main
from render.doctor import owners, torchvision_trap


def test_our_packages_are_ours_alone() -> None:
    for package in ("scenes", "recon", "render"):
        assert owners(package, {}).works
        assert owners(package, {package: ["otherlane"]}).works


def test_a_second_owner_is_named_with_the_remedy() -> None:
    check = owners("recon", {"recon": ["otherlane", "recon"]})
    assert not check.works
    assert not check.optional
    assert "also installed by recon" in check.found
    assert "pip uninstall recon" in check.remedy


@pytest.mark.parametrize(
    ("torch_version", "torchvision_version", "fits"),
    [
        ("2.13.0+cpu", None, True),
        ("2.13.0", "0.28.0", True),
        ("2.13.0+cpu", "0.28.0+cpu", True),
        ("2.13.0+cpu", "0.28.0", False),  # the package index's CUDA build beside a CPU torch
        ("2.13.0", "0.30.0", False),
    ],
)
def test_torchvision_is_judged_by_its_version(
    torch_version: str, torchvision_version: str | None, fits: bool
) -> None:
    check = torchvision_trap(torch_version, torchvision_version)
    assert check.works is fits
    assert fits or "pip uninstall torchvision" in check.remedy


def test_doctor_finds_this_machine_fit(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0, [check for check in answer["checks"] if not check["works"]]
    assert answer["ok"] is True
    found = {check["name"]: check["found"] for check in answer["checks"]}
    assert "kitti-tracking" in found["importers"]
    assert "torch" in found["backends"]
    assert all(check["works"] or check["remedy"] for check in answer["checks"])
