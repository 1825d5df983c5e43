"""All of otherlane on the sample drive: reconstruct, evaluate, perturb, render, verify, report.

Every part is the verb that users call, with its own folder; started again, what is there stays.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recon.reconstruct import ReconstructRequest, reconstruct_clip
from render.batch import PREVIEW, RenderRequest, render_folder
from render.evaluation import evaluate_folder
from render.frames import read_records
from render.preview import preview_picture
from render.report import Link, Picture, Report, write_report
from render.verification import verify_folder
from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.images import read_image
from scenes.perturb_folder import perturb_clip
from scenes.phases import heading, phase
from scenes.worlds.sample import sample_path

REQUEST = """# Half a second in, change to the lane on the left: 3 m, taking 3 s.
name = "lane-change-left"

[[edits]]
kind = "lane-change"
offset_m = 3.0
start_us = 500_000
duration_us = 3_000_000
"""
RECIPE = "preview"
FRAMES = "::2"
"""Every second frame of the sample drive is rendered: 20."""


def run_demo(out: Path, workers: int = 2) -> dict[str, object]:
    """Make a labelled lane change of the sample drive, and a report about it, in `out`.

    Raises:
        OtherlaneError: `out` holds something else.
    """
    clip_folder = sample_path()
    request = out / "lane_change.toml"
    try:
        out.mkdir(parents=True, exist_ok=True)
        request.write_text(REQUEST, encoding="utf-8")
    except OSError as error:
        raise OtherlaneError(out, f"cannot be written ({error})", "another --out") from error
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
        report = write_report(_report(out, scores, made), out / "report.html")
    return {
        "report": str(report),
        "video": made["preview"],
        "frames": made["frames"],
        "labelled_objects": made["labelled_objects"],
        "held_out_psnr_db": scores["psnr_db"],
        "train_seconds": scores["train_seconds"],
        "licence": made["licence"],
    }


def _report(out: Path, scores: Mapping[str, Any], made: Mapping[str, Any]) -> Report:
    clip = Clip.load(sample_path())
    frames = out / "lane_change"
    records = read_records(frames)
    last = records[len(records) * 3 // 4]
    first_held = sorted((out / "evaluation").glob("front_*.png"))[1]
    furthest = min((out / "evaluation").glob("off_path_*_3m.png"))
    held_out = {
        "PSNR [dB]": scores["psnr_db"],
        "PSNR after a colour fit [dB]": scores["psnr_affine_db"],
        "SSIM": scores["ssim"],
        "FLIP (0 is equal)": scores["flip"],
        "relative depth error": scores["depth_abs_rel"],
        "pictures": scores["frames"],
        "training steps": scores["steps"],
        "training [s]": scores["train_seconds"],
    }
    return Report(
        title="A lane change that nobody drove",
        summary=(
            "The built-in sample drive was reconstructed here, in "
            f"{scores['steps']} steps; then its car changed to the lane on the left, and what "
            "its camera would have seen was rendered, with labels."
        ),
        video=Path(str(made["preview"])),
        pictures=[
            Picture(
                image=np.asarray(preview_picture(frames, last, clip)),
                caption="The same moment: as recorded, and from the other lane with its labels.",
            ),
            Picture(
                image=read_image(first_held),
                caption="A picture kept out of training: photo, render, error (x 4).",
            ),
            Picture(
                image=read_image(furthest),
                caption="3 m left of the path: exact truth, render, error (x 4).",
            ),
        ],
        numbers={
            "Held-out pictures of the recorded path": held_out,
            "Against exact truth, by distance from the path": scores["off_path"],
            "Rendered": {
                "frames": made["frames"],
                "size": made["size"],
                "tight 2D boxes": made["labelled_objects"],
            },
        },
        links=[
            Link(path="lane_change/exports/kitti", words="labels in KITTI's layout"),
            Link(path="lane_change/exports/coco", words="labels in COCO's layout"),
            Link(path=f"lane_change/{PREVIEW}", words="the video"),
            Link(path="lane_change.toml", words="the request that asked for the lane change"),
        ],
        notes=clip.notes,
        licence=clip.licence,
    )
