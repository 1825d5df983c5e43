"""Where the time of a training step goes: parts of a step with a watch put around each."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import recon.training.loop
import recon.training.step_native
from benchmarks.machine import Cost
from recon.training.state import Training

ENGINE = ("engine", "looks")
"""What the engine does, on all its threads: rays, losses, gradients and tables that move, in one
call; densities in cells of the occupancy that are looked at again."""
PARTS = (*ENGINE, "draw", "exposure", "networks", "occupancy")
"""And outside of it: rays are drawn; exposures get their gradients; Adam on networks and exposures;
what the cells then remember."""


@dataclass(kw_only=True, slots=True)
class Watch:
    """Time by part, and what the engine counted."""

    wall_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    cpu_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    counted: Counter[str] = field(default_factory=Counter)

    def cost(self, part: str) -> Cost:
        """What a part took so far."""
        return Cost(wall_s=self.wall_s[part], cpu_s=self.cpu_s[part])

    def around(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            result = work(*arguments, **named)
            self.wall_s[part] += time.perf_counter() - wall
            self.cpu_s[part] += time.process_time() - cpu
            return result

        return timed


class Placed:
    """The engine's scene, with a watch around its step."""

    def __init__(self, placed: Any, watch: Watch) -> None:
        self.step = watch.around("engine", placed.train)
        self.watch = watch

    def train(self, *arguments: Any) -> dict[str, Any]:
        """A step."""
        done = self.step(*arguments)
        self.watch.counted["kept"] += done["samples"]
        self.watch.counted["evaluated"] += done["evaluated"]
        self.watch.counted["rays"] += len(arguments[0])
        return done


@contextmanager
def watched(training: Training) -> Iterator[Watch]:
    """Watches around the parts of every step that the native backend takes meanwhile."""
    watch, native = Watch(), training.native
    assert native is not None
    placed = native.placed
    places = (
        (recon.training.loop, "draw_batch", "draw"),
        (recon.training.loop, "_refresh", "occupancy"),
        (recon.training.step_native, "_expose", "exposure"),
    )
    before = [getattr(module, name) for module, name, _ in places]
    for (module, name, part), work in zip(places, before, strict=True):
        setattr(module, name, watch.around(part, work))
    training.networks.step = watch.around("networks", training.networks.step)
    looks = native.density
    native.density = watch.around("looks", looks)
    native.placed = lambda sampling, growth, instances: Placed(
        placed(sampling, growth, instances), watch
    )
    try:
        yield watch
    finally:
        native.placed, native.density = placed, looks
        for spent in (watch.wall_s, watch.cpu_s):
            spent["occupancy"] -= spent["looks"]  # which it holds
        del training.networks.step
        for (module, name, _), work in zip(places, before, strict=True):
            setattr(module, name, work)
