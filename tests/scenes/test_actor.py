import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from scenes.actor import Actor
from scenes.motion.geometry import rigid
from scenes.motion.trajectory import Trajectory
from scenes.semantics import ACTOR_KINDS, COLOURS, Semantic
from tests.strategies import actors


def driving(speed_mps: float, seconds: float = 2.0, jitter_m: float = 0.0) -> Actor:
    time_us = np.arange(0, int(seconds * 1e6) + 1, 100_000)
    place_m = np.outer(time_us * 1e-6, [speed_mps, 0.0, 0.0])
    place_m[1::2, 1] += jitter_m
    return Actor(
        id=7,
        kind=Semantic.CAR,
        size_m=np.array([4.2, 1.8, 1.5]),
        trajectory=Trajectory(
            time_us=time_us,
            world_from_body=rigid(np.tile(np.eye(3), (len(place_m), 1, 1)), place_m),
        ),
    )


@given(actors(), st.integers(0, 10**7))
def test_it_is_known_as_long_as_its_track_and_no_longer(actor: Actor, slack_us: int) -> None:
    first, last = (int(time) for time in actor.trajectory.time_us[[0, -1]])
    for time_us, slack in ((first, 0), (last, 0), (first - slack_us, slack_us)):
        assert actor.at(time_us, slack) is not None
    assert actor.at(first - 1) is None
    assert actor.at(last + 1) is None
    assert actor.at(last + slack_us + 1, slack_us) is None
    held = actor.at(last + slack_us, slack_us)
    assert held is not None
    assert_array_equal(held, actor.trajectory.world_from_body[-1])


@given(actors())
def test_an_actor_equals_itself_only(actor: Actor) -> None:
    bigger = Actor(
        id=actor.id, kind=actor.kind, size_m=actor.size_m + 1.0, trajectory=actor.trajectory
    )
    assert actor == actor
    assert actor != bigger
    assert actor != "actor"


@pytest.mark.parametrize(
    ("actor", "moves"),
    [
        (driving(10.0), True),
        (driving(1.5), True),
        (driving(0.0), False),
        (driving(0.0, jitter_m=0.9), False),
        (driving(5.0, seconds=0.0), False),
    ],
)
def test_jitter_is_not_motion(actor: Actor, moves: bool) -> None:
    assert actor.is_moving == moves


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": -1}, "negative"),
        ({"kind": Semantic.ROAD}, "not a kind of actor"),
        ({"size_m": np.array([4.0, 0.0, 1.0])}, "impossible size"),
        ({"size_m": np.array([4.0, np.nan, 1.0])}, "impossible size"),
    ],
)
def test_impossible_actors_are_refused(change: dict, message: str) -> None:
    actor = driving(1.0)
    fields = {"id": 7, "kind": actor.kind, "size_m": actor.size_m, "trajectory": actor.trajectory}
    with pytest.raises(ValueError, match=message):
        Actor(**(fields | change))


def test_every_class_has_a_colour_and_ids_do_not_change() -> None:
    assert set(COLOURS) == set(Semantic)
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert Semantic.UNKNOWN not in ACTOR_KINDS
    frozen = {"UNKNOWN": 0, "SKY": 1, "GROUND": 2, "BUILDING": 10, "CAR": 20, "PERSON": 30}
    assert {name: Semantic[name] for name in frozen} == frozen
