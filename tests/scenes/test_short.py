"""What large values say of themselves in a console."""

import numpy as np
import pytest

from scenes.clip import Clip
from scenes.storage.clip_files import load_clip
from scenes.work.short_repr import short_repr
from scenes.worlds.record.sample import sample_path, truth_views

LONGEST = 600


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip(sample_path())


def test_a_clip_of_forty_pictures_fits_a_console(clip: Clip) -> None:
    said = repr(clip)
    assert len(said) < LONGEST  # it was 71,185
    assert said.startswith("Clip(name='street-7', ")
    assert f"actors=({len(clip.actors)} x Actor)" in said


def test_so_does_everything_in_it(clip: Clip) -> None:
    parts = [clip.ego, *clip.cameras, *clip.lidars, *clip.actors, clip.lidars[0].read(0)]
    parts += truth_views()[:1]
    for part in parts:
        assert len(repr(part)) < LONGEST, repr(part)


def test_shapes_stand_for_arrays(clip: Clip) -> None:
    n = len(clip.ego.time_us)
    assert repr(clip.ego) == f"Trajectory(time_us=int64[{n}], world_from_body=float64[{n}, 4, 4])"


def test_few_things_are_shown_and_many_are_counted() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Bag:
        things: tuple
        table: dict
        array: np.ndarray

        __repr__ = short_repr

    few = Bag((1, "two"), {}, np.zeros((2, 3), dtype=np.float32))
    assert repr(few) == "Bag(things=(1, 'two'), table={}, array=float32[2, 3])"
    many = Bag(tuple(range(5)), {"a": 1, "b": 2}, np.zeros(0))
    assert repr(many) == "Bag(things=(5 x int), table={2 items}, array=float64[0])"
    assert len(repr(Bag(("x" * 500,), {}, np.zeros(1)))) < 150
