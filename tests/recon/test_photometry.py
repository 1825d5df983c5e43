import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from recon.field.photometry import Photometry, srgb
from scenes.sensors.images import srgb_from_linear

TIMES = [torch.tensor([0, 100, 300]), torch.tensor([50])]


def drifting() -> Photometry:
    """Two cameras, of three and one training pictures, with exposures of their own."""
    photometry = Photometry(TIMES, [torch.ones(3), torch.ones(1)])
    with torch.no_grad():
        photometry.log_gain[0][:] = torch.tensor([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5], [-1, 0, 1]])
        photometry.log_gain[1][:] = torch.tensor([[0.7, -0.3, 0.2]])
    return photometry


def test_the_mean_log_exposure_of_the_clip_is_zero() -> None:
    photometry = drifting()
    before = torch.cat(list(photometry.log_gain)).detach()
    photometry.fix_gauge()
    after = torch.cat(list(photometry.log_gain)).detach()
    assert_close(after.mean(0), torch.zeros(3), rtol=0.0, atol=1e-7)
    # nothing but the mean has changed: what frames differ by is kept
    assert_close(after.diff(dim=0), before.diff(dim=0))


def test_it_starts_from_what_the_drive_knows() -> None:
    photometry = Photometry([torch.tensor([0, 1])], [torch.tensor([1.0, 4.0])])
    gain = photometry.gain(0, torch.tensor([1, 0])).detach()
    assert_close(gain, torch.tensor([[2.0] * 3, [0.5] * 3]))


def test_exposure_in_time_hits_its_knots() -> None:
    photometry = drifting()
    for frame, time_us in enumerate(TIMES[0].tolist()):
        expected = photometry.gain(0, torch.tensor([frame]))[0]
        assert_close(photometry.gain_at(0, time_us), expected)


def test_exposure_in_time_is_geometric_between_and_held_at_the_ends() -> None:
    photometry = drifting()
    first, middle, last = photometry.gain(0, torch.arange(3))
    assert_close(photometry.gain_at(0, 150), middle**0.75 * last**0.25)
    assert_close(photometry.gain_at(0, -1000), first)
    assert_close(photometry.gain_at(0, 1000), last)


def test_a_single_picture_has_one_exposure() -> None:
    photometry = drifting()
    expected = photometry.gain(1, torch.tensor([0]))[0]
    for time_us in (-5, 50, 51, 10**9):
        assert_close(photometry.gain_at(1, time_us), expected)


@given(st.lists(st.floats(0.0, 8.0), min_size=1, max_size=16))
def test_the_response_is_the_one_of_the_door(linear: list[float]) -> None:
    expected = srgb_from_linear(np.array(linear))
    assert_close(srgb(torch.tensor(linear, dtype=torch.float64)).numpy(), expected)


def test_the_response_is_continuous_and_rises_beyond_clipping() -> None:
    linear = torch.linspace(0.0, 4.0, 400_001, dtype=torch.float64)
    steps = srgb(linear).diff()
    assert bool((steps > 0).all())
    assert steps.max() < 1.01 * 12.92 * 1e-5
    assert_close(srgb(torch.ones(1)), torch.ones(1))
