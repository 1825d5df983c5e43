"""What README and docs tell readers to type works, and what they say is there is there.

Snippets and command lines run as they are written, one after another, in a folder that looks like a
clone; only the training behind them is made short.
"""

import contextlib
import re
import runpy
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from pathlib import Path

import pytest

import recon.recipes
import recon.reconstruct
import render.cli
from recon.config import ActorsConfig
from tests.kitti_maker import make_tracking
from tests.scene_maker import tiny_config

ROOT = Path(__file__).parents[2]
README, PYTHON = ROOT / "README.md", ROOT / "docs/python.md"
PAGES = (README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
TYPED = (*PAGES, *sorted((ROOT / "examples").rglob("*.*")))
"""Files that tell readers what to type."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:# *)?(?:\.venv/bin/)?otherlane +(\S.*?) *(?:  #.*)?$", re.MULTILINE)
MENTION = re.compile(r"`(?:\.venv/bin/)?otherlane ([^`]+)`")


def snippets(page: Path, language: str) -> list[str]:
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for name, text in found if name == language]


def commands(path: Path) -> list[list[str]]:
    """The words behind `otherlane` of every command line that stands on a line of its own."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        text = "\n".join(snippets(path, ""))
    return [shlex.split(line) for line in COMMAND.findall(text)]


@contextlib.contextmanager
def in_a_clone(folder: Path) -> Iterator[None]:
    """Work in `folder`, where training takes no time."""
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setitem(
            recon.recipes.RECIPES,
            "preview",
            lambda _: tiny_config(scale=0.125, actors=ActorsConfig()),
        )
        patch.setattr(recon.reconstruct, "steps_within", lambda *_: 2)
        yield


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every command line of the README has run, in order."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("scenes", "examples"):
        (folder / name).symlink_to(ROOT / name)
    make_tracking(folder / "DRIVE")
    with in_a_clone(folder):
        for words in commands(README):
            assert render.cli.main(words) == 0, words
    return folder


def test_the_tour_of_the_readme_uses_every_verb_but_those_of_machine_and_method() -> None:
    others = {"doctor", "demo", "prove"}
    assert {words[0] for words in commands(README)} == set(render.cli.VERBS) - others


def test_the_tour_leaves_what_it_says(clone: Path) -> None:
    assert {path.name for path in (clone / "out").iterdir()} == {
        *("clip", "scene", "scene.evaluation", "scenarios", "frames", "coco", "oncoming_car"),
    }
    left = {path.name for path in (clone / "out/frames").iterdir()}
    assert left >= {"frames", "labels.jsonl", "exports", "preview.mp4"}
    assert {path.name for path in (clone / "out/frames/exports").iterdir()} == {"kitti", "coco"}


@pytest.mark.parametrize("page", [README, PYTHON], ids=lambda page: page.name)
def test_python_snippets_run_as_written(
    page: Path, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = snippets(page, "python")
    assert texts
    with in_a_clone(clone):
        for index, text in enumerate(texts):
            path = clone / f"{page.stem}_{index}.py"
            path.write_text(text, encoding="utf-8")
            runpy.run_path(str(path))
            assert capsys.readouterr().out
    if page == README:
        assert (clone / "out/from_the_right_lane.png").is_file()


def test_no_other_page_has_python_that_is_not_run() -> None:
    with_python = {page for page in PAGES if snippets(page, "python")}
    assert with_python == {README, PYTHON}


def parsed(words: list[str]) -> None:
    """Give a command line to the real parser, and run nothing."""
    called = []

    def idle(verb: Callable[..., object]) -> Callable[..., Mapping[str, object]]:
        @wraps(verb)
        def note(*_: object, **__: object) -> Mapping[str, object]:
            called.append(verb)
            return {}

        return note

    with pytest.MonkeyPatch.context() as patch:
        verbs = {name: idle(verb) for name, verb in render.cli.VERBS.items()}
        patch.setattr(render.cli, "VERBS", verbs)
        assert render.cli.main(words) == 0
    assert len(called) == 1


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.name)
def test_every_command_line_is_one(page: Path) -> None:
    for words in commands(page):
        parsed(words)


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.name)
def test_every_command_that_is_mentioned_exists(page: Path) -> None:
    for mention in MENTION.findall(page.read_text(encoding="utf-8")):
        verb, *words = mention.split()
        help_text = (ROOT / f"tests/golden/cli/{verb}.txt").read_text(encoding="utf-8")
        for option in words:
            assert not option.startswith("--") or option == "--json" or option in help_text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE)
    assert set(named) <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if f" {page}\n" not in navigation} == set()


def test_every_dependency_has_its_reason_and_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    core = {re.split("[>=<]", wanted)[0] for wanted in project["dependencies"]}
    optional = {re.split("[>=<]", wanted)[0] for wanted in extras["worlds"] + extras["labels"]}
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:\*\w+:\* )?([\w-]+) \| (?!for )", page, re.MULTILINE)
    assert sorted(rows) == sorted(core | optional)
    sources = [
        path for name in ("scenes", "recon", "render") for path in (ROOT / name).rglob("*.py")
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    modules = {"pillow": "PIL", "flip-evaluator": "flip_evaluator"}
    for name in core:
        module = modules.get(name, name)
        assert re.search(rf"^\s*(import|from) {module}\b", text, re.MULTILINE), f"{name} is unused"
