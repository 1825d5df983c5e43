"""Scores as tables: of one view, of one amount of one axis, and means over worlds.

A `Row` is one amount of one axis on one region of the pixels. Numbers that are not known are None
(JSON has no NaN), and means leave them out. Peers' scores come in the same form.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from render.prove.scoring import RegionScore
from scenes.worlds.truth.perturbations import AXES

Numbers = Mapping[str, float | None]

BETTER_HIGH = {
    "psnr_db": True,
    "psnr_affine_db": True,
    "ssim": True,
    "flip": False,
    "gradient_ssim": True,
    "depth_abs_rel": False,
    "depth_abs_rel_median": False,
    "normal_deg": False,
    "mask_iou": True,
    "box_iou": True,
    "marks_f1": True,
    "marks_f1_true": True,
    "marks_f1_relative": True,
}
"""Every score, and whether more is better."""
DECIBELS = ("psnr_db", "psnr_affine_db")
"""Scores beside whose means stands a median, over the same views or worlds."""

TURNING = ("yaw", "u-turn")
"""Axes that change where the camera looks more than where it is."""
EDITED = tuple(name for name, axis in AXES.items() if axis.kind == "actor")
"""Axes that change road users; the camera is on its path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Mean scores of some views on one region."""

    axis: str
    amount: float
    """In the axis' own unit."""
    region: str
    """A `render.prove.regions.Region`."""
    distance_m: float
    """Mean distance of the cameras from the recorded camera's path [m]."""
    views: int
    """How many views, or worlds, the numbers are means of."""
    numbers: Numbers
    """Score -> mean (of decibels also the median) over those that have it; None for none."""


def view_row(axis: str, amount: float, distance_m: float, score: RegionScore) -> Row:
    """One view as a row."""
    values = asdict(score)
    region = values.pop("region")
    numbers = {name: _known(float(value)) for name, value in values.items()}
    return Row(
        axis=axis, amount=amount, region=region, distance_m=distance_m, views=1, numbers=numbers
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def by_amount(rows: Iterable[Row]) -> list[Row]:
    """Means of the rows of each axis, amount and region, in that order."""
    return _grouped(rows, lambda row: (row.axis, row.amount, row.region))


def by_distance(rows: Iterable[Row], step_m: float = 0.5) -> list[Row]:
    """Means by distance from the path in steps; `amount` is that distance.

    Over the axes that move the camera: turned on the path, it sees other things than from beside.
    """
    placed = [
        replace(row, axis="distance", amount=step_m * round(row.distance_m / step_m))
        for row in rows
        if row.axis not in TURNING and row.axis not in EDITED
    ]
    return by_amount(placed)


def _grouped(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> list[Row]:
    groups: dict[Hashable, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [_mean_row(groups[name]) for name in sorted(groups, key=_order)]


def _order(key: Hashable) -> tuple[str, float, str]:
    assert isinstance(key, tuple)
    axis, amount, region = key
    return str(axis), float(amount), str(region)


def _mean_row(rows: list[Row]) -> Row:
    names = dict.fromkeys(name for row in rows for name in row.numbers)
    numbers = {name: mean(row.numbers.get(name) for row in rows) for name in names}
    for name in DECIBELS:  # one view that is easy to show lifts their means
        numbers[f"{name}_median"] = median(row.numbers.get(name) for row in rows)
    true = numbers.get("marks_f1_true")
    if true:  # a ratio of means: single views have few marks
        # both means are of the same views, for a view has either both or none
        found = numbers.get("marks_f1")
        numbers["marks_f1_relative"] = None if found is None else found / true
    return Row(
        axis=rows[0].axis,
        amount=rows[0].amount,
        region=rows[0].region,
        distance_m=sum(row.distance_m for row in rows) / len(rows),
        views=len(rows),
        numbers=numbers,
    )


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def median(values: Iterable[float | None]) -> float | None:
    """Median of those that are known; None where none is."""
    known = sorted(value for value in values if value is not None)
    half = len(known) // 2
    if not known:
        return None
    return known[half] if len(known) % 2 else 0.5 * (known[half - 1] + known[half])


def find(rows: Iterable[Row], axis: str, amounts: Iterable[float], region: str) -> list[Row]:
    """The rows of those amounts of an axis on a region."""
    wanted = set(amounts)
    return [r for r in rows if r.axis == axis and r.region == region and r.amount in wanted]
