"""The house stays one to live in: no ring of imports, few doors to a floor, the field's words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("scenes", "recon", "render")
MOST_ENTRIES = 16
"""At the top level of a package."""
GONE = (
    "Crowd", "Whereabouts", "Staged", "Staging", "Baked", "PeopledScene", "RenderableScene",
    "StagedRays", "DoubtingScene", "ObservedScene", "march_people", "strangers", "shows", "lent",
    "somewhere", "row_of", "random_of", "looks_of", "load_look", "normal_picture",
)  # fmt: skip
"""Names that were private to this project, and now have the field's words."""
GONE_MODULES = (
    "crowd", "staged", "sighted", "underneath", "gloss", "sunlit", "sightlines",
    "relight", "swept", "hidden", "border", "emptied", "refine", "evidence", "split",
    "parts", "placing", "support", "batch", "solid", "shots", "standers", "edited", "resolved",
    "drawing", "perturb", "fields", "measured", "remember", "closest", "sweep", "families", "heavy",
    "seen", "gathering", "taking",
)  # fmt: skip


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
}


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a file names in import statements, wherever these stand."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            # what is imported from a package may be a module of it
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in whole]
        else:
            continue
        yield from (name for name in names if name in MODULES)


def rings(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules each of which reaches all others (Tarjan's strongly connected parts)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in arrows[name]:
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            at = stack.index(name)
            part, stack[at:] = stack[at:], []
            if len(part) > 1:
                found.append(sorted(part))

    for name in arrows:
        if name not in number:
            visit(name)
    return found


def test_rings_are_found() -> None:
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert rings(arrows) == [["a", "b", "c"]]


def test_no_files_import_each_other_in_a_ring() -> None:
    arrows = {name: set(imported(path)) - {name} for name, path in MODULES.items()}
    assert sum(map(len, arrows.values())) > 1000
    assert rings(arrows) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_few_entries(package: str) -> None:
    entries = [
        path.name for path in (ROOT / package).iterdir()
        if not path.name.startswith(("_", ".")) and path.name != "py.typed"
    ]  # fmt: skip
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


def test_names_are_the_fields() -> None:
    word = re.compile(rf"\b({'|'.join(GONE)})\b")
    found = {
        module: sorted({match[1] for match in word.finditer(_code(path))})
        for module, path in MODULES.items()
    }
    assert not {module: names for module, names in found.items() if names}
    assert not [m for m in MODULES if m.rsplit(".", 1)[-1] in GONE_MODULES]


def _code(path: Path) -> str:
    """Identifiers alone: neither comments nor texts."""
    names = list[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for field in ("id", "attr", "name", "arg", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                names.append(value)
    return "\n".join(names)
