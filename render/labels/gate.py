"""What a road user must show to be labelled; `render.labels.gating` judges by it."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelGate:
    """Thresholds below which a road user is an ignore region, and a frame is rejected."""

    min_px: int = 25
    """Least number of visible pixels [px]. 25 are 5 x 5: with fewer no class can be told, and a
    field's edge that is one pixel off, as edges of fields are, moves most of the box."""
    min_visible: float = 0.0
    """Least share of what is in the image that nothing hides, 0 to 1. 0 asks for none, because
    whoever shows enough pixels is labelled with its `occlusion`, and evaluators choose by that."""

    min_observed: float = 0.5
    """Least share of the pixels that show it, and of a whole frame's, that training pictures
    showed, 0 to 1. A frame below it is rejected."""

    def __post_init__(self) -> None:
        if self.min_px < 0:
            raise ValueError(f"min_px must be 0 or more, got {self.min_px}")
        for name in ("min_visible", "min_observed"):
            if not 0.0 <= (value := getattr(self, name)) <= 1.0:
                raise ValueError(f"{name} must be from 0 to 1, got {value}")

    def config(self) -> dict[str, int | float]:
        """As it stands in manifests."""
        return asdict(self)
