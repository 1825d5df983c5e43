"""The packaged assets: small, described as they are, and solid where they are seen."""

import pytest
import torch

from recon.assets import LOOK_FILE, PACKAGED, is_packed, load_look
from recon.crowd import GROWN
from recon.kernels.backend import Backend
from scenes.assets import LIBRARY, library, load_asset

NAMES = [name for name in LIBRARY if is_packed(name)]


def test_some_come_with_the_package() -> None:
    assert {"car", "van"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_asset_is_what_it_says(name: str) -> None:
    assert load_asset(PACKAGED / name) == library()[name]
    assert library()[name].synthetic
    assert (PACKAGED / name / LOOK_FILE).stat().st_size <= 400_000
    look = load_look(name, Backend.TORCH)
    middle = torch.full((512, 3), 0.5)
    middle[:, 0] = torch.linspace(0.0, 1.0, 512)
    latent = None if look.latent is None else look.latent[:1].expand(512, -1)
    density = look.field.density(middle, None, latent)[0]
    way_m = GROWN[0] * library()[name].size_m[0]
    # light does not get from one end to the other through its middle
    assert float(torch.exp(-density.mean() * way_m)) < 0.05
