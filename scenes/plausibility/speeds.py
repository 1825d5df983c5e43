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
from scenes.limits import limits_of
from scenes.semantics import Semantic
from scenes.trajectory import Trajectory

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
WINDOWS_US = (500_000, 1_000_000, 2_000_000, 4_000_000)
"""Speeds are measured over these, and over the whole track [µs]."""
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

    @property
    def times(self) -> float:
        """How many times as long its times must be for it to be just possible."""
        ratio = self.value / self.limit
        return ratio if self.unit == "m/s" else ratio**0.5

    def slower(self, times: float) -> str:
        """What it would be if times were so many times as long."""
        value = self.value / (times if self.unit == "m/s" else times * times)
        return f"{value:.2g} {self.unit}"


def check_speeds(clip: Clip, where: object, rate_is_given: bool) -> str | None:
    """Whether everybody in a clip moves as their kind can; a note where the drive seems too slow.

    Args:
        clip: The clip.
        where: What an error names.
        rate_is_given: Whether its format carries no times, so that `--rate` is what to change.

    Raises:
        DriveError: The car or another road user is too fast; the rate or factor of time that would
            make it plausible is named.
    """
    found = list(_too_fast(clip))
    if not found:
        return _too_slow(clip, rate_is_given)
    worst = max(found, key=lambda each: each.times)
    wrong = (
        f"{worst.who} at {worst.value:.3g} {worst.unit} ({worst.over}), more than "
        f"{worst.limit:g} {worst.unit}, which is the most of its kind"
    )
    if len(found) > 1:
        wrong += f"; {len(found) - 1} more are too fast"
    raise DriveError(where, wrong, _slower(clip, worst, rate_is_given))


def _too_fast(clip: Clip) -> Iterator[TooFast]:
    car = limits_of(Semantic.CAR).fastest_mps
    mps, over = _sustained_mps(clip.ego, CAR_JITTER_M)
    who = "the car that recorded would drive"
    if mps > car:
        yield TooFast(who=who, value=mps, limit=car, over=over)
    elif jump := _jump(clip.ego, car):
        yield jump
    elif grip := _grip(clip.ego):
        yield grip
    for actor in clip.actors:
        times = actor.trajectory.time_us
        if len(times) < FEWEST or times[-1] - times[0] < SHORTEST_US:
            continue
        limit = _fastest_mps(actor.kind)
        mps, over = _sustained_mps(actor.trajectory, BOX_JITTER_M)
        if mps > limit:
            who = f"{actor.kind.name.lower().replace('_', ' ')} {actor.id} would move"
            yield TooFast(who=who, value=mps, limit=limit, over=over)


def _fastest_mps(kind: Semantic) -> float:
    """The fastest that a kind of road user moves [m/s]: `scenes.limits`, which says why."""
    match kind:
        case Semantic.TRUCK | Semantic.BUS | Semantic.TRAM:
            return HEAVY_MPS
        case Semantic.CYCLIST | Semantic.BICYCLE:
            return RIDER_MPS
        case _:
            return limits_of(kind).fastest_mps


def _jump(ego: Trajectory, limit_mps: float) -> TooFast | None:
    """The worst step between two poses of the car, if it is more than its jitter."""
    if len(ego) < 2:
        return None
    way_m = np.linalg.norm(np.diff(ego.world_from_body[:, :3, 3], axis=0), axis=1)
    seconds = np.diff(ego.time_us) * 1e-6
    mps = np.maximum(way_m - CAR_JITTER_M, 0.0) / seconds
    worst = int(np.argmax(mps))
    if mps[worst] <= limit_mps:
        return None
    over = f"{way_m[worst]:.3g} m in {seconds[worst]:.3g} s, from pose {worst} to {worst + 1}"
    who = "the car that recorded would drive"
    return TooFast(who=who, value=float(mps[worst]), limit=limit_mps, over=over)


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


def _sustained_mps(path: Trajectory, jitter_m: float) -> tuple[float, str]:
    """The fastest middle speed (median) over any of the windows [m/s], and how it was measured."""
    times, place_m = path.time_us, path.world_from_body[:, :3, 3]
    whole_us = int(times[-1] - times[0])
    if whole_us == 0:
        return 0.0, ""
    best_mps, best = 0.0, ""
    for window_us in sorted({min(window_us, whole_us) for window_us in WINDOWS_US} | {whole_us}):
        starts = np.searchsorted(times, times[-1] - window_us, side="right")
        ends = np.searchsorted(times, times[:starts] + window_us)
        seconds = (times[ends] - times[:starts]) * 1e-6
        way_m = np.linalg.norm(place_m[ends] - place_m[:starts], axis=1)
        mps = float(np.median(np.maximum(way_m - jitter_m, 0.0) / seconds))
        if mps > best_mps:
            middle = int(np.argsort(way_m / seconds)[len(seconds) // 2])
            best_mps, best = mps, f"{way_m[middle]:.3g} m in {seconds[middle]:.3g} s"
    return best_mps, best


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
