"""Shapes of radiance fields for property tests of the kernels."""

from collections.abc import Sequence

from hypothesis import strategies as st

from recon.config import FieldConfig
from recon.kernels.hash_grid import HashGridSpec


def field_configs(
    widths: Sequence[int], initial_density: float = 0.018
) -> st.SearchStrategy[FieldConfig]:
    """Small fields of every shape that kernels must take; `widths` of their hidden layers."""
    return st.builds(
        FieldConfig,
        grid=st.builds(
            HashGridSpec,
            levels=st.integers(1, 8),
            features=st.sampled_from([2, 4, 8]),
            log2_table=st.integers(6, 11),
            base_resolution=st.integers(2, 8),
            per_level_scale=st.floats(1.2, 2.0),
        ),
        width=st.sampled_from(widths),
        geometry_features=st.integers(1, 20),
        look_harmonics=st.sampled_from([1, 4, 9, 16]),
        channels=st.integers(1, 4),
        occupancy_resolution=st.just(8),
        initial_density=st.just(initial_density),
    )
