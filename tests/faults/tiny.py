"""A reconstruction of a second, with fields of road users, as the recipe "tiny"."""

from dataclasses import replace

from recon.config import ReconstructionConfig
from recon.kernels.backend import choose_backend
from scenes.clip import Clip
from tests.actor_fields_maker import ACTORS
from tests.scene_maker import tiny_config

STEPS = 6


def tiny(clip: Clip) -> ReconstructionConfig:
    """See the module."""
    del clip
    config = tiny_config(steps=STEPS, actors=ACTORS)
    return replace(config, backend=str(choose_backend(None)))
