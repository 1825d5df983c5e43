"""Each request in docs/criticality.md can be drawn from on the sample drive."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from scenes.scenario.files import load_request
from scenes.scenario.sampling import Drawer, Drawn
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.sample import sample_path

PAGE = Path(__file__).parents[2] / "docs" / "criticality.md"
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", [block for block in BLOCKS if "[criticality]" in block])
def test_every_example_works_on_the_sample_drive(block: str, tmp_path: Path) -> None:
    file = tmp_path / "request.toml"
    file.write_text(block, encoding="utf-8")
    request = replace(load_request(file), count=2)
    drawer = Drawer(request=request, clip=load_clip(sample_path()), where=str(file))
    drawn = [drawer.draw(index) for index in range(request.count)]
    assert all(isinstance(one, Drawn) for one in drawn), drawn


def test_there_is_an_example() -> None:
    assert any("[criticality]" in block for block in BLOCKS)
