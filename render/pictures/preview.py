"""A video of a folder of frames: what was recorded, what was rendered, its labels, its depth."""

import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from render.folders.frames import read_pixels
from render.json_value import Json
from render.labels.object_labels import REJECT
from render.pictures.panels import grid, panels
from scenes.clip import Clip
from scenes.motion.geometry import invert
from scenes.storage.files import write_whole

LOG = logging.getLogger("otherlane.render")

SHOWN = ("rgb", "range_m", "semantic", "instance")
"""Pixel labels that it shows."""
FRAMES_PER_SECOND = 10
PANEL_WIDTH = 800
"""Width of each of the four panels [px]; two stand side by side."""
QUALITY = 20
"""x264's constant rate factor: 18 is hard to tell from the original, 23 is its default."""


def write_preview(
    folder: Path,
    records: Iterable[Mapping[str, Json]],
    clip: Clip,
    out: Path,
    title: str = "",
) -> Path:
    """A labelled video of frames that `render` wrote.

    Args:
        folder: Holds the frames.
        records: Labels of the pictures to show, by increasing key: frame by frame.
        clip: The drive, for what was recorded at the same times.
        out: The .mp4 to write.
        title: Stands above the pictures; the drive's name when left out.
    """
    frames = groupby(records, key=lambda record: record["key"].split(".")[0])
    return write_video(
        out, (preview_picture(folder, list(frame), clip, title) for _, frame in frames)
    )


def preview_picture(
    folder: Path,
    records: Sequence[Mapping[str, Json]],
    clip: Clip,
    title: str = "",
    width: int = PANEL_WIDTH,
) -> UInt8[np.ndarray, "h w 3"]:
    """Four panels of one picture: recorded, rendered, labels, distance; of several, a row each.

    Args:
        folder: Holds the frames.
        records: Labels of the pictures of one frame, one for each camera.
        clip: The drive.
        title: Stands above the panels; the drive's name when left out.
        width: Of a panel [px]; in rows of four, half of that.
    """
    from PIL import Image

    one = len(records) == 1
    shown = list[Image.Image]()
    for record in records:
        pixels, width_px = read_pixels(folder, record["key"], SHOWN), width if one else width // 2
        recorded = recorded_picture(clip, record["camera"]["name"], record["time_us"])
        name = "" if one else record["camera"]["name"]
        shown += panels(pixels, record, width_px, recorded, name)
    first = records[0]
    stream = clip.cameras[clip.camera_index(first["camera"]["name"])]
    seconds = (first["time_us"] - int(stream.time_us[0])) * 1e-6
    left_m = beside_the_drive_m(first, clip)
    where = "on the recorded path"
    if abs(left_m) >= 0.05:
        where = f"{abs(left_m):.1f} m {'left' if left_m > 0 else 'right'} of the recorded path"
    if rejected := [record for record in records if record["gate"] == REJECT]:
        least = min(record["observed_share"] for record in rejected)
        where += f"    REJECTED: {100 * least:.0f} % observed"
    across = 2 if one else 4
    return np.asarray(grid(shown, across, title or clip.name, f"{where}    {seconds:.1f} s"))


def beside_the_drive_m(record: Mapping[str, Json], clip: Clip) -> float:
    """How far left of where the recording car was at that time this picture is [m]."""
    ego = clip.ego.at(np.array([record["time_us"]]))[0]
    return float((invert(ego) @ np.array(record["world_from_ego"]))[1, 3])


def recorded_picture(clip: Clip, camera: str, time_us: int) -> UInt8[np.ndarray, "h w 3"] | None:
    """What a camera recorded at exactly that time; None when that is nothing, or not there.

    Raises:
        DriveError: The picture is there, but was replaced or cannot be read.
    """
    images = clip.cameras[clip.camera_index(camera)]
    found = np.flatnonzero(images.time_us == time_us)
    if not len(found):
        return None
    if not images.files[found[0]].exists():  # a scene outlives the drive's pictures
        LOG.warning("the preview lacks a recorded picture: %s", images.files[found[0]])
        return None
    return images.read(int(found[0]))


def write_video(out: Path, pictures: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Path:
    """An .mp4 (H.264, yuv420p) of pictures of one size, even sides; the same bytes each time."""
    import av

    # In memory: the library says nothing of a disk that is full when it writes by itself.
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "bitexact"}) as video:
        track = None
        for picture in pictures:
            if track is None:
                # One thread: x264 divides its work, and so its bits, by the number of threads. No
                # tree of macroblocks: its AVX-512 code reads memory that nobody wrote, unless the
                # width is a multiple of 64.
                options = {"crf": str(QUALITY), "preset": "medium", "threads": "1"}
                options["x264-params"] = "mbtree=0"
                track = video.add_stream("libx264", rate=FRAMES_PER_SECOND, options=options)
                track.height, track.width = picture.shape[:2]
                track.pix_fmt = "yuv420p"
                track.time_base = Fraction(1, FRAMES_PER_SECOND)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            video.mux(track.encode(frame))
        if track is None:
            raise ValueError("a video needs at least one picture")
        video.mux(track.encode())
    write_whole(out, file.getvalue())
    return out
