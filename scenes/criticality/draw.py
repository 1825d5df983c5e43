"""From a request's `[criticality]` to near-collisions: one at a time, each by its number alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from scenes.criticality import FAMILIES
from scenes.criticality.drive import Drive, Window
from scenes.criticality.request import Cell, Criticality, GoalRanges, cell_of, goal_in, shares
from scenes.criticality.setting import STEP_US, Goal
from scenes.criticality.stage import StagedEncounter, stage
from scenes.edits.edited_scene import EditedScene
from scenes.errors import InfeasibleError, one_moment
from scenes.safety.boxes import ego_boxes, windowed
from scenes.safety.clearance import BLOCKED
from scenes.safety.definitions import moving
from scenes.safety.time_to_collision import least_time_to_collision_s

TRIES, WISHES = 10, 3
"""How often a goal is tried, at other times and with other numbers where it leaves them open; and
how many of these also wish for the closing speed and angle of its cell."""
NEARER_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Steps towards the nearest time to collision that works [s]."""
SOON_S, LATER_S = 0.5, 1.4
"""The critical time comes this much earlier than what must come after the worst moment needs,
because that comes up to `LATER_S` later: reactions take time to tell [s]."""
SOONER = 0.07
"""Each try looks no further into the drive than this share less: what comes after needs time."""
MOST_OPEN = 4
"""Who comes from the side comes where the road is most open, at a third of the times or so many."""
LATE = 0.5
"""Where the ego acts, windows are drawn from this share of the drive on."""
MOST_OTHERS = 20
"""How many other requests are tried for the nearest that works."""
LATER_US = (500_000, 1_000_000, 1_500_000, 2_000_000)
"""How much later or earlier windows are tried for who has no room [µs]."""
NEAR_SQUARE_DEG = (90.0, -90.0, 70.0, -70.0, 110.0, -110.0)
"""Other angles that are tried for it."""
PLACES_BETWEEN = 12
"""Values of closing speed and angle that are tried for the nearest that works."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearCollision:
    """One near-collision, solved for."""

    goal: Goal
    """What was requested, every value fixed."""
    cell: Cell
    """The stratum that it was drawn from."""
    staged: StagedEncounter
    """The edits that make it, and what came out."""
    missed: str | None
    """Why the values of its stratum could not be met; None where they were."""

    @property
    def tags(self) -> str:
        """Words that describe it."""
        near = "collision" if self.goal.min_ttc_s == 0.0 else "near-collision"
        return f"{self.goal.family} {near}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What near-collisions are drawn from."""

    wanted: Criticality
    """What is requested, but for what `requested` leaves open."""
    requested: GoalRanges
    """Families and ranges."""
    start_us: int | None
    """When windows begin [µs]; drawn when None."""


def near_collision(drive: Drive, order: Order, seed: int, index: int) -> NearCollision:
    """The near-collision number `index`: a function of the arguments alone.

    Args:
        drive: Where.
        order: What is requested.
        seed: Key of everything drawn.
        index: Its number.

    Raises:
        InfeasibleError: None can be staged; says why the last try failed.
    """
    return _tried(drive, order, cell_of(order.requested, seed, index), (seed, index))


def nearest(drive: Drive, order: Order, seed: int, error: InfeasibleError) -> str:
    """The request nearest to a refused one that works, found by trying; or nothing, in words."""
    cell = cell_of(order.requested, seed, 0)
    if error.reason in (*BLOCKED, "off the road"):
        others = _elsewhere(order, cell)
    else:
        others = (
            (words, order, tried) for words, tried in _others(order.requested, cell, error.reason)
        )
    for _, (words, other, tried) in zip(range(MOST_OTHERS), others, strict=False):
        try:
            _tried(drive, _only(other, tried), tried, (seed, 0))
        except InfeasibleError:
            continue
        return words
    return error.fix


def _elsewhere(order: Order, cell: Cell) -> Iterator[tuple[str, Order, Cell]]:
    """Other times, sides and lanes, for who has no room."""
    if order.start_us is not None:
        for step_us in LATER_US:
            for start_us in (order.start_us + step_us, order.start_us - step_us):
                yield f"start_us = {start_us}", replace(order, start_us=start_us), cell
    low, high = cell.angle_deg
    if order.requested.angle_deg is not None:
        for angle in (round(-0.5 * (low + high), 1), *NEAR_SQUARE_DEG):
            yield f"angle_deg = {angle:g}", order, replace(cell, angle_deg=(angle, angle))
    for lane_m in (order.wanted.lane_m - 0.5, order.wanted.lane_m + 0.5):
        wanted = replace(order.wanted, lane_m=min(6.0, max(2.0, lane_m)))
        yield f"lane_m = {wanted.lane_m:g}", replace(order, wanted=wanted), cell


def _only(order: Order, cell: Cell) -> Order:
    closing = cell.closing_mps if order.requested.closing_mps else None
    angle = cell.angle_deg if order.requested.angle_deg else None
    requested = replace(order.requested, ttc_s=cell.ttc_s, closing_mps=closing, angle_deg=angle)
    return replace(order, requested=requested)


def _others(requested: GoalRanges, cell: Cell, reason: str) -> Iterator[tuple[str, Cell]]:
    """Single values, nearest first, of what the refusal is about."""
    family = FAMILIES[cell.family]
    name, held, spans = {
        "closing speed": ("closing_mps", cell.closing_mps, (family.closing_mps,)),
        "angle": ("angle_deg", cell.angle_deg, requested.angles_deg(family)),
    }.get(reason, ("min_ttc_s", cell.ttc_s, ()))
    middle = 0.5 * (held[0] + held[1])
    values = [middle + sign * step for step in NEARER_S for sign in (1.0, -1.0)]
    if spans:
        values = np.concatenate(
            [np.linspace(low, high, PLACES_BETWEEN) for low, high in spans]
        ).tolist()
        values.sort(key=lambda value: abs(value - middle))
    key = "ttc_s" if name == "min_ttc_s" else name
    for value in (round(value, 2) for value in values):
        if value >= 0.0 or key == "angle_deg":
            yield f"{name} = {value:g}", replace(cell, **{key: (value, value)})


def _tried(drive: Drive, order: Order, cell: Cell, key: tuple[int, int]) -> NearCollision:
    wanted, refusal, missed = order.wanted, None, None
    for number in range(TRIES):
        share = shares(*key, number + 1)
        goal, wish = (
            goal_in(cell, order.requested, wanted.duration_s, shares(*key, 0), wish=wishes)
            for wishes in (False, number < WISHES)
        )
        early = 1.0 - number * (0.0 if FAMILIES[goal.family].ego_acts else SOONER)
        try:
            window = _window(drive, goal, order.start_us, early * share())
            setting = drive.setting(
                window, share, wanted.lane_m, oncoming_left=wanted.oncoming == "left"
            )
            staged = stage(
                drive, window, setting, goal, wanted.asset, wanted.actor, order.start_us, wish
            )
        except InfeasibleError as error:
            refusal = error
            if number < WISHES:
                missed = error.wrong
            continue
        missed = None if number < WISHES else missed
        return NearCollision(goal=goal, cell=cell, staged=staged, missed=missed)
    assert refusal is not None
    raise refusal


def _window(drive: Drive, goal: Goal, start_us: int | None, share: float) -> Window:
    """The drive around a critical time, which is that of a picture, unless `start_us` is given."""
    first, last = (int(t) for t in drive.clip.ego.time_us[[0, -1]])
    early = SOON_S if not goal.crash else 0.0
    before_s = goal.duration_s - goal.after_s - early
    lasts_us, after_us = (round(s * 1e6 / STEP_US) * STEP_US for s in (before_s, goal.after_s))
    frames = drive.clip.cameras[0].time_us
    if start_us is not None:
        frames = np.array([start_us + lasts_us])
    fits = frames[(frames - lasts_us >= first) & (frames + after_us <= last)]
    if first == last:
        raise one_moment("criticality")
    if before_s < 0.0 or not len(fits):
        wrong = f"a window of {goal.duration_s:g} s does not fit into the drive, {first} to {last}"
        fix = f"duration_s = {(last - first) * 1e-6:g} or less, and an early enough start_us"
        raise InfeasibleError("criticality", wrong, fix, "outside the drive")
    if FAMILIES[goal.family].from_the_side and len(fits) > MOST_OPEN:
        open_m = np.array([drive.open_m(int(at)) for at in fits])
        fits = fits[np.sort(np.argsort(-open_m, kind="stable")[: max(MOST_OPEN, len(fits) // 3)])]
    late = LATE if FAMILIES[goal.family].ego_acts else 0.0  # the ego begins to act before
    critical_us = int(fits[int((late + share * (1.0 - late)) * len(fits))])
    if start_us is None:  # as much before as there is: the worst moment may come then
        before_s = min(goal.duration_s - goal.after_s, (critical_us - first) * 1e-6 // 0.1 * 0.1)
    after_s = goal.after_s if goal.crash else goal.after_s + LATER_S
    return drive.window(critical_us, before_s, after_s)


def measured_ttc_s(edited: EditedScene, drive: Drive, actor_id: int) -> float:
    """The least time to collision of the ego with one actor in a scene's window [s]."""
    clip = drive.clip
    (actor,) = (actor for actor in edited.actors if actor.id == actor_id)
    window = (edited.start_us, edited.end_us)
    at_us = np.append(np.arange(*window, STEP_US), edited.end_us)
    ego = moving(windowed(ego_boxes(edited.ego, clip), *window), at_us)
    other = moving(windowed(actor.trajectory, *window), at_us)
    return least_time_to_collision_s(ego, clip.ego_size_m, other, actor.size_m)[0]
