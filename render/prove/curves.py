"""Curves as inline SVG: scores against how far a view is from what was recorded."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 340, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 26, 34
"""Margins around the axes [px]."""
COLOURS = ("#0b6bcb", "#c2410c", "#15803d", "#7c3aed", "#b45309", "#0e7490")
"""One a method, readable on white and on black."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One curve."""

    name: str
    points: tuple[tuple[float, float], ...]
    """x, y; increasing in x."""
    colour: str = COLOURS[0]
    dashed: bool = False


def chart(title: str, x_label: str, lines: Sequence[Line]) -> str:
    """An SVG of some curves over the same axes; empty when there are no points."""
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    x_low, x_high = _span([x for x, _ in points])
    y_low, y_high = _span([y for _, y in points])
    y_ticks, x_ticks = _ticks(y_low, y_high), _ticks(x_low, x_high)
    y_low, y_high = min(y_low, y_ticks[0]), max(y_high, y_ticks[-1])

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low)
        up = (y - y_low) / (y_high - y_low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (
            HEIGHT - TOP - BOTTOM
        )

    parts = [f'<text x="{LEFT}" y="16" class="t">{html.escape(title)}</text>']
    for y in y_ticks:
        _, down = at(x_low, y)
        parts.append(f'<path d="M{LEFT} {down:.1f}H{WIDTH - RIGHT}" class="g"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{down + 4:.1f}" class="e">{y:.4g}</text>')
    for x in x_ticks:
        across, _ = at(x, y_low)
        place = f'x="{across:.1f}" y="{HEIGHT - BOTTOM + 14}"'
        parts.append(f'<text {place} class="m">{x:.4g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" class="m">{html.escape(x_label)}</text>')
    parts += [_drawn(line, [at(x, y) for x, y in line.points]) for line in lines if line.points]
    about = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
    words = html.escape(f"{title} against {x_label}")
    return f'<svg {about} aria-label="{words}">{"".join(parts)}</svg>'


def _drawn(line: Line, places: Sequence[tuple[float, float]]) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dash = ' stroke-dasharray="4 3"' if line.dashed else ""
    name = html.escape(line.name)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{line.colour}"><title>{name}: '
        f"{value[0]:.4g}, {value[1]:.4g}</title></circle>"
        for (x, y), value in zip(places, line.points, strict=True)
    )
    return f'<path d="M{path}" fill="none" stroke="{line.colour}" stroke-width="1.6"{dash}/>{dots}'


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Least and greatest, apart even where they are equal."""
    low, high = min(values), max(values)
    gap = max(0.02 * (high - low), 1e-3 * max(abs(low), abs(high)), 1e-6)
    return low - gap, high + gap


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers in an interval; always at least one."""
    raw = (high - low) / 5.0
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1.0, 2.0, 2.5, 5.0) if m * power >= raw), 10.0 * power)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)] or [first * step]
