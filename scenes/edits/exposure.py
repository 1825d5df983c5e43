"""Edits of the camera's look: its exposure and its white balance, the same at all times.

Exposures add and white balances multiply, whatever stands between them, so the order of look edits
does not matter (beyond the rounding of sums and products of more than two).
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from scenes.edits.actors import ALWAYS
from scenes.errors import InfeasibleError
from scenes.sensors.camera_look import BALANCE, STOPS, CameraLook
from scenes.storage.validation import Within, check

GAIN = Within(0.25, 4.0)
"""Linear gains that one edit of the white balance may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """Longer or shorter exposure: linear radiance times 2 to the power of the stops."""

    kind: ClassVar[str] = "exposure"
    may_precede_drive: ClassVar[bool] = True
    start_us: ClassVar[int] = ALWAYS

    stops: Annotated[float, STOPS]
    """Change of exposure [stops]: +1 doubles the linear radiance, 0 keeps it."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, camera: CameraLook) -> CameraLook:
        """The look with this much more exposure.

        Raises:
            InfeasibleError: All edits of the exposure up to this one add up to too much.
        """
        if self.stops == 0.0:
            return camera
        total = camera.exposure_ev + self.stops
        if not STOPS.low <= total <= STOPS.high:
            wrong = f"brings the change of exposure to {total:g} stops in all"
            fix = f"{STOPS.low:g} to {STOPS.high:g} stops in all"
            raise InfeasibleError(self.kind, wrong, fix, "exposure out of range")
        return replace(camera, exposure_ev=total)

    def describe(self) -> str:
        """The edit in words."""
        return f"exposure {self.stops:+g} stops"


@dataclass(frozen=True, kw_only=True, slots=True)
class WhiteBalance:
    """Gains of red and blue relative to green, in linear light; green and exposure are kept.

    These are gains on linear sRGB (the colour space of the field), not on a sensor's raw channels,
    and no colour temperatures, which would need the sensor's spectral response.
    """

    kind: ClassVar[str] = "white-balance"
    may_precede_drive: ClassVar[bool] = True
    start_us: ClassVar[int] = ALWAYS

    red: Annotated[float, GAIN] = 1.0
    """What linear red is multiplied by."""
    blue: Annotated[float, GAIN] = 1.0
    """What linear blue is multiplied by."""

    def __post_init__(self) -> None:
        check(self)

    def apply(self, camera: CameraLook) -> CameraLook:
        """The look with red and blue multiplied.

        Raises:
            InfeasibleError: All edits of the white balance up to this one multiply to too much.
        """
        if self.red == 1.0 and self.blue == 1.0:
            return camera
        red, green, blue = camera.white_balance
        total = (red * self.red, green, blue * self.blue)
        if not all(BALANCE.low <= gain <= BALANCE.high for gain in total):
            wrong = f"brings the gains of red and blue to {total[0]:g} and {total[2]:g} in all"
            fix = f"{BALANCE.low:g} to {BALANCE.high:g} in all"
            raise InfeasibleError(self.kind, wrong, fix, "white balance out of range")
        return replace(camera, white_balance=total)

    def describe(self) -> str:
        """The edit in words."""
        return f"white balance: red times {self.red:g}, blue times {self.blue:g}"
