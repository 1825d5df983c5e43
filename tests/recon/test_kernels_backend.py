import pytest

from recon.kernels.backend import Backend, choose_backend, usable_backends
from scenes.errors import OtherlaneError


def test_torch_works_everywhere_and_is_chosen_when_asked_for() -> None:
    assert Backend.TORCH in usable_backends()
    assert choose_backend(Backend.TORCH) is Backend.TORCH


def test_the_fastest_is_chosen_when_nothing_is_asked_for() -> None:
    assert choose_backend(None) is usable_backends()[-1]


def test_a_backend_that_does_not_work_here_is_refused_with_what_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recon.kernels.backend.usable_backends", lambda: ())
    with pytest.raises(OtherlaneError, match=r"backend torch: does not work.*\n.*try: "):
        choose_backend(Backend.TORCH)
