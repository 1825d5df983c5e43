"""Scenarios as OpenSCENARIO XML 1.2 have the form that the standard's documentation prescribes.

ASAM's schema may not be shipped; this is our own table of the elements that we write. By hand, 47
files of all families and classes were valid against `OpenSCENARIO.xsd` of version 1.2.0.
"""

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from scenes.actor import Actor
from scenes.criticality.drive import windowed
from scenes.criticality.request import Criticality
from scenes.edits.edited_scene import EditedScene
from scenes.scenario.openscenario import as_openscenario
from scenes.scenario.sampling import Drawer, Drawn
from scenes.scenario.scenario import Draft, Request
from scenes.semantics import ACTOR_KINDS
from tests.clip_maker import make_clip, parked_car, ride

NUMBER, NAME = r"-?\d+(\.\d+)?(e[+-]?\d+)?", r"[^$].*"
FORM: dict[str, tuple[dict[str, str], str]] = {
    # element: its attributes, all of them required, and its children, in this order
    "OpenSCENARIO": ({}, "FileHeader CatalogLocations RoadNetwork Entities Storyboard "),
    "FileHeader": (
        {"revMajor": "1", "revMinor": "2", "date": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
         "author": NAME, "description": ".*"}, ""),
    "CatalogLocations": ({}, ""),
    "RoadNetwork": ({}, ""),
    "Entities": ({}, "(ScenarioObject )*"),
    "ScenarioObject": ({"name": NAME}, "(Vehicle|Pedestrian|MiscObject) "),
    "Vehicle": (
        {"name": NAME, "vehicleCategory": "bicycle|bus|car|motorbike|semitrailer|trailer|train|"
         "tram|truck|van"}, "BoundingBox Performance Axles Properties "),
    "Pedestrian": (
        {"name": NAME, "mass": NUMBER, "pedestrianCategory": "animal|pedestrian|wheelchair"},
        "BoundingBox Properties "),
    "MiscObject": (
        {"name": NAME, "mass": NUMBER, "miscObjectCategory": "barrier|building|none|obstacle"},
        "BoundingBox Properties "),
    "BoundingBox": ({}, "Center Dimensions "),
    "Center": (dict.fromkeys("xyz", NUMBER), ""),
    "Dimensions": (dict.fromkeys(("width", "length", "height"), NUMBER), ""),
    "Performance": (
        dict.fromkeys(("maxSpeed", "maxAcceleration", "maxDeceleration"), NUMBER), ""),
    "Axles": ({}, "FrontAxle RearAxle "),
    "Properties": ({}, ""),
    "Storyboard": ({}, "Init (Story )+StopTrigger "),
    "Init": ({}, "Actions "),
    "Actions": ({}, "(Private )*"),
    "Private": ({"entityRef": NAME}, "(PrivateAction )+"),
    "PrivateAction": ({}, "(TeleportAction|RoutingAction) "),
    "TeleportAction": ({}, "Position "),
    "Position": ({}, "WorldPosition "),
    "WorldPosition": (dict.fromkeys("xyzhpr", NUMBER), ""),
    "Story": ({"name": NAME}, "(Act )+"),
    "Act": ({"name": NAME}, "(ManeuverGroup )+StartTrigger "),
    "ManeuverGroup": ({"name": NAME, "maximumExecutionCount": r"\d+"}, "Actors (Maneuver )*"),
    "Actors": ({"selectTriggeringEntities": "true|false"}, "(EntityRef )*"),
    "EntityRef": ({"entityRef": NAME}, ""),
    "Maneuver": ({"name": NAME}, "(Event )+"),
    "Event": ({"name": NAME, "priority": "override|parallel|skip"}, "(Action )+StartTrigger "),
    "Action": ({"name": NAME}, "(PrivateAction|GlobalAction) "),
    "GlobalAction": ({}, "EntityAction "),
    "EntityAction": ({"entityRef": NAME}, "(AddEntityAction|DeleteEntityAction) "),
    "AddEntityAction": ({}, "Position "),
    "DeleteEntityAction": ({}, ""),
    "RoutingAction": ({}, "FollowTrajectoryAction "),
    "FollowTrajectoryAction": ({}, "TrajectoryRef TimeReference TrajectoryFollowingMode "),
    "TrajectoryRef": ({}, "Trajectory "),
    "Trajectory": ({"name": NAME, "closed": "true|false"}, "Shape "),
    "Shape": ({}, "Polyline "),
    "Polyline": ({}, "(Vertex ){2,}"),
    "Vertex": ({"time": NUMBER}, "Position "),
    "TimeReference": ({}, "Timing "),
    "Timing": (
        {"domainAbsoluteRelative": "absolute|relative", "scale": NUMBER, "offset": NUMBER}, ""),
    "TrajectoryFollowingMode": ({"followingMode": "follow|position"}, ""),
    "StartTrigger": ({}, "(ConditionGroup )*"),
    "StopTrigger": ({}, "(ConditionGroup )*"),
    "ConditionGroup": ({}, "(Condition )+"),
    "Condition": (
        {"name": NAME, "delay": NUMBER, "conditionEdge": "falling|none|rising|risingOrFalling"},
        "ByValueCondition "),
    "ByValueCondition": ({}, "SimulationTimeCondition "),
    "SimulationTimeCondition": (
        {"value": NUMBER, "rule": "equalTo|greaterThan|lessThan|greaterOrEqual|lessOrEqual"}, ""),
}  # fmt: skip
AXLE: dict[str, str] = dict.fromkeys(
    ("maxSteering", "wheelDiameter", "trackWidth", "positionX", "positionZ"), NUMBER
)
FORM |= {"FrontAxle": (AXLE, ""), "RearAxle": (AXLE, "")}


def problems(text: str) -> list[str]:
    """Whatever is not as the table says, and references to entities that there are not."""
    root, found = ET.fromstring(text), list[str]()  # noqa: S314  # our own
    for element in root.iter():
        if element.tag not in FORM:
            found.append(f"{element.tag} is no element")
            continue
        attributes, children = FORM[element.tag]
        if element.keys() ^ attributes.keys():
            found.append(f"{element.tag} has {sorted(element.keys())}")
        for name, value in element.items():
            if name in attributes and not re.fullmatch(attributes[name], value):
                found.append(f"{element.tag}.{name} is {value}")
        if not re.fullmatch(children, "".join(f"{child.tag} " for child in element)):
            found.append(f"{element.tag} holds {[child.tag for child in element]}")
    names = {one.get("name") for one in root.iter("ScenarioObject")}
    refs = {one.get("entityRef") for one in root.iter() if "entityRef" in one.keys()}  # noqa: SIM118
    return found + [f"nobody is called {ref}" for ref in refs - names]


def staging_of_every_kind() -> tuple[EditedScene, str]:
    clip, known = make_clip(ride()), parked_car(20.0, 3.0)
    cast = tuple(
        Actor(id=number, kind=kind, size_m=known.size_m, trajectory=known.trajectory)
        for number, kind in enumerate(sorted(ACTOR_KINDS))
    )
    edited = EditedScene(ego=clip.ego, actors=cast, start_us=0, end_us=3_000_000)
    return edited, as_openscenario('a "name" & <more>', edited, clip)


def test_every_kind_of_road_user_has_the_prescribed_form() -> None:
    edited, text = staging_of_every_kind()
    assert problems(text) == []
    assert text.count("<ScenarioObject ") == len(edited.actors) + 1


def present_s(root: ET.Element, ref: str) -> tuple[float, float]:
    """When a simulator has an entity: from when, and until when [s]."""
    started = [one.get("entityRef") for one in root.iter("Private")]
    first, last = (0.0 if ref in started else np.inf), np.inf
    for event in root.iter("Event"):
        (when,) = event.iter("SimulationTimeCondition")
        for action in event.iter("EntityAction"):
            if action.get("entityRef") != ref:
                continue
            if action[0].tag == "AddEntityAction":
                assert ref not in started, "nobody is added who is there"
                assert when.get("rule") == "greaterOrEqual"
                first = float(when.get("value", "nan"))
            else:
                assert when.get("rule") == "greaterThan", "it is still there at its last time"
                last = float(when.get("value", "nan"))
    return first, last


@pytest.mark.parametrize("stands", [True, False])
@pytest.mark.parametrize(
    ("first_us", "last_us", "known_s"),
    [
        (0, 6_000_000, (0.0, np.inf)),
        (3_000_000, 6_000_000, (2.0, np.inf)),
        (0, 4_000_000, (0.0, 3.0)),
        (3_000_000, 4_000_000, (2.0, 3.0)),
        (5_000_000, 6_000_000, (4.0, np.inf)),  # at the last time of the window only
    ],
)
def test_nobody_is_there_when_nobody_knows_them(
    first_us: int, last_us: int, known_s: tuple[float, float], *, stands: bool
) -> None:
    clip, known = make_clip(ride()), parked_car(20.0, 3.0)
    path = known.trajectory if stands else ride(speed_mps=8.0)
    part = windowed(path, first_us, last_us)
    actor = Actor(id=3, kind=known.kind, size_m=known.size_m, trajectory=part)
    edited = EditedScene(ego=clip.ego, actors=(actor,), start_us=1_000_000, end_us=5_000_000)
    text = as_openscenario("part", edited, clip)
    assert problems(text) == []
    root = ET.fromstring(text)  # noqa: S314  # our own
    assert present_s(root, "ego") == (0.0, np.inf)
    assert present_s(root, "actor_3") == known_s
    for event in root.iter("Event"):
        if event.get("name") == "actor_3":
            (when,) = event.iter("SimulationTimeCondition")
            assert float(when.get("value", "nan")) == known_s[0]


@pytest.mark.parametrize("family", ["cut-in", "dart-out", "detour-oncoming"])
def test_near_collisions_have_the_prescribed_form(family: str) -> None:
    asked = Draft(of=Criticality, values={"family": family, "min_ttc_s": 1.2})
    clip = make_clip(ride(speed_mps=12.0, seconds=8.0))
    made = Drawer(request=Request(criticality=asked), clip=clip, where="test").draw(0)
    assert isinstance(made, Drawn), made
    assert problems(made.files["scenario.xosc"]) == []
    told = json.loads(made.files["resolved.json"])
    vertices = made.files["scenario.xosc"].count("<Vertex ")
    assert vertices >= len(told["ego"]["time_us"])


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("<RoadNetwork/>\n", ""),
        (' closed="false"', ""),
        ('rule="greaterOrEqual"', 'rule="later"'),
        ("<Properties/>", "<Properties/><Wheels/>"),
        ('<EntityRef entityRef="ego"/>', '<EntityRef entityRef="nobody"/>'),
    ],
)
def test_what_has_another_form_is_noticed(was: str, now: str) -> None:
    _, text = staging_of_every_kind()
    assert was in text
    assert problems(text.replace(was, now, 1))
