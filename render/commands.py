"""The verbs of the render layer: render, evaluate, prove, verify, doctor, demo."""

from pathlib import Path


def render(
    scene: Path,
    /,
    out: Path,
    scenario: Path | None = None,
    size: str | None = None,
    frames: str | None = None,
    formats: tuple[str, ...] = ("kitti", "coco"),
    workers: int = 1,
    preview: bool = True,
    any_drive: bool = False,
) -> dict[str, object]:
    """Render a scene, edited by a scenario, as labelled images.

    Args:
        scene: Folder of the scene.
        out: Folder for images and labels; started again, an interrupted run goes on.
        scenario: TOML file with the edits; the drive as recorded when left out.
        size: Image size such as 621x188; the size trained at when left out.
        frames: Which frames, such as 10 or 0:40:2 or 3,7,20:30; all when left out.
        formats: Label formats to export.
        workers: Processes; the output is the same for any number.
        preview: Whether to write a labelled preview video as well.
        any_drive: Render a scenario that was made for another drive, too.
    """
    from render.batch import RenderRequest, render_folder

    request = RenderRequest(
        scenario=scenario,
        size=size,
        frames=frames,
        formats=formats,
        workers=workers,
        preview=preview,
        any_drive=any_drive,
    )
    return render_folder(scene, out, request)


def evaluate(scene: Path, /, out: Path | None = None) -> dict[str, object]:
    """Measure a scene on the frames it never saw and, where its drive has truth, off the path.

    Args:
        scene: Folder of the scene.
        out: Folder for pictures (photo, render, error) and scores; SCENE.evaluation when left out.
    """
    from render.evaluation import evaluate_folder

    return evaluate_folder(scene, out or scene.with_name(f"{scene.name}.evaluation"))


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
        folder: What import, reconstruct, extract-actor, perturb or render wrote.
    """
    from render.verification import verify_folder

    return verify_folder(folder)


def doctor() -> dict[str, object]:
    """Say what works on this machine, what does not, why, and what to do about it."""
    from render.doctor import examine

    checks = examine()
    return {"ok": all(check.works or check.optional for check in checks), "checks": checks}


def demo(out: Path) -> dict[str, object]:
    """Turn the built-in sample drive into a labelled lane change, with a report.

    Args:
        out: Folder for everything it makes.
    """
    from render.demo import run_demo

    return run_demo(out)
