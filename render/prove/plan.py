"""What `prove` will do: which worlds, which axes, how finely, and about how long it will take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recon.recipes import RECIPES as RECONSTRUCTIONS
from recon.reconstruct import ReconstructRequest
from render.folders.selection import parse_size
from scenes.errors import OtherlaneError
from scenes.work.suggestions import guess
from scenes.worlds.recipes import RECIPES
from scenes.worlds.record.recorder import Recording
from scenes.worlds.truth.perturbations import AXES, Axis
from scenes.worlds.truth.truth import spread, wanted

RENDERED_KINDS = ("ego", "actor")
"""Kinds of axes that a reconstruction can follow today."""
HOLDOUT = 8
"""Of so many pictures of a drive, one does not train."""
REPORTED_SEEDS = (101,)
"""Worlds are reported on these seeds; settings are chosen on seeds below 100."""
QUICK_WORLDS = ("street", "curve")
QUICK_AXES = ("lateral=-3,-1,0,1,3", "yaw=-15,15", "detour=2")
"""A few amounts of a few axes, as `scenes.worlds.truth.truth.wanted` takes them."""
SIZE, QUICK_SIZE, FRAMES, QUICK_FRAMES = "320x96", "192x58", 40, 16
"""Pictures are as large as `standard` trains on: light that has converged is what costs."""
STAGES = ("record", "truth", "reconstruct", "score")
"""What is done with each world, in this order."""
GUESS_S: Mapping[str, float] = {
    "record": 300.0,
    "truth": 450.0,
    "reconstruct": 0.025,
    "score": 3.0,
}
"""Seconds of a worker for a million pixels recorded, or of truth; of the machine for a step of
training, and for a view scored. Only a first guess: what is measured on the way corrects it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProveRequest:
    """What a user may ask of `prove`."""

    worlds: tuple[str, ...] = ()
    seeds: tuple[int, ...] = REPORTED_SEEDS
    axes: tuple[str, ...] = ()
    quick: bool = False
    recipe: str | None = None
    size: str | None = None
    views: int = 1
    peers: tuple[Path, ...] = ()
    workers: int = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldPlan:
    """One world and what is done with it."""

    recipe: str
    recording: Recording
    reconstruct: ReconstructRequest
    axes: tuple[str, ...]
    """Those that are rendered and scored, as `scenes.worlds.truth.truth.wanted` takes them."""
    views: int
    """Moments at which each amount of each axis is looked at."""
    workers: int

    @property
    def name(self) -> str:
        """Of its folder, and in every table."""
        return f"{self.recipe}-{self.recording.seed}"

    def moments(self) -> tuple[int, ...]:
        """The frames that are looked at: their own pictures do not train, as far as there are such.

        A picture that trained is remembered, so what is off the path would be compared with it
        unfairly.
        """
        frames, hidden = self.recording.frames, self.reconstruct.holdout_first
        held_out, all_of_them = range(hidden, frames, self.reconstruct.holdout), range(frames)
        found: list[int] = []
        for wish in spread(frames, self.views):
            left = set(held_out) - set(found) or set(all_of_them) - set(found)
            found.append(min(left, key=lambda i: (abs(i - wish), i), default=wish))
        return tuple(found)

    def amounts(self) -> dict[str, tuple[float, ...]]:
        """Axis -> the amounts of it that are scored."""
        found: dict[str, tuple[float, ...]] = {}
        for want in wanted(self.axes, self.views):
            found[want.axis] = (*found.get(want.axis, ()), want.amount)
        return found

    def view_count(self) -> int:
        """How many views are scored, where there is room for all."""
        return self.views * sum(map(len, self.amounts().values()))

    def guess_s(self, stage: str) -> float:
        """About how long a stage takes on an idle machine with two cores [s]."""
        million = self.recording.width * self.recording.height / 1e6
        steps = {"preview": 20, "standard": 50, "best": 150}.get(self.reconstruct.recipe, 50)
        work = {
            "record": self.recording.frames * million / self.workers,
            "truth": self.view_count() * million / self.workers,
            "reconstruct": float(steps * self.recording.frames),
            "score": self.view_count() * million,
        }
        return GUESS_S[stage] * work[stage]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvePlan:
    """All of it."""

    worlds: tuple[WorldPlan, ...]
    not_yet: tuple[Axis, ...]
    """Axes that were asked for and that no reconstruction can follow yet."""


def make_plan(request: ProveRequest) -> ProvePlan:
    """What a request means.

    Raises:
        OtherlaneError: An unknown world, axis or recipe, or a number that cannot be.
    """
    if request.views < 1:
        raise OtherlaneError("views", f"is {request.views}", "1 or more")
    if request.workers < 1:
        raise OtherlaneError("workers", f"is {request.workers}", "1 or more")
    if not request.seeds or min(request.seeds) < 0 or len(set(request.seeds)) < len(request.seeds):
        raise OtherlaneError("seeds", f"are {request.seeds}", "different numbers, 0 or more")
    names = _chosen("world", request.worlds, RECIPES, QUICK_WORLDS if request.quick else None)
    axes = _chosen("axis", request.axes, AXES, QUICK_AXES if request.quick else None)
    recipe = request.recipe or ("preview" if request.quick else "standard")
    _chosen("recipe", (recipe,), RECONSTRUCTIONS, None)
    rendered = tuple(axis for axis in axes if AXES[axis_name(axis)].kind in RENDERED_KINDS)
    wanted(rendered, 1)  # amounts that are no numbers are said before anything is recorded
    worlds = [
        WorldPlan(
            recipe=name,
            recording=_recording(name, seed, request),
            reconstruct=_reconstruct(recipe, request),
            axes=rendered,
            views=request.views,
            workers=request.workers,
        )
        for name in names
        for seed in request.seeds
    ]
    # what cannot be rendered yet is listed even by a run that asks for less
    asked = [axis_name(axis) for axis in request.axes] or list(AXES)
    not_yet = tuple(AXES[name] for name in asked if AXES[name].kind not in RENDERED_KINDS)
    return ProvePlan(worlds=tuple(worlds), not_yet=not_yet)


def _reconstruct(recipe: str, request: ProveRequest) -> ReconstructRequest:
    """One that keeps out the picture in the middle of the drive, which is looked at first."""
    middle = spread(_frames(request), 1)[0]
    return ReconstructRequest(recipe=recipe, holdout=HOLDOUT, holdout_first=middle % HOLDOUT)


def _frames(request: ProveRequest) -> int:
    """Of a drive of 4 s, or of 1.6 s."""
    return QUICK_FRAMES if request.quick else FRAMES


def _recording(recipe: str, seed: int, request: ProveRequest) -> Recording:
    """A drive whose truth is written by a stage of its own."""
    width, height = parse_size(request.size or (QUICK_SIZE if request.quick else SIZE))
    return Recording(
        recipe=recipe,
        seed=seed,
        width=width,
        height=height,
        frames=_frames(request),
        view_frames=(),
    )


def axis_name(text: str) -> str:
    """`lateral` of `lateral=0,3`."""
    return text.partition("=")[0]


def _chosen(
    what: str, asked: Sequence[str], known: Iterable[str], default: Sequence[str] | None
) -> tuple[str, ...]:
    """The names asked for, in the order known; the default, or all, when none is.

    Raises:
        OtherlaneError: One is not known; the nearest is suggested.
    """
    names = list(known)
    for name in map(axis_name, asked):
        if name not in names:
            raise OtherlaneError(f"{what} {name!r}", "is not known", guess(name, names))
    wanted_names = asked or default or names
    return tuple(sorted(dict.fromkeys(wanted_names), key=lambda name: names.index(axis_name(name))))


@dataclass(kw_only=True, slots=True)
class Clock:
    """How long what is left will take: guesses, corrected by what was measured."""

    measured: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Stage -> seconds measured, and what had been guessed for the same work."""

    def took(self, stage: str, seconds: float, guess_s: float) -> None:
        """A stage was done."""
        spent, guessed = self.measured.get(stage, (0.0, 0.0))
        self.measured[stage] = (spent + seconds, guessed + guess_s)

    def left_s(self, stages: Iterable[tuple[WorldPlan, str]]) -> float:
        """Seconds that these will take."""
        return sum(plan.guess_s(stage) * self._ratio(stage) for plan, stage in stages)

    def _ratio(self, stage: str) -> float:
        spent, guessed = self.measured.get(stage, (1.0, 1.0))
        return spent / max(guessed, 1e-9)
