"""A scenario as OpenSCENARIO XML 1.2, for simulators: who is where and when, nothing else.

Positions are in the clip's world (x, y, z up, metres; h, p, r radians). An entity's reference
point is the middle of the bottom of its box. There is no road network: trajectories are explicit.
Time 0 is the beginning of the window. Whoever is known from its beginning is there from the start;
others are added when they are first known. Whoever is not known to its end is deleted then.
Edits of the camera's look have no counterpart here, and are left out.
"""

import math
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import Float64

from scenes.actor import Actor
from scenes.clip import Clip
from scenes.edits.edited_scene import EditedScene
from scenes.motion.limits import VehicleLimits, limits_of
from scenes.motion.trajectory import Trajectory
from scenes.safety.boxes import ego_boxes, windowed
from scenes.semantics import Semantic
from scenes.work.memoize import memoized

DATE = "2000-01-01T00:00:00"
"""The standard wants a date; equal scenarios give equal bytes, so it says nothing."""
VEHICLES = {
    Semantic.CAR: "car", Semantic.VAN: "van", Semantic.TRUCK: "truck", Semantic.BUS: "bus",
    Semantic.TRAM: "tram", Semantic.MOTORCYCLE: "motorbike", Semantic.BICYCLE: "bicycle",
    Semantic.CYCLIST: "bicycle",
}  # fmt: skip
"""Categories of vehicles."""
ON_FOOT = (Semantic.PERSON, Semantic.SITTING_PERSON)
ROUGH_KG = {"pedestrian": 75, "none": 100}
"""Masses that the standard wants and the drive does not know [kg]."""
EGO = "ego"
"""What the recording car is called; it always has a trajectory, since an act needs one."""
AXLES = (0.3, -0.3)
"""Where axles are taken to be, as shares of the length; the drive does not know."""


def as_openscenario(name: str, edited: EditedScene, clip: Clip) -> str:
    """The file's text; equal edited scenes give equal bytes.

    Args:
        name: What to call it.
        edited: Who is where; only its window is written.
        clip: Knows the ego's size.
    """
    window = (edited.start_us, edited.end_us)
    ego = windowed(ego_boxes(edited.ego, clip), *window)
    cast = [_written(EGO, Semantic.CAR, clip.ego_size_m, ego, window)]
    cast += [_written_actor(actor, *window) for actor in edited.actors if _is_there(actor, window)]
    seconds = (window[1] - window[0]) * 1e-6
    return "\n".join([
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<OpenSCENARIO>",
        f'<FileHeader revMajor="1" revMinor="2" date="{DATE}" author="otherlane"'
        f" description={quoteattr(name)}/>",
        "<CatalogLocations/>",
        "<RoadNetwork/>",
        "<Entities>", *(one.entity for one in cast), "</Entities>",
        "<Storyboard>",
        "<Init><Actions>", *(one.start for one in cast if one.start), "</Actions></Init>",
        '<Story name="story"><Act name="act">', *(one.moves for one in cast if one.moves),
        f"<StartTrigger>{_at(0.0)}</StartTrigger>",
        "</Act></Story>",
        f"<StopTrigger>{_at(seconds)}</StopTrigger>",
        "</Storyboard>",
        "</OpenSCENARIO>",
        "",
    ])  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    """One road user, as text."""

    entity: str
    start: str
    """Where it is at the beginning; nothing for those who come later."""
    moves: str
    """What it does; nothing for others who stand all the time."""


@memoized(2048)
def _written_actor(actor: Actor, start_us: int, end_us: int) -> _Written:
    path = windowed(actor.trajectory, start_us, end_us)
    return _written(f"actor_{actor.id}", actor.kind, actor.size_m, path, (start_us, end_us))


def _written(
    ref: str,
    kind: Semantic,
    size_m: Float64[np.ndarray, "3"],
    path: Trajectory,
    window: tuple[int, int],
) -> _Written:
    standing = _standing(path, size_m)
    still = ref != EGO and not np.ptp(path.world_from_body, axis=0).any()
    positions, seconds = _positions(standing), (standing.time_us - window[0]) * 1e-6
    comes = bool(path.time_us[0] > window[0])
    first, last = _at(float(seconds[0])), _at(float(seconds[-1]), "greaterThan")
    events: list[str] = []
    if comes:
        events.append(_event(f"{ref} comes", "parallel", _added(ref, positions[0]), first))
    if not still:
        priority = "parallel" if comes else "override"  # its coming is not to be stopped
        events.append(_event(ref, priority, _follows(ref, seconds, positions), first))
    if path.time_us[-1] < window[1]:
        events.append(_event(f"{ref} goes", "override", _deleted(ref), last))
    return _Written(
        entity=_entity(ref, kind, size_m),
        start="" if comes else _start(ref, positions[0]),
        moves=_group(ref, events) if events else "",
    )


def _is_there(actor: Actor, window: tuple[int, int]) -> bool:
    times = actor.trajectory.time_us
    return bool(times[0] <= window[1] and times[-1] >= window[0])


def _standing(path: Trajectory, size_m: Float64[np.ndarray, "3"]) -> Trajectory:
    """Poses of the middle of the bottom of a box."""
    down = np.eye(4)
    down[2, 3] = -0.5 * size_m[2]
    return path.mounted(down)


def _entity(ref: str, kind: Semantic, size_m: Float64[np.ndarray, "3"]) -> str:
    length, width, height = (f"{value:.4f}" for value in size_m)
    box = (
        f'<BoundingBox><Center x="0" y="0" z="{0.5 * size_m[2]:.4f}"/>'
        f'<Dimensions width="{width}" length="{length}" height="{height}"/></BoundingBox>'
    )
    if kind in VEHICLES:
        held = (
            f'<Vehicle name="{kind.name.lower()}" vehicleCategory="{VEHICLES[kind]}">{box}'
            f"{_performance(limits_of(kind))}{_axles(size_m, limits_of(kind))}"
            "<Properties/></Vehicle>"
        )
    elif kind in ON_FOOT:
        held = (
            f'<Pedestrian name="person" mass="{ROUGH_KG["pedestrian"]}"'
            f' pedestrianCategory="pedestrian">{box}<Properties/></Pedestrian>'
        )
    else:
        held = (
            f'<MiscObject name="object" mass="{ROUGH_KG["none"]}" miscObjectCategory="none">'
            f"{box}<Properties/></MiscObject>"
        )
    return f'<ScenarioObject name="{ref}">{held}</ScenarioObject>'


def _performance(limits: VehicleLimits) -> str:
    return (
        f'<Performance maxSpeed="{limits.fastest_mps}" maxAcceleration='
        f'"{limits.accelerating_mps2}" maxDeceleration="{limits.braking_mps2}"/>'
    )


def _axles(size_m: Float64[np.ndarray, "3"], limits: VehicleLimits) -> str:
    length, width = float(size_m[0]), float(size_m[1])
    steering = math.atan(limits.curvature_per_m * (AXLES[0] - AXLES[1]) * length)
    rows = [
        f'<{name} maxSteering="{turns:.4f}" wheelDiameter="0.6" trackWidth="{0.9 * width:.4f}"'
        f' positionX="{share * length:.4f}" positionZ="0.3"/>'
        for name, turns, share in (("FrontAxle", steering, AXLES[0]), ("RearAxle", 0.0, AXLES[1]))
    ]
    return f"<Axles>{''.join(rows)}</Axles>"


def _start(ref: str, position: str) -> str:
    action = f"<TeleportAction><Position>{position}</Position></TeleportAction>"
    return f'<Private entityRef="{ref}"><PrivateAction>{action}</PrivateAction></Private>'


def _added(ref: str, position: str) -> str:
    add = f"<AddEntityAction><Position>{position}</Position></AddEntityAction>"
    return f'<GlobalAction><EntityAction entityRef="{ref}">{add}</EntityAction></GlobalAction>'


def _deleted(ref: str) -> str:
    delete = f'<EntityAction entityRef="{ref}"><DeleteEntityAction/></EntityAction>'
    return f"<GlobalAction>{delete}</GlobalAction>"


def _follows(ref: str, seconds: Float64[np.ndarray, "n"], positions: list[str]) -> str:
    """An action: one entity follows its trajectory."""
    vertices = "".join(
        f'<Vertex time="{at:.6f}"><Position>{position}</Position></Vertex>'
        for at, position in zip(seconds.tolist(), positions, strict=True)
    )
    trajectory = (
        f'<TrajectoryRef><Trajectory name="{ref}" closed="false"><Shape><Polyline>{vertices}'
        "</Polyline></Shape></Trajectory></TrajectoryRef>"
        '<TimeReference><Timing domainAbsoluteRelative="absolute" scale="1" offset="0"/>'
        '</TimeReference><TrajectoryFollowingMode followingMode="position"/>'
    )
    return (
        "<PrivateAction><RoutingAction><FollowTrajectoryAction>"
        f"{trajectory}</FollowTrajectoryAction></RoutingAction></PrivateAction>"
    )


def _event(name: str, priority: str, action: str, trigger: str) -> str:
    return (
        f'<Event name="{name}" priority="{priority}"><Action name="{name}">{action}</Action>'
        f"<StartTrigger>{trigger}</StartTrigger></Event>"
    )


def _group(ref: str, events: list[str]) -> str:
    """A group of manoeuvres: what one entity does, in this order."""
    return (
        f'<ManeuverGroup maximumExecutionCount="1" name="{ref}">'
        f'<Actors selectTriggeringEntities="false"><EntityRef entityRef="{ref}"/></Actors>'
        f'<Maneuver name="{ref}">{"".join(events)}</Maneuver></ManeuverGroup>'
    )


def _positions(path: Trajectory) -> list[str]:
    poses = path.world_from_body
    heading = np.arctan2(poses[:, 1, 0], poses[:, 0, 0])
    pitch = np.arcsin(np.clip(-poses[:, 2, 0], -1.0, 1.0))
    roll = np.arctan2(poses[:, 2, 1], poses[:, 2, 2])
    values = np.column_stack([poses[:, :3, 3], heading, pitch, roll]).tolist()
    return [
        '<WorldPosition x="{:.6f}" y="{:.6f}" z="{:.6f}" h="{:.6f}" p="{:.6f}" r="{:.6f}"/>'.format(
            *row
        )
        for row in values
    ]


def _at(seconds: float, rule: str = "greaterOrEqual") -> str:
    """A trigger that fires at a time, or as soon as it is past."""
    return (
        '<ConditionGroup><Condition name="time" delay="0" conditionEdge="none"><ByValueCondition>'
        f'<SimulationTimeCondition value="{seconds:.6f}" rule="{rule}"/>'
        "</ByValueCondition></Condition></ConditionGroup>"
    )
