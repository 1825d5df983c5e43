"""One scenario of a request, by its number: drawn, solved, resolved, and written down."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from scenes.clip import Clip
from scenes.criticality import FAMILIES
from scenes.criticality.draw import NearCollision, Order, measured_ttc_s, near_collision
from scenes.criticality.drive import Drive
from scenes.criticality.request import Asked, Cell, Criticality, cell_of, choices
from scenes.edits import ActorEdit
from scenes.edits.assets import find_asset
from scenes.edits.edited_scene import EditedScene
from scenes.edits.infeasible import InfeasibleError
from scenes.edits.static_scene import refuse_static, standing
from scenes.road.ground import Ground
from scenes.road.obstacles import Evidence, obstacles
from scenes.scenario.files import as_tables
from scenes.scenario.openscenario import as_openscenario
from scenes.scenario.report import ego_overlaps, resolved
from scenes.scenario.resolve import resolve
from scenes.scenario.scenario import Between, Draft, OneOf, Open, Request, Scenario, sample
from scenes.storage.validation import Plain
from scenes.work.short_repr import short_repr

RANGES = ("min_ttc_s", "closing_mps", "angle_deg")
"""What asks are spread over."""
TTC_CONFIRMED_S = 0.03
"""How far the least time to collision of what is rendered may be from what was asked [s]."""


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
    """How far its least time to collision is from what was asked [s]."""
    cell: Cell | None = None
    """Which stratum it is from."""
    missed: str | None = None
    """Why it is not in the stratum it was wished for; None where it is, or need not be."""
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
        InfeasibleError: No scenario of the request can be had, whatever is drawn.
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
        for player in _ends(held.get("actor")):
            where = f"{self.where}: criticality.actor"
            refuse_static(int(player), standing(self.clip.actors), self.clip.actors, where)
        for name in _ends(held.get("asset")):  # or it would be missed when its turn comes
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
                cell = _cell(self.request, index)
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
        error_s = abs(had_s - met.ask.min_ttc_s)
        if error_s > TTC_CONFIRMED_S:
            wrong = f"the least time to collision is {had_s:.2f} s, not {met.ask.min_ttc_s:.2f}"
            raise InfeasibleError(met.ask.family, wrong, "another min_ttc_s", "not confirmed")
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
        polygon_m = _polygon(self.request)
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
        "scenario.toml": scenario.toml(),
        "resolved.json": resolved(requested, edited, clip, overlaps),
        "scenario.xosc": as_openscenario(scenario.name, edited, clip),
    }


def _tags(scenario: Scenario, met: NearCollision) -> str:
    return " ".join(filter(None, (scenario.tags, met.tags)))


def _meant(scenario: Scenario, met: NearCollision) -> tuple[int, ...]:
    """Who may overlap others: also the one with whom a collision was asked for."""
    asked = (met.staged.actor,) if met.ask.min_ttc_s == 0.0 else ()
    return tuple(sorted({*scenario.may_overlap, *asked}))


def _requested(scenario: Scenario, met: NearCollision, had_s: float) -> dict[str, object]:
    """What was asked, and what came out."""
    ask, solved = met.ask, met.staged.solved
    return {
        "name": scenario.name,
        "seed": scenario.seed,
        "family": ask.family,
        "actor": met.staged.actor,
        "min_ttc_s": ask.min_ttc_s,
        "closing_mps": ask.closing_mps,
        "angle_deg": ask.angle_deg,
        "duration_s": ask.duration_s,
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


def _polygon(request: Request) -> Float64[np.ndarray, "k 2"] | None:
    """Where one can drive, if the request says so [m, world]."""
    held = request.criticality.values if request.criticality is not None else {}
    x_m, y_m = (held.get(name, ()) for name in ("drivable_x_m", "drivable_y_m"))
    return np.array([x_m, y_m], dtype=np.float64).T if x_m else None


def order_of(request: Request, index: int | None = None) -> Order:
    """What a request's near-collisions are drawn from.

    Args:
        request: What is asked.
        index: Number of one of them, for whom open values other than families and ranges are
            drawn. When left out, the first one's, but the whole range where a range has a list.

    Raises:
        ValueError: It asks for none.
    """
    if request.criticality is None:
        raise ValueError("the request asks for no near-collision")
    held = request.criticality.values
    family = held.get("family", OneOf(values=tuple(FAMILIES)))
    families = family.values if isinstance(family, OneOf) else (family,)
    share = choices(request.seed, index or 0)
    others = {name: value for name, value in held.items() if name not in ("family", *RANGES)}
    wanted = Draft(of=Criticality, values=others).draw(share)
    spans = {name: _span(held.get(name), None if index is None else share()) for name in RANGES}
    if "min_ttc_s" not in held:
        spans["min_ttc_s"] = (wanted.min_ttc_s, wanted.min_ttc_s)
    return Order(
        wanted=wanted,
        asked=Asked(
            families=tuple(str(name) for name in families),
            ttc_s=spans["min_ttc_s"] or (0.0, 0.0),
            closing_mps=spans["closing_mps"],
            angle_deg=spans["angle_deg"],
            mirrored=wanted.oncoming == "right",
        ),
        start_us=request.start_us,
    )


def _cell(request: Request, index: int) -> Cell | None:
    try:
        return cell_of(order_of(request, index).asked, request.seed, index)
    except InfeasibleError:
        return None


def _ends(value: Open | None) -> tuple[Plain, ...]:
    """All values that one field may come to have, or the ends of their range."""
    match value:
        case None | tuple():
            return ()
        case Between():
            return (value.low, value.high)
        case OneOf():
            return value.values
        case _:
            return (value,)


def _span(value: Open | None, share: float | None) -> tuple[float, float] | None:
    """The range of a value: of a list the one that a share picks, or from least to most."""
    match value:
        case OneOf() if share is not None:
            picked = float(value.draw(share, float))
            return (picked, picked)
        case OneOf():
            numbers = [float(item) for item in value.values]
            return (min(numbers), max(numbers))
        case None:
            return None
        case Between():
            return (float(value.low), float(value.high))
        case float() | int():
            return (float(value), float(value))
        case _:
            raise TypeError(f"{value!r} is no range")
