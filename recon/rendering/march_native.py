"""`recon.rendering.march` on the native backend: the same without tensors for each sample.

The engine reads a half-precision copy of the table, made when a `NativeScene` is filled; gradients
are those of the table in full precision. Nothing here depends on the number of threads.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon.config import SamplingConfig
from recon.field.field import GridField, Instance, RadianceField
from recon.kernels.engine_threads import threads
from recon.kernels.native import native_module
from recon.rendering.instance_gradients import instance_gradients, ray_gradients
from recon.rendering.march import MarchOutput, QueryOutput
from recon.rendering.rays import Rays
from recon.rendering.sampling import step_edges


def field_parameters(field: GridField) -> list[Tensor]:
    """Table, then the matrices of the density network, then those of the colour network."""
    return [field.table, *field.density_layers, *field.colour_layers]


class NativeScene:
    """A scene's parameters in the engine's hands, as they were when last filled."""

    def __init__(self, field: RadianceField, instances: Sequence[Instance] = ()) -> None:
        """`field` and `instances` in float32 on the CPU.

        Raises:
            ValueError: They are not.
        """
        self.field, self.instances = field, tuple(instances)
        # several instances may look the same
        fields = dict.fromkeys([field.static, *(item.field for item in self.instances)])
        self.parts: list[GridField] = list(fields)
        for tensor in self.parameters():
            if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
                raise ValueError(f"need float32 on the CPU, got {tensor.dtype} on {tensor.device}")
        engine = native_module()
        self.natives = [_new_field(part) for part in self.parts]
        self.sky = engine.Sky()
        self.fill()

    def parameters(self) -> list[Tensor]:
        """Every parameter: each part's (see `field_parameters`), then the sky's."""
        of_parts = [tensor for part in self.parts for tensor in field_parameters(part)]
        return [*of_parts, *self.field.sky.layers]

    def fill(self) -> None:
        """Take the parameters over as they are now."""
        for native, part in zip(self.natives, self.parts, strict=True):
            native.set_table(_array(part.table), threads())
        self.fill_networks()

    def fill_networks(self) -> None:
        """Take over the networks alone."""
        for native, part in zip(self.natives, self.parts, strict=True):
            native.set_networks(_arrays(part.density_layers), _arrays(part.colour_layers))
        self.sky.set_network(_arrays(self.field.sky.layers))

    def native(self, field: GridField) -> Any:
        """The engine's copy of a field, which is made where it is new."""
        if field not in self.parts:
            native = _new_field(field)
            native.set_table(_array(field.table), threads())
            native.set_networks(_arrays(field.density_layers), _arrays(field.colour_layers))
            self.parts.append(field)
            self.natives.append(native)
        return self.natives[self.parts.index(field)]

    def placed(
        self,
        sampling: SamplingConfig,
        growth: float,
        termination: float,
        instances: Sequence[Instance] | None = None,
    ) -> Any:
        """The engine's view of the scene for rays that are cut into such steps.

        `instances` are those of the scene, unless others are given.
        """
        block, occupancy = self.field.block, self.field.occupancy
        placed = [
            (
                self.native(item.field),
                _array(item.unit_from_world.float()),
                _optional(item.latent),
                item.samples or sampling.instance_samples,
                item.alone_above,
                _optional(item.core),
            )
            for item in (self.instances if instances is None else instances)
        ]
        return native_module().Scene(
            field=self.natives[0],
            sky=self.sky,
            instances=placed,
            centre_m=list(block.centre_m),
            half_size_m=block.half_size_m,
            occupied=occupancy.occupied,
            side=occupancy.resolution,
            edges_m=step_edges(sampling, growth).tolist(),
            termination=termination,
            colour_threshold=sampling.colour_threshold,
        )

    def march(
        self,
        rays: Rays,
        instances: Sequence[Instance] | None = None,
        *,
        sampling: SamplingConfig,
        growth: float,
        shift: Float[Tensor, "rays"] | None = None,
        termination: float = 0.0,
    ) -> MarchOutput:
        """`recon.rendering.march.march` with the parameters last taken over, without gradients.

        `instances` are those of the scene, unless others are given.
        """
        known = self.instances if instances is None else tuple(instances)
        scene = self.placed(sampling, growth, termination, known)
        channels = self.field.config.channels
        return _run(scene, rays, _shift(rays, shift), 1 + len(known), channels)

    def query(
        self,
        points_m: Float[Tensor, "points 3"],
        directions: Float[Tensor, "points 3"],
        footprint_m: Float[Tensor, "points"] | None = None,
    ) -> QueryOutput:
        """`march.query` with the parameters last taken over; its results have no gradients.

        Footprints are held constant where density is differentiated.
        """
        block, count = self.field.block, len(points_m)
        points = points_m.detach().clone().requires_grad_()
        with torch.enable_grad():
            unit = block.unit(points)
        footprint = None
        if footprint_m is not None:
            footprint = _array(footprint_m * block.unit_per_metre(unit.detach()))
        density, gradient = torch.empty(count), torch.empty(count, 3)
        linear = torch.empty(count, self.field.config.channels)
        self.natives[0].query(
            _array(unit), footprint, _array(directions), density, linear, gradient, threads()
        )
        (of_points,) = torch.autograd.grad(unit, points, gradient)
        return QueryOutput(density=density, linear=linear, density_gradient=of_points)

    def transmittance(
        self,
        rays: Rays,
        until_m: Float[Tensor, "rays"],
        *,
        sampling: SamplingConfig,
        growth: float,
    ) -> Float[Tensor, "rays"]:
        """`march.transmittance` with the parameters last taken over, without gradients."""
        light = torch.empty(len(rays))
        scene = self.placed(sampling, growth, 0.0, ())
        arrays = (rays.origins_m, rays.directions, rays.pixel_angle, _shift(rays, None), until_m)
        scene.transmittance(*(_array(x) for x in arrays), light, threads())
        return light


def march_native(
    field: RadianceField,
    rays: Rays,
    instances: Sequence[Instance] = (),
    *,
    sampling: SamplingConfig,
    growth: float,
    shift: Float[Tensor, "rays"] | None = None,
    termination: float = 0.0,
) -> MarchOutput:
    """`march.march` with gradients to every parameter, and to rays that ask for them.

    Rays get their gradients through the positions of the static scene's samples; how looks and
    footprints change with them is left out, and so are steps that would begin or cease to count.
    Maps and latents of instances get theirs as `recon.rendering.ray_samples.instance_part` says.
    """
    scene = NativeScene(field, instances)
    placed = scene.placed(sampling, growth, termination)
    found = _March.apply(
        scene, placed, _shift(rays, shift), rays.pixel_angle, rays.moment, rays.origins_m,
        rays.directions, *instance_gradients(scene.instances, rays), *scene.parameters(),
    )  # fmt: skip
    names = ("linear", "opacity", "range_m", "expected_range_m", "instance", "instance_weights")
    return MarchOutput(**dict(zip(names, found, strict=True)))  # pyright: ignore[reportArgumentType]


class _March(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, scene: NativeScene, placed: Any, shift: Tensor, angle: Tensor,
        moment: Tensor | None, origins: Tensor, directions: Tensor, *_: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        rays = Rays(origins_m=origins, directions=directions, pixel_angle=angle, moment=moment)
        owners = 1 + len(scene.instances)
        out = _run(placed, rays, shift, owners, scene.field.config.channels)
        ctx.scene, ctx.placed, ctx.moment = scene, placed, moment
        ctx.save_for_backward(origins, directions, angle, shift)
        ctx.mark_non_differentiable(out.instance)
        return (
            out.linear, out.opacity, out.range_m, out.expected_range_m, out.instance,
            out.instance_weights,
        )  # fmt: skip

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        scene: NativeScene = ctx.scene
        origins, directions, angle, shift = ctx.saved_tensors
        linear, opacity, range_m, expected_m, _, weights = (_array(g) for g in grads)
        into = ray_gradients(scene.instances, len(origins), ctx.needs_input_grad[5:10])
        ctx.placed.march_backward(
            *(_array(x) for x in (origins, directions, angle, shift)), ctx.moment,
            linear, opacity, range_m, expected_m, weights, into, threads(),
        )  # fmt: skip
        return (None, None, None, None, None, *into, *read_gradients(scene))


def read_gradients(scene: NativeScene) -> list[Tensor]:
    """Gradients of the scene's parameters, in their order; the tables' are cleared."""
    found = [torch.empty_like(tensor) for tensor in scene.parameters()]
    at = 0
    for native, part in zip(scene.natives, scene.parts, strict=True):
        density, colour = len(part.density_layers), len(part.colour_layers)
        first, second = at + 1 + density, at + 1 + density + colour
        native.read_gradients(found[at], found[at + 1 : first], found[first:second])
        at = second
    scene.sky.read_gradients(found[at:])
    return found


def _run(scene: Any, rays: Rays, shift: Tensor, owners: int, channels: int) -> MarchOutput:
    count = len(rays)
    out = MarchOutput(
        linear=torch.empty(count, channels),
        opacity=torch.empty(count),
        range_m=torch.empty(count),
        expected_range_m=torch.empty(count),
        instance=torch.empty(count, dtype=torch.int64),
        instance_weights=torch.empty(count, owners),
    )
    scene.march(
        *(_array(x) for x in (rays.origins_m, rays.directions, rays.pixel_angle, shift)),
        rays.moment, out.linear, out.opacity, out.range_m, out.expected_range_m, out.instance,
        out.instance_weights, threads(),
    )  # fmt: skip
    return out


def _shift(rays: Rays, shift: Tensor | None) -> Tensor:
    return torch.full((len(rays),), 0.5) if shift is None else shift


def _new_field(part: GridField) -> Any:
    levels = [
        (level.scale, level.offset, level.size, level.steps[1], level.steps[2], level.dense)
        for level in part.spec.layout
    ]
    return native_module().Field(
        levels, part.spec.features, part.log_initial, part.latents, emits=not part.has_material
    )


def _array(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous()


def _optional(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else _array(tensor.float())


def _arrays(tensors: Any) -> list[Tensor]:
    return [_array(tensor) for tensor in tensors]
