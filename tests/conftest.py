"""What every test shares: Hypothesis profiles, one thread a worker, the real drives."""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

# Beside other pytest workers, more threads only wait for each other. Set before torch and numpy
# load, so that child processes inherit it.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"

# Shells ignore Ctrl-C in what they start in the background, and children inherit that: tests of
# interruptions would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hashes of pictures are remembered in a folder of the tests' own, also by child processes.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="otherlane-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

# "ci" tries the same examples every time: a red run means a change, not bad luck.
settings.register_profile(
    "ci",
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def drives() -> Path:
    """Folder of real recorded drives (`kitti_tracking_0002`, ...); skips where there is none."""
    wanted = os.environ.get("OTHERLANE_DRIVES")
    folder = Path(wanted) if wanted else ROOT.parent / "shared" / "drives"
    if not folder.is_dir():
        pytest.skip(f"no real drives at {folder}: set OTHERLANE_DRIVES to a folder of them")
    return folder
