"""What a camera makes of the light that reaches it: exposure and white balance.

Both multiply linear radiance, before the response curve. They change colours only: geometry, depth
and labels stay bit-identical.
"""

from dataclasses import dataclass
from typing import Annotated

from scenes.storage.validation import Within, check

STOPS = Within(-16.0, 16.0, "stops")
"""Changes of exposure [stops]."""
BALANCE = Within(0.0625, 16.0)
"""Linear gains of one channel relative to another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraLook:
    """Changes to exposure and white balance; the default reproduces the recording to the bit."""

    exposure_ev: Annotated[float, STOPS] = 0.0
    """Change of exposure [stops]: +1 doubles the linear radiance."""
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Linear gains of red, green and blue."""

    def __post_init__(self) -> None:
        check(self)
        if not all(BALANCE.low <= gain <= BALANCE.high for gain in self.white_balance):
            raise ValueError(
                f"white_balance is {self.white_balance}: expected three gains from "
                f"{BALANCE.low} to {BALANCE.high}"
            )

    @property
    def gains(self) -> tuple[float, float, float]:
        """What linear red, green and blue are multiplied by; exactly 1 where neutral."""
        brighter = 2.0**self.exposure_ev
        red, green, blue = self.white_balance
        return brighter * red, brighter * green, brighter * blue


NEUTRAL = CameraLook()
"""The recording's own exposure and white balance."""
