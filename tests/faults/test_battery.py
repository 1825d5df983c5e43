"""The short form of the battery of faults (see `tests.faults.battery`): no bar is broken."""

import sys
from collections.abc import Iterator

import pytest

from tests.faults.battery import PARTS
from tests.faults.stage import Stage, set_stage
from tests.faults.tally import BARS, Tally
from tests.faults.workbench import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux", reason="the battery asks /proc about its processes"
    ),
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("faults").resolve()
    with Server(folder) as server:
        yield set_stage(folder, server)


@pytest.mark.parametrize("part", PARTS)
def test_no_bar_is_broken(part: str, stage: Stage) -> None:
    if part == "io" and not stage.server.shim:
        pytest.skip("no C compiler: file operations cannot be made to fail")
    total = Tally(name=part)
    for _, commit in PARTS[part](stage, False):
        commit(total)
    broken = {name: getattr(total, name) for name in BARS if getattr(total, name)}
    assert not broken, "\n".join(total.problems)
    assert total.runs > 0
