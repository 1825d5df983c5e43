import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from recon.kernels.compositing import (
    distortion,
    distortion_reference,
    expected_distance,
    expected_distance_reference,
    median_distance,
    median_distance_reference,
    render_weights,
    render_weights_reference,
    transmittance,
    transmittance_reference,
)

Kernel = Callable[..., torch.Tensor]


# Density, length and the gap before it, of each sample on one ray; all may be zero.
def rays_up_to(density: float) -> st.SearchStrategy[list[tuple[float, float, float]]]:
    gaps = st.sampled_from((0.0, 0.0, 1.5))
    part = st.tuples(st.floats(0.0, density), st.floats(0.0, 3.0), gaps)
    return st.lists(part, min_size=1, max_size=24)


samples = rays_up_to(50.0)


def ray(parts: list[tuple[float, float, float]]) -> tuple[torch.Tensor, ...]:
    """Densities, lengths, near edges and far edges of one ray."""
    sigma, delta, gap = torch.tensor(parts, dtype=torch.float64).T[:, None]
    far = torch.cumsum(delta + gap, dim=-1)
    return sigma, delta, far - delta, far


@given(samples)
def test_weights_agree_with_the_definition(parts: list[tuple[float, float, float]]) -> None:
    sigma, delta, _, _ = ray(parts)
    assert_close(render_weights(sigma, delta), render_weights_reference(sigma, delta))
    assert_close(transmittance(sigma, delta), transmittance_reference(sigma, delta))


@given(samples)
def test_light_is_absorbed_or_passes_never_both(parts: list[tuple[float, float, float]]) -> None:
    sigma, delta, _, _ = ray(parts)
    weights = render_weights(sigma, delta)
    assert weights.min() >= 0
    assert_close(weights.sum(-1), -torch.expm1(-(sigma * delta).sum(-1)))


@given(samples, st.floats(0.05, 0.95))
def test_median_agrees_with_the_definition(
    parts: list[tuple[float, float, float]], threshold: float
) -> None:
    sigma, delta, near, far = ray(parts)
    weights = render_weights(sigma, delta)
    got = median_distance(weights, near, far, threshold)
    assert_close(got, median_distance_reference(weights, near, far, threshold))


@given(samples)
def test_expected_distance_and_distortion_agree_with_the_definition(
    parts: list[tuple[float, float, float]],
) -> None:
    sigma, delta, near, far = ray(parts)
    weights = render_weights(sigma, delta)
    for ours, theirs in (
        (expected_distance, expected_distance_reference),
        (distortion, distortion_reference),
    ):
        assert_close(ours(weights, near, far), theirs(weights, near, far))


# Beyond an optical depth of some 20, rounding leaves nothing to tell the density from the weight.
@given(rays_up_to(5.0))
def test_median_is_where_half_of_the_light_is_gone(
    parts: list[tuple[float, float, float]],
) -> None:
    sigma, delta, near, far = ray(parts)
    median = median_distance(render_weights(sigma, delta), near, far)
    passed = (median[:, None] - near).clamp(min=0.0).minimum(delta)  # of each interval
    opacity = -torch.expm1(-(sigma * passed).sum(-1))
    if torch.isfinite(median):
        assert_close(opacity, torch.full_like(opacity, 0.5), atol=1e-6, rtol=0)
    else:
        assert -torch.expm1(-(sigma * delta).sum(-1)) < 0.5 + 1e-9


def test_two_half_opaque_slabs_share_three_quarters() -> None:
    sigma = torch.full((1, 2), math.log(2.0), dtype=torch.float64)
    weights = render_weights(sigma, torch.ones_like(sigma))
    assert_close(weights, torch.tensor([[0.5, 0.25]], dtype=torch.float64))
    near = torch.tensor([[4.0, 5.0]], dtype=torch.float64)
    assert_close(median_distance(weights, near, near + 1.0), near[:, 1])
    # Half of the half that is left after the first slab is absorbed half-way into the second
    third = median_distance(weights, near, near + 1.0, opacity_threshold=1.0 - 0.5**1.5)
    assert_close(third, near[:, 1] + 0.5)
    assert_close(expected_distance(weights, near, near + 1.0), near[:, 0] + 0.5 + 1.0 / 3.0)


def test_distortion_of_two_samples_by_hand() -> None:
    weights = torch.tensor([[0.5, 0.25]])
    near, far = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 4.0]])
    # pairs: 2 * 0.5 * 0.25 * (3 - 0.5); own widths: (0.25 * 1 + 0.0625 * 2) / 3
    assert_close(distortion(weights, near, far), torch.tensor([0.625 + 0.125]))


def test_a_ray_through_nothing_has_no_distance() -> None:
    nothing, edge = torch.zeros(1, 3, requires_grad=True), torch.ones(1, 3)
    for distance in (median_distance, expected_distance):
        out = distance(nothing, edge, edge)
        assert torch.isposinf(out).all()
        (slope,) = torch.autograd.grad(out.sum(), nothing)
        assert torch.isfinite(slope).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes_give_numbers_and_finite_gradients(dtype: torch.dtype) -> None:
    # a wall, a wall behind it, an interval without length, empty space, dust
    sigma = torch.tensor([[1e30, 1e30, 1e30, 0.0, 1e-30]], dtype=dtype, requires_grad=True)
    delta = torch.tensor([[2.0, 1.0, 0.0, 3.0, 1.0]], dtype=dtype)
    far = torch.cumsum(delta, dim=-1)
    weights = render_weights(sigma, delta)
    assert_close(weights, torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]], dtype=dtype))
    distances = [kernel(weights, far - delta, far) for kernel in ON_WEIGHTS]
    assert_close(distances[0], torch.zeros(1, dtype=dtype))  # the near side of the wall
    (slope,) = torch.autograd.grad(torch.stack(distances).sum(), sigma)
    assert torch.isfinite(slope).all()


ON_WEIGHTS: tuple[Kernel, ...] = (median_distance, expected_distance, distortion)


@pytest.mark.parametrize("kernel", [render_weights, transmittance])
def test_gradients_of_weights_are_the_derivatives(kernel: Kernel) -> None:
    sigma = torch.linspace(0.1, 3.0, 15, dtype=torch.float64).view(3, 5).requires_grad_()
    delta = torch.linspace(0.3, 0.1, 15, dtype=torch.float64).view(3, 5).requires_grad_()
    assert torch.autograd.gradcheck(kernel, (sigma, delta))


@pytest.mark.parametrize("kernel", ON_WEIGHTS)
def test_gradients_of_distances_are_the_derivatives(kernel: Kernel) -> None:
    weights = torch.tensor(
        [[0.1, 0.2, 0.3, 0.2], [0.6, 0.1, 0.1, 0.1], [0.1, 0.1, 0.05, 0.05]], dtype=torch.float64
    )
    far = torch.tensor([1.0, 2.5, 3.0, 7.0], dtype=torch.float64).expand(3, 4)
    near = torch.tensor([0.5, 1.0, 2.5, 4.0], dtype=torch.float64).expand(3, 4)
    rows = slice(0, 2) if kernel is median_distance else slice(0, 3)  # inf has no differences
    inputs = [x[rows].clone().requires_grad_() for x in (weights, near, far)]
    assert torch.autograd.gradcheck(kernel, inputs)
