"""Looks for a near-collision by trying motions, with nothing of the package's families or solver.

The road is the recorded path, drawn on straight at both ends; motions are a few lines each, with
random numbers; where on the road the other begins is found by walking along it. What is found is
judged by `tests.brute_force`. A plain drive is a dictionary: `time_us`, `xy_m`, `yaw` of the
middle of the ego's box, `size_m`, `frames_us`, `standing` (boxes x, y, yaw, length, width of who
stands) and `off_road` (says of places whether nobody can drive there).
"""

from typing import Any

import numpy as np

from tests.brute_force import ahead, breaks_a_limit, corners, overlapping

STEP_US, LANE_M, FAR_M = 20_000, 3.5, 300.0
NEAR_S = 0.05
SIZES = {  # length, width: as in data sheets
    "CAR": (4.4, 1.8), "VAN": (5.4, 2.0), "CYCLIST": (1.8, 0.7), "PERSON": (0.5, 0.6),
}  # fmt: skip
States = np.ndarray
"""x, y [m] and yaw [rad] at successive times."""


def find(drive: dict[str, Any], family: str, ttc_s: float, tries: int, seed: int = 0) -> bool:
    """Whether a motion of that kind is found whose least time to collision is as requested."""
    rng = np.random.default_rng([seed, round(1e6 * ttc_s)])
    road = _road(drive)
    return any(_had(drive, road, family, ttc_s, rng) for _ in range(tries))


def _road(drive: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Places about a metre apart, without the noise of recorded poses, and lengths of the way."""
    at_us = np.linspace(drive["time_us"][0], drive["time_us"][-1], 400)
    xy = np.stack([np.interp(at_us, drive["time_us"], c) for c in drive["xy_m"].T], axis=1)
    order = 7 if len(drive["time_us"]) > 20 else 3
    u = np.linspace(-1.0, 1.0, 400)
    xy = np.stack([np.polynomial.Polynomial.fit(u, c, order)(u) for c in xy.T], axis=1)
    first, last = xy[0] - xy[8], xy[-1] - xy[-9]
    on = np.arange(1.0, FAR_M)[:, None]
    xy = np.concatenate([
        xy[0] + on[::-1] * first / np.hypot(*first), xy, xy[-1] + on * last / np.hypot(*last),
    ])  # fmt: skip
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    return way - way[len(on)], xy


def _on(road: tuple[np.ndarray, np.ndarray], way: np.ndarray, left: np.ndarray) -> np.ndarray:
    """World places of ways along the road and distances to its left."""

    def middle(at: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(at, road[0], column) for column in road[1].T], axis=-1)

    along = middle(way + 2.0) - middle(way - 2.0)
    along /= np.hypot(along[..., 0], along[..., 1])[..., None]
    return middle(way) + left[..., None] * np.stack([-along[..., 1], along[..., 0]], axis=-1)


def smooth(share: np.ndarray) -> np.ndarray:
    """From 0 to 1, gently at both ends."""
    u = np.clip(share, 0.0, 1.0)
    return u * u * u * (10 - 15 * u + 6 * u * u)


def _motions(
    family: str, t: np.ndarray, ego_mps: float, ttc: float, rng: np.random.Generator
) -> tuple[str, np.ndarray, np.ndarray]:
    """What it is, its way along the road since some place, and left of the road [m]."""
    draw, end, still = rng.uniform, t[-1], np.zeros_like(t)
    side = float(rng.choice([-1.0, 1.0]))
    kind = str(rng.choice(["CAR", "VAN"]))
    change = smooth(1 + (t - end + draw(0, 0.3)) / draw(2.8, 4.2))
    match family:
        case "stationary" | "cut-out-reveal":
            return kind, still, still + draw(-0.4, 0.4)
        case "lead-brake":
            slow = draw(0.0, max(0.1, ego_mps - 1.5))
            rate = (ego_mps - slow) / draw(0.6, 1.0) / end
            fall = np.minimum(np.cumsum(smooth(t / 0.4)) * 0.02 * rate, ego_mps - slow)
            return kind, np.cumsum(ego_mps - fall) * 0.02, still
        case "cut-in":
            slow = draw(2.0, max(2.1, ego_mps - 1.5))
            return kind, slow * t, side * LANE_M * (1 - change)
        case "cyclist-along":
            slow = draw(2.5, min(9.0, max(2.6, ego_mps - 1.5)))
            return "CYCLIST", slow * t, still - draw(0.2, 0.8)
        case "into-occupied-gap":
            return kind, draw(2.0, ego_mps + 15.0) * t, still + LANE_M + draw(-0.3, 0.3)
        case "oncoming-drift":
            left = LANE_M + (draw(0.3, 1.1) - LANE_M) * change
            return kind, -draw(4, 25) * t, left
        case "wrong-way":
            return kind, -draw(4, 25) * t, still + draw(-0.5, 0.5)
        case "detour-oncoming" | "u-turn-oncoming":
            return kind, -draw(4, 25) * t, still + LANE_M
        case "crossing" | "dart-out":
            walks = family == "dart-out"
            angle, speed = side * np.deg2rad(draw(60, 120)), draw(1, 4) if walks else draw(3, 14)
            gone = speed * (t - end - ttc) + draw(-0.6, 0.6)
            if walks:  # sets off somewhere on the way
                begins = draw(0.0, 0.8) * end
                gone = np.cumsum(speed * smooth((t - begins) / draw(0.8, 1.6))) * 0.02
                gone -= gone[-1] + speed * ttc
                kind = "PERSON"
            return kind, gone * np.cos(angle), gone * np.sin(angle)
        case "left-turn-across":
            radius = draw(6.5, 16)
            speed = draw(1.0, np.sqrt(2.6 * radius))
            turned = np.deg2rad(draw(20, 80)) + speed / radius * (t - end)
            turned = np.where(turned > 0.3, turned, 0.3 * np.exp(np.minimum(turned / 0.3 - 1, 0)))
            along, left = (np.cumsum(f(turned)) * 0.02 * speed for f in (np.cos, np.sin))
            return kind, -along, LANE_M - left + draw(-0.8, 0.8)
    raise ValueError(family)


def _ego(
    drive: dict[str, Any], road: tuple[np.ndarray, np.ndarray], family: str, at_us: np.ndarray,
    rng: np.random.Generator,
) -> States | None:  # fmt: skip
    """The ego in a window: as recorded, or doing what the family says; None if it has no time."""
    place = np.stack([np.interp(at_us, drive["time_us"], c) for c in drive["xy_m"].T], axis=1)
    yaw = np.interp(at_us, drive["time_us"], np.unwrap(drive["yaw"]))
    if family not in ("into-occupied-gap", "detour-oncoming", "u-turn-oncoming"):
        return np.column_stack([place, yaw])
    apart = np.hypot(*(place[:, None] - road[1]).T)
    rough = road[0][np.argmin(apart, axis=0)]
    t = (at_us - at_us[-1]) * 1e-6
    way = np.polynomial.Polynomial.fit(t, rough, 4)(t)
    if family != "u-turn-oncoming":
        lasts = rng.uniform(2.8, 3.4)
        begins = -lasts + rng.uniform(0.0, 0.5)
        if at_us[-1] + 1e6 * begins < drive["time_us"][0]:
            return None
        return _facing(_on(road, way, LANE_M * smooth((t - begins) / lasts)))
    slow, radius = rng.uniform(2.5, 4.5), rng.uniform(6.0, 8.0)
    before = float((way[1] - way[0]) / 0.02)
    braking = max(0.0, before - slow) / rng.uniform(4.0, 8.0)
    turning = rng.uniform(0.4, 1.4) * radius / slow
    if at_us[-1] - 1e6 * (braking + turning) < drive["time_us"][0] or braking + turning > -t[0]:
        return None
    begins = -turning - braking
    speed = before + (slow - before) * np.clip((t - begins) / max(braking, 1e-6), 0.0, 1.0)
    bend = smooth((t + turning) / 1.2) / radius
    heading = np.cumsum(speed * bend) * 0.02
    along, left = (np.cumsum(f(heading) * speed) * 0.02 for f in (np.cos, np.sin))
    return _facing(_on(road, way[0] + along, left))


def _facing(xy: np.ndarray, stands: float = 0.0) -> States:
    """States along places: facing where it goes; who stands faces `stands`."""
    step = np.gradient(xy, 0.02, axis=-2)
    yaw = np.arctan2(step[..., 1], step[..., 0])
    yaw = np.where(np.hypot(step[..., 0], step[..., 1]) > 0.05, yaw, stands)
    return np.concatenate([xy, np.unwrap(yaw, axis=-1)[..., None]], axis=-1)


def _least_s(
    ego: States, ego_m: np.ndarray, other: States, other_m: np.ndarray, requested: float, fine: bool
) -> float:
    """Least time to collision of all moments [s]; inf beyond what is requested and a half."""
    after = np.arange(0.0, requested + 0.5, 0.005 if fine else 0.04)
    which = np.arange(len(ego))[:: -5 if not fine else -1]
    boxes = []
    for states, size_m in ((ego, ego_m), (other, other_m)):
        rate = np.gradient(states, 0.02, axis=0)[which]
        boxes.append(corners(ahead(states[which], rate, after), size_m))
    meet = overlapping(*boxes)
    hit = meet.any(axis=1)
    return float(after[np.argmax(meet, axis=1)[hit]].min()) if hit.any() else np.inf


def _limits_kept(states: States, at_us: np.ndarray, kind: str) -> bool:
    pose = np.zeros((len(states), 4, 4))
    pose[:, :2, 3] = states[:, :2]
    return not breaks_a_limit({"time_us": at_us, "world_from_body": pose, "class": kind}, 1.0)


def _apart(a: States, a_m: np.ndarray, b: States, b_m: np.ndarray) -> bool:
    return not overlapping(corners(a, a_m), corners(b, b_m)).any()


def _had(
    drive: dict[str, Any], road: tuple[np.ndarray, np.ndarray], family: str, ttc_s: float,
    rng: np.random.Generator,
) -> bool:  # fmt: skip
    """One try: a window, motions with numbers drawn, and a walk along the road."""
    lasts_us = 3_000_000
    ends = [int(at) for at in drive["frames_us"] if at - lasts_us >= drive["time_us"][0]]
    if not ends:
        return False
    at_us = rng.choice(ends) - np.arange(lasts_us, -1, -STEP_US)
    ego, ego_m = _ego(drive, road, family, at_us, rng), np.array(drive["size_m"][:2])
    if ego is None:
        return False
    acts = family in ("into-occupied-gap", "detour-oncoming", "u-turn-oncoming")
    if acts and not _limits_kept(ego, at_us, "CAR"):
        return False
    t = (at_us - at_us[0]) * 1e-6
    ego_mps = float(np.hypot(*(ego[-1, :2] - ego[-2, :2])) / 0.02)
    kind, along, left = _motions(family, t, ego_mps, ttc_s, rng)
    size_m, near = np.array(SIZES[kind]), road[0][np.argmin(np.hypot(*(road[1] - ego[-1, :2]).T))]

    def there(offset_m: float) -> States:
        return _facing(_on(road, near - along[-1] + offset_m + along, left), float(ego[-1, 2]))

    grid = np.arange(-8.0, 20.0 + ttc_s * 45.0, 2.0)
    least = [_least_s(ego, ego_m, there(at), size_m, ttc_s, fine=False) for at in grid]
    for index in np.flatnonzero((np.array(least[:-1]) <= ttc_s) & (np.array(least[1:]) > ttc_s)):
        low, high = grid[index], grid[index + 1]
        for _ in range(8):
            middle = 0.5 * (low + high)
            nearer = _least_s(ego, ego_m, there(middle), size_m, ttc_s, fine=False) <= ttc_s
            low, high = (middle, high) if nearer else (low, middle)
        if _holds(drive, road, family, ttc_s, at_us, ego, there(low), kind, near, rng):
            return True
    return False


def _holds(
    drive: dict[str, Any], road: tuple[np.ndarray, np.ndarray], family: str, ttc_s: float,
    at_us: np.ndarray, ego: States, other: States, kind: str, near: float,
    rng: np.random.Generator,
) -> bool:  # fmt: skip
    """Whether a motion is all that was requested."""
    ego_m, size_m = np.array(drive["size_m"][:2]), np.array(SIZES[kind])
    if abs(_least_s(ego, ego_m, other, size_m, ttc_s, fine=True) - ttc_s) > NEAR_S:
        return False
    if not (_limits_kept(other, at_us, kind) and _apart(ego, ego_m, other, size_m)):
        return False
    if kind != "PERSON" and np.any(drive["off_road"](other[::5, :2])):
        return False
    for x, y, yaw, length, width in drive["standing"]:
        stands, box_m = np.tile([x, y, yaw], (len(ego), 1)), np.array([length, width])
        if not _apart(stands, box_m, other, size_m):
            return False
        acts = family in ("into-occupied-gap", "detour-oncoming", "u-turn-oncoming")
        if acts and _least_s(ego, ego_m, stands, box_m, ttc_s, fine=False) < ttc_s - NEAR_S:
            return False
    if family not in ("detour-oncoming", "cut-out-reveal"):
        return True
    company_m = np.array(SIZES["CAR"])
    for _ in range(12):  # somebody to go around, or who goes around
        if family == "detour-oncoming":
            way, left = near + rng.uniform(0.0, 45.0) + np.zeros(len(ego)), np.zeros(len(ego))
        else:
            t = (at_us - at_us[-1]) * 1e-6
            gone = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ego[:, :2], axis=0).T))])
            way = near + gone - gone[-1] + rng.uniform(6.0, 25.0)
            left = rng.choice([-1, 1]) * LANE_M * smooth((t + rng.uniform(0.5, 2.8)) / 3.2)
        box = _facing(_on(road, way, left), float(ego[0, 2]))
        if (
            _limits_kept(box, at_us, "CAR")
            and _apart(box, company_m, other, size_m)
            and _apart(box, company_m, ego, ego_m)
            and not np.any(drive["off_road"](box[::5, :2]))
            and _least_s(ego, ego_m, box, company_m, ttc_s, fine=False) >= ttc_s - NEAR_S
        ):
            return True
    return False
