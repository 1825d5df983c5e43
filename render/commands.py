"""The verbs of the render layer: render, export, evaluate, prove, verify, doctor, demo."""

from pathlib import Path

LOADING = "loading the engine"
"""What happens first: torch takes seconds to import."""


def render(
    scene: Path,
    /,
    out: Path,
    scenario: Path | None = None,
    cameras: tuple[str, ...] = (),
    size: str | None = None,
    stretch: bool = False,
    frames: str | None = None,
    formats: tuple[str, ...] = ("kitti", "coco"),
    workers: int = 1,
    preview: bool = True,
    min_px: int = 25,
    min_visible: float = 0.0,
    min_observed: float = 0.5,
    keep_rejected: bool = False,
    labels: tuple[str, ...] = (),
    any_drive: bool = False,
    drive: Path | None = None,
) -> dict[str, object]:
    """Render a scene, edited by a scenario, as labelled images.

    Args:
        scene: Folder of the scene.
        out: Folder for images and labels; started again, an interrupted run goes on.
        scenario: TOML file with the edits; the drive as recorded when left out.
        cameras: Which of the drive's cameras, such as front left; all when left out.
        size: Image size such as 621x188, of every camera; the size trained at when left out.
        stretch: Let --size have another shape than the drive's pictures, and squeeze them.
        frames: Which frames, such as 10, 0:40:2 or ::4; +0:+9 counts from the scenario's first.
        formats: Label formats to export.
        workers: Processes; the output is the same for any number.
        preview: Whether to write a labelled preview video as well.
        min_px: Visible pixels below which a road user is an ignore region, no label.
        min_visible: Visible share (0 to 1) below which it is one too.
        min_observed: Observed share (0 to 1) below which it is one, and a whole frame rejected.
        keep_rejected: Export rejected frames as well.
        labels: Pixel labels to store, such as rgb instance semantic; all when left out.
        any_drive: Render a scenario that was made for another drive, too.
        drive: Where the recording lies now, if it has moved since it was imported.
    """
    from scenes.work.phases import phase

    with phase(LOADING):
        from render.folders.selection import asked_gate
        from render.jobs.render_job import RenderRequest, render_folder

    request = RenderRequest(
        scenario=scenario,
        cameras=cameras,
        size=size,
        stretch=stretch,
        frames=frames,
        formats=formats,
        workers=workers,
        preview=preview,
        gate=asked_gate(min_px, min_visible, min_observed),
        keep_rejected=keep_rejected,
        labels=labels,
        any_drive=any_drive,
        drive=drive,
    )
    return render_folder(scene, out, request)


def export(
    folders: tuple[Path, ...],
    /,
    out: Path,
    format: str = "coco",  # noqa: A002
    min_px: int = 0,
    min_visible: float = 0.0,
    min_observed: float = 0.0,
    keep_rejected: bool = False,
) -> dict[str, object]:
    """Write folders of frames as one data set, without rendering again.

    Args:
        folders: What render made, one folder or more.
        out: Folder for pictures and labels.
        format: Label format, such as coco or kitti.
        min_px: Visible pixels below which a road user is an ignore region, beside those of render.
        min_visible: Visible share (0 to 1) below which it is one too.
        min_observed: Observed share of its pixels (0 to 1) below which it is one too.
        keep_rejected: Take frames that render rejected as well.
    """
    from scenes.work.phases import phase

    with phase(LOADING):
        from render.exporters.exporting import export_folders
        from render.folders.selection import asked_gate

    gate = asked_gate(min_px, min_visible, min_observed)
    return export_folders(folders, format, out, gate, keep_rejected=keep_rejected)


def evaluate(
    scene: Path, /, out: Path | None = None, drive: Path | None = None
) -> dict[str, object]:
    """Measure a scene on the frames it never saw and, where its drive has truth, off the path.

    Args:
        scene: Folder of the scene.
        out: Folder for pictures (photo, render, error) and scores; SCENE.evaluation when left out.
        drive: Where the recording lies now, if it has moved since it was imported.
    """
    from scenes.work.phases import phase

    with phase(LOADING):
        from render.evaluation.evaluate import evaluate_folder

    return evaluate_folder(scene, out or scene.with_name(f"{scene.name}.evaluation"), drive)


def prove(
    out: Path,
    quick: bool = False,
    worlds: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (101,),
    axes: tuple[str, ...] = (),
    recipe: str | None = None,
    size: str | None = None,
    views: int = 1,
    peers: tuple[Path, ...] = (),
    workers: int = 2,
) -> dict[str, object]:
    """Reconstruct procedural worlds from their recordings and score them off the recorded path.

    Args:
        out: Folder for worlds, numbers and a page; started again, an interrupted run goes on.
        quick: Two worlds, three axes, small pictures: minutes.
        worlds: Recipes of worlds, such as street or curve; all when left out.
        seeds: Of the worlds; every recipe is made once with each.
        axes: What is perturbed, such as lateral or yaw; all that can be rendered when left out.
        recipe: How worlds are reconstructed; standard, or preview with --quick.
        size: Of the recorded pictures, such as 640x192; 320x96 when left out.
        views: Moments at which each amount of each axis is looked at.
        peers: Files with the scores of other methods on the same worlds, to stand beside.
        workers: Processes that record; the output is the same for any number.
    """
    from scenes.work.phases import phase

    with phase(LOADING):
        from render.prove.plan import ProveRequest
        from render.prove.run import prove_folder

    request = ProveRequest(
        worlds=worlds,
        seeds=seeds,
        axes=axes,
        quick=quick,
        recipe=recipe,
        size=size,
        views=views,
        peers=peers,
        workers=workers,
    )
    return prove_folder(out, request)


def verify(folder: Path, /) -> dict[str, object]:
    """Check that what a command wrote is whole and unchanged, and that its labels are sound.

    Args:
        folder: What import, reconstruct, extract-actor, perturb, render or export wrote.
    """
    from scenes.work.phases import phase

    with phase(LOADING):
        from render.folders.verification import verify_folder

    return verify_folder(folder)


def doctor() -> dict[str, object]:
    """Say what works on this machine, what does not, why, and what to do about it."""
    from scenes.work.phases import phase

    with phase(LOADING):
        from render.console.doctor import examine
    with phase("looking at this machine"):
        checks = examine()
    return {"ok": all(check.works or check.optional for check in checks), "checks": checks}


def demo(out: Path) -> dict[str, object]:
    """Turn the built-in sample drive into a labelled lane change, with a report.

    Args:
        out: Folder for everything it makes.
    """
    from scenes.work.phases import phase

    with phase(LOADING):
        from render.console.demo import run_demo

    return run_demo(out)
