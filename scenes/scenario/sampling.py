"""One scenario of a request, by its number: drawn, solved, resolved, and written down."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from scenes.clip import Clip
from scenes.criticality.draw import NearCollision, measured_ttc_s, near_collision
from scenes.criticality.drive import Drive
from scenes.criticality.request import Cell
from scenes.edits import ActorEdit
from scenes.edits.assets import find_asset
from scenes.edits.edited_scene import EditedScene
from scenes.edits.static_scene import refuse_static, standing
from scenes.errors import InfeasibleError
from scenes.road.ground import Ground
from scenes.road.obstacles import Evidence, obstacles
from scenes.scenario.files import as_tables, scenario_toml
from scenes.scenario.openscenario import as_openscenario
from scenes.scenario.orders import cell_at, drivable_polygon_m, ends, order_of
from scenes.scenario.report import ego_overlaps, resolved
from scenes.scenario.resolve import resolve
from scenes.scenario.scenario import Request, Scenario, sample
from scenes.work.short_repr import short_repr

TTC_CONFIRMED_S = 0.03
"""How far the least time to collision of what is rendered may be from what was requested [s]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """A scenario that can be driven."""

    index: int
    """Its number."""
    files: Mapping[str, str]
    """Name and text of each file of its folder."""
    overlaps: bool = False
    """Whether the ego's box overlaps somebody's, which was meant."""
    ttc_error_s: float = 0.0
    """How far its least time to collision is from what was requested [s]."""
    cell: Cell | None = None
    """Which stratum it is from."""
    missed: str | None = None
    """Why the values of its stratum could not be met; None where they were, or need not be."""
    had: tuple[float, float, float] | None = None
    """Least time to collision [s], closing speed [m/s] and angle [degrees] that came out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """One that cannot."""

    index: int
    reason: str
    """In a few words, to be counted."""
    wrong: str
    """In a sentence."""
    cell: Cell | None = None
    """Which stratum it was from."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawer:
    """Draws from a request; every number on its own.

    Raises:
        InfeasibleError: No scenario of the request is possible, whatever is drawn.
    """

    request: Request
    clip: Clip
    where: str
    """What to call the request in messages."""
    fielded: frozenset[int] = frozenset()
    """Ids of those who have fields in the scene that will be rendered (see `resolve`)."""
    clip_hash: str | None = None
    """The hash of the clip's folder, which scenarios repeat."""

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if self.request.criticality is None:
            return
        if self.request.end_us is not None:
            wrong = "is given, but windows of near-collisions end at the most critical moment"
            fix = "no end_us; start_us and criticality.duration_s say when windows end"
            raise InfeasibleError(f"{self.where}: end_us", wrong, fix, "two ends")
        held = self.request.criticality.values
        for player in ends(held.get("actor")):
            where = f"{self.where}: criticality.actor"
            refuse_static(int(player), standing(self.clip.actors), self.clip.actors, where)
        for name in ends(held.get("asset")):  # or it would be missed when its turn comes
            find_asset(str(name))

    @cached_property
    def drive(self) -> Drive:
        """Where near-collisions are staged, if nothing else is edited."""
        return self._drive(self.clip)

    @cached_property
    def evidence(self) -> Evidence:
        """Where solid things are, whatever is edited."""
        return obstacles(self.clip)

    @cached_property
    def ground(self) -> Ground | None:
        """The road's height, where edits need it."""
        needed = self.request.criticality is not None
        needed |= any(issubclass(draft.of, ActorEdit) for draft in self.request.edits)
        return self.drive.ground if needed else None

    def draw(self, index: int) -> Drawn | Refused:
        """The scenario of a number, or why there is none."""
        try:
            return self._drawn(index, suggest=False)
        except InfeasibleError as error:
            cell = None
            if self.request.criticality is not None:
                cell = cell_at(self.request, index)
            return Refused(index=index, reason=error.reason, wrong=error.wrong, cell=cell)

    def first(self) -> Drawn:
        """The first scenario; a refusal says what would work.

        Raises:
            InfeasibleError: It cannot be driven.
        """
        return self._drawn(0, suggest=True)

    def _drawn(self, index: int, *, suggest: bool) -> Drawn:
        scenario = replace(sample(self.request, index), clip=self.clip_hash)
        if self.request.criticality is None:
            edited = self._resolved(scenario, suggest=suggest)
            overlaps = ego_overlaps(edited, self.clip)
            files = _files(as_tables(scenario), scenario, edited, self.clip, overlaps)
            return Drawn(index=index, files=files, overlaps=bool(overlaps))
        drive = self._edited_drive(scenario)
        met = near_collision(drive, order_of(self.request, index), self.request.seed, index)
        scenario = replace(
            scenario, start_us=met.staged.start_us, end_us=met.staged.end_us,
            edits=(*scenario.edits, *met.staged.edits), tags=_tags(scenario, met),
            may_overlap=_meant(scenario, met), allow_unmeasured=drive.allow_unmeasured,
        )  # fmt: skip
        edited = self._resolved(scenario)
        had_s = measured_ttc_s(edited, drive, met.staged.actor)
        error_s = abs(had_s - met.goal.min_ttc_s)
        if error_s > TTC_CONFIRMED_S:
            wrong = f"the least time to collision is {had_s:.2f} s, not {met.goal.min_ttc_s:.2f}"
            raise InfeasibleError(met.goal.family, wrong, "another min_ttc_s", "not confirmed")
        solved = met.staged.solved
        requested = _requested(scenario, met, had_s)
        overlaps = ego_overlaps(edited, self.clip)
        return Drawn(
            index=index, files=_files(requested, scenario, edited, self.clip, overlaps),
            overlaps=bool(overlaps), ttc_error_s=error_s, cell=met.cell, missed=met.missed,
            had=(had_s, solved.closing_mps, solved.angle_deg),
        )  # fmt: skip

    def _resolved(
        self, scenario: Scenario, *, suggest: bool = False, room: bool = True
    ) -> EditedScene:
        return resolve(
            scenario, self.clip, self.where, ground=self.ground, suggest=suggest,
            fielded=self.fielded, room=room,
        )  # fmt: skip

    def _edited_drive(self, scenario: Scenario) -> Drive:
        """The drive after the request's own edits."""
        if not scenario.edits:
            return self.drive
        whole = replace(scenario, start_us=None, end_us=None)
        edited = self._resolved(whole, room=False)  # looked at with what is solved for
        if edited.ego is self.clip.ego and edited.actors is self.clip.actors:
            return self.drive  # nothing but the look is edited
        return self._drive(replace(self.clip, ego=edited.ego, actors=edited.actors))

    def _drive(self, clip: Clip) -> Drive:
        polygon_m = drivable_polygon_m(self.request)
        return Drive(
            clip=clip, polygon_m=polygon_m, evidence=self.evidence,
            allow_unmeasured=self.request.allow_unmeasured or polygon_m is not None,
        )  # fmt: skip


def _files(
    requested: dict[str, object],
    scenario: Scenario,
    edited: EditedScene,
    clip: Clip,
    overlaps: list[dict[str, int]],
) -> dict[str, str]:
    return {
        "scenario.toml": scenario_toml(scenario),
        "resolved.json": resolved(requested, edited, clip, overlaps),
        "scenario.xosc": as_openscenario(scenario.name, edited, clip),
    }


def _tags(scenario: Scenario, met: NearCollision) -> str:
    return " ".join(filter(None, (scenario.tags, met.tags)))


def _meant(scenario: Scenario, met: NearCollision) -> tuple[int, ...]:
    """Ids of those who may overlap others, with those of a requested collision."""
    requested = (met.staged.actor,) if met.goal.min_ttc_s == 0.0 else ()
    return tuple(sorted({*scenario.may_overlap, *requested}))


def _requested(scenario: Scenario, met: NearCollision, had_s: float) -> dict[str, object]:
    """What was requested, and what came out."""
    goal, solved = met.goal, met.staged.solved
    return {
        "name": scenario.name,
        "seed": scenario.seed,
        "family": goal.family,
        "actor": met.staged.actor,
        "min_ttc_s": goal.min_ttc_s,
        "closing_mps": goal.closing_mps,
        "angle_deg": goal.angle_deg,
        "duration_s": goal.duration_s,
        "critical_us": met.staged.critical_us,
        "worst_us": met.staged.worst_us,
        "had": {
            "min_ttc_s": had_s,
            "closing_mps": solved.closing_mps,
            "angle_deg": solved.angle_deg,
        },
        "drivable_unknown_share": met.staged.unknown_share,
        "unmeasured_share": met.staged.unmeasured_share,
    }
