"""Band-limited value noise: the raw material of every surface.

An octave finer than the footprint it is looked at with fades to its mean of 0, so pictures need
few samples and far surfaces do not sparkle. Coordinates, wavelengths and footprints share a unit.
"""

import numpy as np
from jaxtyping import Float

_SIDE = 256


def _table(seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 7919]).uniform(-1.0, 1.0, _SIDE * _SIDE).astype(np.float32)


_TABLES = [_table(seed) for seed in range(8)]


def smoothstep(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    share = np.clip((value - low) / (high - low), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def band(
    u: Float[np.ndarray, "n"],
    v: Float[np.ndarray, "n"],
    wavelength: float,
    footprint: Float[np.ndarray, "n"] | float = 0.0,
    seed: int = 0,
) -> Float[np.ndarray, "n"]:
    """One octave of noise in [-1, 1], faded where the footprint swallows it."""
    table = _TABLES[seed % len(_TABLES)]
    shift = 17.31 * (seed // len(_TABLES))  # the same table elsewhere is another noise
    x, y = u / wavelength + shift, v / wavelength + 3.7 * shift
    column, row = np.floor(x), np.floor(y)
    x, y = (x - column).astype(np.float32), (y - row).astype(np.float32)
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    i = column.astype(np.int64) & (_SIDE - 1)
    j = (row.astype(np.int64) & (_SIDE - 1)) * _SIDE
    right, below = i + 1 & (_SIDE - 1), j + _SIDE & (_SIDE * _SIDE - 1)
    top = table[j + i] * (1 - x) + table[j + right] * x
    bottom = table[below + i] * (1 - x) + table[below + right] * x
    keep = 1.0 - smoothstep(np.atleast_1d(np.float32(footprint)) / wavelength, 0.25, 1.0)
    return (top * (1 - y) + bottom * y) * keep


def fractal(
    u: Float[np.ndarray, "n"],
    v: Float[np.ndarray, "n"],
    wavelength: float,
    octaves: int,
    footprint: Float[np.ndarray, "n"] | float = 0.0,
    seed: int = 0,
    gain: float = 0.6,
) -> Float[np.ndarray, "n"]:
    """Octaves of noise, each half the wavelength and `gain` the height of the last."""
    total, height = np.zeros(np.shape(u), np.float32), 1.0
    for octave in range(octaves):
        total += height * band(u, v, wavelength / 2**octave, footprint, seed + octave)
        height *= gain
    return total


def stripe(
    x: Float[np.ndarray, "n"],
    low: Float[np.ndarray, "n"] | float,
    high: Float[np.ndarray, "n"] | float,
    footprint: Float[np.ndarray, "n"] | float,
) -> Float[np.ndarray, "n"]:
    """Share of a footprint about `x` that lies in [low, high]: a box filter, exactly."""
    half = 0.5 * np.maximum(footprint, 1e-6)
    inside = np.minimum(x + half, high) - np.maximum(x - half, low)
    return np.clip(inside / (2.0 * half), 0.0, 1.0)


def repeated(
    x: Float[np.ndarray, "n"],
    period: float,
    length: float,
    footprint: Float[np.ndarray, "n"] | float,
) -> Float[np.ndarray, "n"]:
    """Share of a footprint covered by stripes [0, length] repeated every `period`, exactly."""
    half = 0.5 * np.maximum(footprint, 1e-6)

    def covered(at: np.ndarray) -> np.ndarray:
        whole = np.floor(at / period)
        return whole * length + np.minimum(at - whole * period, length)

    return (covered(x + half) - covered(x - half)) / (2.0 * half)
