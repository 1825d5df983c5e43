"""What mirrors is told from what does not, by looking straight on."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from recon.field.field import GridField, Instance
from recon.lighting.specular import DULL, STEEPEST, Sight, sight_of
from recon.rendering.rays import Rays
from tests.scene_maker import tiny_config

COLOUR = torch.tensor([0.3, 0.1, 0.2])
SIZE_M = torch.tensor([4.0, 2.0, 1.5])
MIDDLE_M = torch.tensor([10.0, 3.0, 1.0])
MIRRORED = 0.5


class Block(GridField):
    """Solid where the unit cube's x is over a half; its sides mirror more, the more one looks along
    them (a Fresnel that is linear)."""

    facing: Float[Tensor, "3"]

    def __init__(self, facing: Float[Tensor, "3"], mirrored: float) -> None:
        super().__init__(tiny_config().field, torch.Generator().manual_seed(0))
        self.facing, self.mirrored = facing, mirrored
        self.asked: list[Tensor] = []

    def density(
        self,
        unit: Float[Tensor, "n 3"],
        footprint: Float[Tensor, "n"] | None,
        latent: Float[Tensor, "n latents"] | None = None,
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n g"]]:
        del footprint, latent
        return torch.where(unit[:, 0] > 0.5, 500.0, 0.0), unit.new_zeros(len(unit), 16)

    def radiance(
        self, geometry: Float[Tensor, "n g"], directions: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n c"]:
        assert len(geometry) == len(directions)
        self.asked.append(directions)
        slanted = 1.0 + directions @ self.facing
        return COLOUR + self.mirrored * slanted[:, None]


def seen(
    directions: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    field: Block,
    turn: Float[Tensor, "3 3"] | None = None,
    range_m: float = 3.0,
) -> Sight:
    rotation = torch.eye(3) if turn is None else turn
    linear = rotation.T / SIZE_M[:, None]
    affine = torch.cat([linear, (0.5 - linear @ MIDDLE_M)[:, None]], dim=1)
    item = Instance(field=field, unit_from_world=affine[None], id=3)
    count = len(directions)
    rays = Rays(
        origins_m=MIDDLE_M - 3.0 * directions,
        directions=directions,
        pixel_angle=torch.zeros(count),
        moment=torch.zeros(count, dtype=torch.int64),
    )
    return sight_of(item, rays, torch.full((count,), range_m), normals, samples=256)


BACK = torch.tensor([-1.0, 0.0, 0.0])
AHEAD, SLANTED = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.6, 0.8, 0.0])


def test_what_looks_the_same_from_everywhere_mirrors_nothing() -> None:
    directions = torch.stack([AHEAD, SLANTED])
    sight = seen(directions, BACK.expand(2, 3), Block(BACK, 0.0))
    assert_close(sight.shown, COLOUR.expand(2, 3))
    assert_close(sight.specular, torch.zeros(2, 3))
    assert_close(sight.points_m, MIDDLE_M.expand(2, 3))


def test_what_is_brighter_at_a_slant_mirrors_that_much() -> None:
    sight = seen(torch.stack([AHEAD, SLANTED]), BACK.expand(2, 3), Block(BACK, MIRRORED))
    more = MIRRORED * 0.4
    assert_close(sight.shown[1], COLOUR + more)
    assert_close(sight.specular[0], torch.zeros(3))
    assert_close(sight.specular[1], more / (COLOUR + more) - DULL)


def test_what_is_darker_at_a_slant_mirrors_nothing() -> None:
    sight = seen(SLANTED[None], BACK[None], Block(BACK, -0.1))
    assert_close(sight.specular, torch.zeros(1, 3))


def test_looks_turn_with_who_is_looked_at() -> None:
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    plain = seen(SLANTED[None], BACK[None], Block(BACK, MIRRORED))
    turned = seen(SLANTED[None] @ turn.T, BACK[None] @ turn.T, Block(BACK, MIRRORED), turn)
    assert_close(turned.shown, plain.shown)
    assert_close(turned.specular, plain.specular)


@pytest.mark.parametrize("height", [0.0, 0.6, 1.0])
def test_nobody_is_looked_at_more_steeply_than_ever(height: float) -> None:
    """Roofs are compared with how they look from as steeply above as there were pictures from."""
    normal = torch.tensor([-((1.0 - height**2) ** 0.5), 0.0, height])
    field = Block(BACK, MIRRORED)
    seen(torch.tensor([[0.8, 0.0, -0.6]]), normal[None], field)
    _, straight = field.asked
    assert_close(straight.norm(dim=1), torch.ones(1))
    assert float(-straight[0, 2]) == pytest.approx(min(height, STEEPEST), abs=1e-5)
    assert float(straight[0, 0]) > 0.0


def test_behind_others_its_surface_is_where_it_would_be_alone() -> None:
    """The block begins in the middle of its box, 3 m away straight on."""
    sight = seen(AHEAD[None], BACK[None], Block(BACK, 0.0), range_m=torch.inf)
    assert_close(sight.points_m[0], MIDDLE_M, atol=0.02, rtol=0.0)
