"""Near-collisions on request: families of encounters, each solved for what is requested of it.

A family turns (what is requested, the drive at some time, drawn numbers) into a plan: courses of
everybody in it, and edits of the ego, with one number left open: where on the road the other's
course lies. `scenes.criticality.solve` finds it by root finding. What comes out is plain edits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from scenes.criticality import ahead, crossing, ego_moves, oncoming
from scenes.criticality.setting import EncounterPlan, Goal, Setting

Span = tuple[float, float]
"""Lowest and highest value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One kind of encounter."""

    name: str
    """Its name in requests."""
    describe: str
    """What happens."""
    plan: Callable[[Setting, Goal], EncounterPlan]
    """Lays it out.

    Raises:
        InfeasibleError: It cannot be had like this; names the nearest value that can.
    """
    angles_deg: tuple[Span, ...]
    """Angles between headings that it can have where oncoming traffic is on the left."""
    closing_mps: tuple[float, float]
    """Closing speeds that it has at some speed of the ego up to 25 m/s."""
    longest_s: float = 6.0
    """Greatest time to collision that can be requested of it."""
    from_the_side: bool = False
    """Somebody comes from beside the road, where that is open."""
    ego_acts: bool = False
    """The ego does what it did not do, beyond braking."""


SAME, ONCOMING = ((-5.0, 5.0),), ((175.0, 180.0), (-180.0, -175.0))
ACROSS, ON_FOOT = ((45.0, 135.0), (-135.0, -45.0)), ((55.0, 125.0), (-125.0, -55.0))

_ALL = (
    Family(name="stationary", describe="somebody stands in the ego's lane",
           plan=ahead.stationary, angles_deg=((-20.0, 20.0),), closing_mps=(1.0, 25.0)),
    Family(name="lead-brake", describe="the car ahead brakes",
           plan=ahead.lead_brake, angles_deg=SAME, closing_mps=(1.5, 20.0)),
    Family(name="cut-in", describe="somebody slower changes into the ego's lane",
           plan=ahead.cut_in, angles_deg=SAME, closing_mps=(1.5, 20.0)),
    Family(name="cut-out-reveal", describe="the car ahead changes lanes before one that stands",
           plan=ahead.cut_out_reveal, angles_deg=((-20.0, 20.0),), closing_mps=(1.0, 25.0)),
    Family(name="oncoming-drift", describe="somebody oncoming drifts into the ego's lane",
           plan=oncoming.oncoming_drift, angles_deg=ONCOMING, closing_mps=(5.0, 50.0)),
    Family(name="left-turn-across", describe="somebody oncoming turns across the ego's path",
           plan=oncoming.left_turn_across, angles_deg=((-165.0, -115.0),),
           closing_mps=(2.0, 30.0), longest_s=3.5),
    Family(name="crossing", describe="somebody comes from a side road or a drive",
           plan=crossing.crossing, angles_deg=ACROSS, closing_mps=(2.0, 35.0),
           from_the_side=True),
    Family(name="dart-out", describe="somebody on foot runs across the lane",
           plan=crossing.dart_out, angles_deg=ON_FOOT, closing_mps=(1.5, 26.0), longest_s=4.0),
    Family(name="cyclist-along", describe="a cyclist rides along in the ego's lane",
           plan=ahead.cyclist_along, angles_deg=SAME, closing_mps=(1.5, 20.0)),
    Family(name="wrong-way", describe="somebody comes towards the ego in its lane",
           plan=oncoming.wrong_way, angles_deg=ONCOMING, closing_mps=(5.0, 50.0)),
    Family(name="into-occupied-gap", describe="the ego changes into a lane where somebody is",
           plan=ego_moves.into_occupied_gap, angles_deg=((-10.0, 10.0),), closing_mps=(1.5, 20.0),
           ego_acts=True),
    Family(name="detour-oncoming", describe="the ego goes around somebody and meets oncoming",
           plan=ego_moves.detour_oncoming, angles_deg=ONCOMING, closing_mps=(5.0, 50.0),
           ego_acts=True),
    Family(name="u-turn-oncoming", describe="the ego turns about before somebody oncoming",
           plan=ego_moves.u_turn_oncoming, angles_deg=((120.0, 155.0),),
           closing_mps=(4.0, 30.0), longest_s=3.0, ego_acts=True),
)  # fmt: skip

FAMILIES = MappingProxyType({family.name: family for family in _ALL})
"""Name -> family."""
