"""Shape annotations are enforced while tests run: a wrong shape or dtype is an error."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from scenes.motion.geometry import invert, transform_points


def test_right_shapes_pass() -> None:
    assert transform_points(np.eye(4), np.zeros((5, 3))).shape == (5, 3)


def test_wrong_shape_fails() -> None:
    with pytest.raises(TypeCheckError, match="invert"):
        invert(np.eye(3))


def test_wrong_dtype_fails() -> None:
    with pytest.raises(TypeCheckError, match="invert"):
        invert(np.eye(4, dtype=np.float32))


def test_wrong_type_fails() -> None:
    with pytest.raises(TypeCheckError, match="transform_points"):
        transform_points(np.eye(4), [0.0, 0.0, 0.0])  # pyright: ignore[reportArgumentType]
