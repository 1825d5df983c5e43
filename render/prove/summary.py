"""The few numbers that say whether a reconstruction holds beside its path, with the issue's bars.

On the path and 3 m beside it (both sides, where both were tried), on observed pixels: surfaces
that some recorded picture shows. What nobody ever saw can only be invented.
"""

from collections.abc import Iterable, Sequence

from render.prove.rows import BETTER_HIGH, Row, find, mean

BESIDE_M = 3.0
"""The distance that the bars are about."""
BARS: dict[str, tuple[float, str]] = {
    "psnr_drop_db": (3.0, "at most"),
    "marks_f1_relative": (0.8, "at least"),
    "depth_abs_rel_median": (0.02, "at most"),
    "normal_deg": (8.0, "at most"),
}
"""Of which number, what is asked for 3 m beside the path."""


def summary(rows: Iterable[Row]) -> list[dict[str, float | str | bool | None]]:
    """A line for each score: on the path, 3 m beside it, and whether the bar is met.

    Args:
        rows: One of every amount, axis and region, of one world or more.
    """
    rows = list(rows)
    region = "seen" if any(row.region == "seen" for row in rows) else "all"
    here = find(rows, "lateral", (0.0,), region)
    there = find(rows, "lateral", (-BESIDE_M, BESIDE_M), region)
    lines = []
    for name in BETTER_HIGH:
        on, off = _number(here, name), _number(there, name)
        if off is not None or on is not None:
            lines.append(_line(name, region, on, off))
    on, off = _number(here, "psnr_db"), _number(there, "psnr_db")
    if on is not None and off is not None:
        lines.append(_line("psnr_drop_db", region, None, on - off))
    return lines


def _number(rows: Sequence[Row], name: str) -> float | None:
    """Mean over worlds; a ratio is that of the means."""
    if name == "marks_f1_relative":
        found, true = _number(rows, "marks_f1"), _number(rows, "marks_f1_true")
        return None if found is None or not true else found / true
    return mean(row.numbers.get(name) for row in rows)


def _line(
    name: str, region: str, on: float | None, off: float | None
) -> dict[str, float | str | bool | None]:
    bar, sense = BARS.get(name, (None, ""))
    met = None
    if bar is not None and off is not None:
        met = off <= bar if sense == "at most" else off >= bar
    return {
        "score": name,
        "pixels": region,
        "on_path": on,
        "beside_3_m": off,
        "bar": None if bar is None else f"{sense} {bar:g}",
        "met": met,
    }
