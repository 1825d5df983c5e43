"""Whether times, places and metres can belong together: nobody drives or walks as fast as that.

Speeds are measured over windows of time and judged by their middle (median), less an allowance for
the jitter of boxes, so that labels drawn by hand on distant people pass, and a whole track recorded
at another rate does not. What is too slow for a drive is only noted: cars do creep.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scenes.clip import Clip
from scenes.errors import DriveError
from scenes.importers.plausibility.fastness import jumps_of, sustained_mps, without_jumps
from scenes.motion.limits import limits_of
from scenes.motion.trajectory import Trajectory
from scenes.semantics import Semantic

HEAVY_MPS = 45.0
"""Trucks, buses and trams: 160 km/h; the 100 km/h of their limiters end with the EU [m/s]."""
RIDER_MPS = 25.0
"""Whoever is labelled a cyclist: 90 km/h, for drives that call riders of mopeds so [m/s]."""
GRIP_MPS2 = 20.0
"""No car of the road speeds up, brakes or turns at two g; its tyres give one [m/s²]."""
HALF_US = 500_000
"""Accelerations are measured between two windows of this [µs]."""
SUSTAINED = 0.9
"""Quantile of them that is judged: a jump of poses is no acceleration."""
CAR_JITTER_M = 1.0
"""Poses of the recording car may jump by this [m]: GPS does where it is lost."""
BOX_JITTER_M = 0.5
"""Boxes may be off by this from one end of a window to the other [m]."""
LEAP_M = 20.0
"""Nobody's GPS jumps further: times or places are wrong [m]."""
OFTEN = 0.1
"""Nor does it jump in so large a share of all steps."""
BOX_JITTER_M = 0.5
"""Boxes may be off by this from one end of a window to the other [m]."""
THIRD = 1.0 / 3.0
"""Windows of other road users last up to this share of a track, so that one switch of identities
is not in half of them; and times are wrong where more than this share of them is too fast ..."""
MANY = 3
"""... and at least so many. Where fewer move at all, one of them proves it that is ..."""
STEADY_TIMES, STEADY_US, STEADY_BOXES = 1.5, 2_000_000, 10
"""... so many times too fast, over so long, in so many boxes. All others are noted."""
MOVES_M = 3.0
"""Who ends no further from where they began does not move [m]."""
ON_WHEELS_MPS = 12.0
"""On foot, only more than this is impossible: sprinters and e-scooters are labelled so [m/s]."""
SHORTEST_US = 400_000
"""Shorter tracks of other road users say nothing [µs]."""
FEWEST = 5
"""Nor do tracks of fewer boxes than this."""
SLOW_MPS, SLOW_STEP_M, SLOW_M = 3.0, 0.5, 20.0
"""A car that never drives faster than a run over so many metres is not photographed every half
metre: its rate may be wrong. Cameras of cars take 10 pictures a second or more."""
TIMES_SLOWER = (2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 25.0, 30.0, 50.0, 100.0, 200.0, 500.0,
                1e3, 1e4, 1e5, 1e6)  # fmt: skip
"""Factors of time that are suggested."""
USUAL_HZ = 10.0
"""The rate that is suggested where it explains everything: KITTI's, and most drives'."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TooFast:
    """A road user faster than any of its kind."""

    who: str
    """And what it would do."""
    value: float
    """How fast it would be, in `unit`."""
    limit: float
    """The most of its kind, in `unit`."""
    over: str
    """Over which way and time."""
    unit: str = "m/s"
    """m/s or m/s²."""
    impossible: bool = True
    """Whether nobody can do that, whatever they were labelled."""
    steady: bool = True
    """Whether it was seen for long."""

    @property
    def times(self) -> float:
        """How many times as long its times must be for it to be just possible."""
        ratio = self.value / self.limit
        return ratio if self.unit == "m/s" else ratio**0.5

    def slower(self, times: float) -> str:
        """What it would be if times were so many times as long."""
        value = self.value / (times if self.unit == "m/s" else times * times)
        return f"{value:.2g} {self.unit}"


def check_speeds(clip: Clip, where: object, rate_is_given: bool) -> tuple[str, ...]:
    """Whether everybody in a clip moves as their kind can; notes of what is only odd.

    Args:
        clip: The clip.
        where: What an error names.
        rate_is_given: Whether its format carries no times, so that `--rate` is what to change.

    Raises:
        DriveError: The car or many of the other road users are too fast; the rate or factor of
            time that would make it plausible is named. Or the car leaps.
    """
    calm = without_jumps(clip.ego)
    others, moving = _others(clip)
    wrong = [*_car(calm), *_wrong_times(others, moving)]
    if not wrong:
        slow = _too_slow(clip, rate_is_given)
        jumps = _jumps(clip.ego, where)
        return (*jumps, *(_named(each) for each in others), *((slow,) if slow else ()))
    worst = max(wrong, key=lambda each: each.times)
    said = (
        f"{worst.who} at {worst.value:.3g} {worst.unit} ({worst.over}), more than "
        f"{worst.limit:g} {worst.unit}, which is the most of its kind"
    )
    if len(wrong) > 1:
        said += f"; {len(wrong) - 1} more are too fast"
    raise DriveError(where, said, _slower(clip, worst, rate_is_given))


def _car(calm: Trajectory) -> Iterator[TooFast]:
    """Whether the car that recorded is too fast all along, its jumps aside."""
    car = limits_of(Semantic.CAR).fastest_mps
    mps, over = sustained_mps(calm, CAR_JITTER_M)
    if mps > car:
        yield TooFast(who="the car that recorded would drive", value=mps, limit=car, over=over)
    elif grip := _grip(calm):
        yield grip


def _others(clip: Clip) -> tuple[list[TooFast], int]:
    """Other road users that are too fast, and how many of those that were judged move at all."""
    found, moving = [], 0
    for actor in clip.actors:
        path = actor.trajectory
        lasts_us = int(path.time_us[-1] - path.time_us[0]) if len(path) else 0
        if len(path) < FEWEST or lasts_us < SHORTEST_US:
            continue
        place_m = path.world_from_body[:, :3, 3]
        moving += bool(np.linalg.norm(place_m[-1] - place_m[0]) >= MOVES_M)
        limit = _fastest_mps(actor.kind)
        mps, over = sustained_mps(path, BOX_JITTER_M, THIRD)
        if mps > limit:
            who = f"{actor.kind.name.lower().replace('_', ' ')} {actor.id} would move"
            on_foot = actor.kind in (Semantic.PERSON, Semantic.SITTING_PERSON)
            found.append(
                TooFast(
                    who=who, value=mps, limit=limit, over=over,
                    impossible=mps > (ON_WHEELS_MPS if on_foot else limit),
                    steady=lasts_us >= STEADY_US and len(path) >= STEADY_BOXES,
                )
            )  # fmt: skip
    return found, moving


def _wrong_times(others: list[TooFast], moving: int) -> list[TooFast]:
    """Those who prove that times are wrong: many, or where hardly anybody moves, one for long."""
    impossible = [each for each in others if each.impossible]
    if len(impossible) >= MANY and len(impossible) > THIRD * moving:
        return impossible
    if moving < MANY:
        return [each for each in impossible if each.steady and each.times >= STEADY_TIMES]
    return []


def _named(odd: TooFast) -> str:
    return (
        f"{odd.who} at {odd.value:.3g} {odd.unit} ({odd.over}), {odd.times:.2g} times the "
        f"{odd.limit:g} {odd.unit} that are the most of its kind: check its track"
    )


def _fastest_mps(kind: Semantic) -> float:
    """The fastest that a kind of road user moves [m/s]: `scenes.motion.limits`, which says why."""
    match kind:
        case Semantic.TRUCK | Semantic.BUS | Semantic.TRAM:
            return HEAVY_MPS
        case Semantic.CYCLIST | Semantic.BICYCLE:
            return RIDER_MPS
        case Semantic.VAN:  # unloaded, and nobody asked it to
            return limits_of(Semantic.CAR).fastest_mps
        case _:
            return limits_of(kind).fastest_mps


def _jumps(ego: Trajectory, where: object) -> tuple[str, ...]:
    """A note of steps that no car drives; a leap, or very many of them, are refused."""
    if len(ego) < 2:
        return ()
    way_m = np.linalg.norm(np.diff(ego.world_from_body[:, :3, 3], axis=0), axis=1)
    seconds = np.diff(ego.time_us) * 1e-6
    limit_mps = limits_of(Semantic.CAR).fastest_mps
    odd = np.maximum(way_m - CAR_JITTER_M, 0.0) / seconds > limit_mps
    if not odd.any():
        return ()
    more_m = np.linalg.norm(jumps_of(ego), axis=1)
    worst = int(np.argmax(np.where(odd, more_m, -1.0)))
    said = (
        f"{way_m[worst]:.3g} m in {seconds[worst]:.3g} s, from pose {worst} to {worst + 1} (at "
        f"{(ego.time_us[worst] - ego.time_us[0]) * 1e-6:.2f} s), {more_m[worst]:.3g} m off the "
        "steps around it"
    )
    if odd.sum() > 1:
        said += f"; {odd.sum() - 1} more steps are too long"
    if more_m[worst] > LEAP_M or odd.sum() >= max(MANY, OFTEN * len(odd)):
        fix = "the times at which poses were taken, and poses in metres that do not leap"
        raise DriveError(where, f"the car that recorded would leap {said}", fix)
    return (f"the poses of the car jump: {said}",)


def _grip(ego: Trajectory) -> TooFast | None:
    """Whether the car would speed up, brake or turn harder than tyres allow, and not for once."""
    times = ego.time_us
    half_us = min(HALF_US, int(times[-1] - times[0]) // 4)
    middle = times[(times - half_us >= times[0]) & (times + half_us <= times[-1])]
    if half_us < HALF_US // 4 or len(middle) < FEWEST:
        return None
    before, here, after = (ego.at(middle + shift)[:, :3, 3] for shift in (-half_us, 0, half_us))
    bend_m = np.linalg.norm(before - 2.0 * here + after, axis=1)
    seconds = half_us * 1e-6
    mps2 = float(np.quantile(np.maximum(bend_m - CAR_JITTER_M, 0.0), SUSTAINED)) / seconds**2
    if mps2 <= GRIP_MPS2:
        return None
    who, over = "the car that recorded would speed up, brake or turn", "in a tenth of the drive"
    return TooFast(who=who, value=mps2, limit=GRIP_MPS2, over=over, unit="m/s²")


def _slower(clip: Clip, worst: TooFast, rate_is_given: bool) -> str:
    hz = _rate_hz(clip.cameras[0].time_us)
    # The usual rate explains it, or the first factor that leaves half of what is possible.
    factor = next(
        (times for times in TIMES_SLOWER if times >= 2.0 * worst.times), 2.0 * worst.times
    )
    if hz / USUAL_HZ >= worst.times and hz > 1.5 * USUAL_HZ:
        factor = hz / USUAL_HZ
    if rate_is_given:
        slower = worst.slower(factor)
        return f"--rate {hz / factor:.3g}, at which it would be {slower}, or poses in metres"
    return (
        f"times in seconds, or poses in metres: were its times {factor:.3g} times as long, it "
        f"would be {worst.slower(factor)}"
    )


def _too_slow(clip: Clip, rate_is_given: bool) -> str | None:
    """What to look at where a car creeps, yet its pictures are far apart."""
    stream = clip.cameras[0]
    place_m = clip.ego.at(stream.time_us)[:, :3, 3]
    step_m = np.linalg.norm(np.diff(place_m, axis=0), axis=1)
    if step_m.sum() < SLOW_M or float(np.median(step_m)) < SLOW_STEP_M:
        return None
    mps = step_m / (np.diff(stream.time_us) * 1e-6)
    fastest = float(np.quantile(mps, 0.95))
    if fastest > SLOW_MPS:
        return None
    factor = USUAL_HZ / _rate_hz(stream.time_us)
    fix = f"--rate {USUAL_HZ:g}" if rate_is_given else "check its times"
    return (
        f"the car never drives faster than {fastest:.1f} m/s, with a picture every "
        f"{np.median(step_m):.1f} m: were they taken at {USUAL_HZ:g} Hz, it would be "
        f"{fastest * factor:.1f} m/s ({fix})"
    )


def _rate_hz(time_us: np.ndarray) -> float:
    return 1e6 / float(np.median(np.diff(time_us))) if len(time_us) > 1 else USUAL_HZ
