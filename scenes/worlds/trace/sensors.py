"""What a camera makes of linear radiance: exposure, vignetting, noise, white balance, response.

In that order, as light meets them: the lens darkens corners, the sensor counts electrons up to its
full well and adds noise, the processor balances white and bends the response. Everything is
optional and seeded; `PLAIN` does nothing but let the exposure drift.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, UInt8

from scenes.sensors.images import srgb_from_linear

RESPONSES = ("srgb", "filmic")
"""`filmic` rolls highlights off (K. Narkowicz's fit of the ACES curve) before sRGB's curve."""
HEADROOM = {"srgb": 1.0, "filmic": 4.0}
"""Exposed radiance at which the sensor is full."""
_PERIOD = 40
"""Frames in which exposure and white balance come back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensor:
    """How one camera differs from a perfect one."""

    exposure_drift: float = 0.07
    """Amplitude of the drift of the exposure's logarithm."""
    white_drift: float = 0.0
    """The same of red and blue, relative to green."""
    vignetting: float = 0.0
    """Share of the light that is lost in the corners, 0 to 1."""
    response: str = "srgb"
    """One of `RESPONSES`."""
    full_well: float = 0.0
    """Electrons that fill a pixel, which sets the shot noise; 0 for none."""
    read_noise: float = 0.0
    """Standard deviation of reading out [electrons]."""

    def __post_init__(self) -> None:
        if self.response not in RESPONSES:
            raise ValueError(f"response must be one of {RESPONSES}, got {self.response!r}")
        if not 0.0 <= self.vignetting < 1.0:
            raise ValueError(f"vignetting must be in [0, 1), got {self.vignetting}")
        if self.read_noise and not self.full_well:
            raise ValueError("read_noise needs a full_well to be relative to")

    def exposure(self, frames: int, camera: int = 0) -> Float64[np.ndarray, "frames"]:
        """How the exposure of the rig's camera drifts; the mean of its logarithm is 0."""
        turn = 2.0 * np.pi * np.arange(frames) / _PERIOD + 1.7 * camera
        drift = self.exposure_drift * (np.sin(turn + 0.6) + 0.025 / 0.07 * np.sin(3.0 * turn))
        return np.exp(drift - drift.mean())

    def white_balance(
        self, frames: int, seed: int, camera: int = 0
    ) -> Float64[np.ndarray, "frames 3"]:
        """Gains of red, green and blue; green's is 1, the means of their logarithms are 0."""
        phase = np.random.default_rng([seed, camera, 81]).uniform(0.0, 2.0 * np.pi, 2)
        turn = 2.0 * np.pi * np.arange(frames)[:, None] / _PERIOD + phase
        drift = self.white_drift * np.sin(turn)
        drift -= drift.mean(axis=0)
        return np.exp(np.insert(drift, 1, 0.0, axis=1))


PLAIN = Sensor()
REALISTIC = Sensor(
    white_drift=0.04, vignetting=0.25, response="filmic", full_well=12_000.0, read_noise=6.0
)
"""A decent automotive camera."""


def vignette(width: int, height: int, loss: float) -> Float64[np.ndarray, "height width 1"]:
    """Share of the light that reaches each pixel: 1 in the middle, 1 - `loss` in the corners."""
    x = (np.arange(width) + 0.5) / width * 2.0 - 1.0
    y = (np.arange(height) + 0.5) / height * 2.0 - 1.0
    square = (x[None, :] ** 2 * width**2 + y[:, None] ** 2 * height**2) / (width**2 + height**2)
    return (1.0 - loss * square**2)[..., None]


def responded(light: Float[np.ndarray, "*n 3"], response: str) -> Float64[np.ndarray, "*n 3"]:
    """Picture values in 0..1 of exposed linear light; monotonic, 0 stays 0."""
    light = np.maximum(np.asarray(light, np.float64), 0.0)
    if response == "filmic":
        light = 0.6 * light
        light = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return np.clip(srgb_from_linear(np.clip(light, 0.0, 1.0)), 0.0, 1.0)


def taken(
    radiance: Float[np.ndarray, "h w 3"],
    sensor: Sensor,
    exposure: float,
    gains: Float64[np.ndarray, "3"],
    noise: np.random.Generator,
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture that a camera takes of linear radiance.

    Args:
        radiance: Linear, one of each pixel.
        sensor: The camera.
        exposure: White is radiance 1 / exposure (before vignetting).
        gains: White balance.
        noise: Where shot and read noise come from; not used by a sensor without.
    """
    height, width, _ = radiance.shape
    light = radiance.astype(np.float64) * exposure
    if sensor.vignetting:
        light *= vignette(width, height, sensor.vignetting)
    if sensor.full_well:
        full = HEADROOM[sensor.response]
        electrons = sensor.full_well / full * np.clip(light, 0.0, None)
        deviation = np.sqrt(electrons + sensor.read_noise**2)
        electrons = electrons + deviation * noise.normal(size=light.shape)
        light = np.clip(electrons, 0.0, sensor.full_well) * full / sensor.full_well
    return np.round(255.0 * responded(light * gains, sensor.response)).astype(np.uint8)
