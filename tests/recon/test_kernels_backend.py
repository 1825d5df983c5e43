import sys
from types import ModuleType

import pytest
import torch

import recon.kernels.backend
from recon.kernels.backend import (
    UNVERIFIED,
    Backend,
    backend_device,
    backend_problem,
    choose_backend,
    usable_backends,
)
from recon.kernels.primitives import TORCH, primitives
from scenes.errors import OtherlaneError


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    usable_backends.cache_clear()


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA device, Triton and tiny-cuda-nn, as far as imports can tell."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "recon.kernels.triton_door", ModuleType("triton_door"))
    monkeypatch.setitem(sys.modules, "tinycudann", ModuleType("tinycudann"))
    usable_backends.cache_clear()


@pytest.fixture(autouse=True)
def forget() -> None:
    usable_backends.cache_clear()


def test_the_reference_works_everywhere() -> None:
    assert Backend.TORCH in usable_backends()
    assert backend_problem(Backend.TORCH) is None
    assert choose_backend(Backend.TORCH) is Backend.TORCH


def test_the_fastest_verified_one_is_chosen_when_nobody_says() -> None:
    verified = [backend for backend in usable_backends() if backend not in UNVERIFIED]
    assert choose_backend(None) is verified[-1]


@pytest.mark.usefixtures("fake_gpu")
def test_a_gpu_is_used_by_those_who_ask() -> None:
    assert usable_backends()[-2:] == (Backend.TRITON, Backend.TCNN)
    assert choose_backend(None) not in UNVERIFIED
    assert choose_backend(Backend.TCNN) is Backend.TCNN


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("backend", [Backend.TRITON, Backend.TCNN])
def test_what_needs_a_gpu_says_so(backend: Backend) -> None:
    with pytest.raises(OtherlaneError, match=r"backend \w+: does not work.* CPU build\n.*torch"):
        choose_backend(backend)


@pytest.mark.usefixtures("fake_gpu")
@pytest.mark.parametrize(
    ("backend", "missing", "package"),
    [
        (Backend.TRITON, "recon.kernels.triton_door", "triton"),
        (Backend.TCNN, "tinycudann", "tinycudann"),
    ],
)
def test_a_package_that_is_missing_is_named(
    backend: Backend, missing: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert f"{package} cannot be imported" in (backend_problem(backend) or "")


def test_native_without_its_compiled_module_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recon.kernels.backend, "native_problem", lambda: "built without compiler")
    assert Backend.NATIVE not in usable_backends()
    with pytest.raises(OtherlaneError, match=r"backend native: .*built without compiler\n.*try: "):
        choose_backend(Backend.NATIVE)


def test_backends_of_the_cpu_are_on_the_cpu() -> None:
    for backend in (Backend.TORCH, Backend.NATIVE):
        assert backend_device(backend) == torch.device("cpu")
        assert primitives(backend) is TORCH
    assert backend_device(Backend.TCNN) == torch.device("cuda")
