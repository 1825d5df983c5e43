"""`index.html`: what was proved, on one page that needs nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from render.pictures.report import Number, Picture, Report, report_html
from render.prove.curves import COLOURS, Line, chart
from render.prove.peers import Peer
from render.prove.plan import ProvePlan, WorldPlan
from render.prove.rows import EDITED, Row, by_amount, by_distance, find, mean, median
from render.prove.stages import SCORES, picture_name, read_rows
from scenes.sensors.images import read_image
from scenes.storage.files import write_whole
from scenes.worlds.truth.perturbations import AXES

CURVES = ("psnr_db", "gradient_ssim", "flip", "depth_abs_rel_median", "normal_deg", "marks_f1")
"""Scores that are drawn."""
COLUMNS = (
    "psnr_db", "psnr_db_median", "psnr_affine_db", "ssim", "flip", "gradient_ssim", "depth_abs_rel",
    "depth_abs_rel_median", "normal_deg", "mask_iou", "box_iou", "marks_f1", "marks_f1_relative",
)  # fmt: skip
PICTURES = 12
"""Pictures on the page; all of them lie in the worlds' folders."""
STYLE = """<style>
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem; }
.curves svg { width: 100%; height: auto; background: var(--panel); border-radius: 8px; }
.curves text { fill: var(--soft); font: 10px system-ui, sans-serif; }
.curves .t { fill: var(--ink); font-size: 12px; font-weight: 600; }
.curves .e { text-anchor: end; } .curves .m { text-anchor: middle; }
.curves .g { stroke: var(--line); stroke-width: 1; }
.key { color: var(--soft); }
</style>"""


def write_page(
    path: Path, content: Mapping[str, Any], plan: ProvePlan, worlds: Path, peers: Sequence[Peer]
) -> None:
    """Write the page.

    Args:
        path: Of the HTML file.
        content: What `prove.json` says.
        plan: The worlds and axes.
        worlds: Holds a folder for each world.
        peers: Other methods, scored on the same worlds.
    """
    views = [
        row for world in plan.worlds for row in read_rows(world.amounts(), worlds / world.name)
    ]
    names = {world.name for world in plan.worlds}
    methods = {"otherlane": views} | {peer.name: peer.rows(names) for peer in peers}
    report = Report(
        title="Off the recorded path, against exact truth",
        summary=_lead(content, plan),
        pictures=_pictures(plan.worlds, worlds),
        numbers=_numbers(content, methods, peers),
        notes=_notes(peers, names),
        licence="Apache-2.0 (the worlds are procedural)",
    )
    page = report_html(report)
    curves = STYLE + _key(methods) + _curves(methods)
    write_whole(path, page.replace("<figure>", curves + "<figure>", 1).encode())


def _lead(content: Mapping[str, Any], plan: ProvePlan) -> str:
    return (
        f"{len(plan.worlds)} worlds, each reconstructed from its recording alone "
        f"({content['request']['recipe']}), then looked at from where nobody drove. "
        "Solid: surfaces that some recorded picture shows; dashed: surfaces that none does."
    )


def _numbers(
    content: Mapping[str, Any], methods: Mapping[str, Sequence[Row]], peers: Sequence[Peer]
) -> dict[str, Mapping[str, Number] | Sequence[Mapping[str, Number]]]:
    about = {**content["machine"], "date": content["date"], "otherlane": content["otherlane"]}
    parts: dict[str, Mapping[str, Number] | Sequence[Mapping[str, Number]]] = {
        "On the path, and 3 m beside it": [
            {"method": method["name"], **line}
            for method in (content, *content["peers"])
            for line in method["summary"]
        ],
    }
    if content["edits"]:
        parts["Road users moved, removed and inserted"] = content["edits"]
    parts["Recorded pictures that did not train: PSNR [dB]"] = _held_out(content["worlds"], peers)
    for axis in dict.fromkeys(row.axis for rows in methods.values() for row in rows):
        parts[_with_unit(axis)] = [
            _table_row(name, row)
            for name, rows in methods.items()
            for row in by_amount(rows)
            if row.axis == axis
        ]
    parts["How exact the truth is, at its worst"] = content["oracle"]
    parts["Worlds"] = [_world_row(world) for world in content["worlds"]]
    if content["not_yet"]:
        parts["Not yet"] = [
            {"axis": x["axis"], "kind": x["kind"], "why": x["why"]} for x in content["not_yet"]
        ]
    parts["Machine"] = about
    return parts


def _held_out(
    worlds: Sequence[Mapping[str, Any]], peers: Sequence[Peer]
) -> list[Mapping[str, Number]]:
    """What every method reaches on the path of each world; means, medians over what all know."""
    known = {peer.name: peer.held_out("psnr_db") for peer in peers}
    rows: list[Mapping[str, Number]] = [
        {"world": world["name"], "otherlane": world["on_path_held_out"]["psnr_db"]}
        | {name: scores.get(world["name"]) for name, scores in known.items()}
        for world in worlds
    ]
    whole = [row for row in rows if None not in row.values()]
    names = ["otherlane", *known]
    means = {name: mean(float(row[name] or 0.0) for row in whole) for name in names}
    medians = {name: median(float(row[name] or 0.0) for row in whole) for name in names}
    return [
        *rows,
        {"world": f"mean over {len(whole)}", **means},
        {"world": f"median over {len(whole)}", **medians},
    ]


def _table_row(method: str, row: Row) -> dict[str, Number]:
    start = {"method": method, "amount": row.amount, "pixels": row.region, "views": row.views}
    distance = {"distance [m]": row.distance_m}
    return start | distance | {name: row.numbers.get(name) for name in COLUMNS}


def _world_row(world: Mapping[str, Any]) -> dict[str, Number]:
    held, costs = world["on_path_held_out"], world["costs_s"]
    return {
        "world": world["name"],
        "frames": world["frames"],
        "scored at": "x".join(str(side) for side in world["scored"]),
        "steps": world["reconstruct"]["steps"],
        "held-out PSNR [dB]": held["psnr_db"],
        "median [dB]": held.get("psnr_db_median"),
        **{f"{stage} [s]": seconds for stage, seconds in costs.items()},
    }


def _pictures(plans: Sequence[WorldPlan], worlds: Path) -> list[Picture]:
    """Of each axis the view that is furthest off; another world for each axis where possible."""
    axes = list(plans[0].amounts())
    chosen = [(w, a) for w in range(len(plans)) for a in range(len(axes))]
    chosen.sort(key=lambda pair: ((pair[0] - pair[1]) % len(plans), pair[1]))
    found = []
    for world, number in chosen[:PICTURES]:
        plan, axis = plans[world], axes[number]
        views = [row for row in read_rows(plan.amounts(), worlds / plan.name) if row.axis == axis]
        if not views:  # there was no room for any
            continue
        where = "changed" if axis in EDITED else "all"
        row = max(views, key=lambda row: (row.region == where, abs(row.amount), row.amount))
        pattern = picture_name(row.amount, 0).split("_")[0] + "_*.png"
        files = sorted((worlds / plan.name / SCORES / axis).glob(pattern))
        words = (
            f"{plan.name}, {axis} {row.amount:+g} {AXES[axis].unit}: truth, render, error (x 4; "
            f"grey does not count). PSNR {row.numbers['psnr_db'] or float('nan'):.1f} dB "
            f"({row.region})."
        )
        found.append(Picture(image=read_image(files[0]), caption=words))
    return found


def _key(methods: Mapping[str, Sequence[Row]]) -> str:
    marks = "".join(
        f'<span style="color:{colour}">&#9632;</span> {name} &nbsp; '
        for name, colour in zip(methods, _colours(len(methods)), strict=True)
    )
    return f'<p class="key">{marks}</p>'


def _colours(count: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(count)]


def _curves(methods: Mapping[str, Sequence[Row]]) -> str:
    """Every drawn score against the distance from the path, then against each axis' amount."""
    means = {name: [*by_amount(rows), *by_distance(rows)] for name, rows in methods.items()}
    every = (row.axis for rows in means.values() for row in rows)
    axes = dict.fromkeys(axis for axis in every if axis not in EDITED)
    parts = []
    for axis in sorted(axes, key=lambda axis: (axis != "distance", list(axes).index(axis))):
        unit = "m" if axis == "distance" else AXES[axis].unit if axis in AXES else ""
        label = (
            "distance from the path [m]" if axis == "distance" else f"{axis} [{unit or 'share'}]"
        )
        charts = [chart(score, label, _lines(means, axis, score)) for score in CURVES]
        parts.append(f'<h2>Against {label}</h2><div class="curves">{"".join(charts)}</div>')
    return "".join(parts)


def _with_unit(axis: str) -> str:
    """The axis and what its amounts are."""
    return f"{axis} [{AXES[axis].unit or 'share'}]" if axis in AXES else axis


def _lines(means: Mapping[str, Sequence[Row]], axis: str, score: str) -> list[Line]:
    lines = []
    for (method, rows), colour in zip(means.items(), _colours(len(means)), strict=True):
        regions = {row.region for row in rows if row.axis == axis}
        for region in ("seen", "unseen") if "seen" in regions else ("all",):
            amounts = [row.amount for row in rows]
            points = [(r.amount, r.numbers.get(score)) for r in find(rows, axis, amounts, region)]
            known = tuple(sorted((x, y) for x, y in points if y is not None))
            name = f"{method}, {region}"
            dashed = region == "unseen"
            lines.append(Line(name=name, points=known, colour=colour, dashed=dashed))
    return lines


def _notes(peers: Sequence[Peer], names: set[str]) -> list[str]:
    notes = [
        "Seen pixels show a surface that some recorded picture shows; what nobody saw can only be "
        "invented. Pixels near moving road users do not count: they are the region movers.",
        "changed is where a road user that an edit changed is, or was; changed+shadow also where "
        "the picture is noticeably another without the edit.",
        "marks_f1 is that of lane marks found in a bird's-eye view of the render, within 0.2 m; "
        "marks_f1_relative is that over the score of the same detector on the true picture.",
        "gradient_ssim compares the lengths of image gradients: PSNR rewards blur, this does not.",
    ]
    for peer in peers:
        missing = sorted(names - {world.name for world in peer.worlds})
        said = f" Not scored on {', '.join(missing)}." if missing else ""
        notes.append(f"{peer.name}: {peer.about or 'no word about how it was run'}.{said}")
    return notes
