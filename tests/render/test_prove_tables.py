"""Tables, curves, summaries and peers' files of `prove`."""

import json
import xml.etree.ElementTree as ET
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from render.prove.curves import Line, chart
from render.prove.exactness import worst
from render.prove.peers import FORMAT, read_peer
from render.prove.rows import Row, by_amount, by_distance, mean, median, view_row
from render.prove.scoring import RegionScore
from render.prove.summary import edits_summary, summary
from scenes.errors import OtherlaneError

SCORE = RegionScore(
    region="seen", share=0.8, psnr_db=25.0, psnr_affine_db=26.0, ssim=0.8, flip=0.1,
    gradient_ssim=0.7, depth_abs_rel=0.05, depth_abs_rel_median=0.01, normal_deg=float("nan"),
    mask_iou=0.8, box_iou=0.9, objects=3, marks_f1=0.6, marks_f1_true=0.8,
)  # fmt: skip


def row(amount: float, distance_m: float | None = None, **numbers: float) -> Row:
    changed = replace(SCORE, **numbers)
    return view_row("lateral", amount, abs(amount) if distance_m is None else distance_m, changed)


def test_means_leave_out_what_is_not_known() -> None:
    rows = [row(3.0, psnr_db=20.0), row(3.0, psnr_db=24.0, normal_deg=6.0), row(0.0)]
    on, off = by_amount(rows)
    assert (on.amount, on.views, off.amount, off.views) == (0.0, 1, 3.0, 2)
    assert off.numbers["psnr_db"] == off.numbers["psnr_db_median"] == 22.0
    assert off.numbers["normal_deg"] == 6.0
    assert on.numbers["normal_deg"] is None
    assert mean([None, None]) is None
    easy = [row(3.0, psnr_db=value) for value in (20.0, 58.9, 24.0, float("nan"))]
    assert by_amount(easy)[0].numbers["psnr_db_median"] == 24.0
    assert median([3.0, None, 1.0]) == 2.0
    assert median([None]) is None


def test_the_share_of_lane_marks_is_a_ratio_of_means() -> None:
    rows = [row(1.0, marks_f1=0.2, marks_f1_true=0.4), row(1.0, marks_f1=0.8, marks_f1_true=0.9)]
    (merged,) = by_amount(rows)
    assert merged.numbers["marks_f1_relative"] == pytest.approx(1.0 / 1.3)
    nothing = float("nan")
    (unknown,) = by_amount([row(1.0, marks_f1=nothing, marks_f1_true=nothing)])
    assert unknown.numbers.get("marks_f1_relative") is None


def test_distances_fall_into_steps_of_axes_that_move_the_camera() -> None:
    rows = [row(-2.0, 1.9), replace(row(3.5, 2.2), axis="detour"), row(0.0, 0.0)]
    rows.append(replace(row(30.0, 0.0, psnr_db=9.0), axis="yaw"))
    near, far = by_distance(rows)
    assert (near.amount, near.views, far.amount, far.views) == (0.0, 1, 2.0, 2)
    assert far.axis == "distance"


def test_the_summary_compares_three_metres_beside_with_the_path() -> None:
    rows = [row(0.0, psnr_db=26.0), row(3.0, psnr_db=22.0), row(-3.0, psnr_db=24.0), row(1.0)]
    lines = {str(line["score"]): line for line in summary([rows])}
    assert lines["psnr_db"]["on_path"] == 26.0
    assert lines["psnr_db"]["beside_3_m"] == 23.0
    assert lines["psnr_drop_db"] | {"beside_3_m": 3.0, "met": True} == lines["psnr_drop_db"]
    assert lines["marks_f1_relative"]["met"] is False  # 0.6 of 0.8 is below 0.8
    assert lines["depth_abs_rel_median"]["met"] is True
    assert "normal_deg" not in lines  # nothing is known of it
    assert summary([]) == []


def test_the_summary_compares_the_same_worlds() -> None:
    open_road = [row(0.0, psnr_db=26.0), row(3.0, psnr_db=24.0)]
    narrow = [row(0.0, psnr_db=20.0, marks_f1=0.1)]  # no room beside
    one_side = [row(0.0, psnr_db=30.0), row(-3.0, psnr_db=26.0)]
    lines = {str(x["score"]): x for x in summary([open_road, narrow, one_side])}
    assert lines["psnr_db"] | {"on_path": 28.0, "beside_3_m": 25.0, "worlds": 2} == lines["psnr_db"]
    assert lines["psnr_drop_db"]["beside_3_m"] == 3.0
    assert lines["marks_f1_relative"]["on_path"] == pytest.approx(0.75)
    (alone,) = [x for x in summary([narrow]) if x["score"] == "psnr_db"]
    assert (alone["on_path"], alone["beside_3_m"], alone["worlds"]) == (20.0, None, 0)


def test_edited_road_users_have_bars_of_their_own() -> None:
    def changed(region: str, **numbers: float) -> Row:
        return replace(row(2.0, 0.0, **numbers), axis="actor-moved", region=region)

    one = [
        changed("changed", psnr_db=24.0, mask_iou=0.95),
        changed("changed+shadow", psnr_db=20.0),
        changed("all", psnr_db=40.0),
        row(3.0),
    ]
    two = [changed("changed", psnr_db=23.0, mask_iou=0.83)]
    lines = {str(line["score"]): line for line in edits_summary([one, two])}
    assert lines["changed_psnr_db"] == {
        "axis": "actor-moved", "score": "changed_psnr_db", "worlds": 2, "value": 23.5,
        "median": 23.5, "worst": 23.0, "bar": "at least 22", "met": True,
    }  # fmt: skip
    shadow = lines["changed_with_shadow_psnr_db"]
    assert (shadow["worlds"], shadow["value"], shadow["met"]) == (1, 20.0, False)
    assert lines["actor_iou"]["value"] == pytest.approx(0.89)
    assert lines["actor_iou"]["met"] is False
    assert edits_summary([[row(3.0)]]) == []
    assert [r.views for r in by_distance([*one, *two])] == [1]  # of the lateral row


def test_the_summary_says_how_movers_are_shown() -> None:
    rows = [row(0.0), replace(row(0.0, psnr_db=25.0, mask_iou=0.9), region="movers")]
    rows += [replace(row(-3.0, psnr_db=23.0, mask_iou=0.7), region="movers")]
    lines = {str(line["score"]): line for line in summary([rows])}
    assert lines["movers_psnr_db"]["on_path"] == 25.0
    assert lines["movers_iou"]["beside_3_m"] == 0.7
    assert lines["psnr_db"]["on_path"] == SCORE.psnr_db


def test_a_chart_is_well_formed_and_keeps_its_points_inside() -> None:
    line = Line(name="a & b", points=((-3.0, 20.0), (0.0, 26.0), (3.0, 21.5)))
    single = Line(name="one", points=((1.0, 23.0),), dashed=True)
    svg = chart("psnr <db>", "lateral [m]", [line, single])
    root = ET.fromstring(svg)  # noqa: S314  # our own
    dots = root.findall("circle")
    assert len(dots) == 4
    places = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in dots]
    assert all(46 <= x <= 340 and 26 <= y <= 176 for x, y in places)
    assert places[1][1] == min(y for _, y in places)  # up is more
    assert places[0][0] < places[1][0] < places[2][0]
    assert chart("nothing", "x", [Line(name="", points=())]) == ""
    flat = chart("flat", "x", [Line(name="", points=((0.0, 0.0), (1.0, 0.0)))])
    assert len(ET.fromstring(flat).findall("circle")) == 2  # noqa: S314


def test_a_run_is_a_peer_of_another(tmp_path: Path) -> None:
    path = tmp_path / "peer.json"
    world = {"name": "street-101", "rows": [asdict(row(3.0))], "seed": 101}
    content = {"format": FORMAT, "name": "nerfacto", "date": "today", "worlds": [world]}
    path.write_text(json.dumps(content).replace("NaN", "null"), encoding="utf-8")
    peer = read_peer(path)
    assert peer.rows({"street-101"}) == [row(3.0)]
    assert peer.rows({"curve-101"}) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not a file of scores"),
        (json.dumps({"format": FORMAT, "name": "x"}), "worlds"),
        (json.dumps({"format": FORMAT + 1, "name": "x", "worlds": []}), f"format {FORMAT + 1}"),
    ],
)
def test_what_is_no_peer_is_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "peer.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(OtherlaneError, match=said):
        read_peer(path)


def test_the_worst_of_all_worlds_is_named() -> None:
    good = {"box_px": 0.1, "seen_share": 1.0, "lidar_m": None}
    bad = {"box_px": 0.7, "seen_share": 0.9, "lidar_m": None}
    lines = {str(line["truth"]): line for line in worst({"a-1": good, "b-1": bad})}
    assert lines["box_px"] == {
        "truth": "box_px", "worst": 0.7, "world": "b-1", "worlds": 2,
        "bar": "at most 0.5", "met": False,
    }  # fmt: skip
    assert lines["seen_share"]["worst"] == 0.9
    assert lines["seen_share"]["met"] is False
    assert (lines["lidar_m"]["worst"], lines["lidar_m"]["met"]) == (None, None)
    assert {line["met"] for line in worst({"a-1": good})} == {True, None}
