"""The few numbers that say whether a reconstruction holds beside its path, with the issue's bars.

On the path and 3 m beside it (both sides, where both were tried), on observed pixels: surfaces
that some recorded picture shows. What nobody ever saw can only be invented. The picture that was
recorded at that moment did not train (`render.prove.plan.WorldPlan.moments`).
"""

from collections.abc import Iterable, Mapping, Sequence

from render.prove.rows import BETTER_HIGH, EDITED, Row, find, mean, median

BESIDE_M = 3.0
"""The distance that the bars are about."""
BARS: dict[str, tuple[float, str]] = {
    "psnr_drop_db": (3.0, "at most"),
    "marks_f1_relative": (0.8, "at least"),
    "depth_abs_rel_median": (0.02, "at most"),
    "normal_deg": (8.0, "at most"),
}
"""Of which number, what is asked for 3 m beside the path."""
EDIT_BARS: dict[str, tuple[str, str, float]] = {
    "changed_psnr_db": ("changed", "psnr_db", 22.0),
    "changed_with_shadow_psnr_db": ("changed+shadow", "psnr_db", 22.0),
    "actor_iou": ("changed", "mask_iou", 0.9),
}
"""Score of edited road users -> the region and the number that it is, and the least asked for."""
MOVERS = {"movers_psnr_db": "psnr_db", "movers_iou": "mask_iou"}
"""Score of road users that move -> the number that it is, on their own pixels."""


def summary(worlds: Iterable[Sequence[Row]]) -> list[dict[str, float | str | bool | None]]:
    """A line for each score: on the path, 3 m beside it, and whether the bar is met.

    Both are means over the same worlds: those that know the score at both places (there is not
    room beside every path), or over all that know one where none knows both.

    Args:
        worlds: Of each world, a row of every amount, axis and region.
    """
    worlds = list(worlds)
    region = "seen" if any(row.region == "seen" for rows in worlds for row in rows) else "all"
    pairs = [
        (
            _means(find(rows, "lateral", (0.0,), region)),
            _means(find(rows, "lateral", (-BESIDE_M, BESIDE_M), region)),
        )
        for rows in worlds
    ]
    lines = [_line(name, region, pairs) for name in BETTER_HIGH]
    lines = [
        line for line in lines if line["on_path"] is not None or line["beside_3_m"] is not None
    ]
    both = [(on["psnr_db"], off["psnr_db"]) for on, off in pairs]
    drops = [on - off for on, off in both if on is not None and off is not None]
    if drops:
        lines.append(_said("psnr_drop_db", region, None, mean(drops), len(drops)))
    return lines + _movers(worlds)


def _movers(worlds: Sequence[Sequence[Row]]) -> list[dict[str, float | str | bool | None]]:
    """Lines of the road users that move, on their own pixels; none where nobody does."""
    places = ((0.0,), (-BESIDE_M, BESIDE_M))
    lines = []
    for name, number in MOVERS.items():
        pairs = [
            [mean(row.numbers.get(number) for row in find(rows, "lateral", amounts, "movers"))
             for amounts in places]
            for rows in worlds
        ]  # fmt: skip
        both = [pair for pair in pairs if None not in pair]
        on, off = (mean(pair[place] for pair in both or pairs) for place in (0, 1))
        if on is not None or off is not None:
            lines.append(_said(name, "movers", on, off, len(both)))
    return lines


def edits_summary(
    worlds: Iterable[Sequence[Row]],
) -> list[dict[str, float | str | bool | None]]:
    """A line for each axis of edited road users and each score: means over worlds, and the bar.

    Args:
        worlds: Of each world, a row of every amount, axis and region.
    """
    worlds = list(worlds)
    lines: list[dict[str, float | str | bool | None]] = []
    for axis in EDITED:
        for score, (region, number, bar) in EDIT_BARS.items():
            mine = (
                mean(r.numbers.get(number) for r in rows if (r.axis, r.region) == (axis, region))
                for rows in worlds
            )
            known = [value for value in mine if value is not None]
            if not known:
                continue
            value = sum(known) / len(known)
            lines.append(
                {
                    "axis": axis,
                    "score": score,
                    "worlds": len(known),
                    "value": value,
                    "median": median(known),
                    "worst": min(known),
                    "bar": f"at least {bar:g}",
                    "met": value >= bar,
                }
            )
    return lines


Scores = Mapping[str, float | None]
"""Score -> its mean over some rows."""


def _means(rows: Sequence[Row]) -> Scores:
    """Means of every score over rows of one world; a ratio is one of means."""
    means = {name: mean(row.numbers.get(name) for row in rows) for name in BETTER_HIGH}
    return means | {"marks_f1_relative": _relative(means)}


def _relative(means: Scores) -> float | None:
    found, true = means["marks_f1"], means["marks_f1_true"]
    return None if found is None or not true else found / true


def _line(
    name: str, region: str, pairs: Sequence[tuple[Scores, Scores]]
) -> dict[str, float | str | bool | None]:
    both = [pair for pair in pairs if None not in (pair[0][name], pair[1][name])]
    on, off = (
        {key: mean(pair[place][key] for pair in both or pairs) for key in BETTER_HIGH}
        for place in (0, 1)
    )
    if name == "marks_f1_relative":
        return _said(name, region, _relative(on), _relative(off), len(both))
    return _said(name, region, on[name], off[name], len(both))


def _said(
    name: str, region: str, on: float | None, off: float | None, worlds: int
) -> dict[str, float | str | bool | None]:
    bar, sense = BARS.get(name, (None, ""))
    met = None
    if bar is not None and off is not None:
        met = off <= bar if sense == "at most" else off >= bar
    return {
        "score": name,
        "pixels": region,
        "worlds": worlds,
        "on_path": on,
        "beside_3_m": off,
        "bar": None if bar is None else f"{sense} {bar:g}",
        "met": met,
    }
