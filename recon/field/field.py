"""The radiance field: blocks of hash grid and networks, and a sky behind them.

The field holds *linear* radiance, emitted by volume density [1/m], as seen from a direction.
Exposure and response stand outside of it (`recon.field.photometry`). A scene is a list of blocks,
of length one today. Parameters have one layout for every backend, named in `GridField`;
`primitives` of each module are its backend's functions, which compute with them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recon.config import FieldConfig
from recon.field.material import HARMONICS as MATERIAL_HARMONICS
from recon.field.material import Material, material_of, material_shapes
from recon.field.occupancy import Occupancy, OccupancyGrid
from recon.field.space import Block
from recon.kernels.backend import Backend
from recon.kernels.footprint import level_weights
from recon.kernels.hash_grid import HashGridSpec
from recon.kernels.mlp import mlp_shapes
from recon.kernels.primitives import Primitives, primitives
from recon.kernels.spherical_harmonics import spherical_harmonics

HARMONICS = 16
MAX_LOG_DENSITY = 9.0
"""exp(9)/m absorbs everything within a millimetre; more only makes gradients explode."""
MAX_LOG_RADIANCE = 4.0
INITIAL_LOG_RADIANCE = -1.5
"""An untrained field is middle grey: exp(-1.5) = 0.22, which is 0.51 in sRGB."""


class GridField(nn.Module):
    """Density and radiance on the unit cube.

    Parameters: `table` [entries, features]; `density_layers.<i>` and `colour_layers.<i>`
    [out, in] of two bias-free networks. Density = exp(first output + log initial density); the
    outputs and the direction's spherical harmonics are the inputs of the second network. The
    first takes `latents` numbers beside the features of the grid, which say when it is. A field of
    materials has a third, `material_layers.<i>`, of the outputs of the first.
    """

    def __init__(
        self,
        config: FieldConfig,
        generator: torch.Generator,
        backend: Backend = Backend.TORCH,
    ) -> None:
        super().__init__()
        self.primitives: Primitives = primitives(backend)
        self.spec: HashGridSpec = config.grid
        self.look_harmonics = config.look_harmonics
        self.latents = config.latents
        self.log_initial = float(torch.tensor(config.initial_density).log())
        spread = 1e-4  # as instant-ngp: small enough to start flat
        table = torch.rand(config.grid.entries, config.grid.features, generator=generator)
        self.table = nn.Parameter((table * 2.0 - 1.0) * spread)
        inputs = config.grid.levels * config.grid.features + config.latents
        geometry = config.geometry_features
        self.density_layers = _layers(mlp_shapes(inputs, config.width, 1, geometry), generator)
        self.colour_layers = _layers(
            mlp_shapes(geometry + config.look_harmonics, config.width, 2, config.channels),
            generator,
        )
        shapes = material_shapes(geometry) if config.material else ()
        self.material_layers = _layers(shapes, generator)

    def density(
        self,
        unit: Float[Tensor, "n 3"],
        footprint: Float[Tensor, "n"] | None,
        latent: Float[Tensor, "n latents"] | None = None,
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n g"]]:
        """Density [1/m] and geometry features at points of the unit cube.

        `footprint` is the standard deviation of the sample in the cube; None is a point. No
        `latent` is one of zeros.
        """
        weights = None if footprint is None else level_weights(footprint, self.spec)
        features = self.primitives.hash_grid(unit, self.table, self.spec, weights)
        if self.latents > 0:
            when = features.new_zeros(len(unit), self.latents) if latent is None else latent
            features = torch.cat([features, when.to(features.dtype)], dim=1)
        geometry = self.primitives.mlp(features, tuple(self.density_layers))
        log_density = (geometry[:, 0] + self.log_initial).clamp(max=MAX_LOG_DENSITY)
        return log_density.exp(), geometry

    def radiance(
        self, geometry: Float[Tensor, "n g"], directions: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n c"]:
        """Linear radiance towards the viewer; albedo in a field of materials."""
        look = spherical_harmonics(directions)[:, : self.look_harmonics]
        inputs = torch.cat([geometry, look], dim=-1)
        return _radiance(self.primitives.mlp(inputs, tuple(self.colour_layers)))

    @property
    def has_material(self) -> bool:
        """Whether its colours are albedo."""
        return len(self.material_layers) > 0

    def material(
        self, geometry: Float[Tensor, "n g"], directions: Float[Tensor, "n 3"]
    ) -> Material:
        """What surfaces are made of beside their albedo, in a field of materials.

        `directions` are those in which one looks at them (unit, in the frame of the box).
        """
        look = spherical_harmonics(directions)[:, :MATERIAL_HARMONICS]
        inputs = torch.cat([geometry, look], dim=-1)
        return material_of(self.primitives.mlp(inputs, tuple(self.material_layers)))


class SkyField(nn.Module):
    """Linear radiance from infinitely far away, by direction alone."""

    def __init__(
        self,
        config: FieldConfig,
        generator: torch.Generator,
        backend: Backend = Backend.TORCH,
    ) -> None:
        super().__init__()
        self.primitives: Primitives = primitives(backend)
        self.layers = _layers(mlp_shapes(HARMONICS, config.width, 2, config.channels), generator)

    def forward(self, directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        """Radiance of the sky towards `directions` (unit)."""
        harmonics = spherical_harmonics(directions)
        return _radiance(self.primitives.mlp(harmonics, tuple(self.layers)))


class RadianceField(nn.Module):
    """The static scene: one block, its occupancy, and the sky behind it."""

    def __init__(
        self, block: Block, config: FieldConfig, seed: int, backend: Backend = Backend.TORCH
    ) -> None:
        super().__init__()
        if config.material:
            raise ValueError("the static scene has its light in it: only instances are materials")
        generator = torch.Generator().manual_seed(seed)  # numbers of the CPU, for every backend
        self.block = block
        self.config = config
        self.primitives: Primitives = primitives(backend)
        self.static = GridField(config, generator, backend)
        self.sky = SkyField(config, generator, backend)
        self.occupancy: Occupancy = OccupancyGrid(
            config.occupancy_resolution, config.initial_density
        )

    @property
    def device(self) -> torch.device:
        """Where its parameters are, and rays must be."""
        return self.static.table.device


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Instance:
    """A part of the scene that moves, with a field of its own on the unit cube of its box.

    Rays of one bundle may come from many moments (`Rays.moment`); all instances of a call have as
    many.
    """

    field: GridField
    unit_from_world: Float[Tensor, "moments 3 4"]
    """Affine maps from the world [m] to the box's unit cube [0, 1]; `ABSENT` where it is not."""
    id: int
    """Track id of the actor it shows."""
    latent: Float[Tensor, "moments latents"] | None = None
    """What it is like at each moment, where its field depends on that."""
    samples: int | None = None
    """Intervals between entry and exit of its box; None is as many as `SamplingConfig` says."""
    alone_above: float = 1.0
    """Above this share of its cube's height it is alone: what the static scene has in there is
    empty, as long as it is there. 1 leaves the static scene as it is."""
    core: Float[Tensor, "2 3"] | None = None
    """Where it is alone: the corners of a box in its cube that hides what the static scene has
    behind it, so that training explains what one sees there by this field; None hides nothing."""


ABSENT = torch.tensor([[0.0, 0.0, 0.0, 2.0]]).repeat(3, 1)
"""The map of an instance that is not there: it takes every ray to a point outside the cube."""


def _layers(shapes: tuple[tuple[int, int], ...], generator: torch.Generator) -> nn.ParameterList:
    """He-uniform weights: bias-free ReLU layers keep the variance of their inputs."""
    return nn.ParameterList(
        (torch.rand(shape, generator=generator) * 2.0 - 1.0) * (6.0 / shape[1]) ** 0.5
        for shape in shapes
    )


def _radiance(raw: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
    # Exponential, so that deep shadow and bright sky take equal steps (as RawNeRF, sec. 4.1)
    return (raw + INITIAL_LOG_RADIANCE).clamp(max=MAX_LOG_RADIANCE).exp()
