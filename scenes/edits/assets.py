"""What an actor can look like besides itself: an asset, as far as geometry and rights go.

An asset is a folder `NAME/` with `asset.json`, described here, and `field.safetensors`, its look,
which only `recon` reads. Scenarios name an asset of the packaged library (`library`), or the
folder of one of their own (`otherlane extract-actor` writes them).
"""

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float64

from scenes.errors import InfeasibleError, OtherlaneError
from scenes.semantics import ACTOR_KINDS, Semantic
from scenes.storage.files import read_own, sha256
from scenes.storage.manifests import MANIFEST, finished
from scenes.storage.validation import Within, check, check_keys, place, rules

ASSET_FILE, MODEL_FILE = "asset.json", "field.safetensors"
FACES = ("front", "rear", "left", "right", "top", "bottom")
"""Faces of a box, in the order of `Asset.faces_seen`."""
LIBRARY = MappingProxyType(
    {
        "car": Semantic.CAR,
        "van": Semantic.VAN,
        "truck": Semantic.TRUCK,
        "bus": Semantic.BUS,
        "cyclist": Semantic.CYCLIST,
        "person": Semantic.PERSON,
    }
)
"""Name of each packaged asset -> what it is."""
AGAIN = "extract the actor again"
LIBRARY_SEED = 0
"""Packaged assets are `scenes.worlds.models.procedural.procedural(kind, LIBRARY_SEED)`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """What somebody can look like."""

    name: str
    """One line of text."""
    kind: Semantic
    """What it is; one of `scenes.semantics.ACTOR_KINDS`."""
    size_m: Annotated[tuple[float, ...], Within(0.05, 50.0, "m")]
    """Length, width, height [m]."""
    synthetic: bool
    """Made by a program, not taken from a drive."""
    faces_seen: Annotated[tuple[float, ...], Within(0.0, 1.0)]
    """Share of each of `FACES` that was ever observed."""
    licence: str
    """What the owner of the look allows; it travels into every picture that shows it."""

    def __post_init__(self) -> None:
        check(self)
        if self.kind not in ACTOR_KINDS:
            raise ValueError(f"asset {self.name}: {self.kind!r} is not a kind of actor")
        for name, count in (("size_m", 3), ("faces_seen", len(FACES))):
            if len(getattr(self, name)) != count:
                raise ValueError(f"asset {self.name}: {name} must be {count} numbers")

    @property
    def box_m(self) -> Float64[np.ndarray, "3"]:
        """Its size as an array [m]."""
        return np.array(self.size_m)

    def tables(self) -> dict[str, Any]:
        """What `asset.json` holds."""
        lists = {"size_m": list(self.size_m), "faces_seen": list(self.faces_seen)}
        return {
            "name": self.name,
            "kind": self.kind.name,
            **lists,
            "synthetic": self.synthetic,
            "licence": self.licence,
        }


@cache
def library() -> MappingProxyType[str, Asset]:
    """The packaged assets by name, with their sizes."""
    from scenes.worlds.models.procedural import procedural  # makes meshes: not needed by most

    assets = {
        name: Asset(
            name=name,
            kind=kind,
            size_m=tuple(procedural(kind, LIBRARY_SEED)[2].tolist()),
            synthetic=True,
            faces_seen=(1.0,) * len(FACES),
            licence="Apache-2.0",
        )
        for name, kind in LIBRARY.items()
    }
    return MappingProxyType(assets)


def find_asset(name: str) -> Asset:
    """The packaged asset of a name, or the one in a folder.

    Raises:
        InfeasibleError: There is neither.
        OtherlaneError: The folder's description is damaged, or it has no look.
    """
    if name in LIBRARY:
        return library()[name]
    if (Path(name) / ASSET_FILE).is_file():
        if not (Path(name) / MODEL_FILE).is_file():
            raise OtherlaneError(Path(name), f"has no {MODEL_FILE}", AGAIN)
        return load_asset(Path(name))
    known = ", ".join(LIBRARY)
    fix = f"one of {known}; or the folder of an asset, with its {ASSET_FILE}"
    raise InfeasibleError(f"asset {name}", f"asset {name!r} does not exist", fix, "no such asset")


def asset_hash(name: str) -> str | None:
    """What an asset of one's own consists of; None for packaged ones, which the version says."""
    if name in LIBRARY:
        return None
    files = (path for path in sorted(Path(name).iterdir()) if path.is_file())
    parts = [f"{path.name} {sha256(path)}" for path in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def read_asset_file(folder: Path, name: str) -> bytes:
    """The bytes of a file of an asset; packaged ones have no manifest.

    Raises:
        OtherlaneError: It is missing, or not what was written.
    """
    if os.path.lexists(folder / MANIFEST):
        return finished(folder, "asset").read(name)
    return read_own(folder / name, AGAIN)


def load_asset(folder: Path) -> Asset:
    """Read the description of an asset.

    Raises:
        OtherlaneError: It is missing or damaged; names the file, the key and what belongs there.
    """
    path, file = folder / ASSET_FILE, str(folder / ASSET_FILE)
    if not path.is_file():
        fix = "the folder of an asset, or `otherlane extract-actor` to make one"
        raise OtherlaneError(folder, f"has no {ASSET_FILE}", fix)
    try:
        held = json.loads(read_asset_file(folder, ASSET_FILE))
    except (ValueError, RecursionError) as error:
        raise OtherlaneError(path, f"is damaged ({error})", AGAIN) from error
    known = ["name", "kind", "size_m", "faces_seen", "synthetic", "licence"]
    table = check_keys(held, known, known, file)
    plain: dict[str, Any] = {
        name: rule.read(table[name], place(file, name)) for name, rule in rules(Asset).items()
    }
    kinds = {kind.name: kind for kind in sorted(ACTOR_KINDS)}
    if table["kind"] not in kinds:
        wrong = "is no kind of actor"
        raise OtherlaneError(place(file, "kind"), wrong, f"one of {', '.join(kinds)}")
    try:
        return Asset(kind=kinds[str(table["kind"])], **plain)
    except ValueError as error:
        raise OtherlaneError(path, str(error), "as many numbers as it says") from error
