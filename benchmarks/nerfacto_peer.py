"""nerfstudio's own nerfacto on rays that we choose: model, losses and callbacks are nerfstudio's.

Only what feeds it differs from `ns-train nerfacto`: the rays come from an otherlane clip. Its
camera optimizer is off, because the poses that all methods are given are the ones that score
them. It runs where nerfstudio does: see `make test-nerfstudio` and docs/nerfstudio.md.
"""

import copy
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor

PRESETS: dict[str, dict[str, object]] = {
    "default": {},
    # 2.6 M parameters: about what fits a CPU's cache, and 3 to 6 times as fast there
    "small": {
        "log2_hashmap_size": 17,
        "num_levels": 8,
        "max_res": 1024,
        "features_per_level": 4,
        "num_nerf_samples_per_ray": 32,
        "num_proposal_samples_per_ray": (96, 48),
        "hidden_dim": 32,
        "hidden_dim_color": 32,
        "appearance_embed_dim": 8,
        "proposal_net_args_list": [
            {"hidden_dim": 16, "log2_hashmap_size": 15, "num_levels": 4, "max_res": side}
            | {"use_linear": False}
            for side in (64, 128)
        ],
    },
}
"""Changes to nerfstudio's `nerfacto` method."""
EVAL_RAYS = 2048


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PeerRays:
    """Rays with the picture that each belongs to."""

    origins: Float[Tensor, "n 3"]
    """In nerfacto's own space: all cameras lie in [-1, 1]."""
    directions: Float[Tensor, "n 3"]
    pixel_angle: Float[Tensor, "n"]
    picture: Int64[Tensor, "n"]
    """Place among the training pictures."""
    srgb: Float[Tensor, "n 3"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PeerView:
    """What rays see."""

    srgb: Float[Tensor, "n 3"]
    """In 0..1, with the mean of the appearance codes (nerfacto's own choice)."""
    opacity: Float[Tensor, "n"]
    distance: Float[Tensor, "n"]
    """Where half of the opacity is reached, in nerfacto's own space."""


@dataclass(kw_only=True, slots=True)
class Spent:
    """What the training has cost so far; scoring is not counted."""

    steps: int = 0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    step_cpu_seconds: list[float] = field(default_factory=list)


class Peer(Protocol):
    """What is asked of a method; `Nerfacto` is one."""

    spent: Spent

    def train_until(self, rays: PeerRays, batch: int, cpu_seconds: float) -> None:
        """Train with `batch` rays a step until that much processor time has been spent."""
        ...

    def render(
        self,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        pixel_angle: Float[Tensor, "n"],
    ) -> PeerView:
        """What rays see."""
        ...

    def save(self, path: Path) -> None:
        """Write everything that goes on."""
        ...

    def load(self, path: Path) -> None:
        """Take up what `save` wrote."""
        ...


class Nerfacto:
    """nerfacto and its two optimizers."""

    def __init__(self, preset: str, pictures: int, seed: int) -> None:
        from nerfstudio.cameras.camera_optimizers import (  # pyright: ignore[reportMissingImports]
            CameraOptimizerConfig,
        )
        from nerfstudio.configs.method_configs import (  # pyright: ignore[reportMissingImports]
            method_configs,
        )
        from nerfstudio.data.scene_box import SceneBox  # pyright: ignore[reportMissingImports]
        from nerfstudio.engine.callbacks import (  # pyright: ignore[reportMissingImports]
            TrainingCallbackAttributes,
        )

        _without_lpips()
        torch.manual_seed(seed)
        method = method_configs["nerfacto"]
        config = copy.deepcopy(method.pipeline.model)
        config.implementation = "torch"
        config.camera_optimizer = CameraOptimizerConfig(mode="off")
        for name, value in PRESETS[preset].items():
            setattr(config, name, value)
        self.model = config.setup(
            scene_box=SceneBox(aabb=torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])),
            num_train_data=pictures,
            metadata={},
            device="cpu",
            grad_scaler=None,
        )
        groups = self.model.get_param_groups()
        self.optimizers = {
            name: method.optimizers[name]["optimizer"].setup(params=groups[name])
            for name in ("proposal_networks", "fields")
        }
        self.schedulers = {
            name: method.optimizers[name]["scheduler"]
            .setup()
            .get_scheduler(optimizer=optimizer, lr_init=optimizer.param_groups[0]["lr"])
            for name, optimizer in self.optimizers.items()
        }
        nothing = TrainingCallbackAttributes(None, None, None, None)
        self.callbacks = self.model.get_training_callbacks(nothing)
        self.generator = torch.Generator().manual_seed(seed)
        self.spent = Spent()

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def train_until(self, rays: PeerRays, batch: int, cpu_seconds: float) -> None:
        """Steps of `batch` random rays until training has cost that much processor time."""
        self.model.train()
        while self.spent.cpu_seconds < cpu_seconds:
            wall, cpu = time.perf_counter(), time.process_time()
            self._step(rays, batch)
            cost = time.process_time() - cpu
            self.spent.steps += 1
            self.spent.cpu_seconds += cost
            self.spent.wall_seconds += time.perf_counter() - wall
            self.spent.step_cpu_seconds.append(cost)

    def _step(self, rays: PeerRays, batch: int) -> None:
        self._call("BEFORE_TRAIN_ITERATION")
        pick = torch.randint(len(rays.srgb), (batch,), generator=self.generator)
        bundle = _bundle(
            rays.origins[pick], rays.directions[pick], rays.pixel_angle[pick], rays.picture[pick]
        )
        out, wanted = self.model(bundle), {"image": rays.srgb[pick]}
        metrics = self.model.get_metrics_dict(out, wanted)
        loss = sum(self.model.get_loss_dict(out, wanted, metrics).values())
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        assert isinstance(loss, Tensor)
        loss.backward()
        for optimizer in self.optimizers.values():
            optimizer.step()
        for scheduler in self.schedulers.values():
            scheduler.step()
        self._call("AFTER_TRAIN_ITERATION")

    def _call(self, location: str) -> None:
        for callback in self.callbacks:
            if location in {where.name for where in callback.where_to_run}:
                callback.run_callback(self.spent.steps)

    @torch.no_grad()
    def render(
        self,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        pixel_angle: Float[Tensor, "n"],
    ) -> PeerView:
        """What rays see."""
        self.model.eval()
        shown = {"rgb": [], "accumulation": [], "depth": []}
        for start in range(0, len(origins), EVAL_RAYS):
            part = slice(start, start + EVAL_RAYS)
            nowhere = torch.zeros(len(origins[part]), dtype=torch.int64)
            bundle = _bundle(origins[part], directions[part], pixel_angle[part], nowhere)
            out = self.model(bundle)
            for name, parts in shown.items():
                parts.append(out[name])
        srgb, opacity, distance = map(torch.cat, shown.values())
        return PeerView(srgb=srgb, opacity=opacity[:, 0], distance=distance[:, 0])

    def save(self, path: Path) -> None:
        """Write everything that goes on."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": {name: item.state_dict() for name, item in self.optimizers.items()},
            "schedulers": {name: item.state_dict() for name, item in self.schedulers.items()},
            "generator": self.generator.get_state(),
            "spent": [self.spent.steps, self.spent.cpu_seconds, self.spent.wall_seconds],
        }
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    def load(self, path: Path) -> None:
        """Take up what `save` wrote."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        for name, item in self.optimizers.items():
            item.load_state_dict(state["optimizers"][name])
            self.schedulers[name].load_state_dict(state["schedulers"][name])
        self.generator.set_state(state["generator"])
        steps, cpu, wall = state["spent"]
        self.spent = Spent(steps=steps, cpu_seconds=cpu, wall_seconds=wall)


def _bundle(
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    pixel_angle: Float[Tensor, "n"],
    picture: Int64[Tensor, "n"],
) -> object:
    from nerfstudio.cameras.rays import RayBundle  # pyright: ignore[reportMissingImports]

    return RayBundle(
        origins=origins,
        directions=directions,
        pixel_area=pixel_angle[:, None] ** 2,
        camera_indices=picture[:, None],
        metadata={"directions_norm": torch.ones(len(origins), 1)},
    )


def _without_lpips() -> None:
    """nerfacto's constructor would download AlexNet for a metric that is not used here."""
    import torchmetrics.image.lpip

    class NoLpips(torch.nn.Module):
        def __init__(self, normalize: bool) -> None:
            super().__init__()
            assert normalize

    torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity = NoLpips
