"""Worlds by day are as full of detail as a real drive, at the same resolution and quality."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenes.sensors.images import linear_from_srgb, srgb_from_linear
from scenes.worlds.light.light import Light
from scenes.worlds.record.recorder import Recording, camera_pose
from scenes.worlds.record.sample import sample_path
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.view import developed, photograph

SIZE = (256, 77)
QUALITY = 90
EDGES = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 1e9])
"""Of the histogram of gradients: grey levels, of 255, to the next pixel."""
RECIPES = ("crossing", "motorway")
"""Rendered here; the street is that of the packaged drive."""


def shrunk(path: Path) -> np.ndarray:
    """A recorded picture at SIZE: every pixel is the mean light of the piece that it covers."""
    linear = linear_from_srgb(np.asarray(Image.open(path).convert("RGB")) / 255.0)
    small = [
        np.asarray(Image.fromarray(part.astype(np.float32)).resize(SIZE, Image.Resampling.BOX))
        for part in np.moveaxis(linear, 2, 0)
    ]
    shown = srgb_from_linear(np.clip(np.stack(small, axis=2).astype(np.float64), 0.0, 1.0))
    return np.round(255.0 * shown).astype(np.uint8)


def rendered(recipe: str) -> np.ndarray:
    """Frame 10 of a recipe's drive."""
    recording = Recording(recipe=recipe, seed=101, width=SIZE[0], height=SIZE[1])
    light, time_us = Light(Tracer(recording.world())), int(recording.time_us()[10])
    pose = camera_pose(light.tracer.world, time_us)
    picture = developed(photograph(light, recording.camera(), pose, time_us, recording.seed))
    return picture.reshape(SIZE[1], SIZE[0], 3)


def bytes_per_pixel(picture: np.ndarray) -> float:
    """Size of its JPEG file, less that of a black one's headers."""
    sizes = []
    for image in (picture, np.zeros_like(picture)):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
        sizes.append(len(file.getvalue()))
    return (sizes[0] - sizes[1]) / (picture.shape[0] * picture.shape[1])


def gradients(picture: np.ndarray) -> np.ndarray:
    """Shares of pixels by how far their grey differs from the next ones' to the right and below."""
    grey = picture @ np.array([0.299, 0.587, 0.114])
    size = np.hypot(np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1])
    return np.histogram(size, EDGES)[0] / size.size


def test_days_are_as_detailed_as_a_real_drive(drives: Path) -> None:
    folder = drives / "kitti_tracking_0002" / "image_02" / "0002"
    if not folder.is_dir():
        pytest.skip(f"the drive kitti_tracking_0002 is not in {drives}")
    pytest.importorskip("mitsuba", reason="the extra worlds is not installed")
    real = [shrunk(path) for path in sorted(folder.glob("*.png"))[::6]]
    real_bytes = np.mean([bytes_per_pixel(picture) for picture in real])
    real_shares = np.mean([gradients(picture) for picture in real], axis=0)
    made = {"street": shrunk(sample_path() / "front" / "0010.jpg")}
    made |= {recipe: rendered(recipe) for recipe in RECIPES}
    ratios, distances = [], []
    print(f"\nreal: {real_bytes:.3f} bytes a pixel, gradients {real_shares.round(3)}")
    for recipe, picture in made.items():
        shares = gradients(picture)
        ratios.append(bytes_per_pixel(picture) / real_bytes)
        # Total variation: the share of pixels that would have to change bins.
        distances.append(0.5 * np.abs(shares - real_shares).sum())
        print(f"{recipe}: bytes x {ratios[-1]:.2f}, gradients {distances[-1]:.2f} apart")
    print(f"mean: bytes x {np.mean(ratios):.2f}, gradients {np.mean(distances):.2f} apart")
    assert 0.7 <= np.mean(ratios) <= 1.3
    assert np.mean(distances) <= 0.3
