"""What `evaluate`, `doctor`, `verify` and `demo` say: the headline first, then numbers."""

from collections.abc import Callable, Mapping, Sequence

from render.console.words import pairs, table, words_of
from render.json_value import Json
from scenes.work.phase_lines import wrapped

SHOWN: Mapping[str, str] = {
    "psnr_db": "PSNR [dB]",
    "psnr_db_median": "median [dB]",
    "psnr_affine_db": "colour fit [dB]",
    "ssim": "SSIM",
    "flip": "FLIP",
    "depth_abs_rel": "depth error",
    "box_iou": "box overlap",
}
"""Scores of pictures, in the order in which they are read, and what stands above them."""
SAID_APART = {
    *SHOWN, "psnr_affine_db_median", "frames", "resolution", "extrapolation", "all", "beside",
    "off_path", "actors", "per_frame", "road_users", "train_seconds", "steps", "recipe", "backend",
    "seed", "out",
}  # fmt: skip


def evaluation_text(result: Mapping[str, Json], width: int) -> str:
    """How right a scene is: what `evaluate` says."""
    size = "x".join(str(side) for side in result["resolution"])
    typical = result.get("psnr_db_median")  # which folders of older versions lack
    median = "" if typical is None else f"median {words_of(_rounded(typical))}, "
    headline = (
        f"{words_of(_rounded(result['psnr_db']))} dB PSNR on {_count(result['frames'], 'picture')} "
        f"of {size} that training never saw (more is better; "
        f"{median}{words_of(_rounded(result['psnr_affine_db']))} after a colour fit)."
    )
    lines = [wrapped(headline, width, hanging=0), "", *table(_places(result), width)]
    lines.append(
        wrapped("  FLIP and depth error: 0 is perfect; SSIM and box overlap: 1 is.", width, 0)
    )
    lines += [wrapped(f"  {words}", width) for words in _from_beside(result["beside"] or {})]
    if result["actors"] is not None:
        lines += ["", *_road_users(result["actors"], width)]
    if result.get("road_users"):
        lines += ["", *_labelled(result["road_users"], width)]
    scored = [row for row in result["per_frame"] if row["psnr_db"] is not None]
    if len(scored) > 1:
        worst = min(scored, key=lambda row: row["psnr_db"])
        lines += ["", f"Worst picture: {worst['camera']} {worst['frame']}, "
                      f"{words_of(_rounded(worst['psnr_db']))} dB."]  # fmt: skip
    rest = {key: value for key, value in result.items() if key not in SAID_APART}
    about = {key: result[key] for key in ("recipe", "steps", "seed", "backend", "train_seconds")}
    return "\n".join([*lines, "", *_others(rest, width), *pairs(about, width),
                      *pairs({"pictures and scores in": result["out"]}, width)])  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _places(result: Mapping[str, Json]) -> list[dict[str, object]]:
    """A row for each place that pictures were scored at, the recorded path first."""
    rows: list[dict[str, object]] = [{"where": "recorded path", **_scores(result, "frames")}]
    if result["extrapolation"] is not None:
        apart = _scores(result["extrapolation"], "frames")
        rows.append({"where": "at its ends", **apart})
    for name, scores in (result["beside"] or {}).items():
        rows.append({"where": f"camera {name}", **_scores(scores, "frames")})
    rows += [
        {"where": _beside_path(row["shift_m"]), **_scores(row, "views")}
        for row in result.get("off_path") or ()
    ]
    known = ["where", "views", *SHOWN.values()]
    known = [name for name in known if any(row.get(name) is not None for row in rows)]
    return [{name: row.get(name) for name in known} for row in rows]


def _from_beside(cameras: Mapping[str, Json]) -> list[str]:
    """How much worse cameras that did not train are than held-out pictures of those that did."""
    said = []
    for name, scores in cameras.items():
        below_db = scores.get("below_path_db")
        if below_db is not None:
            how = f"{abs(below_db):.2f} dB {'below' if below_db > 0 else 'above'}"
            away = f"{scores['beside_m']:.2f} m beside the path, never trained"
            said.append(f"{name}, {away}: {how} held-out pictures of the path.")
    return said


def _beside_path(shift_m: float) -> str:
    return f"{words_of(float(shift_m))} m left, truth"


def _scores(scores: Mapping[str, Json], counted: str) -> dict[str, object]:
    found = {name: _figures(key, scores[key]) for key, name in SHOWN.items() if key in scores}
    return {"views": scores[counted], **found}


def _figures(key: str, value: float | None) -> str | None:
    """With as many digits as mean something."""
    return None if value is None else f"{value:.2f}" if "_db" in key else f"{value:.3f}"


def _road_users(actors: Mapping[str, Json], width: int) -> list[str]:
    gain_db = actors["psnr_db"] - actors["without_psnr_db"]
    words = (
        f"Road users that move, inside their boxes: {actors['psnr_db']:.2f} dB over "
        f"{_count(actors['boxes'], 'box').replace('boxs', 'boxes')}; their own fields "
        f"{'gain' if gain_db >= 0 else 'lose'} {abs(gain_db):.2f} dB against the static scene."
    )
    return [wrapped(words, width, hanging=0)]


def _labelled(users: Sequence[Mapping[str, Json]], width: int) -> list[str]:
    """Who is labelled and who is an ignore region: those with fields in a table, others counted."""
    rows = [
        {
            "road user": f"{row['actor']} {row['class'].lower()}",
            "gain [dB]": f"{row['gain_db']:+.2f}",
            "boxes": row["boxes"],
            "measured on": row["measured_on"],
            "labels": row["labels"],
        }
        for row in users
        if row["gain_db"] is not None
    ]
    lines = (
        ["What their own fields gain over the static scene:", *table(rows, width)] if rows else []
    )
    others: dict[str, list[str]] = {}
    for row in users:
        if row["gain_db"] is None or row["labels"] != "labelled":
            others.setdefault(f"{row['labels']} ({row['why']})", []).append(str(row["actor"]))
    said = (f"{words}: {', '.join(numbers)}" for words, numbers in others.items())
    return [*lines, *(wrapped(f"  {words}", width) for words in said)]


def _others(rest: Mapping[str, Json], width: int) -> list[str]:
    """What this version does not put in words of its own."""
    lines: list[str] = []
    for key, value in rest.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [key.replace("_", " "), *table(value, width), ""]
        else:
            lines += pairs({key: value}, width)
    return lines


def doctor_text(result: Mapping[str, Json], width: int) -> str:
    """What works on this machine: what `doctor` says."""
    checks: Sequence[Mapping[str, Json]] = result["checks"]
    broken = [check["name"] for check in checks if not check["works"] and not check["optional"]]
    missing = [check["name"] for check in checks if not check["works"] and check["optional"]]
    headline = "Everything that otherlane needs works here."
    if broken:
        headline = f"otherlane does not work here: {', '.join(broken)}."
    if missing:
        headline += f" It does without {', '.join(missing)}."
    lines = [wrapped(headline, width, hanging=0), ""]
    column = max(len(check["name"]) for check in checks)
    for check in checks:
        mark = "ok" if check["works"] else "--" if check["optional"] else "NO"
        start = f"  {mark}  {check['name']:<{column}}  "
        shown = wrapped(check["found"], max(width - len(start), 20), hanging=0).splitlines() or [""]
        lines += [start + shown[0], *(" " * len(start) + line for line in shown[1:])]
        if check["remedy"]:
            said = wrapped(f"try: {check['remedy']}", max(width - len(start), 20), hanging=5)
            lines += [" " * len(start) + line for line in said.splitlines()]
    return "\n".join(lines)


def verification_text(result: Mapping[str, Json], width: int) -> str:
    """Whether a folder is whole and its labels sound: what `verify` says."""
    what = f"{_count(result['files'], 'file')} of {result['folder']} ({result['kind']})"
    if result["ok"]:
        also = "" if result["frames"] is None else (
            f"; the labels of {_count(result['frames'], 'frame')} keep their laws"
        )  # fmt: skip
        said = wrapped(f"Whole and sound: {what}, as they were written{also}.", width, hanging=0)
        return "\n".join([said, *_unchecked(result, width)])
    found = _count(result["problems_found"], "problem")
    lines = [wrapped(f"NOT sound: {found} in {what}.", width, hanging=0)]
    lines += [wrapped(f"  {one['where']}: {one['wrong']}", width) for one in result["problems"]]
    if len(result["problems"]) < result["problems_found"]:
        lines.append(f"  ... and {result['problems_found'] - len(result['problems'])} more")
    return "\n".join([*lines, *_unchecked(result, width)])


def _unchecked(result: Mapping[str, Json], width: int) -> list[str]:
    """Laws that could not be checked, because `render --labels` left out what they need."""
    laws = result.get("unchecked") or ()
    words = "Not checked, for want of pixel labels: " + "; ".join(laws) + "."
    return [wrapped(words, width)] if laws else []


def demo_text(result: Mapping[str, Json], width: int) -> str:
    """What the demo made, and what to look at: what `demo` says."""
    words = (
        f"A lane change that nobody drove: {_count(result['frames'], 'picture')} with "
        f"{_count(result['labelled_objects'], 'tight 2D box').replace('boxs', 'boxes')}; "
        f"{words_of(_rounded(result['held_out_psnr_db']))} dB PSNR on recorded pictures that "
        "training never saw."
    )
    apart = ("frames", "labelled_objects", "held_out_psnr_db", "report", "video")
    rest = {key: value for key, value in result.items() if key not in apart}
    look = {"open in a browser": result["report"], "video": result["video"]}
    return "\n".join([wrapped(words, width, hanging=0), "", *pairs({**look, **rest}, width)])


TEXTS: Mapping[str, Callable[[Mapping[str, Json], int], str]] = {
    "evaluate": evaluation_text,
    "doctor": doctor_text,
    "verify": verification_text,
    "demo": demo_text,
}
"""Verbs that say their result in words of their own."""
