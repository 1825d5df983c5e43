"""How many steps a time budget buys: decided once, before training, and recorded.

The budget is the time until the scene is there. What was spent before is known; a step is measured
on a throwaway; what comes after training is reckoned in samples, as a step is. Schedules count
steps, never seconds, so the scene depends on the clock by this one number alone.
"""

import time

import numpy as np

from recon.actors.actor_visibility import MOST_RAYS
from recon.config import ReconstructionConfig
from recon.data.training_data import Data
from recon.training.loop import train_step
from recon.training.observation import COARSER, MOST_PIXELS
from recon.training.occupancy_refinement import LOOKS
from recon.training.state import new_training
from scenes.clip import Clip
from scenes.work.phase_lines import duration
from scenes.work.phases import heading, phase

FEWEST_STEPS = 40
"""Fewer show nothing but fog, however short the time."""
WARM_STEPS, MEASURED_STEPS = 16, 12
"""A training begins with few rays, whose number then grows to what the configuration wants."""
MEASURED_SHARE = 0.05
"""Of the time that there is, what measuring may take."""
SIGHTED_SAMPLES = 10.0
"""A ray that is only looked along costs as much as so many samples of a step; measured 7 on the
sample drive."""
REFINED_SHARE = 0.05
"""Looking into a cell of the core when it is refined costs as much as so much of a sample, most
cells being empty; measured 0.036."""
SAVED_S = 3.0
"""Measuring road users' fields, writing a scene and opening it again [s]."""
SPARE = 0.05
"""Share of the time that is left unplanned."""


def steps_within(clip: Clip, config: ReconstructionConfig, seconds: float, data: Data) -> int:
    """How many steps fit, when the scene has to be there in `seconds`; `FEWEST_STEPS` at least.

    Says what it planned.

    Args:
        clip: The recorded drive.
        config: Everything else that decides the result.
        seconds: From now on [s].
        data: The clip's pixels.
    """
    began = time.monotonic()
    with phase("measuring how fast training is here"):
        step_s = measured_step_s(clip, config, data, MEASURED_SHARE * seconds)
    after_s = finishing_s(config, data, step_s)
    left_s = (seconds - (time.monotonic() - began)) * (1.0 - SPARE) - after_s
    steps = max(FEWEST_STEPS, int(left_s / step_s))
    fits = steps * step_s <= left_s
    heading(
        f"planned: {steps} steps in {duration(steps * step_s)}, then {duration(after_s)} to finish"
        + ("" if fits else " (the budget is too short for this drive; fewer steps show nothing)")
    )
    return steps


def measured_step_s(
    clip: Clip, config: ReconstructionConfig, data: Data, at_most_s: float
) -> float:
    """Time of a typical step here [s], measured on a throwaway training, in so long or little more.

    Args:
        clip: The recorded drive.
        config: Everything that decides the result.
        data: The clip's pixels.
        at_most_s: When it is over, the last steps that were measured have to do [s].
    """
    training = new_training(clip, config, data)
    data = data.to(training.model.field.device)
    times = []
    for step in range(WARM_STEPS + MEASURED_STEPS):
        began = time.perf_counter()
        train_step(training, data, config, step)
        times.append(time.perf_counter() - began)
        if len(times) >= MEASURED_STEPS and sum(times) > at_most_s:
            break
    return float(np.mean(times[-min(MEASURED_STEPS, len(times) // 2) :]))


def finishing_s(config: ReconstructionConfig, data: Data, step_s: float) -> float:
    """Time between the last step and a scene that is there [s], reckoned from a step's."""
    looked_along = sum(
        -(-len(pixels.of_actors) // max(1, len(pixels.of_actors) // MOST_RAYS))
        for pixels in data.pixels
        if len(pixels.of_actors)
    )
    looked_again = sum(len(p.frame_index) * len(p.directions) for p in data.pixels) * COARSER**2
    looked_along += min(int(looked_again), MOST_PIXELS)
    core_cells = config.field.occupancy_resolution**3  # twice as fine, in the middle half
    samples = SIGHTED_SAMPLES * looked_along + REFINED_SHARE * LOOKS * core_cells
    return SAVED_S + step_s * samples / config.samples_per_step
