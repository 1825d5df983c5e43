"""Doctor tells the traps of an installation from a good one."""

import json
from pathlib import Path

import pytest

import recon.kernels.native
import render.console.doctor
from render.cli import main
from render.console.doctor import native_backend, native_notice, owners, torchvision_trap


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


def test_the_native_backend_says_what_it_computes_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recon.kernels.native, "native_problem", lambda: None)
    monkeypatch.setattr(recon.kernels.native, "instruction_set", lambda: "avx2")
    assert native_backend().works
    assert native_notice() == "native backend: instruction set avx2"


@pytest.mark.parametrize("compiler", ["c++", "clang++", None])
def test_a_native_backend_that_was_not_compiled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compiler: str | None
) -> None:
    monkeypatch.setattr(recon.kernels.native, "native_problem", lambda: "No module named '_native'")
    monkeypatch.setattr(render.console.doctor, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    if compiler is not None:
        (tmp_path / compiler).touch(mode=0o755)
    check = native_backend()
    assert not check.works
    assert check.optional
    assert "not compiled" in check.found
    assert ("no C++ compiler" in check.found) is (compiler is None)
    assert ("install g++ or clang++" in check.remedy) is (compiler is None)
    assert "make native" in check.remedy
    notice = native_notice()
    assert notice.startswith("=" * 80)
    assert "WITHOUT its native CPU backend" in notice
    assert check.found in notice
    assert check.remedy in notice


def test_a_native_backend_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = "undefined symbol: PyType_FromMetaclass"
    monkeypatch.setattr(recon.kernels.native, "native_problem", lambda: problem)
    monkeypatch.setattr(render.console.doctor, "find_spec", lambda _: object())
    assert native_backend().found == f"does not load: {problem}"


def test_doctor_finds_this_machine_fit(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == 0, [check for check in answer["checks"] if not check["works"]]
    assert answer["ok"] is True
    found = {check["name"]: check["found"] for check in answer["checks"]}
    assert "kitti-tracking" in found["importers"]
    assert "torch" in found["backends"]
    assert all(check["works"] or check["remedy"] for check in answer["checks"])
