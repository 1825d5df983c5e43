"""nerfstudio's nerfacto on the proving ground: a file of scores for `otherlane prove --peers`.

    python -m benchmarks.prove_peer PROVE_OUT --out nerfacto.json [--worlds street-101 ...]

PROVE_OUT is what `otherlane prove` wrote. nerfacto is given the same recordings: the pixels and
poses that our field was trained on, at the same size, but for road users that move, which neither
train nor score it. It trains for as many processor seconds as our whole reconstruction took there,
and is then scored on the same held-out pictures and the same views off the path by the same code:
its pictures, its depth, and the labels that follow from depth. Models and scores lie beside the
file, in a folder of its name; started again, it goes on where it stopped, and several may run at
once, each on its own worlds. It runs where nerfstudio does (docs/nerfstudio.md).
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec
import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from benchmarks.nerfacto import Space, held_out, machine, peer_pixels, peer_rays, peer_space, score
from benchmarks.nerfacto_peer import Nerfacto, Peer, PeerRays
from recon.config import ReconstructionConfig
from recon.field.photometry import srgb
from recon.lighting.daylight import Daylight
from recon.rendering.ray_buffers import ray_buffers
from recon.rendering.shot import Buffers, Shot
from recon.scene import CONFIG
from render.prove.peers import FORMAT
from render.prove.rows import EDITED, by_amount
from render.prove.run import WORLDS
from render.prove.stages import (
    CLIP,
    HELD_OUT,
    PROCESSOR,
    ROWS,
    SCENE,
    SCORES,
    read_costs,
    read_rows,
    score_axis,
    truth_of,
)
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.sensors.images import linear_from_srgb
from scenes.storage.clip_files import load_clip
from scenes.storage.files import write_json
from scenes.storage.manifests import Provenance, folder_hash

SAVE_EVERY_S = 120.0
"""Processor seconds between copies of the model."""
MODEL, WORLD, SETTINGS = "model.pt", "world.json", "settings.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the method is run; one file holds scores of one."""

    preset: str
    rays: int
    """Of each step of training."""
    seed: int
    cpu_seconds: float | None
    """Of training each world; as many as our reconstruction took when None."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Seen:
    """What the method sees along rays, in the world's units (a `Traced`)."""

    linear: Float[Tensor, "n 3"]
    opacity: Float[Tensor, "n"]
    range_m: Float[Tensor, "n"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PeerScene:
    """A trained method as a `recon.rendering.shot.Renderer`; all times look alike to it."""

    clip: Clip
    peer: Peer
    space: Space
    scale: float
    """Of its training pictures, to the recorded ones."""
    version: str = "nerfacto"
    modelled_ids: frozenset[int] = frozenset()
    doubtful_actors: Mapping[int, str] = field(default_factory=dict)
    light: Daylight = field(default_factory=Daylight.unknown)

    def render(self, shot: Shot, channels: Collection[str]) -> Buffers:
        """See `Renderer`; pictures are at the mean exposure of the training pictures."""
        return ray_buffers(shot, channels, self.seen, srgb)

    def seen(
        self,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        pixel_angle: Float[Tensor, "n"],
    ) -> Seen:
        """What rays of the world see."""
        out = self.peer.render(self.space(origins), directions, pixel_angle)
        range_m = out.distance / self.space.per_metre
        return Seen(
            linear=torch.from_numpy(linear_from_srgb(out.srgb.numpy())).float(),
            opacity=out.opacity,
            range_m=torch.where(out.opacity < 0.5, torch.inf, range_m),
        )


def measure_world(
    folder: Path, work: Path, settings: Settings, make: Callable[[str, int, int], Peer] = Nerfacto
) -> dict[str, object]:
    """Train the method on a world of `otherlane prove` and score it; what is done stays.

    Args:
        folder: Of the world.
        work: Folder for the model and the scores.
        settings: How it is run.
        make: Of preset, number of training pictures and seed, a method that is not trained.

    Raises:
        OtherlaneError: Our own reconstruction has not been scored there, or its cost is unknown.
    """
    page = work / WORLD
    if page.is_file():
        return json.loads(page.read_text(encoding="utf-8"))
    amounts, budget = _amounts(folder), _budget(folder, settings)
    clip = load_clip(folder / CLIP)
    raw = (folder / SCENE / CONFIG).read_bytes()
    config = msgspec.json.decode(raw, type=ReconstructionConfig)
    pixels = peer_pixels(clip, config)
    space = peer_space(pixels)
    peer = make(settings.preset, len(pixels.frame_index), settings.seed)
    work.mkdir(parents=True, exist_ok=True)
    _trained(peer, peer_rays(pixels, space), settings, budget, work / MODEL)
    scene = PeerScene(clip=clip, peer=peer, space=space, scale=config.scale)
    spent = {"steps": peer.spent.steps, "cpu_seconds": round(peer.spent.cpu_seconds, 1)}
    held = held_out(clip, config)
    inputs = {"clip": folder_hash(folder / CLIP, "clip")}
    for axis, views in truth_of(folder, amounts).items():
        of = {**asdict(settings), **spent, "axis": axis, "amounts": sorted(amounts[axis])}
        made_from, into = Provenance(kind="proof", inputs=inputs, config=of), work / SCORES / axis
        score_axis(scene, views, into, made_from, stops=lambda _: 0.0, scores_movers=False)
    on_path = score(peer, held, space)
    world = {
        "name": folder.name,
        **spent,
        "scored": list(held[0].photo.shape[1::-1]),
        "on_path_held_out": {k: v for k, v in on_path.items() if isinstance(v, int | float)},
        "rows": [asdict(row) for row in by_amount(read_rows(amounts, work))],
    }
    write_json(page, world)
    return world


def _trained(peer: Peer, rays: PeerRays, settings: Settings, budget: float, state: Path) -> None:
    """Bring the method to its budget of processor seconds [s]; killed, it goes on."""
    if state.exists():
        peer.load(state)
    while peer.spent.cpu_seconds < budget:
        peer.train_until(rays, settings.rays, min(peer.spent.cpu_seconds + SAVE_EVERY_S, budget))
        peer.save(state)


def _amounts(folder: Path) -> dict[str, tuple[float, ...]]:
    """Axis -> the amounts of it that ours was scored at; nobody else can edit road users."""
    if not (folder / SCORES / HELD_OUT).is_dir():
        raise OtherlaneError(folder, "has no scores of otherlane's", "finish `otherlane prove`")
    axes = [page.parent.name for page in sorted((folder / SCORES).glob(f"*/{ROWS}"))]
    found: dict[str, tuple[float, ...]] = {}
    for row in read_rows([axis for axis in axes if axis not in (HELD_OUT, *EDITED)], folder):
        found[row.axis] = tuple({*found.get(row.axis, ()), row.amount})
    return found


def _budget(folder: Path, settings: Settings) -> float:
    if settings.cpu_seconds is not None:
        return settings.cpu_seconds
    cost = read_costs(folder, PROCESSOR).get("reconstruct")
    if cost is None:
        raise OtherlaneError(folder, "does not say what our training cost", "--cpu-seconds 300")
    return cost


def write_scores(
    out: Path, settings: Settings, worlds: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """Write the file that `otherlane prove --peers` reads."""
    seconds = [float(str(world["cpu_seconds"])) for world in worlds]
    equal = settings.cpu_seconds is None
    words = "as many processor seconds as otherlane's" if equal else "the same processor seconds"
    about = (
        f"nerfstudio {_nerfstudio()} on the CPU, its torch implementation, preset "
        f"{settings.preset}, {settings.rays} rays a step; each world trained for {words}: "
        f"{min(seconds):.0f} to {max(seconds):.0f}"
    )
    content = {
        "format": FORMAT,
        "name": "nerfacto",
        "about": about,
        "machine": machine(),
        "settings": asdict(settings),
        "worlds": list(worlds),
    }
    write_json(out, content)
    return content


def _nerfstudio() -> str:
    try:
        return version("nerfstudio")
    except PackageNotFoundError:
        return "(not installed)"


def _claim(work: Path, settings: Settings) -> None:
    """One folder holds the work of one way to run the method."""
    page = work / SETTINGS
    work.mkdir(parents=True, exist_ok=True)
    if not page.is_file():
        write_json(page, asdict(settings))
    elif json.loads(page.read_text(encoding="utf-8")) != asdict(settings):
        raise OtherlaneError(work, "holds the work of other settings", "another --out")


def main(
    proved: Path,
    /,
    out: Path,
    worlds: tuple[str, ...] = (),
    preset: Literal["default", "small"] = "small",
    rays: int = 4096,
    cpu_seconds: float | None = None,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Train and score nerfacto on the worlds of a run of `otherlane prove`.

    Args:
        proved: What `otherlane prove --out` wrote.
        out: File for the scores; models and pictures come into a folder of its name.
        worlds: Such as street-101; all that are there when left out.
        preset: Size of nerfacto: its own, or one that a CPU trains 3 to 6 times as fast.
        rays: Of each step of training.
        cpu_seconds: Of training each world; as many as ours took when left out.
        threads: PyTorch's; more cost more processor time for the same steps.
        seed: Of the model and of its rays.
    """
    torch.set_num_threads(threads)
    settings = Settings(preset=preset, rays=rays, seed=seed, cpu_seconds=cpu_seconds)
    work = out.with_suffix("")
    _claim(work, settings)
    for name in worlds or sorted(path.name for path in (proved / WORLDS).iterdir()):
        world = measure_world(proved / WORLDS / name, work / name, settings)
        done = [json.loads(page.read_bytes()) for page in sorted(work.glob(f"*/{WORLD}"))]
        write_scores(out, settings, done)
        print(f"{name}: {world['steps']} steps, {world['cpu_seconds']} s, on the path "
              f"{world['on_path_held_out']}", flush=True)  # fmt: skip


if __name__ == "__main__":
    tyro.cli(main)
