"""Shadows of boxes against closed forms and against counted rays."""

import math

import pytest
import torch
from torch.testing import assert_close

from recon.lighting.box_shadows import CLEARANCE, REACH, box_shadows, in_shadow, sky_covered

CAR = torch.tensor([4.2, 1.8, 1.5], dtype=torch.float64)


def box_at(x_m: float, y_m: float, yaw: float = 0.0) -> torch.Tensor:
    pose = torch.eye(4, dtype=torch.float64)
    c, s = math.cos(yaw), math.sin(yaw)
    pose[:2, :2] = torch.tensor([[c, -s], [s, c]])
    pose[:3, 3] = torch.tensor([x_m, y_m, 0.5 * float(CAR[2])])
    return pose


def looking_down(
    x_m: torch.Tensor, y_m: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rays from high above straight to the ground at places."""
    origins = torch.stack([x_m, y_m, torch.full_like(x_m, 10.0)], dim=-1)
    down = torch.zeros_like(origins)
    down[..., 2] = -1.0
    return origins, down, torch.full_like(x_m, 10.0)


@pytest.mark.parametrize("size_m", [(4.2, 1.8, 1.5), (1.0, 1.0, 2.0), (20.0, 0.5, 0.3)])
def test_under_its_middle_a_box_covers_what_a_parallel_rectangle_does(
    size_m: tuple[float, float, float],
) -> None:
    a, b = (0.5 * side / (CLEARANCE * size_m[2]) for side in size_m[:2])
    ra, rb = math.hypot(1.0, a), math.hypot(1.0, b)
    # The view factor of a rectangle from a point under its corner, four times.
    wanted = 2.0 / math.pi * (a / ra * math.atan(b / ra) + b / rb * math.atan(a / rb))
    size = torch.tensor(size_m, dtype=torch.float64)
    got = sky_covered(torch.zeros((1, 3), dtype=torch.float64), size)
    assert_close(got, torch.tensor([wanted], dtype=torch.float64), atol=1e-12, rtol=0.0)


@pytest.mark.parametrize(
    "foot", [(0.3, -0.2), (2.6, 0.4), (0.0, 1.1), (-2.4, -1.3), (5.0, 3.0), (2.1001, 0.0)]
)
def test_covers_as_much_as_rays_that_meet_it(foot: tuple[float, float]) -> None:
    count = 100_000
    random = torch.rand((count, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    radius, turn = random[:, 0].sqrt(), 2.0 * math.pi * random[:, 1]
    up = torch.stack(  # cosine-weighted directions: lifted from a disc
        [radius * turn.cos(), radius * turn.sin(), (1.0 - random[:, 0]).sqrt()], dim=-1
    )
    point = torch.tensor([[*foot, 0.0]], dtype=torch.float64)
    half = torch.stack([CAR[0], CAR[1], (1.0 - CLEARANCE) * CAR[2]]) * 0.5
    middle = torch.tensor([0.0, 0.0, 0.5 * (1.0 + CLEARANCE) * float(CAR[2])], dtype=torch.float64)
    near, far = (middle - half - point) / up, (middle + half - point) / up
    enters = torch.minimum(near, far).amax(dim=-1)
    leaves = torch.maximum(near, far).amin(dim=-1)
    share = float(((enters <= leaves) & (leaves > 0)).double().mean())
    assert float(sky_covered(point, CAR)) == pytest.approx(share, abs=4.0 / math.sqrt(count))


def test_the_shadow_is_under_and_beside_the_box_and_nowhere_else() -> None:
    x, y = torch.meshgrid(
        torch.linspace(-30.0, 30.0, 121, dtype=torch.float64),
        torch.linspace(-30.0, 30.0, 121, dtype=torch.float64),
        indexing="ij",
    )
    factor, hidden, _ = box_shadows(*looking_down(x, y), [(box_at(4.0, -2.0, 0.7), CAR)])
    assert factor.shape == hidden.shape == x.shape
    assert not hidden.any()  # without a sun
    apart = torch.hypot(x - 4.0, y + 2.0)
    assert float(factor[apart < 0.5].max()) < 0.05
    beside = (apart > 2.6) & (apart < 3.2)
    assert 0.4 < float(factor[beside].min()) < float(factor[beside].max()) < 1.0
    assert bool((factor[apart > 1.5 * REACH * float(CAR.max()) + 4.0] == 1.0).all())
    ring = [float(factor[(apart > r) & (apart < r + 0.5)].mean()) for r in (0, 1, 2, 4, 6, 9)]
    assert ring == sorted(ring)


def test_what_is_not_ground_keeps_its_light() -> None:
    x, y = torch.zeros(3, dtype=torch.float64), torch.tensor([0.0, 2.0, 2.0], dtype=torch.float64)
    origins, down, range_m = looking_down(x, y)
    range_m = torch.tensor([8.5, 8.0, math.inf], dtype=torch.float64)  # roof, a wall, the sky
    overhead = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    for boxes in ([(box_at(0.0, 0.0), CAR)], []):
        factor, hidden, _ = box_shadows(origins, down, range_m, boxes, overhead)
        assert factor.tolist() == [1.0] * 3
        assert not hidden.any()


def test_the_sun_throws_it_to_the_other_side() -> None:
    to_sun = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64) / math.sqrt(2.0)
    y = torch.tensor([-2.2, 2.2, -2.6], dtype=torch.float64)
    foot = torch.stack([torch.zeros(3, dtype=torch.float64), y, torch.zeros(3).double()], dim=-1)
    # The top edge at 0.9 m is 1.5 m up: at 45 degrees its shadow ends 2.4 m from the middle.
    assert in_shadow(foot, CAR, to_sun).tolist() == [True, False, False]
    boxes = [(box_at(0.0, 0.0), CAR)]
    rays = looking_down(torch.zeros(3, dtype=torch.float64), y)
    factor, hidden, _ = box_shadows(*rays, boxes, to_sun)
    assert hidden.tolist() == [True, False, False]
    assert torch.equal(factor, box_shadows(*rays, boxes)[0])  # the sky knows no sun


def test_the_shadow_of_the_sun_turns_with_the_box() -> None:
    to_sun = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64) / math.sqrt(2.0)
    y = torch.tensor([-3.4, 3.4, -3.8], dtype=torch.float64)
    rays = looking_down(torch.full_like(y, 5.0), y)
    # Its nose, at 2.1 m, is now at the side: the shadow ends 3.6 m from the middle.
    hidden = box_shadows(*rays, [(box_at(5.0, 0.0, 0.5 * math.pi), CAR)], to_sun)[1]
    assert hidden.tolist() == [True, False, False]


def test_two_boxes_darken_more_than_one() -> None:
    rays = looking_down(*(torch.zeros(1, dtype=torch.float64),) * 2)
    left, right = (box_at(0.0, 2.0), CAR), (box_at(0.0, -2.0), CAR)
    one, two = box_shadows(*rays, [left])[0], box_shadows(*rays, [left, right])[0]
    assert_close(two, one * box_shadows(*rays, [right])[0])
    assert float(two) < float(one) < 1.0


def test_what_either_box_hides_from_the_sun_is_hidden() -> None:
    overhead = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    y = torch.tensor([-2.0, 0.0, 2.0], dtype=torch.float64)
    boxes = [(box_at(0.0, 2.0), CAR), (box_at(0.0, -2.0), CAR)]
    hidden = box_shadows(*looking_down(torch.zeros_like(y), y), boxes, overhead)[1]
    assert hidden.tolist() == [True, False, True]


@pytest.mark.parametrize("rough_m", [-0.06, 0.05])
def test_a_rough_road_moves_no_shadow(rough_m: float) -> None:
    """At a grazing angle a few centimetres of height are a metre of the way."""
    eye = torch.tensor([-12.0, 0.3, 1.5], dtype=torch.float64)
    x = torch.linspace(-2.0, 6.0, 60, dtype=torch.float64)
    flat = torch.stack([x, torch.full_like(x, 0.3), torch.zeros_like(x)], dim=1)
    along = torch.nn.functional.normalize(flat - eye, dim=1)
    eyes, boxes = eye.expand_as(along), [(box_at(2.0, 0.0, 0.0), CAR)]
    to_sun = torch.tensor([-0.6, 0.0, 0.8], dtype=torch.float64)
    ranges = [-(1.5 - height) / along[:, 2] for height in (0.0, rough_m)]
    wanted, found = (box_shadows(eyes, along, far, boxes, to_sun) for far in ranges)
    assert_close(found[0], wanted[0])
    assert torch.equal(found[1], wanted[1])
    moved = along * (ranges[1] + found[2])[:, None]
    assert_close(moved[found[1]], (along * ranges[0][:, None])[wanted[1]])
    assert 0 < int(wanted[1].sum()) < len(x)
