"""A verb that is given something else than it works on says so, and leaves nothing behind."""

from pathlib import Path

import pytest

from render.cli import main
from scenes.storage.folders import writing
from scenes.storage.manifests import Provenance

REQUEST = Path(__file__).parents[2] / "examples" / "requests" / "lane_change_left.toml"
VERBS: dict[str, list[str]] = {
    "import": ["--out"],
    "reconstruct": ["--out"],
    "evaluate": ["--out"],
    "perturb": ["--request", str(REQUEST), "--out"],
    "render": ["--out"],
    "verify": [],
}


def missing(place: Path) -> Path:
    return place / "missing"


def empty(place: Path) -> Path:
    (place / "empty").mkdir()
    return place / "empty"


def file(place: Path) -> Path:
    (place / "file").write_text("not a folder")
    return place / "file"


def stranger(place: Path) -> Path:
    folder = place / "stranger"
    with writing(folder, Provenance(kind="something else", inputs={}, config={})) as partial:
        (partial / "data").write_text("7")
    return folder


def damaged(place: Path) -> Path:
    folder = stranger(place)
    (folder / "manifest.json").write_text("{")
    return folder


@pytest.mark.parametrize("make", [missing, empty, file, stranger, damaged])
@pytest.mark.parametrize("verb", VERBS)
def test_the_wrong_folder_is_named(
    verb: str, make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if (verb, make) == ("verify", stranger):
        pytest.skip("verify checks folders of any kind")
    folder = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    out = [*VERBS[verb], str(tmp_path / "out")] if VERBS[verb] else []
    assert main([verb, str(folder), *out]) == 2
    said = capsys.readouterr().err
    assert "otherlane: " in said
    assert str(folder) in said
    assert "\n  try: " in said
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("verb", ["import", "reconstruct", "evaluate", "perturb", "render", "demo"])
def test_an_output_below_a_file_is_refused(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    words = (
        [verb, "--out", str(out)]
        if verb == "demo"
        else [verb, str(tmp_path / "no"), "--out", str(out)]
    )
    if verb == "perturb":
        words += ["--request", str(REQUEST)]
    assert main(words) == 2
    assert "\n  try: " in capsys.readouterr().err
