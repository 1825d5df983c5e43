"""Everything that decides what a reconstruction is, in one value that is written beside it."""

from dataclasses import dataclass

from recon.kernels.hash_grid import HashGridSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldConfig:
    """Shape of the radiance field."""

    grid: HashGridSpec = HashGridSpec(per_level_scale=2.0)
    """16 to 2048 cells across the unit cube: 8 cm in the core of a 65 m drive."""
    width: int = 32
    """Width of the hidden layers, 16 to 128."""
    geometry_features: int = 16
    """Outputs of the density network; the first is the logarithm of the density."""
    look_harmonics: int = 4
    """Spherical harmonics of direction that colour may depend on: 1, 4, 9 or 16. More explain the
    recorded pictures no better, and wild colours beside the path."""
    latents: int = 0
    """Inputs of the density network beside the grid's features: what changes with time."""
    channels: int = 3
    """Linear channels that `march` composites."""
    material: bool = False
    """Whether colours are albedo, and a third network says what else surfaces are made of
    (`recon.field.material`): they have no light of their own."""
    occupancy_resolution: int = 128
    """Cells of the occupancy grid along each axis of the unit cube."""
    initial_density: float = 0.018
    """Density of an untrained field [1/m]: light enough to see through, dense enough to learn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingConfig:
    """Where along a ray the field is looked at."""

    near_m: float = 0.5
    """Nothing is sampled closer than this [m]."""
    far_m: float = 1000.0
    """Beyond this is sky [m]."""
    min_step_m: float = 0.1
    """Shortest step [m]."""
    growth: float = 1.0 / 32.0
    """Length of a step over its distance, in training."""
    render_growth: float = 1.0 / 48.0
    """The same in rendering, where finer steps gain a little more."""
    bend_m: float = 40.0
    """Beyond this distance [m] steps grow with the square of distance."""
    coarse_growth: float = 1.0 / 16.0
    """The same in the first steps of training, where many rays teach more than fine ones ..."""
    coarse_share: float = 0.1
    """... for this share of the training's steps."""
    instance_samples: int = 32
    """Intervals between entry and exit of an instance's box."""
    termination: float = 1e-2
    """A sample counts only where more than this share of the light is left (0: all count)."""
    colour_threshold: float = 1e-3
    """Samples that weigh less than this take no part in the colour (0 evaluates all)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the losses; the photometric loss has weight 1."""

    depth: float = 0.3
    """On the squared logarithm of distance, where there is depth evidence."""
    empty: float = 0.1
    """On absorption in front of depth evidence, and light that passes through it."""
    distortion: float = 0.02
    """On spread-out weights (Mip-NeRF 360)."""
    sky: float = 0.05
    """On opacity where the picture shows sky."""
    depth_share: float = 0.25
    """Share of the rays of a step that come from depth evidence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ActorsConfig:
    """Fields of road users that move, and of vehicles that stand."""

    field: FieldConfig = FieldConfig(
        grid=HashGridSpec(features=2, log2_table=14, base_resolution=8, per_level_scale=1.5),
        initial_density=0.1,
    )
    """8 to 137 cells across a box: 4 cm along a car, 2 cm across it."""
    smallest_px: float = 4.0
    """Whose box no picture shows this large along both axes [px, as recorded] gets no field."""
    standing_px: float | None = None
    """The same of vehicles that stand [px, as trained]; None leaves them to the static scene."""
    most: int = 32
    """Only so many get a field: those that move first, and those that are seen the largest."""
    share: float = 0.25
    """Share of the pixels of a step that are drawn from their boxes, where there are any."""
    mirrored: float = 0.2
    """Share of those on which they are seen mirrored."""
    pose_rate: float = 1e-3
    """Of corrections to their labelled poses [m, rad]; 0 takes them as they are."""
    pose_decay: float = 1e-3
    """Share of the corrections that is lost in each step."""
    knot_us: int = 500_000
    """Corrections are linear between knots so far apart [µs]."""
    latents: int = 4
    """Numbers that say how somebody with limbs is at a time ..."""
    key_us: int = 200_000
    """... linear between keys so far apart [µs]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconstructionConfig:
    """A reconstruction: same config, same clip, same bytes."""

    recipe: str
    scale: float
    """Pixels of the training pictures over those recorded, along each axis."""
    holdout: int = 8
    """Every holdout-th picture is kept out of training; 0 keeps none out."""
    holdout_first: int = 0
    """The first that is kept out, less than `holdout`: as many numbers, as many disjoint sets."""
    train_share: float | None = None
    """Instead of `holdout`: the KITTI protocol's share, .75, .5 or .25 (`recon.data.holdout`)."""
    train_cameras: tuple[str, ...] = ()
    """Only these cameras train, and every picture of the others is held out; all when empty."""
    seed: int = 0
    backend: str = "torch"
    steps: int = 2500
    samples_per_step: int = 49152
    """Rays per step are adapted so that this many samples are evaluated."""
    learning_rate: float = 3e-2
    """Of the hash table; decays to `final_rate` times this."""
    network_rate: float = 1e-2
    """Of the networks."""
    exposure_rate: float = 1e-3
    """Of the exposures."""
    pose_rate: float = 0.0
    """Of corrections to camera poses [m, rad]; 0 takes the drive's poses as they are."""
    final_rate: float = 0.03
    core_half_m: float | None = None
    """Half size of the metric core [m]; None chooses it from the length of the drive."""
    frame_stride: int = 1
    """Use every stride-th picture of the drive."""
    field: FieldConfig = FieldConfig()
    sampling: SamplingConfig = SamplingConfig()
    loss: LossConfig = LossConfig()
    actors: ActorsConfig | None = None
    """Fields of road users; None masks the pixels of those that move instead."""

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 1:
            raise ValueError(f"scale must be in (0, 1], got {self.scale}")
        if self.steps < 1 or self.samples_per_step < 1:
            raise ValueError("steps and samples_per_step must be positive")
