"""Everything that can be done to a drive: one closed union of frozen dataclasses.

A new edit is one module with its dataclasses and one name in the union; a new family of edits
(actors, light, weather, surface) is also one case in `apply_edit`. An edit has

- `kind`: its tag in a scenario's TOML (`kind = "lane-change"`), unlike all others;
- `may_precede_drive`: whether it may start before the first pose;
- fields of numbers and text, annotated with their bounds (`scenes.fields`);
- `apply`, a pure function of what it changes: ego edits take and return the ego's trajectory;
- `describe()`: itself in words, for messages.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import get_args

from scenes.edits.ego import LaneChange, LateralOffset
from scenes.staging import Staging

EgoEdit = LateralOffset | LaneChange
"""Edits of the recording car's path."""
Edit = EgoEdit
"""All edits."""

EDIT_KINDS = MappingProxyType({edit.kind: edit for edit in get_args(Edit)})
"""Tag in TOML -> edit."""


def apply_edit(edit: Edit, staging: Staging) -> Staging:
    """The staging after one edit.

    Raises:
        InfeasibleError: The edit cannot be done to this staging.
    """
    match edit:
        case LateralOffset() | LaneChange():
            return replace(staging, ego=edit.apply(staging.ego))
