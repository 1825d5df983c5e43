"""Small synthetic drives in KITTI raw's layout, whose truth is known."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from scenes.motion.geometry import invert, rigid, rotation_exp

DAY, DRIVE = "2011_09_26", "2011_09_26_drive_0007_sync"
FRAMES, WIDTH, HEIGHT = 8, 64, 24
CAMERAS = ("image_00", "image_01", "image_02", "image_03")
LATITUDE, LONGITUDE, ALTITUDE_M = 49.015, 8.434, 116.4
ROLL, PITCH, YAW = 0.02, -0.01, 2.5
SPEED_MPS = np.array([-8.0, 6.0, 0.1])
"""East, north, up: along the yaw, near enough."""
BEGIN = datetime(2011, 9, 26, 13, 2, 25, 964389)
STEP_US = 103_000
LATER_US = {"oxts": 2_000, "velodyne_points": -1_000, "image_01": 300, "image_02": 600}
"""How much later than image_00 others take their frames."""
START_US, END_US = -53_000, 50_000
"""Of each turn, from when it faces forward."""
EARTH_M = 6378137.0
RECTIFIED = rotation_exp(np.array([0.01, -0.02, 0.008]))
"""R_rect_00."""
CAMERA_FROM_VELO = rigid(
    rotation_exp(np.array([0.01, 0.005, -0.007])) @ [[0.0, -1, 0], [0, 0, -1], [1, 0, 0]],
    np.array([-0.004, -0.076, -0.272]),
)
VELO_FROM_IMU = rigid(rotation_exp(np.array([0.015, 0.002, -0.001])), np.array([-0.81, 0.32, -0.8]))
TRACKLET = """<item class_id="1" tracking_level="0" version="1">
<objectType>{kind}</objectType><h>1.5</h><w>1.8</w><l>4.2</l><first_frame>{first}</first_frame>
<poses class_id="2"><count>{count}</count><item_version>2</item_version>{poses}</poses>
<finished>1</finished></item>"""
POSE = """<item><tx>{0}</tx><ty>{1}</ty><tz>{2}</tz><rx>0</rx><ry>0</ry><rz>{3}</rz>
<state>2</state><occlusion>0</occlusion><occlusion_kf>0</occlusion_kf><truncation>0</truncation>
<amt_occlusion>0</amt_occlusion></item>"""
BOOST = """<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
<!DOCTYPE boost_serialization>
<boost_serialization signature="serialization::archive" version="9">
<tracklets class_id="0" tracking_level="0" version="0">
<count>{count}</count><item_version>1</item_version>
{items}
</tracklets></boost_serialization>
"""


def projections() -> dict[str, np.ndarray]:
    """P_rect of each camera: like KITTI's, a little apart along every axis."""
    found = {}
    for index, name in enumerate(CAMERAS):
        matrix = np.array([[50.0 + index, 0, 31.5], [0, 51.0, 11.5 + 0.1 * index], [0, 0, 1.0]])
        right_m = (0.0, 0.54, -0.06, 0.47)[index]
        offset = np.array([-right_m, 0.0003 * index, 0.0027 * index])
        found[name] = np.column_stack([matrix, matrix @ offset])
    return found


def packets() -> np.ndarray:
    """oxts of each frame: a straight line at a constant speed and attitude."""
    scale = np.cos(np.radians(LATITUDE))
    north_m = scale * EARTH_M * np.log(np.tan(np.radians(90.0 + LATITUDE) / 2.0))
    values = np.zeros((FRAMES, 30))
    for i in range(FRAMES):
        east, north, up = SPEED_MPS * i * STEP_US * 1e-6
        mercator = np.exp((north_m + north) / (scale * EARTH_M))
        latitude = np.degrees(2.0 * np.arctan(mercator)) - 90.0
        longitude = LONGITUDE + np.degrees(east / (scale * EARTH_M))
        values[i, :6] = latitude, longitude, ALTITUDE_M + up, ROLL, PITCH, YAW
    return values


def make_raw(root: Path, tracklets: bool = True) -> Path:
    """A drive with everything; returns its own folder."""
    day = root / DAY
    drive = day / DRIVE
    _calibration(day)
    for index, name in enumerate(CAMERAS):
        _times(drive / name / "timestamps.txt", LATER_US.get(name, 0))
        _pictures(drive / name / "data", "L" if index < 2 else "RGB", index)
    _times(drive / "oxts" / "timestamps.txt", LATER_US["oxts"])
    for i, packet in enumerate(packets()):
        write(drive / "oxts" / "data" / f"{i:010d}.txt", " ".join(f"{x:.17g}" for x in packet))
    forward_us = LATER_US["velodyne_points"]
    for name, more_us in (("", 0), ("_start", START_US), ("_end", END_US)):
        _times(drive / "velodyne_points" / f"timestamps{name}.txt", forward_us + more_us)
    for i in range(FRAMES):
        path = drive / "velodyne_points" / "data" / f"{i:010d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        points = np.column_stack([sweep(i), np.linspace(0, 1, len(landmarks()))])
        path.write_bytes(points.astype("<f4").tobytes())
    if tracklets:
        write(drive / "tracklet_labels.xml", boost((("Car", 1, 4), ("Pedestrian", 0, 2))))
    return drive


def boost(items: tuple[tuple[str, int, int], ...]) -> str:
    """Tracklets of a kind, from a frame on, in so many frames; they stand before the Velodyne."""
    said = [
        TRACKLET.format(
            kind=kind, first=first, count=count,
            poses="".join(
                POSE.format(10.0 + index + 0.1 * k, 2.0, -1.7, 0.3) for k in range(count)
            ),
        )
        for index, (kind, first, count) in enumerate(items)
    ]  # fmt: skip
    return BOOST.format(count=len(items), items="\n".join(said))


def landmarks() -> np.ndarray:
    """Points all around the start of the drive, in east, north, up from the first packet [m]."""
    rng = np.random.default_rng(3)
    return rng.uniform([-40.0, -40.0, -2.0], [40.0, 40.0, 6.0], (200, 3))


def enu_from_velo(time_us: float) -> np.ndarray:
    """Pose of the Velodyne at a time after image_00's first picture [µs]."""
    seconds = (time_us - LATER_US["oxts"]) * 1e-6
    return rigid(attitude(), SPEED_MPS * seconds) @ invert(VELO_FROM_IMU)


def attitude() -> np.ndarray:
    """Rz(yaw) Ry(pitch) Rx(roll)."""
    axes = np.eye(3)
    turns = [
        rotation_exp(angle * axis) for angle, axis in zip((ROLL, PITCH, YAW), axes, strict=True)
    ]
    return turns[2] @ turns[1] @ turns[0]


def sweep(frame: int) -> np.ndarray:
    """The landmarks as the turning scanner sees each, when its beam passes it [m]."""
    forward_us = frame * STEP_US + LATER_US["velodyne_points"]
    start_us, end_us = forward_us + START_US, forward_us + END_US
    when_us, begun = np.full(len(landmarks()), float(forward_us)), enu_from_velo(0.0)
    seen = landmarks()
    for _ in range(20):  # where each is seen depends on when, and when on where
        from_velo = landmarks() - begun[:3, 3] - SPEED_MPS * when_us[:, None] * 1e-6
        seen = from_velo @ begun[:3, :3]
        clockwise = np.pi - np.arctan2(seen[:, 1], seen[:, 0])  # from behind, by the left side
        when_us = start_us + clockwise / (2.0 * np.pi) * (end_us - start_us)
    return seen


def _calibration(day: Path) -> None:
    lines = ["calib_time: 09-Jan-2012 13:57:47", "corner_dist: 9.950000e-02"]
    for name, projection in projections().items():
        lines += [
            f"S_rect_{name[-2:]}: {WIDTH:e} {HEIGHT:e}",
            f"R_rect_{name[-2:]}: {row(RECTIFIED)}",
            f"P_rect_{name[-2:]}: {row(projection)}",
        ]
    write(day / "calib_cam_to_cam.txt", "\n".join(lines))
    for name, pose in (("velo_to_cam", CAMERA_FROM_VELO), ("imu_to_velo", VELO_FROM_IMU)):
        said = f"calib_time: 15-Mar-2012 11:37:16\nR: {row(pose[:3, :3])}\nT: {row(pose[:3, 3])}"
        write(day / f"calib_{name}.txt", said)


def _times(path: Path, later_us: int) -> None:
    moments = [BEGIN + timedelta(microseconds=i * STEP_US + later_us) for i in range(FRAMES)]
    write(path, "\n".join(f"{each:%Y-%m-%d %H:%M:%S.%f}445" for each in moments))


def _pictures(folder: Path, mode: str, seed: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(FRAMES):
        image = Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        image.convert(mode).save(folder / f"{i:010d}.png")


def row(values: np.ndarray) -> str:
    return " ".join(f"{value:.15e}" for value in values.ravel())


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def smaller(drive: Path) -> None:
    for path in (drive / "image_02" / "data").iterdir():
        Image.new("RGB", (WIDTH // 2, HEIGHT // 2)).save(path)


def cut(drive: Path) -> None:
    path = drive / "velodyne_points" / "data" / "0000000003.bin"
    path.write_bytes(path.read_bytes()[:-3])


def next_day(drive: Path) -> None:
    path = drive / "oxts" / "timestamps.txt"
    path.write_text(path.read_text().replace("2011-09-26", "2011-09-27"))


def misnamed(drive: Path) -> None:
    folder = drive / "image_02" / "data"
    (folder / "0000000001.png").rename(folder / "x.png")
