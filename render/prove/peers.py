"""Scores of other methods on the same worlds, read from files in `prove.json`'s own form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from render.prove.rows import Row
from scenes.errors import OtherlaneError

FORMAT = 1
"""Of `prove.json` and of peers' files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerWorld:
    """One world, as a method other than ours shows it."""

    name: str
    """Recipe and seed, such as `street-101`."""
    rows: tuple[Row, ...]
    on_path_held_out: Mapping[str, float | None] = field(default_factory=dict)
    """Means over the recorded pictures that did not train; empty where nobody measured them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A method and its scores; fields that are not named here may be there and are not read."""

    format: int
    name: str
    """What the tables call it."""
    worlds: tuple[PeerWorld, ...]
    about: str = ""
    """Version, settings and time spent, in words."""

    def by_world(self, worlds: set[str]) -> list[list[Row]]:
        """Its scores on each of those worlds that are among `worlds`."""
        return [list(world.rows) for world in self.worlds if world.name in worlds]

    def rows(self, worlds: set[str]) -> list[Row]:
        """The same in one list."""
        return [row for rows in self.by_world(worlds) for row in rows]

    def held_out(self, score: str) -> dict[str, float | None]:
        """World -> a score on the recorded pictures that did not train."""
        return {world.name: world.on_path_held_out.get(score) for world in self.worlds}


def read_peer(path: Path) -> Peer:
    """A method's scores.

    Raises:
        OtherlaneError: The file is missing, damaged, or of another format.
    """
    fix = "a file as docs/prove.md describes it, or the prove.json of another run"
    try:
        peer = msgspec.json.decode(path.read_bytes(), type=Peer)
    except (OSError, msgspec.DecodeError) as error:
        raise OtherlaneError(path, f"is not a file of scores ({error})", fix) from error
    if peer.format != FORMAT:
        raise OtherlaneError(path, f"is of format {peer.format}", f"format {FORMAT}")
    return peer
