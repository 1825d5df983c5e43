import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recon.evaluation.metrics import abs_rel, affine_fit, flip, psnr_db, ssim

FULL_DB = 58.9226
"""Of equal pictures: as near as 8 bits tell."""
ALL = np.ones((24, 32), dtype=bool)


def photo(seed: int = 0) -> np.ndarray:
    """Smooth noise in 0.1..0.9, so that nothing clips."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0.1, 0.9, (7, 9, 3))
    return np.kron(coarse, np.ones((4, 4, 1)))[:24, :32].astype(np.float32)


def noisy(picture: np.ndarray, size: float = 0.05) -> np.ndarray:
    random = np.random.default_rng(9)
    return (picture + size * random.standard_normal(picture.shape)).clip(0, 1).astype(np.float32)


def half() -> np.ndarray:
    """Only the right half counts."""
    mask = ALL.copy()
    mask[:, :16] = False
    return mask


def test_psnr_of_an_error_of_a_tenth() -> None:
    assert psnr_db(photo() + np.float32(0.1), photo(), ALL) == pytest.approx(20.0, abs=1e-4)
    assert psnr_db(photo(), photo(), ALL) == pytest.approx(FULL_DB)


def test_psnr_clips_what_is_shown() -> None:
    white = np.ones((24, 32, 3), dtype=np.float32)
    assert psnr_db(3.0 * white, white, ALL) == pytest.approx(FULL_DB)


@pytest.mark.parametrize("score", [psnr_db, ssim, flip])
def test_only_what_counts_is_scored(score) -> None:
    spoilt = photo()
    spoilt[:, :6] = 0.0  # further from the right half than any filter reaches
    assert score(spoilt, photo(), half()) == pytest.approx(score(photo(), photo(), half()))
    assert score(spoilt, photo(), ~half()) != pytest.approx(score(photo(), photo(), ~half()))


@given(st.integers(0, 1000))
def test_a_change_of_colour_is_forgiven_entirely(seed: int) -> None:
    random = np.random.default_rng(seed)
    mix = np.eye(3) * 0.7 + random.uniform(-0.1, 0.1, (3, 3))
    other = (photo() @ mix + random.uniform(0.0, 0.1, 3)).astype(np.float32)
    fitted = affine_fit(other, photo(), ALL)
    np.testing.assert_allclose(fitted, photo(), atol=1e-5)


def test_the_fit_looks_only_at_what_counts() -> None:
    other = photo() * np.float32(0.5)
    other[:, :16] = 0.0
    fitted = affine_fit(other, photo(), half())
    np.testing.assert_allclose(fitted[half()], photo()[half()], atol=1e-5)


def test_the_fit_never_makes_it_worse() -> None:
    shown = noisy(photo())
    fitted = affine_fit(shown, photo(), ALL)
    assert psnr_db(fitted, photo(), ALL) >= psnr_db(shown, photo(), ALL)


def test_ssim_agrees_with_torchmetrics() -> None:
    metrics = pytest.importorskip("torchmetrics.functional.image")
    shown = noisy(photo())
    a, b = (torch.from_numpy(x).permute(2, 0, 1)[None] for x in (shown, photo()))
    _, full = metrics.structural_similarity_index_measure(
        a, b, data_range=1.0, return_full_image=True
    )
    expected = full[0].mean(0).numpy()
    # older versions leave the borders out of the mean; all give the same image inside of them
    inside = ALL.copy()
    inside[[0, 1, 2, 3, 4, -5, -4, -3, -2, -1]] = False
    inside[:, [0, 1, 2, 3, 4, -5, -4, -3, -2, -1]] = False
    assert ssim(shown, photo(), inside) == pytest.approx(expected[inside].mean(), abs=1e-4)
    assert ssim(shown, photo(), ALL) == pytest.approx(expected.mean(), abs=1e-3)


def test_ssim_is_one_for_equals_and_less_for_others() -> None:
    assert ssim(photo(), photo(), ALL) == pytest.approx(1.0)
    assert ssim(noisy(photo(), 0.2), photo(), ALL) < ssim(noisy(photo()), photo(), ALL) < 1.0


def test_flip_is_zero_for_equals_and_more_for_others() -> None:
    assert flip(photo(), photo(), ALL) == 0.0
    assert flip(noisy(photo(), 0.2), photo(), ALL) > flip(noisy(photo()), photo(), ALL) > 0.0


def test_flip_is_one_between_black_and_white() -> None:
    black = np.zeros((24, 32, 3), dtype=np.float32)
    assert flip(black, 1.0 - black, ALL) == pytest.approx(1.0, abs=0.05)


def test_depth_is_scored_relative_to_truth() -> None:
    truth_m = np.array([10.0, 20.0, 5.0])
    assert abs_rel(np.array([11.0, 20.0, 4.0]), truth_m) == pytest.approx((0.1 + 0.0 + 0.2) / 3)
    # no surface counts 1, and so does one that is absurdly far
    assert abs_rel(np.array([np.inf, 20.0, 500.0]), truth_m) == pytest.approx(2.0 / 3.0)
    assert np.isnan(abs_rel(np.zeros(0), np.zeros(0)))


def test_equal_pictures_are_as_near_as_eight_bits_tell() -> None:
    black = np.zeros((8, 8, 3), dtype=np.float32)
    whole = np.ones((8, 8), dtype=bool)
    assert psnr_db(black, black, whole) == pytest.approx(10.0 * np.log10(12.0 * 255.0**2))
    step = black + np.float32(1.0 / 255.0)
    assert psnr_db(step, black, whole) == pytest.approx(20.0 * np.log10(255.0), abs=1e-3)
