"""Where the sun stands, as people say it."""

import numpy as np
import pytest

from scenes.errors import OtherlaneError
from scenes.sensors.sun import sun_direction
from tests.clip_maker import ride


def test_left_is_left_of_where_the_car_heads() -> None:
    """It heads along x."""
    ego = ride(speed_mps=10.0, seconds=1.0)
    up = 0.5 * 2.0**0.5
    np.testing.assert_allclose(sun_direction(ego, 0.0, 45.0), [up, 0.0, up], atol=1e-12)
    np.testing.assert_allclose(sun_direction(ego, 90.0, 45.0), [0.0, up, up], atol=1e-12)
    np.testing.assert_allclose(sun_direction(ego, -90.0, 45.0), [0.0, -up, up], atol=1e-12)
    np.testing.assert_allclose(sun_direction(ego, 17.0, 90.0), [0.0, 0.0, 1.0], atol=1e-12)


@pytest.mark.parametrize(
    ("left", "above"), [(30.0, -10.0), (30.0, 0.0), (30.0, 95.0), (np.nan, 30.0), (400.0, 30.0)]
)
def test_no_sun_is_there(left: float, above: float) -> None:
    with pytest.raises(OtherlaneError, match=r"--sun .*is no place of the sun") as raised:
        sun_direction(ride(speed_mps=10.0, seconds=1.0), left, above)
    assert "such as --sun 60 40" in raised.value.fix
