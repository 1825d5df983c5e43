"""How a scene looks, apart from where everything is: today, how brightly it is displayed.

A look changes colours only; geometry, depth and labels stay bit-identical. The neutral look
reproduces the recording.
"""

from dataclasses import dataclass
from typing import Annotated

from scenes.storage.validation import Within, check


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Changes to the light that reaches the camera; the default changes nothing."""

    exposure_ev: Annotated[float, Within(-16, 16, "stops")] = 0.0
    """Change of exposure [stops]: +1 doubles the linear radiance, 0 keeps the recording's."""

    def __post_init__(self) -> None:
        check(self)

    @property
    def gain(self) -> float:
        """What linear radiance is multiplied by; exactly 1 for the neutral look."""
        return 2.0**self.exposure_ev
