import torch
from torch.testing import assert_close

from recon.training.adam import BETA1, BETA2, EPSILON, LazyAdam

RATE = 0.02


def table(rows: int = 6) -> torch.Tensor:
    return torch.rand(rows, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_touched_in_every_step_it_is_adam() -> None:
    random = torch.Generator().manual_seed(1)
    lazy, usual = table(), torch.nn.Parameter(table())
    state = LazyAdam(lazy)
    adam = torch.optim.Adam([usual], lr=RATE, betas=(BETA1, BETA2), eps=EPSILON)
    for _ in range(20):
        usual.grad = torch.randn(lazy.shape, generator=random, dtype=torch.float64)
        state.step(lazy, usual.grad, RATE)
        adam.step()
        assert_close(lazy, usual.detach(), rtol=1e-12, atol=1e-12)


def test_rows_without_a_gradient_keep_everything() -> None:
    values, gradient = table(), torch.ones(6, 2, dtype=torch.float64)
    state = LazyAdam(values)
    state.step(values, gradient, RATE)
    before = [tensor.clone() for tensor in (values, *state.tensors().values())]
    gradient[[0, 2, 5]] = 0.0
    state.step(values, gradient, RATE)
    after = (values, *state.tensors().values())
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old[[0, 2, 5]], new[[0, 2, 5]])
        assert not torch.isclose(old[[1, 3, 4]], new[[1, 3, 4]]).any()


def test_one_gradient_in_a_row_touches_all_of_it() -> None:
    values = table(1)
    state = LazyAdam(values)
    state.step(values, torch.tensor([[0.0, 1.0]], dtype=torch.float64), RATE)
    assert state.count.tolist() == [1]
    assert_close(values, table(1) - torch.tensor([[0.0, RATE]], dtype=torch.float64))


def test_a_row_first_touched_late_moves_by_the_rate() -> None:
    values, gradient = table(), torch.zeros(6, 2, dtype=torch.float64)
    state = LazyAdam(values)
    for step in range(100):
        gradient[0] = 1.0 + step
        state.step(values, gradient, RATE)
    gradient[3] = torch.tensor([1e-7, -5.0])
    state.step(values, gradient, RATE)
    # Adam counts steps of the row: however small its gradient, however late it comes
    expected = torch.tensor([-RATE, RATE], dtype=torch.float64)
    assert_close(values[3] - table()[3], expected, rtol=1e-6, atol=0.0)
