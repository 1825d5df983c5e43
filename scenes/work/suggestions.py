"""What to say of a word that nobody knows: the one it was meant for, or that there is none yet."""

import difflib
from collections.abc import Iterable

ALIKE, SURE = 0.6, 0.8
"""Words less alike than `ALIKE` are no misspellings of each other, words as alike as `SURE` are."""
_EXPOSURE = 'an edit, [[edits]] with kind = "exposure" and stops = ...'
_BALANCE = 'an edit, [[edits]] with kind = "white-balance", red = ... and blue = ...'
ELSEWHERE = {
    "look": f'{_EXPOSURE}, or kind = "white-balance"',
    **dict.fromkeys(("exposure", "exposure-ev", "brightness"), _EXPOSURE),
    **dict.fromkeys(("white-balance", "color-temperature", "colour-temperature"), _BALANCE),
}
"""Words for what has another name here, and that name."""
NOT_YET = (
    "weather", "rain", "snow", "fog", "wet", "wind", "cloud", "clouds", "haze", "puddle", "puddles",
    "light", "lights", "lighting", "headlight", "headlights", "lamp", "lamps", "sun", "sky",
    "shadow", "shadows", "night", "day", "time-of-day", "daytime", "dusk", "dawn", "season",
    "colour", "color", "paint", "material", "materials", "texture", "surface", "surfaces", "dirt",
    "road", "lane-marks", "markings", "sign", "signs", "traffic-light", "traffic-lights",
    "relight", "style", "camera", "sensor", "lens", "noise", "blur",
)  # fmt: skip
"""Things that people ask for and that no edit or key changes yet."""
FILLERS = frozenset({"actor", "actors", "ego", "car", "change", "set", "edit", "of", "add", "new"})
"""Parts of a word that do not say what it is about."""


def nearest(word: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The known word that one was meant for, or None where none is as alike as that."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=alike)
    return found[0] if found else None


def guess(word: str, known: Iterable[str]) -> str:
    """The known word that one was meant for, or all of them where none is alike."""
    known = list(known)
    return nearest(word, known) or f"one of {', '.join(known)}"


def advice(word: str, known: Iterable[str], what: str, quote: str = "") -> str:
    """What to do about an unknown word.

    Args:
        word: As it was written.
        known: What it could be.
        what: What those are, such as "edits".
        quote: Put around a known word.
    """
    known = list(known)
    listed = f"{what}: {', '.join(f'{quote}{each}{quote}' for each in known)}"
    if nearest(word, known, SURE) is None and (meant := missing(word)) is not None:
        other = ELSEWHERE.get(meant)
        told = f"use {other}" if other else f"none: {meant} cannot be changed yet"
        return f"{told} ({listed})"
    found = nearest(word, known)
    return f"{quote}{found}{quote} ({listed})" if found is not None else f"one of these {listed}"


def missing(word: str) -> str | None:
    """What a word is about that does not exist (yet) under that name; None where nothing is."""
    plain = word.strip().lower().replace("_", "-").replace(" ", "-")
    parts = [part for part in plain.split("-") if part and part not in FILLERS]
    for name in (plain, "-".join(parts), *(parts if len(parts) <= 2 else ())):
        if name in ELSEWHERE or name in NOT_YET:
            return name
    return None
