"""The report about the demo: what came out first, then pictures, then numbers in words."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from render.folders.frames import read_pixels, read_records
from render.jobs.render_job import PREVIEW
from render.json_value import Json
from render.pictures.panels import captioned, grid
from render.pictures.preview import beside_the_drive_m, preview_picture
from render.pictures.report import Link, Picture, Report, Step
from scenes.clip import Clip
from scenes.sensors.images import read_image

THIRDS = ("photo", "render", "error, times 4")
TRUTH_THIRDS = ("exact truth", "render", "error, times 4")
SAID = "a lane change of 3 m to the left, that nobody drove"
ENLARGED = 2
"""How much larger than it was rendered a picture is shown, at most."""
WHOLE = 0.05
"""A road user of which a smaller share lies outside the picture is whole."""
DARK = 24
"""Below this, of 255, a pixel is dark."""


def demo_report(
    clip: Clip, out: Path, scores: Mapping[str, Json], made: Mapping[str, Json]
) -> Report:
    """The report about a finished demo in `out`.

    Args:
        clip: The sample drive.
        out: Folder of the demo.
        scores: What `evaluate` said.
        made: What `render` said.
    """
    frames = out / "lane_change"
    records = read_records(frames)
    shown = telling_record(frames, records, clip)
    left_m = beside_the_drive_m(shown, clip)
    half = min(records, key=lambda one: abs(beside_the_drive_m(one, clip) - 0.5 * left_m))
    best, poster = (
        np.asarray(preview_picture(frames, [one], clip, title=SAID)) for one in (shown, half)
    )
    caption = (
        f"One moment, four times: as recorded; as rendered {left_m:.1f} m further left, where no "
        "camera was; the labels that come with it; the distance of each pixel."
    )
    by_distance = "How right it is, by distance from the recorded path"
    return Report(
        title="A lane change that nobody drove",
        summary=(
            "The built-in sample drive was reconstructed on this machine; then its car changed to "
            "the lane on the left. This is what its camera would have seen, with its labels."
        ),
        headline=_headline(scores, made),
        pictures=[Picture(image=best, caption=caption)],
        video=Path(str(made["preview"])),
        poster=poster,
        more_pictures=_comparisons(out / "evaluation"),
        numbers={
            by_distance: truth_rows(scores["off_path"]),
            "On recorded pictures that training never saw": held_out_numbers(scores),
        },
        explained={by_distance: EXPLAINED},
        next_steps=next_steps(out),
        links=LINKS,
        notes=clip.notes,
        licence=clip.licence,
    )


def _comparisons(evaluation: Path) -> list[Picture]:
    """A picture that training never saw, and exact truth as far from the path as there is."""
    held = sorted(evaluation.glob("front_*.png"))[1]
    furthest_m, furthest = max((_shift_m(path), path) for path in evaluation.glob("off_path_*.png"))
    return [
        Picture(
            image=beside_each_other(read_image(held), THIRDS),
            caption="A recorded picture that training never saw, and the render in its place.",
        ),
        Picture(
            image=beside_each_other(read_image(furthest), TRUTH_THIRDS),
            caption=f"{furthest_m:.0f} m left of the recorded path, where the procedural street's "
            "exact picture is known. Grey is not scored: road users that move.",
        ),
    ]


LINKS = (
    Link(path=f"lane_change/{PREVIEW}", words="the video"),
    Link(path="lane_change/exports/kitti", words="labels in KITTI's layout"),
    Link(path="lane_change/exports/coco", words="labels in COCO's layout"),
    Link(path="lane_change.toml", words="the request that asked for the lane change"),
)
EXPLAINED = (
    "PSNR says how close pixels are: at 20 dB a street is recognised, at 25 it looks right at a "
    "glance, above 30 it is hard to tell from a photo. FLIP is the error that an eye would see, "
    "0 is none. Depth error is a share of the distance. Box overlap is that of tight 2D boxes with "
    "exact ones, 1 is perfect."
)


def _shift_m(path: Path) -> float:
    """From the name of a picture off the path."""
    found = re.search(r"_([0-9.]+)m$", path.stem)
    assert found is not None, path
    return float(found[1])


def _headline(scores: Mapping[str, Json], made: Mapping[str, Json]) -> dict[str, str]:
    """A few numbers, each with what it says."""
    furthest = max(scores["off_path"], key=lambda row: row["shift_m"])
    seconds = scores["train_seconds"]
    return {
        f"{made['labelled_objects']} labels": f"tight 2D boxes in {made['frames']} new pictures",
        f"{furthest['box_iou']:.2f} overlap": "of those boxes with exact ones, "
        f"{furthest['shift_m']:.0f} m from the path",
        f"{scores['psnr_db']:.1f} dB": "PSNR on recorded pictures that training never saw",
        f"{seconds:.0f} s": f"of training, {scores['steps']} steps on this machine",
    }


def held_out_numbers(scores: Mapping[str, Json]) -> dict[str, str]:
    """Scores on the recorded path, in words."""
    return {
        "pictures": str(scores["frames"]),
        "PSNR": _decibels(scores),
        "PSNR after a colour fit": f"{scores['psnr_affine_db']:.2f} dB",
        "SSIM (1 is equal)": f"{scores['ssim']:.3f}",
        "FLIP error (0 is none)": f"{scores['flip']:.3f}",
        "depth error": _percent(scores["depth_abs_rel"]),
    }


def _decibels(scores: Mapping[str, Json]) -> str:
    median = scores.get("psnr_db_median")  # which scores of older versions lack
    return f"{scores['psnr_db']:.2f} dB" + ("" if median is None else f" (median {median:.2f})")


def truth_rows(rows: Sequence[Mapping[str, Json]]) -> list[dict[str, str]]:
    """The scores off the path in words: distance first, nearest first."""
    return [
        {
            "distance from the path": f"{row['shift_m']:.0f} m",
            "PSNR": _decibels(row),
            "after a colour fit": f"{row['psnr_affine_db']:.2f} dB",
            "FLIP error": f"{row['flip']:.3f}",
            "depth error": _percent(row["depth_abs_rel"]),
            "2D box overlap": "–" if row["box_iou"] is None else f"{row['box_iou']:.2f}",
            "views": str(row["views"]),
        }
        for row in sorted(rows, key=lambda row: row["shift_m"])
    ]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def next_steps(out: Path) -> list[Step]:
    """What to try after the demo."""
    scene, scenario = out / "scene", out / "scenarios" / "0000" / "scenario.toml"
    return [
        Step(
            words="The same from every frame, twice as large:",
            command=f"otherlane render {scene} --scenario {scenario} --size 640x192 --out larger",
        ),
        Step(
            words="A better reconstruction of the same drive, in about two minutes:",
            command="otherlane reconstruct scenes/worlds/sample --out scene --budget 2m",
        ),
        Step(
            words="A drive of your own (KITTI's layout; others by a plug-in):",
            command="otherlane import DRIVE --fmt kitti-tracking --out clip",
        ),
        Step(
            words="Other edits, near-collisions among them: README.md, docs/editing.md and "
            "docs/criticality.md; requests to start from lie in examples/requests.",
        ),
    ]


def telling_record(
    folder: Path, records: Sequence[Mapping[str, Json]], clip: Clip
) -> Mapping[str, Json]:
    """The picture that shows best what was made: well beside the path, bright, many labels.

    Args:
        folder: Holds the frames.
        records: Their labels, at least one.
        clip: The recorded drive.
    """
    furthest_m = max(abs(beside_the_drive_m(record, clip)) for record in records)
    beside = [r for r in records if abs(beside_the_drive_m(r, clip)) >= 0.5 * furthest_m]
    return max(beside, key=lambda record: _worth(folder, record))


def _worth(folder: Path, record: Mapping[str, Json]) -> float:
    """Share of a picture that whole labelled road users cover, less the share that is dark."""
    rgb = read_pixels(folder, record["key"], ("rgb",))["rgb"]
    dark = float((rgb.max(axis=-1) < DARK).mean())
    labelled_px = sum(
        item["visible_px"]
        for item in record["objects"]
        if item["box_2d"] is not None and item["truncation"] < WHOLE
    )
    largest = rgb.shape[0] * rgb.shape[1] / 4  # one car that fills the picture tells little
    return min(labelled_px, largest) / largest - 2.0 * dark


def beside_each_other(
    stack: UInt8[np.ndarray, "h3 w 3"], captions: Sequence[str]
) -> UInt8[np.ndarray, "h w2 3"]:
    """A stack of pictures, as `evaluate.write_pictures` has them, in a row with captions."""
    from PIL import Image

    parts = np.split(stack, len(captions))
    size = (ENLARGED * stack.shape[1], ENLARGED * parts[0].shape[0])
    enlarged = [Image.fromarray(part).resize(size, Image.Resampling.LANCZOS) for part in parts]
    named = [captioned(image, words) for image, words in zip(enlarged, captions, strict=True)]
    return np.asarray(grid(named, len(captions)))
