"""Directions that are spread evenly, along a Fibonacci spiral.

Each point is turned by the golden angle from the one before it, so that all of them are about
equally far apart (Vogel, "A better way to construct the sunflower head", 1979).
"""

import numpy as np
from jaxtyping import Float64


def _turns(index: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """So many golden angles [rad]."""
    return index * np.pi * (3.0 - np.sqrt(5.0))


def cosine_directions(count: int) -> Float64[np.ndarray, "count 3"]:
    """Unit vectors about z, as dense as the cosine to it: equally dense on the disc below."""
    index = np.arange(count) + 0.5
    radius, turn = np.sqrt(index / count), _turns(index)
    return np.stack(
        [radius * np.cos(turn), radius * np.sin(turn), np.sqrt(1.0 - radius**2)], axis=1
    )


def sphere_directions(count: int) -> Float64[np.ndarray, "count 3"]:
    """Unit vectors that are equally dense everywhere on the sphere."""
    index = np.arange(count) + 0.5
    up, turn = 1.0 - 2.0 * index / count, _turns(index)
    flat = np.sqrt(1.0 - up * up)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), up], axis=1)
