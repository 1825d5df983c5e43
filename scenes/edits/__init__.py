"""Everything that can be done to a drive: one closed union of frozen dataclasses.

A new edit is one module with its dataclasses and one name in the union; a new family of edits
(light, weather, surface) is also one case in `apply_edit`. Families are those of the ego's path,
of other road users and of the camera's look. Edits of the look have no `actor`. An edit has

- `kind`: its tag in a scenario's TOML (`kind = "lane-change"`), unlike all others;
- `may_precede_drive`: whether it may start before the first pose;
- `start_us`: when it begins; it touches nothing earlier. Edits of whole tracks, and edits of the
  look, which is the same at all times, have no such field but a constant long before any drive
  (`scenes.edits.actors.ALWAYS`), and may precede it;
- fields of numbers, lists of numbers and text, annotated with their bounds
  (`scenes.storage.validation`);
- `apply`, a pure function of what it changes: ego edits take and return the ego's trajectory,
  edits of the look the camera's look, edits of actors the edited scene (`apply_edit` refuses those
  of whoever is part of the static scene);
- `describe()`: itself in words, for messages.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import get_args

from scenes.edits.actor_looks import InsertActor, ScaleActor, SwapActor
from scenes.edits.actor_motion import FollowPath, RerouteActor, SpeedProfile
from scenes.edits.actors import MoveActor, RemoveActor, RemoveTraffic, RetimeActor
from scenes.edits.edited_scene import EditedScene
from scenes.edits.ego import LaneChange, LateralOffset
from scenes.edits.ego_paths import EgoDetour, EgoPath, EgoSpeed
from scenes.edits.ego_u_turn import EgoUTurn
from scenes.edits.exposure import Exposure, WhiteBalance
from scenes.edits.following import FollowActor
from scenes.edits.static_scene import refuse_static, static_ids
from scenes.motion.trajectory import Trajectory
from scenes.work.memoize import memoized

EgoEdit = LateralOffset | LaneChange | EgoPath | EgoSpeed | EgoDetour | EgoUTurn
"""Edits of the recording car's path."""
ActorEdit = (
    RemoveActor
    | RemoveTraffic
    | MoveActor
    | RetimeActor
    | InsertActor
    | SwapActor
    | ScaleActor
    | RerouteActor
    | FollowPath
    | SpeedProfile
    | FollowActor
)
"""Edits of other road users."""
LookEdit = Exposure | WhiteBalance
"""Edits of the camera's look: they change colours and nothing else."""
Edit = EgoEdit | ActorEdit | LookEdit
"""All edits."""

EDIT_KINDS = MappingProxyType({edit.kind: edit for edit in get_args(Edit)})
"""Tag in TOML -> edit."""


def apply_edit(
    edit: Edit, edited: EditedScene, static: frozenset[int] | None = None
) -> EditedScene:
    """The edited scene after one edit.

    Args:
        edit: What is to be done.
        edited: The scene as it is before the edit; it is not changed.
        static: Ids of those who are part of the static scene. When left out, those of `edited` who
            never move and do not look like an asset; whoever only stands because of an edit before
            is not part of it, which `edited` does not know.

    Raises:
        InfeasibleError: The edit cannot be done to this scene, or it is of somebody who is part
            of the static scene.
        OtherlaneError: An asset that it names is damaged.
    """
    match edit:
        case LateralOffset() | LaneChange() | EgoPath() | EgoSpeed() | EgoDetour() | EgoUTurn():
            ego = ego_after(edit, edited.ego)
            return edited if ego is edited.ego else replace(edited, ego=ego)
        case Exposure() | WhiteBalance():
            camera = edit.apply(edited.camera)
            return edited if camera is edited.camera else replace(edited, camera=camera)
        case InsertActor():
            return edit.apply(edited)
        case RemoveTraffic():
            return edit.apply(edited, _static(edited, static))
        case _:
            refuse_static(edit.actor, _static(edited, static), edited.actors, edit.kind)
            return edit.apply(edited)


def _static(edited: EditedScene, known: frozenset[int] | None) -> frozenset[int]:
    return static_ids(edited) if known is None else known


@memoized(512)
def ego_after(edit: EgoEdit, ego: Trajectory) -> Trajectory:
    """The ego's path after one edit.

    Raises:
        InfeasibleError: The edit cannot be done to it.
    """
    return edit.apply(ego)
