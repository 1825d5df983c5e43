"""Tiny drives with pictures and depth evidence on disk, and reconstructions that take seconds.

A striped plain under a bright sky; the camera looks along x, the way it drives.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from recon.config import FieldConfig, ReconstructionConfig, SamplingConfig
from recon.field.field import RadianceField
from recon.field.space import Block
from recon.kernels.hash_grid import HashGridSpec
from recon.reconstruct import ReconstructRequest
from scenes.actor import Actor
from scenes.clip import Clip, ImageStream, LidarStream, SparsePoints
from scenes.motion.geometry import invert, rigid, translation
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera, Readout, camera_rays, project_world
from scenes.sensors.images import srgb_from_linear
from scenes.sensors.lens_models import LensName
from scenes.sensors.lidar import Lidar
from scenes.storage.clip_files import save_clip

FRAMES, STEP_US, SPEED_MPS = 6, 100_000, 10.0
CAMERA_HEIGHT_M = 1.5
EGO_FROM_CAMERA = rigid(
    np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    np.array([1.0, 0.0, CAMERA_HEIGHT_M]),
)
EGO_FROM_LIDAR = translation(np.array([0.5, 0.0, 1.8]))
SWEEP_US = 80_000
"""Each return of a sweep comes a little later than the one before; the last after so long."""


TINY = ReconstructRequest(recipe="tiny", holdout=4)
"""Asks for `tiny_config`, once a test has made it the recipe "tiny"."""


def drive_path(frames: int = FRAMES) -> Trajectory:
    """Straight ahead along x."""
    time_us = STEP_US * np.arange(frames + 1)
    place_m = np.outer(time_us * 1e-6, [SPEED_MPS, 0.0, 0.0])
    return Trajectory(time_us=time_us, world_from_body=translation(place_m))


def driving_car(number: int = 7) -> Actor:
    """A car that overtakes on the left, 20 m/s."""
    time_us = STEP_US * np.arange(FRAMES + 1)
    place_m = np.outer(time_us * 1e-6, [20.0, 0.0, 0.0]) + [9.0, 2.5, 0.75]
    return Actor(
        id=number,
        kind=Semantic.CAR,
        size_m=np.array([4.0, 1.8, 1.5]),
        trajectory=Trajectory(time_us=time_us, world_from_body=translation(place_m)),
    )


def make_drive(
    folder: Path,
    *,
    readout_us: int = 0,
    readout: Readout = "top-bottom",
    actors: tuple[Actor, ...] = (),
    lidar: bool = False,
    points: bool = True,
    lens: tuple[float, ...] | None = None,
    model: LensName = "kannala-brandt",
) -> Clip:
    """A drive of `FRAMES` pictures of 24x16 in `folder`; a `lens` is a fisheye's unless told."""
    camera = Camera(
        width=24, height=16, fx=20.0, fy=20.0, cx=12.0, cy=7.0, readout_us=readout_us,
        distortion=lens or (), lens="opencv" if lens is None else model, readout=readout,
    )  # fmt: skip
    ego = drive_path()
    stream = ImageStream(
        name="front",
        camera=camera,
        ego_from_camera=EGO_FROM_CAMERA,
        time_us=STEP_US * np.arange(FRAMES),
        files=tuple(folder / f"{i}.png" for i in range(FRAMES)),
        exposure=np.ones(FRAMES),
    )
    folder.mkdir(parents=True, exist_ok=True)
    track = ego.mounted(EGO_FROM_CAMERA)
    centres = camera.pixel_centres().reshape(-1, 2)
    for path, time_us in zip(stream.files, stream.time_us, strict=True):
        shown = srgb_from_linear(radiance(*camera_rays(camera, centres, track, int(time_us))))
        Image.fromarray(np.round(shown * 255).astype(np.uint8).reshape(16, 24, 3)).save(path)
    return Clip(
        name="plain",
        source="tests",
        licence="CC0-1.0",
        ego=ego,
        ego_size_m=np.array([4.5, 1.8, 1.5]),
        ego_front_m=3.6,
        cameras=(stream,),
        lidars=(_sweeps(folder, actors),) if lidar else (),
        points=_sparse(stream, track) if points else None,
        actors=actors,
    )


def save_drive(folder: Path) -> Path:
    """A saved clip beside its pictures."""
    clip = make_drive(folder / "pictures")
    save_clip(clip, folder / "clip")
    return folder / "clip"


def radiance(origins_m: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Linear colour that rays meet: the plain z = 0, or the sky."""
    down = directions[:, 2] < -1e-3
    distance_m = np.where(down, -origins_m[:, 2] / np.where(down, directions[:, 2], 1.0), 0.0)
    place_m = origins_m + directions * distance_m[:, None]
    stripes = 0.15 + 0.1 * np.cos(0.5 * place_m[:, :1]) * np.cos(0.7 * place_m[:, 1:2])
    ground = stripes * np.array([1.0, 0.8, 0.6])
    return np.where(down[:, None], ground, np.array([0.5, 0.6, 0.8]))


def _sparse(images: ImageStream, track: Trajectory) -> SparsePoints:
    """Points of the plain, with every picture that shows them."""
    random = np.random.default_rng(0)
    place = random.uniform([4.0, -4.0, 0.0], [20.0, 4.0, 0.0], (40, 3))
    seen: list[tuple[int, int]] = []
    for frame, time_us in enumerate(images.time_us):
        pixels = project_world(images.camera, place, track, int(time_us))
        inside = np.all((pixels > 0) & (pixels < [24, 16]), axis=1)
        seen += [(int(point), frame) for point in np.flatnonzero(inside)]
    index = np.array(seen, dtype=np.int32)
    return SparsePoints(
        position_m=place,
        error_px=np.zeros(len(place), dtype=np.float32),
        point_index=index[:, 0].copy(),
        frame_index=index[:, 1].copy(),
    )


def _sweeps(folder: Path, actors: tuple[Actor, ...]) -> LidarStream:
    """Sweeps that hit the plain, and the middle of every actor's rear, each at its own moment."""
    stream = LidarStream(
        name="top",
        lidar=Lidar(elevation_rad=(-0.2,), azimuth_steps=9, period_us=SWEEP_US, max_range_m=80.0),
        ego_from_lidar=EGO_FROM_LIDAR,
        time_us=STEP_US * np.arange(FRAMES),
        files=tuple(folder / f"{i}.npz" for i in range(FRAMES)),
    )
    track = drive_path().mounted(EGO_FROM_LIDAR)
    offset_us = np.linspace(0, SWEEP_US, 9).astype(np.int32)
    for path, start in zip(stream.files, stream.time_us, strict=True):
        moments = start + offset_us.astype(np.int64)
        lidar_from_world = invert(track.at(moments))
        targets = [lidar_targets_m(), *(_rears_m(actor, moments) for actor in actors)]
        turn, shift = lidar_from_world[:, :3, :3], lidar_from_world[:, :3, 3]
        xyz_m = [np.einsum("nij,nj->ni", turn, target) + shift for target in targets]
        np.savez(
            path,
            xyz_m=np.concatenate(xyz_m).astype(np.float32),
            offset_us=np.tile(offset_us, len(targets)),
            intensity=np.zeros(9 * len(targets), dtype=np.float32),
        )
    return stream


def _rears_m(actor: Actor, moments_us: np.ndarray) -> np.ndarray:
    poses = actor.trajectory.at(moments_us)
    return poses[:, :3, 3] - 0.5 * actor.size_m[0] * poses[:, :3, 0]


def lidar_targets_m() -> np.ndarray:
    """The places of the world that every sweep hits [m], in turn."""
    return np.stack([np.linspace(12.0, 20.0, 9), np.linspace(-3.0, 3.0, 9), np.zeros(9)], axis=1)


def tiny_config(**changes: object) -> ReconstructionConfig:
    """A reconstruction of a few milliseconds a step; pictures 0 and 4 are held out."""
    values: dict[str, object] = {
        "recipe": "tiny",
        "scale": 1.0,
        "holdout": 4,
        "steps": 8,
        "samples_per_step": 2048,
        "field": tiny_field_config(),
        "sampling": SamplingConfig(
            min_step_m=0.5, growth=0.15, render_growth=0.1, coarse_growth=0.2, far_m=300.0
        ),
    }
    return ReconstructionConfig(**(values | changes))  # pyright: ignore[reportArgumentType]


def tiny_field_config() -> FieldConfig:
    """The smallest field that has dense and hashed levels."""
    grid = HashGridSpec(levels=4, features=2, log2_table=10, per_level_scale=2.0, base_resolution=8)
    return FieldConfig(grid=grid, width=16, geometry_features=4, occupancy_resolution=16)


def tiny_field(seed: int = 0, strength: float = 3e3) -> RadianceField:
    """A field in float64 whose density and colour vary from place to place."""
    block = Block(centre_m=(1.0, -2.0, 0.5), half_size_m=10.0)
    field = RadianceField(block, tiny_field_config(), seed).double()
    with torch.no_grad():
        field.static.table.mul_(strength)
    return field
