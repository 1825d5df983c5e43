"""The verbs of the scenes layer: import a recorded drive, perturb a clip into scenarios."""

from pathlib import Path

from scenes.errors import OtherlaneError


def import_(
    drive: Path,
    /,
    out: Path,
    fmt: str = "kitti-tracking",
    sequence: str | None = None,
    sun: tuple[float, float] | None = None,
    rate: float | None = None,
    mask: tuple[str, ...] = (),
    cameras: tuple[str, ...] = (),
) -> dict[str, object]:
    """Read a recorded drive and write it as a clip.

    Args:
        drive: Folder of the recording.
        out: Folder of the clip, made whole or not at all.
        fmt: Importer to read it with; `otherlane doctor` lists them.
        sequence: Which sequence, where the recording holds several.
        sun: Where the sun stood, for shadows of whoever is moved or inserted: degrees to the left
            of where the car heads at first, and above the horizon. Importers know it where the
            recording says it.
        rate: Pictures a second [Hz], where the format carries no times (KITTI tracking: else 10).
        mask: CAMERA=FILE: a PNG of the camera's size, black where its pictures show the car itself
            (bonnet, mount). Again for each camera.
        cameras: Which cameras, by the names that the format gives them (kitti-raw: image_00 to
            image_03); all that the recording holds when left out.
    """
    from scenes.importers.writing import import_drive

    clip = import_drive(
        fmt, drive, out, sequence=sequence, sun=sun, rate=rate, cameras=cameras or None,
        masks=_by_camera(mask),
    )  # fmt: skip
    time_us = clip.ego.time_us
    return {
        "frames": len(clip.cameras[0]),
        "duration_s": float(time_us[-1] - time_us[0]) / 1e6,
        "length_m": float(clip.ego.travelled_m()[-1]),
        "actors": len(clip.actors),
        "points": 0 if clip.points is None else len(clip.points.position_m),
        "sun": clip.to_sun is not None,
        "licence": clip.licence,
        "notes": clip.notes,
        "out": str(out),
    }


def _by_camera(masks: tuple[str, ...]) -> dict[str, Path]:
    """Files by camera, of words such as front=bonnet.png."""
    found: dict[str, Path] = {}
    for said in masks:
        name, equals, file = said.partition("=")
        if not (name and equals and file) or name in found:
            wrong = f"--mask {name} is said twice" if name in found else "is not CAMERA=FILE"
            raise OtherlaneError(f"--mask {said}", wrong, "--mask CAMERA=FILE, once a camera")
        found[name] = Path(file).expanduser()
    return found


def perturb(
    clip: Path,
    /,
    request: Path,
    out: Path,
    count: int | None = None,
    seed: int | None = None,
    workers: int = 1,
    scene: Path | None = None,
    drive: Path | None = None,
) -> dict[str, object]:
    """Draw concrete scenarios from a request, near-collisions among them.

    Args:
        clip: Folder of the clip that will be edited.
        request: TOML file: edits, with values or ranges.
        out: Folder for the scenarios, one folder each: scenario.toml, resolved.json and
            scenario.xosc.
        count: How many to draw; the request's own count when left out.
        seed: Random seed; the request's own when left out.
        workers: Processes that draw them; the files are the same for any number.
        scene: Folder of the scene that will be rendered; parked vehicles with fields may be edited.
        drive: Where the recording lies now, if it has moved since it was imported.
    """
    from scenes.scenario.folder import perturb_clip

    return perturb_clip(clip, request, out, count, seed, workers, scene, drive)
