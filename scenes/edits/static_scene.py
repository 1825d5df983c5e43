"""Who is part of the static scene, and cannot be edited.

Whoever stands still for the whole recording is part of the static scene, unless the scene that will
be rendered has a field of it (`own_fields`): its pixels are those of the static scene, whatever an
edit made of its box. Labels and pictures would disagree, so edits of it are refused.
"""

from pathlib import Path

from scenes.actor import Actor
from scenes.edits.actors import NAMED
from scenes.edits.edited_scene import EditedScene
from scenes.errors import InfeasibleError, OtherlaneError
from scenes.storage.files import json_bytes
from scenes.storage.manifests import MANIFEST, finished, folder_hash, parsed
from scenes.work.memoize import memoized

OWN_FIELDS = "own_fields"
"""What a scene's manifest says about it: ids of the road users whose fields it has."""


def standing(actors: tuple[Actor, ...]) -> frozenset[int]:
    """Ids of those who never move."""
    return frozenset(actor.id for actor in actors if not _moves(actor))


@memoized(2048)
def _moves(actor: Actor) -> bool:
    return actor.is_moving


def own_fields(scene: Path, clip: Path) -> frozenset[int]:
    """Ids of the road users whose fields a scene of a clip has, both by their folders.

    Raises:
        OtherlaneError: It is not a finished scene, or one of another clip.
    """
    held = finished(scene, "scene")
    if held.inputs.get("clip") != folder_hash(clip, "clip"):
        raise OtherlaneError(scene, f"was not made from {clip}", "a scene of this clip")
    said, where = held.about.get(OWN_FIELDS, []), scene / MANIFEST
    return parsed(json_bytes(said), where, frozenset[int], "reconstruct the scene again")


def static_ids(edited: EditedScene) -> frozenset[int]:
    """Ids of those in an edited scene who never move and do not look like an asset."""
    return standing(edited.actors).difference(edited.assets)


def refuse_static(
    number: int, static: frozenset[int], actors: tuple[Actor, ...], where: str
) -> None:
    """Refuse to edit somebody who is part of the static scene.

    Args:
        number: Track id of who is to be edited.
        static: Ids of those who are part of the static scene.
        actors: Everybody who is there.
        where: What to call the edit.

    Raises:
        InfeasibleError: It is one of them; names some who can be edited.
    """
    if number not in static:
        return
    free = sorted((actor.id for actor in actors if actor.id not in static),
                  key=lambda other: abs(other - number))[:NAMED]  # fmt: skip
    near = ", ".join(str(other) for other in sorted(free))
    fix = f"one of those with fields of their own, such as {near}; or " if free else ""
    fix += "somebody of your own, with insert-actor; scenes have fields of some parked vehicles, "
    fix += "which `perturb --scene` and `render` know of"
    wrong = f"actor {number} stands still and is part of the static scene"
    raise InfeasibleError(where, wrong, fix, "part of the static scene")
