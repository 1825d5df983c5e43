"""The sample drive that comes with the package: a street of `scenes.worlds`, recorded once.

`python -m scenes.worlds.record.sample OUT` records it again, which needs the extra `worlds`.
"""

import sys
from pathlib import Path

from scenes.clip import Clip
from scenes.errors import OtherlaneError
from scenes.worlds.truth.truth_files import TruthView, read_view

SAMPLE_SEED = 7
VIEWS = 8
"""Views off the path: frames 12 and 28, each 0, 1, 2 and 3 m to the left."""


def sample_path() -> Path:
    """Folder of the sample drive, which `Clip.load` opens."""
    return Path(__file__).parents[1] / "sample"


def truth_views(folder: Path | None = None) -> tuple[TruthView, ...]:
    """Exact views of a recorded street, by frame, then by distance from the path.

    Raises:
        OtherlaneError: The folder holds no truth.
    """
    truth = (sample_path() if folder is None else folder) / "truth"
    count = len(list(truth.glob("view_*.json")))
    if count == 0:
        raise OtherlaneError(truth, "holds no views", "the sample drive, or record a street")
    return tuple(read_view(truth, index) for index in range(count))


def make_sample(out: Path, workers: int = 1) -> Clip:
    """Record the sample drive into `out`; takes minutes.

    Raises:
        OtherlaneError: Mitsuba is not installed, or `out` holds something else.
    """
    from scenes.worlds.record.recorder import Recording, record

    return record(Recording(seed=SAMPLE_SEED), out, workers)


if __name__ == "__main__":
    try:
        make_sample(Path(sys.argv[1]), workers=int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    except OtherlaneError as error:
        print(f"otherlane: {error}", file=sys.stderr)
        sys.exit(2)
