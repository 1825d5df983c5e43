"""Hypothesis strategies for the types of `scenes`: valid ones, of every size, with odd values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from scenes.actor import Actor
from scenes.clip import Clip, ImageStream, LidarStream, SparsePoints
from scenes.motion.geometry import rigid, rotation_exp
from scenes.motion.trajectory import Trajectory
from scenes.semantics import ACTOR_KINDS
from scenes.sensors.camera import Camera, Readout
from scenes.sensors.lens_models import LensName
from scenes.sensors.lidar import Lidar
from scenes.sensors.lidar_files import READERS, TURNING
from scenes.sensors.unlabelled import Unlabelled


def arrays(shape: tuple[int, ...], low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    """Float64 arrays of one shape, with values between bounds."""
    return numpy_strategies.arrays(np.float64, shape, elements=st.floats(low, high))


def rotvecs(*shape: int) -> st.SearchStrategy[np.ndarray]:
    """Rotation vectors of any angle below about 170 degrees, 0 among them."""
    return arrays((*shape, 3), -1.7, 1.7)


def transforms(*shape: int) -> st.SearchStrategy[np.ndarray]:
    """Rigid transforms within 100 m."""
    return st.builds(
        lambda rotvec, offset_m: rigid(rotation_exp(rotvec), offset_m),
        rotvecs(*shape),
        arrays((*shape, 3), -100.0, 100.0),
    )


def points(count: int) -> st.SearchStrategy[np.ndarray]:
    """Points within 100 m."""
    return arrays((count, 3), -100.0, 100.0)


def times(count: int) -> st.SearchStrategy[np.ndarray]:
    """Increasing times, from µs to hours apart."""
    return st.tuples(
        st.integers(-(10**15), 10**15),
        st.lists(st.integers(1, 10**10), min_size=count, max_size=count),
    ).map(lambda drawn: drawn[0] + np.cumsum(np.array(drawn[1], dtype=np.int64)))


@st.composite
def trajectories(draw: Callable[..., Any], max_size: int = 6) -> Trajectory:
    """Trajectories that jump about, of one pose or more."""
    count = draw(st.integers(1, max_size))
    return Trajectory(time_us=draw(times(count)), world_from_body=draw(transforms(count)))


@st.composite
def rides(draw: Callable[..., Any]) -> Trajectory:
    """Sensor trajectories a car could have: up to 40 m/s and 1 rad/s, 10 Hz, 3 poses."""
    steps_m, turns = draw(arrays((3, 3), -4.0, 4.0)), draw(arrays((3, 3), -0.1, 0.1))
    poses = [draw(transforms())]
    for step_m, turn in zip(steps_m[1:], turns[1:], strict=True):
        poses.append(poses[-1] @ rigid(rotation_exp(turn), step_m))
    return Trajectory(time_us=np.array([0, 100_000, 200_000]), world_from_body=np.stack(poses))


def distortions() -> st.SearchStrategy[tuple[float, ...]]:
    """Lenses of all four kinds that are one-to-one within 35 degrees of the axis."""
    bounds = (0.2, 0.05, 0.004, 0.004, 0.02, 0.1, 0.02, 0.01)
    values = st.tuples(*(st.floats(-bound, bound) for bound in bounds))
    return st.tuples(st.sampled_from([0, 4, 5, 8]), values).map(lambda drawn: drawn[1][: drawn[0]])


def wide_lenses() -> dict[LensName, st.SearchStrategy[tuple[float, ...]]]:
    """The numbers of all other lenses, one-to-one within 45 degrees of the axis."""
    about = [st.floats(-bound, bound) for bound in (0.1, 0.05, 0.02, 0.01, 0.01, 0.01)]
    ftheta = st.tuples(*about, st.floats(1.2, float(np.pi)))
    return {
        "kannala-brandt": st.just(()) | st.tuples(*about[:4]),
        "mei": st.tuples(
            st.floats(0.0, 2.5), st.floats(-0.2, 0.3), st.floats(-0.1, 1.5),
            st.floats(-0.004, 0.004), st.floats(-0.004, 0.004),
        ),
        "ftheta": st.just(()) | ftheta,
        "ftheta-inverse": st.just(()) | ftheta,
    }  # fmt: skip


@st.composite
def cameras(draw: Callable[..., Any], readout_us: int = 0, usual: bool = False) -> Camera:
    """Cameras with less than 35 degrees between the axis and any corner.

    `usual` ones are no telescopes and have more than a few lines: while their lines are read,
    what they see moves by less than a picture.
    """
    width = draw(st.integers(64 if usual else 1, 4000))
    low, high = (width // 2, min(4000, 2 * width)) if usual else (1, 4000)
    height = draw(st.integers(low, high))
    lens = draw(st.sampled_from(get_args(LensName)))
    distortion = draw(distortions() if lens == "opencv" else wide_lenses()[lens])
    # of Mei's, a focal length is so many times that of a lens of the same view
    longest = max(width, height) * (1.0 + distortion[0] if lens == "mei" else 1.0)
    longest_focal = 2.0 if usual else 5.0
    return Camera(
        width=width,
        height=height,
        fx=longest * draw(st.floats(1.2, longest_focal)),
        fy=longest * draw(st.floats(1.2, longest_focal)),
        cx=width * draw(st.floats(0.4, 0.6)),
        cy=height * draw(st.floats(0.4, 0.6)),
        distortion=distortion,
        lens=lens,
        readout_us=readout_us,
        readout=draw(st.sampled_from(get_args(Readout))),
    )


def pixels(camera: Camera, count: int = 4) -> st.SearchStrategy[np.ndarray]:
    """Places in a camera's picture."""
    return arrays((count, 2), 0.0, 1.0).map(
        lambda share: share * np.array([camera.width, camera.height], dtype=np.float64)
    )


@st.composite
def lidars(draw: Callable[..., Any]) -> Lidar:
    """Beam patterns."""
    return Lidar(
        elevation_rad=tuple(draw(st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=8))),
        azimuth_steps=draw(st.integers(1, 500)),
        period_us=draw(st.integers(0, 200_000)),
        max_range_m=draw(st.floats(1.0, 300.0)),
    )


@st.composite
def actors(draw: Callable[..., Any], number: int = 0) -> Actor:
    """Road users that jump about."""
    return Actor(
        id=number,
        kind=draw(st.sampled_from(sorted(ACTOR_KINDS))),
        size_m=draw(arrays((3,), 0.1, 20.0)),
        trajectory=draw(trajectories(max_size=3)),
    )


def sparse_points(frames: int) -> st.SearchStrategy[SparsePoints]:
    """Points seen by some of `frames` pictures."""

    def build(position_m: np.ndarray, seen: list[tuple[int, int]]) -> SparsePoints:
        index = np.array(seen, dtype=np.int32).reshape(-1, 2)
        return SparsePoints(
            position_m=position_m,
            error_px=np.linspace(0.0, 1.0, len(position_m), dtype=np.float32),
            point_index=index[:, 0],
            frame_index=index[:, 1],
            stream_index=np.zeros(len(index), np.uint8) if len(index) % 2 else None,
        )

    pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, frames - 1)), max_size=6)
    return st.builds(build, points(4), pairs)


@st.composite
def unlabelled(draw: Callable[..., Any], frames: int) -> Unlabelled:
    """Regions in the pictures of a camera, some with a box."""
    count = draw(st.integers(0, 3))
    known = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    low, size = draw(arrays((count, 2), 0.0, 50.0)), draw(arrays((count, 2), 0.5, 50.0))
    pose, size_m = draw(transforms(count)), draw(arrays((count, 3), 0.1, 20.0))
    pose[~np.array(known, dtype=bool)], size_m[~np.array(known, dtype=bool)] = np.nan, np.nan
    return Unlabelled(
        frame_index=np.array(
            draw(st.lists(st.integers(0, frames - 1), min_size=count, max_size=count)), np.int32
        ),
        rectangle_px=np.concatenate([low, low + size], axis=1),
        world_from_box=pose,
        size_m=size_m,
    )


@st.composite
def clips(draw: Callable[..., Any], folder: Path = Path("/recordings")) -> Clip:
    """Clips of every make; their pictures and sweeps need not exist."""
    words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    frames, sweeps = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    images = ImageStream(
        name="front",
        camera=draw(cameras(readout_us=draw(st.integers(0, 50_000)))),
        ego_from_camera=draw(transforms()),
        time_us=draw(times(frames)),
        files=tuple(folder / f"{i:06d}.png" for i in range(frames)),
        exposure=draw(arrays((frames,), 0.1, 10.0)),
        unlabelled=draw(st.none() | unlabelled(frames)),
        mask=draw(st.none() | st.just(folder / "mask.png")),
    )
    lidar = LidarStream(
        name="top",
        lidar=draw(lidars()),
        ego_from_lidar=draw(transforms()),
        time_us=draw(times(max(sweeps, 1))),
        files=tuple(folder / f"{i:06d}.npz" for i in range(max(sweeps, 1))),
        reader=(reader := draw(st.sampled_from(sorted(READERS)))),
        turn_us=np.full(max(sweeps, 1), 100_000) if reader in TURNING else None,
    )
    return Clip(
        name=draw(words),
        source=draw(words),
        licence=draw(words),
        ego=draw(trajectories()),
        ego_size_m=draw(arrays((3,), 0.1, 20.0)),
        ego_front_m=draw(st.floats(-10.0, 10.0)),
        cameras=(images,),
        lidars=(lidar,) if sweeps else (),
        points=draw(st.none() | sparse_points(frames)),
        actors=tuple(draw(actors(number)) for number in range(draw(st.integers(0, 2)))),
        to_sun=draw(st.none() | rotvecs().map(lambda rotvec: rotation_exp(rotvec)[:, 0])),
        notes=tuple(draw(st.lists(words, max_size=2))),
    )
