import torch
from torch.testing import assert_close

from recon.field.photometry import srgb
from recon.rendering.march import Looks, Samples
from recon.training.losses import depth_evidence, photometric, sky_opacity, spread


def samples_of(weights: torch.Tensor, edges_m: torch.Tensor) -> Samples:
    """Samples with given weights in adjoining intervals."""
    nothing = torch.zeros(0, dtype=weights.dtype)
    index = torch.zeros(0, dtype=torch.int64)
    return Samples(
        near_m=edges_m[:, :-1],
        far_m=edges_m[:, 1:],
        density=torch.zeros_like(weights),
        weights=weights,
        owner=torch.zeros_like(weights, dtype=torch.int64),
        static=Looks(
            ray=index,
            unit=nothing.reshape(0, 3),
            middle_m=nothing,
            density=nothing,
            weights=nothing,
            light=nothing,
        ),
    )


def steps(rays: int, count: int = 40) -> torch.Tensor:
    """Edges of half a metre, from 1 m on."""
    return (1.0 + 0.5 * torch.arange(count + 1, dtype=torch.float64)).expand(rays, -1)


def spike(at: int, count: int = 40, weight: float = 1.0) -> torch.Tensor:
    """One ray whose weight is all in one interval."""
    weights = torch.zeros(1, count, dtype=torch.float64)
    weights[0, at] = weight
    return weights


def test_the_right_colour_costs_nothing() -> None:
    linear, exposure = torch.rand(4, 3), torch.full((4, 3), 0.8)
    assert photometric(linear, exposure, srgb(linear * exposure)).item() == 0.0


def test_a_clipped_pixel_says_at_least_this_bright() -> None:
    recorded = torch.ones(2, 3)
    exposure = torch.ones(2, 3)
    brighter = torch.full((2, 3), 5.0, requires_grad=True)
    loss = photometric(brighter, exposure, recorded)
    loss.backward()
    assert loss.item() == 0.0
    assert brighter.grad is not None
    assert not brighter.grad.any()
    assert photometric(torch.full((2, 3), 0.5), exposure, recorded) > 0.01


def test_what_is_not_clipped_is_not_forgiven() -> None:
    recorded = torch.full((1, 3), 253.0 / 255.0)
    assert photometric(torch.full((1, 3), 5.0), torch.ones(1, 3), recorded) > 0.1


def test_the_photometric_gradient_is_the_derivative() -> None:
    random = torch.Generator().manual_seed(0)
    linear, exposure, recorded = torch.rand(3, 5, 3, generator=random, dtype=torch.float64).unbind()
    linear.requires_grad_()
    exposure = (exposure + 0.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: photometric(a, b, recorded), (linear, exposure))


def test_a_surface_at_the_evidence_costs_nothing() -> None:
    samples = samples_of(spike(10), steps(1))
    off, empty = depth_evidence(samples, samples.middle_m[0, 10:11], 0)
    assert off.item() == 0.0
    assert empty.item() == 0.0


def test_depth_pulls_the_surface_towards_the_evidence() -> None:
    weights = torch.full((1, 40), 1.0 / 40.0, dtype=torch.float64, requires_grad=True)
    samples = samples_of(weights, steps(1))
    off, empty = depth_evidence(samples, torch.tensor([5.0], dtype=torch.float64), 0)
    # the mean is too far away: less light must be absorbed behind, more in front
    (by_mean,) = torch.autograd.grad(off, weights)
    assert by_mean[0, 39] > 0.0 > by_mean[0, 0]
    # in front of the surface nothing must be absorbed, and none must get through
    (by_empty,) = torch.autograd.grad(empty, weights)
    assert (by_empty[0, :6] > 0.0).all()
    early = samples.far_m[0] < 5.0 - 0.03 * 5.0
    assert early.sum() == 7
    through = samples_of(spike(8, weight=0.4), steps(1))
    at_8 = through.middle_m[0, 8:9]
    assert_close(depth_evidence(through, at_8, 0)[1].item(), 0.36)


def test_rays_without_evidence_do_not_count() -> None:
    both = samples_of(torch.cat([spike(3), spike(10)]), steps(2))
    alone = samples_of(spike(10), steps(1))
    evidence_m = torch.tensor([7.0], dtype=torch.float64)
    assert depth_evidence(both, evidence_m, 1) == depth_evidence(alone, evidence_m, 0)


def test_the_error_of_depth_is_relative() -> None:
    near, far = samples_of(spike(4), steps(1)), samples_of(spike(34), steps(1))
    for samples, at in ((near, 4), (far, 34)):
        off, _ = depth_evidence(samples, 1.1 * samples.middle_m[0, at : at + 1], 0)
        assert_close(off, torch.log(torch.tensor(1.1, dtype=torch.float64)) ** 2)


def test_the_depth_gradients_are_the_derivatives() -> None:
    random = torch.Generator().manual_seed(0)
    weights = 0.03 * torch.rand(2, 40, generator=random, dtype=torch.float64)
    weights.requires_grad_()
    evidence_m = torch.tensor([5.0, 9.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda w: depth_evidence(samples_of(w, steps(2)), evidence_m, 0), weights
    )
    assert torch.autograd.gradcheck(lambda w: spread(samples_of(w, steps(2)), 1000.0), weights)


def test_one_thin_surface_is_not_spread_out() -> None:
    thin, wide = samples_of(spike(10), steps(1)), samples_of(spike(10) * 0.5, steps(1))
    wide.weights[0, 30] = 0.5
    assert spread(thin, 1000.0) < 0.1 * spread(wide, 1000.0)


def test_only_sky_pixels_must_be_empty() -> None:
    opacity = torch.tensor([0.5, 1.0], requires_grad=True)
    assert sky_opacity(opacity, torch.tensor([False, False])).item() == 0.0
    loss = sky_opacity(opacity, torch.tensor([True, False]))
    assert_close(loss.item(), 0.125)
    (gradient,) = torch.autograd.grad(loss, opacity)
    assert gradient[0] > 0.0 == gradient[1]
