import json
from pathlib import Path

import numpy as np
import pytest

from scenes.edits.assets import (
    ASSET_FILE,
    FACES,
    LIBRARY,
    MODEL_FILE,
    Asset,
    asset_hash,
    find_asset,
    library,
    load_asset,
)
from scenes.errors import InfeasibleError, OtherlaneError
from scenes.semantics import Semantic
from scenes.worlds.models.procedural import KINDS, procedural

MINE = Asset(
    name="taxi",
    kind=Semantic.CAR,
    size_m=(4.4, 1.8, 1.6),
    synthetic=False,
    faces_seen=(0.9, 0.8, 0.0, 0.7, 0.1, 0.0),
    licence="CC BY-NC-SA 3.0",
)


def written(folder: Path, **change: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / ASSET_FILE).write_text(json.dumps(MINE.tables() | change), encoding="utf-8")
    return folder


def test_an_asset_survives_its_file(tmp_path: Path) -> None:
    folder = written(tmp_path / "taxi")
    assert load_asset(folder) == MINE
    with pytest.raises(OtherlaneError, match=r"has no field\.safetensors"):
        find_asset(str(folder))
    (folder / MODEL_FILE).write_bytes(b"look")
    assert find_asset(str(folder)) == MINE


def test_the_library_has_one_of_each_kind_with_its_size() -> None:
    assert tuple(library()) == tuple(LIBRARY)
    assert {asset.kind for asset in library().values()} == set(KINDS)
    for name, asset in library().items():
        assert asset.name == name
        assert asset.synthetic
        assert asset.faces_seen == (1.0,) * len(FACES)
        mesh, _, size_m = procedural(asset.kind, 0)
        assert np.array_equal(asset.box_m, size_m)
        assert np.all(np.ptp(mesh.vertices_m, axis=0) <= size_m + 1e-6)
        assert find_asset(name) is asset


def test_the_hash_follows_what_an_asset_consists_of(tmp_path: Path) -> None:
    folder = written(tmp_path / "taxi")
    before = asset_hash(str(folder))
    assert before == asset_hash(str(folder))
    (folder / MODEL_FILE).write_bytes(b"look")
    assert asset_hash(str(folder)) != before
    assert asset_hash("car") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "TANK"}, "kind: is no kind of actor"),
        ({"kind": "ROAD"}, "kind: is no kind of actor"),
        ({"size_m": [4.4, 1.8]}, "size_m must be 3 numbers"),
        ({"size_m": [4.4, 1.8, -1.0]}, "size_m: has a number, [2], that is -1.0, out of range"),
        ({"faces_seen": [1.0] * 5}, "faces_seen must be 6 numbers"),
        ({"faces_seen": [1.5] * 6}, "faces_seen: has a number, [0], that is 1.5, out of range"),
        ({"synthetic": 1}, "synthetic: is neither true nor false"),
        ({"licence": ""}, "licence: is '', not a line of text"),
        ({"colour": "red"}, "colour: is not a known key"),
    ],
)
def test_a_broken_description_says_where(
    change: dict[str, object], said: str, tmp_path: Path
) -> None:
    folder = written(tmp_path / "taxi", **change)
    with pytest.raises(OtherlaneError) as refused:
        load_asset(folder)
    assert said in str(refused.value)
    assert ASSET_FILE in str(refused.value)
    assert refused.value.fix


def test_a_folder_that_is_no_asset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OtherlaneError, match=r"has no asset\.json"):
        load_asset(tmp_path)
    (tmp_path / ASSET_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(OtherlaneError, match="is damaged"):
        load_asset(tmp_path)
    with pytest.raises(InfeasibleError, match="one of car, van"):
        find_asset("submarine")
