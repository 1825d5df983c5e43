"""Triton's compiler takes the kernels, down to machine code, without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.triton_maker import HOW

ROOT = Path(__file__).parents[2]
SHARED_MEMORY = 99 * 1024
"""Bytes that a program may have on capability 8.6, the least of those that we compile for."""


@pytest.mark.slow
def test_every_kernel_compiles_and_fits_a_small_gpu(tmp_path: Path) -> None:
    pytest.importorskip("triton", reason=f"triton is not installed; {HOW}")
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.triton_compiler"],
        cwd=ROOT,
        env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    kernels = [json.loads(line) for line in done.stdout.splitlines()]
    assert {kernel["kernel"].split(".")[-2] for kernel in kernels} == {
        "triton_hash_grid_kernels",
        "triton_mlp",
        "triton_compositing",
    }
    assert all(kernel["shared"] <= SHARED_MEMORY for kernel in kernels), kernels
