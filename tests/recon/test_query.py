import torch
from torch import Tensor
from torch.testing import assert_close

from recon.field.field import RadianceField
from recon.rendering.march import march, query, transmittance
from recon.rendering.rays import Rays
from tests.march_maker import GROWTH, SAMPLING, bundle, look
from tests.scene_maker import tiny_field


def test_the_gradient_of_density_is_the_derivative() -> None:
    field = tiny_field()
    random = torch.Generator().manual_seed(0)
    points_m = 30.0 * (torch.rand(16, 3, generator=random, dtype=torch.float64) - 0.5)
    along = bundle(16).directions
    width_m = torch.full((16,), 0.05, dtype=torch.float64)
    for footprint_m in (None, width_m):
        out = query(field, points_m, along, footprint_m)
        differences = torch.stack(
            [
                query(field, points_m + step, along, footprint_m).density
                - query(field, points_m - step, along, footprint_m).density
                for step in 1e-6 * torch.eye(3, dtype=torch.float64)
            ],
            dim=1,
        )
        assert_close(out.density_gradient, differences.detach() / 2e-6, rtol=1e-4, atol=1e-7)


def test_march_and_query_see_the_same_field() -> None:
    field, rays = tiny_field(), bundle(2)
    with torch.no_grad():
        _, samples = march(field, rays, sampling=SAMPLING, growth=GROWTH)
    looks = samples.static
    points_m = rays.at(samples.middle_m).reshape(-1, 3)[: len(looks.unit)]
    footprint_m = looks.middle_m * 0.01 * 12.0**-0.5
    out = query(field, points_m, rays.directions[looks.ray], footprint_m)
    assert_close(out.density, looks.density)


def test_light_only_gets_less_with_distance() -> None:
    field, rays = tiny_field(), bundle()
    until_m = torch.linspace(0.0, 100.0, 25, dtype=torch.float64)
    light = torch.stack(
        [transmittance(field, rays, u.expand(5), sampling=SAMPLING, growth=GROWTH) for u in until_m]
    )
    assert bool((light.diff(dim=0) <= 0.0).all())
    assert_close(light[0], torch.ones_like(light[0]))
    assert_close(light[-1], 1.0 - look(field, rays).opacity)


def picture(field: RadianceField, pixels: int, width: float = 1.0) -> Tensor:
    """A quarter-turn view; `width` scales the footprints of its pixels."""
    y = (torch.arange(pixels, dtype=torch.float64) + 0.5) / pixels - 0.5
    up, left = torch.meshgrid(y, y, indexing="ij")
    along = torch.stack([torch.ones_like(up), left, up], dim=-1).reshape(-1, 3)
    rays = Rays(
        origins_m=torch.zeros_like(along),
        directions=torch.nn.functional.normalize(along, dim=1),
        pixel_angle=torch.full((pixels * pixels,), width / pixels, dtype=torch.float64),
    )
    return look(field, rays).linear.view(pixels, pixels, 3)


def only_levels(levels: slice) -> RadianceField:
    """A varied field whose other levels are empty."""
    field = tiny_field(strength=1e4)
    spec, keep = field.static.spec, torch.zeros(field.static.spec.entries, 1)
    for offset, size in list(zip(spec.offsets, spec.sizes, strict=True))[levels]:
        keep[offset : offset + size] = 1.0
    with torch.no_grad():
        field.static.table.mul_(keep)
        field.static.log_initial += 2.0
    return field


def test_pictures_of_two_resolutions_agree() -> None:
    field = only_levels(slice(0, 2))
    coarse, fine = picture(field, 6), picture(field, 24).view(6, 4, 6, 4, 3).mean(dim=(1, 3))
    assert (coarse - fine).square().mean().sqrt() < 0.05 * fine.std()


def test_what_is_finer_than_a_pixel_fades_from_the_picture() -> None:
    detail, plain = only_levels(slice(3, 4)), only_levels(slice(0, 0))

    def contrast(width: float) -> float:
        return float((picture(detail, 6, width) - picture(plain, 6, width)).abs().mean())

    sharp, coarse, blurred = contrast(0.0), contrast(1.0), contrast(16.0)
    assert sharp > coarse > blurred
    assert blurred < 0.1 * sharp
