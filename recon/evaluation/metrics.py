"""How close two pictures are: PSNR raw and after a colour fit, SSIM, FLIP. All on sRGB in 0..1.

Every score takes a mask of the pixels that count. FLIP is NVIDIA's (Andersson et al. 2020),
through its own package; this is the only module that imports it.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch.nn.functional import conv2d, pad

ROUNDED = 255.0**-2 / 12.0
"""Mean square of what rounding to 8 bits does: what is nearer is not told apart, 58.9 dB."""
SSIM_SIGMA, SSIM_TAPS = 1.5, 11


def psnr_db(
    shown: Float[np.ndarray, "h w 3"],
    photo: Float[np.ndarray, "h w 3"],
    counts: Bool[np.ndarray, "h w"],
) -> float:
    """Peak signal to noise ratio of the pixels that count [dB], of values clipped to 0..1.

    At most 58.9 dB (`ROUNDED`): equal pictures, such as two black ones, are no nearer than that.
    """
    error = np.square(shown.clip(0, 1) - photo)[counts].mean()
    return float(-10.0 * np.log10(max(float(error), ROUNDED)))


def affine_fit(
    shown: Float[np.ndarray, "h w 3"],
    photo: Float[np.ndarray, "h w 3"],
    counts: Bool[np.ndarray, "h w"],
) -> Float[np.ndarray, "h w 3"]:
    """`shown` after the 3x4 colour transform that brings it nearest to `photo` (least squares).

    What is left is structure: exposure and white balance of the one picture are forgiven. It is
    fitted on the very picture that is scored, so it is always reported beside the raw score.
    """
    ones = np.ones((*shown.shape[:2], 1), dtype=shown.dtype)
    known = np.concatenate([shown, ones], axis=-1)
    fit = np.linalg.lstsq(known[counts], photo[counts], rcond=None)[0]
    return (known @ fit).astype(shown.dtype)


def ssim(
    shown: Float[np.ndarray, "h w 3"],
    photo: Float[np.ndarray, "h w 3"],
    counts: Bool[np.ndarray, "h w"],
) -> float:
    """Mean structural similarity (Wang et al. 2004): 11-tap Gaussian, sigma 1.5, per channel.

    Averaged over the pixels that count, borders (reflected) included.
    """
    a, b = (
        torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)).permute(2, 0, 1)[:, None]
        for x in (shown.clip(0, 1), photo)
    )
    offset = torch.arange(SSIM_TAPS) - SSIM_TAPS // 2
    tap = torch.exp(-offset.square() / (2.0 * SSIM_SIGMA**2))
    tap = tap / tap.sum()

    def blur(x: torch.Tensor) -> torch.Tensor:
        wide = pad(x, (SSIM_TAPS // 2,) * 4, mode="reflect")
        return conv2d(conv2d(wide, tap.view(1, 1, -1, 1)), tap.view(1, 1, 1, -1))

    mean_a, mean_b = blur(a), blur(b)
    var_a = blur(a * a) - mean_a**2
    var_b = blur(b * b) - mean_b**2
    both = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    bottom = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((top / bottom).mean((0, 1)).numpy()[counts].mean())


def flip(
    shown: Float[np.ndarray, "h w 3"],
    photo: Float[np.ndarray, "h w 3"],
    counts: Bool[np.ndarray, "h w"],
) -> float:
    """Mean FLIP error over the pixels that count (0 is equal), at 67 pixels per degree."""
    import flip_evaluator

    error, _, _ = flip_evaluator.evaluate(
        np.ascontiguousarray(photo, dtype=np.float32),
        np.ascontiguousarray(shown.clip(0, 1), dtype=np.float32),
        "LDR",
        applyMagma=False,
        computeMeanError=False,
    )
    return float(np.asarray(error).reshape(*counts.shape, -1)[..., 0][counts].mean())


def abs_rel(range_m: Float[np.ndarray, "n"], truth_m: Float[np.ndarray, "n"]) -> float:
    """Mean absolute error of distance relative to truth, each at most 1.

    The bound lets a missing (infinite) surface count, as 1, and keeps single ones from deciding.
    """
    if len(truth_m) == 0:
        return float("nan")
    error = np.abs(range_m - truth_m) / truth_m
    return float(np.where(np.isfinite(range_m), np.minimum(error, 1.0), 1.0).mean())
