"""Labels of how near the ego and each road user come; `scenes.safety.definitions` defines them."""

from collections.abc import Callable

from render.json_value import Json
from render.labels.entry import FrameLabel, ObjectLabel, Sighting
from scenes.safety.encounters import Encounter, encounter_at


def _of(seen: Sighting) -> Encounter | None:
    ego = seen.moment.ego
    return None if ego is None else encounter_at(ego, seen.box.actor, seen.moment.time_us)


def _label(
    name: str, definition: str, unit: str, read: Callable[[Encounter], Json], dtype: str, shape: str
) -> ObjectLabel:
    def compute(seen: Sighting) -> Json:
        met = _of(seen)
        return None if met is None else read(met)

    return ObjectLabel(
        name=name, definition=definition, unit=unit, dtype=dtype, shape=shape, compute=compute
    )


UNKNOWN = "null where the ego's motion or the road user is not known."
SAFETY_LABELS: tuple[ObjectLabel, ...] = (
    _label(
        "ttc_s",
        "Time to collision: until the boxes of the ego and of this road user first touch in plan "
        "view, if both kept their velocity and yaw rate; 0 in a collision, null where no touch is "
        "foreseen within 10 s, or a motion is known from one pose alone.",
        "s", lambda met: met.ttc_s, "float or null", "",
    ),
    _label(
        "pet_s",
        "Post-encroachment time: the least time, over the scenario's window, between one of the "
        "two being at a place and the other being there; null where their ways share no place.",
        "s", lambda met: met.pet_s, "float or null", "",
    ),
    _label(
        "distance_m",
        f"Distance of its box from the ego's in plan view; {UNKNOWN}",
        "m", lambda met: met.distance_m, "float or null", "",
    ),
    _label(
        "min_distance_m",
        f"The least such distance in the scenario's window; {UNKNOWN}",
        "m", lambda met: met.min_distance_m, "float or null", "",
    ),
    _label(
        "headway_s",
        "Time that the ego's front needs to where its rear is now; null where it is not ahead in "
        "the ego's width, the ego stands, or a motion is known from one pose alone.",
        "s", lambda met: met.headway_s, "float or null", "",
    ),
    _label(
        "required_deceleration_mps2",
        "Constant braking that sheds the ego's approach to it before the touch that ttc_s "
        f"foresees; 0 where there is none, or in a collision; {UNKNOWN}",
        "m/s²", lambda met: met.required_deceleration_mps2, "float or null", "",
    ),
    _label(
        "collision",
        f"Whether its box overlaps the ego's in plan view; {UNKNOWN}",
        "", lambda met: met.collision, "bool or null", "",
    ),
    _label(
        "contact_point_m",
        "World x, y of the middle of what the boxes share; null where they are apart.",
        "m", lambda met: list(met.contact_point_m) if met.contact_point_m else None,
        "float or null", "2",
    ),
)  # fmt: skip

TAGS_LABEL = FrameLabel(
    name="tags",
    definition="Words that describe the scenario, such as its family of near-collisions.",
    unit="",
    dtype="str",
    shape="words",
    compute=lambda moment: list(moment.ego.tags) if moment.ego is not None else [],
)
