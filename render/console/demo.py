"""All of otherlane on the sample drive: reconstruct, evaluate, perturb, render, verify, report.

Every part is the verb that users call, with its own folder; started again, what is there stays.
"""

from pathlib import Path

from recon.reconstruct import ReconstructRequest, reconstruct_clip
from render.console.demo_report import demo_report
from render.evaluation.evaluate import evaluate_folder
from render.folders.verification import verify_folder
from render.jobs.render_job import RenderRequest, render_folder
from render.pictures.report import write_report
from scenes.errors import OtherlaneError
from scenes.scenario.folder import perturb_clip
from scenes.storage.clip_files import load_clip
from scenes.storage.files import system_errors_typed, write_whole
from scenes.storage.folders import check_out
from scenes.work.phases import heading, phase
from scenes.worlds.record.sample import sample_path

REQUEST = """# Half a second in, change to the lane on the left: 3 m, taking 3 s.
name = "lane-change-left"

[[edits]]
kind = "lane-change"
offset_m = 3.0
start_us = 500_000
duration_us = 3_000_000
"""
RECIPE = "preview"
FRAMES = "1::2"
"""Every second frame of the sample drive is rendered: 20. Not the first one, which is kept out of
training: no camera stood behind it, and what it alone shows is dark."""


def run_demo(out: Path, workers: int = 2) -> dict[str, object]:
    """Make a labelled lane change of the sample drive, and a report about it, in `out`.

    Raises:
        OtherlaneError: `out` holds something else.
    """
    clip_folder = sample_path()
    request = out / "lane_change.toml"
    check_out(out)
    with system_errors_typed(out):
        out.mkdir(parents=True, exist_ok=True)
        write_whole(request, REQUEST.encode())
    heading("1 of 5: reconstructing the sample drive")
    scene = reconstruct_clip(clip_folder, out / "scene", ReconstructRequest(recipe=RECIPE))
    heading("2 of 5: measuring how right it is")
    scores = evaluate_folder(scene, out / "evaluation")
    heading("3 of 5: asking for a lane change")
    perturb_clip(clip_folder, request, out / "scenarios", None, None)
    heading("4 of 5: rendering what its camera would have seen")
    made = render_folder(
        scene,
        out / "lane_change",
        RenderRequest(
            scenario=out / "scenarios" / "0000" / "scenario.toml", frames=FRAMES, workers=workers
        ),
    )
    heading("5 of 5: checking the labels, writing the report")
    checked = verify_folder(out / "lane_change")
    if not checked["ok"]:
        raise OtherlaneError(out / "lane_change", f"fails {checked}", "report this as a bug")
    with phase("writing the report"):
        about = demo_report(load_clip(clip_folder), out, scores, made)
        report = write_report(about, out / "report.html")
    return {
        "report": str(report),
        "video": made["preview"],
        "frames": made["frames"],
        "labelled_objects": made["labelled_objects"],
        "held_out_psnr_db": scores["psnr_db"],
        "train_seconds": scores["train_seconds"],
        "licence": made["licence"],
    }
