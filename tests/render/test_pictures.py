"""Overlays, previews and reports: that they are whole, and show what they should."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from render.console.demo_report import beside_each_other, telling_record, truth_rows
from render.folders.frames import read_pixels, read_records
from render.pictures import overlay
from render.pictures.panels import grid, panels
from render.pictures.preview import (
    beside_the_drive_m,
    preview_picture,
    recorded_picture,
    write_video,
)
from render.pictures.report import Link, Picture, Report, Step, report_html, write_report
from scenes.semantics import COLOURS
from tests.render.analytic import FRAMES, street


def decoded(path: Path) -> list[np.ndarray]:
    import av

    with av.open(str(path)) as video:
        track = video.streams.video[0]
        assert (track.codec_context.name, track.codec_context.pix_fmt) == ("h264", "yuv420p")
        return [frame.to_ndarray(format="rgb24") for frame in video.decode(track)]


def test_the_preview_shows_every_frame(frames_folder: Path) -> None:
    pictures = decoded(frames_folder / "preview.mp4")
    assert len(pictures) == FRAMES
    record = read_records(frames_folder)[2]
    meant = preview_picture(frames_folder, [record], street().clip)
    assert pictures[2].shape == meant.shape
    assert np.abs(pictures[2].astype(float) - meant).mean() < 6.0


VIDEO = """
import sys
from pathlib import Path
import numpy as np
from render.pictures.preview import write_video
random = np.random.default_rng(0)
scene = random.integers(0, 255, (240, 420, 3), dtype=np.uint8)
write_video(Path(sys.argv[1]), (np.roll(scene, 3 * i, axis=1)[:, :404] for i in range(8)))
"""


def test_a_video_does_not_depend_on_what_memory_held_before(tmp_path: Path) -> None:
    videos = []
    for number in ("1", "85", "170"):  # what the C library fills fresh memory with
        path = tmp_path / f"{number}.mp4"
        memory = {"MALLOC_PERTURB_": number, "MALLOC_MMAP_THRESHOLD_": "1000000000"}
        subprocess.run(
            [sys.executable, "-c", VIDEO, str(path)], env={**os.environ, **memory}, check=True
        )
        videos.append(path.read_bytes())
    assert videos[0] == videos[1] == videos[2]


def test_equal_pictures_make_equal_videos(tmp_path: Path) -> None:
    ramp = np.arange(64 * 96 * 3, dtype=np.uint32).reshape(64, 96, 3)
    pictures = [((ramp * (i + 1)) % 256).astype(np.uint8) for i in range(3)]
    first, second = (write_video(tmp_path / name, pictures) for name in ("a.mp4", "b.mp4"))
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(ValueError, match="at least one"):
        write_video(tmp_path / "c.mp4", [])


def test_what_was_recorded_is_shown_where_there_is_something(tmp_path: Path) -> None:
    del tmp_path
    clip = street().clip  # its pictures do not exist
    assert recorded_picture(clip, "front", 12_345) is None
    assert recorded_picture(clip, "front", 0) is None


def test_panels_fill_a_grid_with_even_sides(frames_folder: Path) -> None:
    record = read_records(frames_folder)[0]
    pixels = read_pixels(frames_folder, record["key"])
    shown = panels(pixels, record, 201, recorded=pixels["rgb"])
    assert {picture.size for picture in shown} == {(201, 100)}
    whole = grid(shown, 2, "title", "note")
    assert whole.width % 2 == whole.height % 2 == 0
    assert whole.width >= 2 * 201
    assert grid(shown[:3], 2).height < whole.height


def test_overlays_leave_what_they_do_not_label(frames_folder: Path) -> None:
    record = read_records(frames_folder)[0]
    pixels = read_pixels(frames_folder, record["key"])
    tinted = overlay.tinted(pixels["rgb"], pixels, record["objects"])
    plain = (pixels["semantic"] != 2) & (pixels["instance"] == 0)
    assert np.array_equal(tinted[plain], pixels["rgb"][plain])
    assert np.all(np.any(tinted[~plain] != pixels["rgb"][~plain], axis=-1))
    drawn = np.asarray(overlay.labelled(pixels["rgb"], pixels, record, 192))
    record["objects"] = []
    bare = np.asarray(overlay.labelled(pixels["rgb"], pixels, record, 192))
    assert drawn.shape == bare.shape == (96, 192, 3)
    assert np.any(drawn != bare)


def test_near_is_bright_and_far_is_dark() -> None:
    range_m = np.geomspace(1.0, 200.0, 50)[None]
    grey = overlay.depth_picture(range_m).astype(float) @ [0.299, 0.587, 0.114]
    assert np.all(np.diff(grey[0]) <= 0.0)
    sky = overlay.depth_picture(np.array([[np.inf]]))
    assert not np.any(np.all(overlay.depth_picture(range_m) == sky, axis=-1))


def test_every_class_has_a_colour() -> None:
    kinds = np.array([[int(kind) for kind in COLOURS]], dtype=np.uint8)
    shown = overlay.semantic_picture(kinds)
    assert shown[0].tolist() == [list(colour) for colour in COLOURS.values()]
    assert len({overlay.track_colour(i) for i in range(50)}) == 50


def test_the_offset_from_the_drive_is_signed(frames_folder: Path) -> None:
    record = json.loads(json.dumps(read_records(frames_folder)[1]))
    clip = street().clip
    assert abs(beside_the_drive_m(record, clip)) < 1e-9
    record["world_from_ego"][1][3] += 2.5
    assert beside_the_drive_m(record, clip) == pytest.approx(2.5)


class Outside(HTMLParser):
    """Collects what a page loads, and whether its tags are balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [
            value or "" for name, value in attrs if name in ("src", "srcset", "poster")
        ]
        if tag not in ("meta", "img", "html"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "html":
            assert self.open.pop() == tag


def test_a_report_needs_nothing_but_itself(frames_folder: Path, tmp_path: Path) -> None:
    image = read_pixels(frames_folder, "000000.front", ["rgb"])["rgb"]
    report = Report(
        title="A lane change <3 m>",
        summary="What was made.",
        pictures=(Picture(image=image, caption="one & only"),),
        video=frames_folder / "preview.mp4",
        numbers={
            "Quality": {"psnr_db": 21.25, "frames": 4, "good": True, "missing": None},
            "By offset": [{"m": 1.0, "psnr": 20.0}, {"m": 2.0, "flip": float("nan")}],
        },
        links=(Link(path="frames/preview.mp4", words="preview"),),
        notes=("No lidar.",),
        licence="CC BY-NC-SA 3.0",
    )
    path = write_report(report, tmp_path / "report.html")
    text = path.read_text(encoding="utf-8")
    assert "http" not in text
    assert "<script" not in text
    assert "url(" not in text
    parser = Outside()
    parser.feed(text)
    assert parser.open == []
    assert len(parser.sources) == 2
    assert all(source.startswith("data:") for source in parser.sources)
    for words in ("A lane change &lt;3 m&gt;", "one &amp; only", "21.25", "CC BY-NC-SA 3.0", "yes"):
        assert words in text
    assert "prefers-color-scheme: dark" in text
    assert re.search(r"<td>–</td>", text)
    assert report_html(report) == text


def test_a_report_says_its_headline_first_and_what_next_and_blows_nothing_up() -> None:
    small = np.full((20, 32, 3), 200, dtype=np.uint8)
    rows = [{"distance from the path": "0 m", "PSNR": "24 dB"}]
    report = Report(
        title="Title",
        summary="Summary.",
        headline={"23.8 dB": "on pictures"},
        pictures=(Picture(image=small, caption="small"),),
        more_pictures=(Picture(image=small, caption="below"),),
        numbers={"By distance": rows},
        explained={"By distance": "what it means"},
        next_steps=(Step(words="Again:", command="otherlane demo --out <here>"),),
        licence="CC0",
    )
    text = report_html(report)
    parts = ("Title</h1>", "23.8 dB", "small</figcaption>", "below</figcaption>")
    parts += ("By distance", "what it means", "&lt;here&gt;")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.count("max-width: min(100%, 64px)") == 2
    assert "<thead><tr><th>distance from the path</th>" in text
    assert "autoplay" not in text


def test_a_poster_is_what_a_video_shows_first(frames_folder: Path) -> None:
    poster = np.zeros((20, 32, 3), dtype=np.uint8)
    video = frames_folder / "preview.mp4"
    report = Report(
        title="t", summary="s", video=video, poster=poster, numbers={}, licence="CC0"
    )  # fmt: skip
    assert 'poster="data:image/jpeg;base64,' in report_html(report)


def test_the_demo_shows_a_telling_picture_and_its_truth_by_distance(frames_folder: Path) -> None:
    records = read_records(frames_folder)
    clip = street().clip
    moved = [json.loads(json.dumps(record)) for record in records]
    for number, record in enumerate(moved):
        record["world_from_ego"][1][3] += float(number)
    shown = telling_record(frames_folder, moved, clip)
    assert beside_the_drive_m(shown, clip) >= 0.5 * (len(moved) - 1) - 1e-6
    rows = truth_rows(
        [
            {"shift_m": shift, "psnr_db": 20.0, "psnr_affine_db": 21.0, "flip": 0.1,
             "depth_abs_rel": 0.065, "box_iou": None, "views": 2}
            for shift in (3.0, 0.0)
        ]
    )  # fmt: skip
    assert [next(iter(row.items())) for row in rows] == [
        ("distance from the path", "0 m"),
        ("distance from the path", "3 m"),
    ]
    assert rows[0]["depth error"] == "6.5 %"
    assert not any("_" in name for name in rows[0])


def test_a_stack_of_pictures_becomes_a_row() -> None:
    stack = np.concatenate([np.full((40, 60, 3), shade, dtype=np.uint8) for shade in (0, 99, 250)])
    row = beside_each_other(stack, ("one", "two", "three"))
    assert row.shape[0] == 80
    assert [int(row[4, x, 0]) for x in (10, 60 * 2 + 30, 60 * 4 + 40)] == [0, 99, 250]
