"""What a scenario makes of a clip: who is where and when, as it will be rendered."""

from dataclasses import replace
from typing import get_args

from scenes.clip import Clip
from scenes.edits import ActorEdit, Edit, EgoEdit, LookEdit, apply_edit
from scenes.edits.actor_motion import FollowPath, RerouteActor, SpeedProfile
from scenes.edits.actors import RemoveTraffic, RetimeActor
from scenes.edits.edited_scene import EditedScene
from scenes.edits.following import FollowActor
from scenes.edits.parked_vehicles import for_good
from scenes.edits.static_scene import standing
from scenes.errors import InfeasibleError, OtherlaneError, one_moment
from scenes.motion.limits import check_limits
from scenes.road.ground import Ground, fit_ground
from scenes.road.obstacles import Evidence, obstacles
from scenes.safety.clearance import blocked
from scenes.safety.encounters import fixtures
from scenes.scenario.nearby import edit_of, nearest_room
from scenes.scenario.scenario import Scenario

MOVES = (*get_args(EgoEdit), RetimeActor, FollowPath, RerouteActor, SpeedProfile, FollowActor)
"""Edits of how somebody moves, which takes time."""


def resolve(
    scenario: Scenario,
    clip: Clip,
    where: str | None = None,
    *,
    ground: Ground | None = None,
    suggest: bool = True,
    fielded: frozenset[int] = frozenset(),
    evidence: Evidence | None = None,
    room: bool = True,
) -> EditedScene:
    """What a scenario makes of a clip, once it is known that everybody could have done it.

    Args:
        scenario: What is to be done.
        clip: The drive; it is not changed.
        where: What to call the scenario in messages; its name when left out.
        ground: Road height under actors; for those who resolve many. When left out, it is fitted
            to the clip if an edit changes where actors are.
        suggest: Look for the nearest values that work when it is refused (see `check_limits`).
        fielded: Ids of those who have fields in the scene that will be rendered: of them, those who
            stand can be edited too.
        evidence: Who knows where solid things are; what the clip measured when left out.
        room: Refuse a scenario in which somebody edited is in something solid, in somebody else,
            or where nobody knows (`scenes.safety.clearance`); False for those who know better.

    Raises:
        InfeasibleError: Window or edit outside the drive, an edit nobody could drive, one of
            somebody who is part of the static scene, or one for which there is no room.
    """
    where = where or scenario.name
    start_us, end_us = _window(scenario, clip, where)
    for index, edit in enumerate(scenario.edits):
        if len(clip.ego.time_us) == 1 and isinstance(edit, MOVES):
            raise one_moment(f"{where}: edits[{index}]")
    check_limits(clip.ego, scenario.edits, where=where, suggest=suggest)
    if ground is None and any(isinstance(edit, ActorEdit) for edit in scenario.edits):
        ground = fit_ground(clip)
    edited = EditedScene(
        ego=clip.ego,
        actors=clip.actors,
        start_us=start_us,
        end_us=end_us,
        ground=ground,
    )
    for index, edit in enumerate(scenario.edits):
        try:
            edited = _after_edit(edit, edited, clip, fielded)
        except InfeasibleError as error:  # of the edit, which does not know its place
            place = f"{where}: edits[{index}]"
            raise InfeasibleError(place, error.wrong, error.fix, error.reason) from error
    if room and _somebody_new(edited, clip):
        evidence = obstacles(clip) if evidence is None else evidence
        _check_room(scenario, edited, clip, where, evidence, fielded, suggest=suggest)
    return edited


def _somebody_new(edited: EditedScene, clip: Clip) -> bool:
    """Whether anybody is there otherwise than recorded; to take somebody away needs no room."""
    recorded = {id(actor) for actor in clip.actors}
    return edited.ego is not clip.ego or any(id(one) not in recorded for one in edited.actors)


def check_clip(made_for: str | None, clip_hash: str | None, where: str) -> None:
    """Refuse a scenario on another drive than the one that it was made for.

    Args:
        made_for: Hash of the clip that it was made for; None fits any.
        clip_hash: Hash of the clip that it is used on; None where nobody knows.
        where: What to call the scenario.

    Raises:
        OtherlaneError: The two differ.
    """
    if made_for is not None and clip_hash is not None and made_for != clip_hash:
        wrong = (
            f"was made for another drive (clip {made_for[:8]}..., this one is {clip_hash[:8]}...)"
        )
        fix = "a scenario of this clip; render --any-drive, or the file without its line clip = ..."
        raise OtherlaneError(f"{where}: clip", wrong, fix)


def _check_room(
    scenario: Scenario,
    edited: EditedScene,
    clip: Clip,
    where: str,
    evidence: Evidence,
    fielded: frozenset[int],
    *,
    suggest: bool,
) -> None:
    """Refuse what nobody has room for, with the nearest edit for which there is some."""
    found = blocked(
        edited, clip, evidence, scenario.may_overlap, allow_unmeasured=scenario.allow_unmeasured
    )
    if found is None:
        return

    def works(other: Scenario) -> bool:
        try:
            resolve(
                other, clip, where, ground=edited.ground, suggest=False, fielded=fielded,
                evidence=evidence,
            )  # fmt: skip
        except InfeasibleError:
            return False
        return True

    index, fix = edit_of(scenario, found.who), found.fix
    if index is not None:
        where = f"{where}: edits[{index}]"
        if suggest and (nearest := nearest_room(scenario, index, works)):
            fix = f"{nearest}, which works; or {fix}"
    raise InfeasibleError(where, found.wrong, fix, found.reason)


def _after_edit(
    edit: Edit, edited: EditedScene, clip: Clip, fielded: frozenset[int]
) -> EditedScene:
    """The edited scene after one edit of a scenario."""
    static = standing(clip.actors)  # of the recording: whom an edit stops keeps its own field
    if isinstance(edit, RemoveTraffic | EgoEdit | LookEdit):
        return apply_edit(edit, edited, static)
    # until it is edited, who stands is in its place for good, whenever its track ends
    untouched = fixtures(edited.actors, clip.actors) & fielded & {edit.actor}
    actors = for_good(edited.actors, untouched, clip.ego.time_us)
    before = replace(edited, actors=actors) if untouched else edited
    after = apply_edit(edit, before, static - fielded)
    return edited if after is before else after


def _window(scenario: Scenario, clip: Clip, where: str) -> tuple[int, int]:
    """First and last time to render, once all times are known to lie within the drive."""
    first, last = int(clip.ego.time_us[0]), int(clip.ego.time_us[-1])
    start_us = first if scenario.start_us is None else scenario.start_us
    end_us = last if scenario.end_us is None else scenario.end_us
    times = [(f"{where}: start_us", start_us), (f"{where}: end_us", end_us)]
    for index, edit in enumerate(scenario.edits):
        if not (edit.may_precede_drive and edit.start_us < first):
            times.append((f"{where}: edits[{index}].start_us", edit.start_us))
    for place, time_us in times:
        if not first <= time_us <= last:
            wrong = f"is {time_us}, outside the drive, which lasts from {first} to {last}"
            fix = f"a whole number from {first} to {last}"
            raise InfeasibleError(place, wrong, fix, "outside the drive")
    if end_us < start_us:
        wrong = f"is {end_us}, before start_us = {start_us}"
        raise InfeasibleError(f"{where}: end_us", wrong, f"from {start_us} to {last}", "no window")
    return start_us, end_us
