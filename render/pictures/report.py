"""One HTML file that shows what was made: what came out, pictures, numbers, what to do next.

The file needs nothing else: pictures and videos are inside it, there is no script and no address
on the network. It follows the reader's light or dark mode.
"""

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenes.storage.files import write_whole
from scenes.work.short_repr import short_repr

if TYPE_CHECKING:
    from jaxtyping import UInt8

JPEG_QUALITY = 88
"""Hard to tell from the original, a tenth of its size."""
ENLARGED = 2
"""A picture is shown at most so much larger than it is: it would look worse than it is."""

Number = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """A picture of the report."""

    image: "UInt8[np.ndarray, 'h w 3']"
    caption: str

    __repr__ = short_repr


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A file beside the report."""

    path: str
    """Relative to the report."""
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Something that the reader may do next."""

    words: str
    command: str = ""
    """To be typed; none when empty."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Report:
    """What a report says, in the order in which it says it."""

    title: str
    summary: str
    """One or two sentences under the title."""
    headline: Mapping[str, str] = field(default_factory=dict)
    """A few numbers that matter most, and what each is."""
    pictures: Sequence[Picture] = ()
    video: Path | None = None
    """An .mp4 to put inside, below these pictures."""
    poster: "UInt8[np.ndarray, 'h w 3'] | None" = None
    """What the video shows before it is played; its first picture when None."""
    more_pictures: Sequence[Picture] = ()
    """Below the video."""
    numbers: Mapping[str, Mapping[str, Number] | Sequence[Mapping[str, Number]]]
    """Heading -> names and values, or the rows of a table."""
    explained: Mapping[str, str] = field(default_factory=dict)
    """Heading -> what its numbers mean."""
    next_steps: Sequence[Step] = ()
    links: Sequence[Link] = ()
    notes: Sequence[str] = ()
    """What the reader should know before trusting it."""
    licence: str
    """Of the drive, hence of everything made from it."""

    __repr__ = short_repr


def write_report(report: Report, out: Path) -> Path:
    """Write the report as one HTML file."""
    write_whole(out, report_html(report).encode())
    return out


def report_html(report: Report) -> str:
    """The report as HTML."""
    parts = [f"<h1>{_text(report.title)}</h1>", f'<p class="lead">{_text(report.summary)}</p>']
    if report.headline:
        tiles = (
            f"<div><b>{_text(x)}</b><span>{_text(said)}</span></div>"
            for x, said in report.headline.items()
        )
        parts.append(f'<div class="tiles">{"".join(tiles)}</div>')
    parts += [_figure(picture) for picture in report.pictures]
    if report.video is not None:
        source = _data("video/mp4", report.video.read_bytes())
        poster = "" if report.poster is None else f' poster="{_jpeg(report.poster)}"'
        parts.append(f'<video src="{source}"{poster} controls loop muted playsinline></video>')
    parts += [_figure(picture) for picture in report.more_pictures]
    for title, values in report.numbers.items():
        parts.append(_section(title, values))
        if title in report.explained:
            parts.append(f'<p class="small">{_text(report.explained[title])}</p>')
    if report.next_steps:
        parts.append(f"<h2>What next</h2>{''.join(map(_step, report.next_steps))}")
    if report.links:
        items = [f'<li><a href="{_text(x.path)}">{_text(x.words)}</a></li>' for x in report.links]
        parts.append(f"<h2>Files</h2><ul>{''.join(items)}</ul>")
    if report.notes:
        items = [f"<li>{_text(note)}</li>" for note in report.notes]
        parts.append(f"<h2>Good to know</h2><ul>{''.join(items)}</ul>")
    parts.append(f"<footer>Licence of the drive and of this: {_text(report.licence)}</footer>")
    body = "\n".join(parts)
    return PAGE.replace("{title}", _text(report.title)).replace("{body}", body)


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _jpeg(image: "UInt8[np.ndarray, 'h w 3']") -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
    return _data("image/jpeg", buffer.getvalue())


def _step(step: Step) -> str:
    command = f"<pre>{_text(step.command)}</pre>" if step.command else ""
    return f"<p>{_text(step.words)}</p>{command}"


def _figure(picture: Picture) -> str:
    source, words = _jpeg(picture.image), _text(picture.caption)
    high, wide = picture.image.shape[:2]
    widest = f"max-width: min(100%, {ENLARGED * wide}px)"
    size = f'width="{wide}" height="{high}" style="{widest}"'
    return (
        f'<figure><img src="{source}" {size} alt="{words}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _section(title: str, values: Mapping[str, Number] | Sequence[Mapping[str, Number]]) -> str:
    if isinstance(values, Mapping):
        rows = "".join(
            f"<tr><th>{_text(name)}</th><td>{_value(value)}</td></tr>"
            for name, value in values.items()
        )
        return f"<h2>{_text(title)}</h2><table>{rows}</table>"
    names = list(dict.fromkeys(name for row in values for name in row))
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_value(row.get(name))}</td>" for name in names) + "</tr>"
        for row in values
    )
    return (
        f'<h2>{_text(title)}</h2><div class="wide"><table class="grid">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _value(value: Number) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return _text(f"{value:.4g}") if math.isfinite(value) else "–"
        case _:
            return _text(value)


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root { --ink: #1b1f24; --soft: #5d6670; --line: #d9dee4; --paper: #ffffff; --panel: #f4f6f8;
  --accent: #0b6bcb; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebef; --soft: #98a2ad; --line: #2e353d; --paper: #111418; --panel: #191e24;
    --accent: #6cb2ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 76rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 0.75rem; }
.lead { color: var(--soft); font-size: 1.1rem; max-width: 46rem; margin: 0.5rem 0 1.5rem; }
figure { margin: 1.5rem 0; }
img, video { display: block; width: 100%; height: auto; border-radius: 8px;
  background: var(--panel); }
video { margin: 1.5rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 0.75rem; }
.tiles div { background: var(--panel); border-radius: 8px; padding: 0.9rem 1.1rem; }
.tiles b { display: block; font-size: 1.5rem; font-weight: 600; }
.tiles span, .small { color: var(--soft); font-size: 0.9rem; }
.small { max-width: 52rem; }
pre { background: var(--panel); border-radius: 8px; padding: 0.7rem 1rem; overflow-x: auto;
  margin: 0; }
figcaption { color: var(--soft); font-size: 0.9rem; margin-top: 0.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; min-width: 20rem; }
th, td { padding: 0.4rem 1.25rem 0.4rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 500; color: var(--soft); }
.grid td, .grid th { padding-right: 1.75rem; white-space: nowrap; }
.wide { overflow-x: auto; }
a { color: var(--accent); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: 0.9rem; }
</style>
<body>
{body}
</body>
</html>
"""
