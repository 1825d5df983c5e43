"""How much better the field of a road user explains its pixels than the static scene does.

A static scene may have painted somebody who is slow or far away: pictures are then explained
without its field, which stays empty or half transparent, and labels that come from it stand beside
what one sees. So each road user's gain is measured when its scene is made
(`recon.evaluation.measured_gains`), kept with the scene, and whoever gains less than
`LEAST_GAIN_DB`, or is seen through in the middle, is in doubt: not to be labelled as if its field
showed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scenes.storage.files import write_json
from scenes.storage.manifests import Finished

LEAST_GAIN_DB = 1.0
"""A field that explains its pixels no more than this better than the static scene is in doubt."""
MOST_THROUGH = 0.5
"""One whose middle is seen through in more of its pixels than this share is in doubt too."""
GAINS = "actors.json"
"""The file of a scene that holds the gains."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ActorGain:
    """How well the pixels of one road user's box are explained, over some recorded pictures.

    Squared errors are summed over all pixels of all its boxes before they become decibels: those
    where it is large count most, as they do for whoever trains on it.
    """

    id: int
    """Its track id."""
    held_out: bool
    """Whether the pictures were kept out of training; if not, the numbers flatter."""
    boxes: int
    """In so many pictures."""
    pixels: int
    """Of them all, at training resolution."""
    psnr_db: float | None
    """Of the scene with all fields; None where no picture shows a pixel of it."""
    without_psnr_db: float | None
    """Of the static scene alone."""
    seen_through: float | None = None
    """In this share of the pixels of its core (`recon.actors.cores`) in which nothing is nearer, one
    sees what is behind it; None where its core is unknown or never in view."""

    @property
    def gain_db(self) -> float | None:
        """How much better it is with the field than without; None where nothing tells."""
        if self.psnr_db is None or self.without_psnr_db is None:
            return None
        return self.psnr_db - self.without_psnr_db

    @property
    def doubt(self) -> str | None:
        """Why it must not be labelled as if its field showed it, in words; None if it may be."""
        gain = self.gain_db
        if gain is None:
            return "no recorded picture tells whether its field shows it"
        if gain >= LEAST_GAIN_DB:
            through = self.seen_through or 0.0
            if through <= MOST_THROUGH:
                return None
            return f"one sees through the middle of its field in {through:.0%} of the pixels there"
        if gain < 0.0:
            return f"its field explains its pixels {-gain:.2f} dB worse than the static scene"
        return f"its field explains its pixels only {gain:.2f} dB better than the static scene"


def doubts(gains: Mapping[int, ActorGain]) -> dict[int, str]:
    """Who is in doubt, by id, and why in words."""
    return {number: gain.doubt for number, gain in gains.items() if gain.doubt is not None}


def write_gains(folder: Path, gains: Mapping[int, ActorGain]) -> None:
    """Write the gains of a scene into its folder, by increasing id."""
    write_json(folder / GAINS, [msgspec.to_builtins(gains[number]) for number in sorted(gains)])


def read_gains(held: Finished) -> dict[int, ActorGain]:
    """The gains of a scene.

    Raises:
        OtherlaneError: It was made before gains were measured, or the file is damaged.
    """
    return {gain.id: gain for gain in held.parsed(GAINS, list[ActorGain])}
