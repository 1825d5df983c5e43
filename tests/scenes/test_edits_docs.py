"""Every edit has an example in docs/editing.md, and each example works on the sample drive."""

import re
import tomllib
from pathlib import Path

from scenes.edits import EDIT_KINDS
from scenes.road.ground import fit_ground
from scenes.scenario.files import load_scenario
from scenes.scenario.resolve import resolve
from scenes.sensors.camera_look import NEUTRAL
from scenes.storage.clip_files import load_clip
from scenes.worlds.record.sample import sample_path

PAGE = Path(__file__).parents[2] / "docs" / "editing.md"
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_every_edit_has_an_example() -> None:
    shown = {edit["kind"] for block in BLOCKS for edit in tomllib.loads(block)["edits"]}
    assert shown == EDIT_KINDS.keys()


def test_every_example_works_on_the_sample_drive(tmp_path: Path) -> None:
    clip = load_clip(sample_path())
    ground = fit_ground(clip)
    for index, block in enumerate(BLOCKS):
        path = tmp_path / f"{index}.toml"
        path.write_text(block, encoding="utf-8")
        scenario = load_scenario(path)
        edited = resolve(scenario, clip, ground=ground)
        assert (edited.ego, edited.actors, edited.camera) != (clip.ego, clip.actors, NEUTRAL)
