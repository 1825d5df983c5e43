"""What no file may contain: too much, or a way to run what it reads."""

import builtins
import re
import symtable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("scenes", "recon", "render")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FILES = sorted(
    path
    for folder in (*PACKAGES, "tests", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
FORBIDDEN = {
    "unpickles": r"\bimport (c|cloud)?pickle\b|\bfrom (c|cloud)?pickle\b|\bjoblib\b|\bshelve\b"
    r"|\btorch\.(load|save)\(|allow_pickle\s*=\s*True",
    "evaluates text": r"(?<![\w.])(eval|exec|compile)\(|\b__import__\(",
    "shells out": r"\bos\.(system|popen|exec\w*|spawn\w*)\(|shell\s*=\s*True|\bpty\.",
    "imports torchvision": r"^\s*(import|from) torchvision\b",
    "swallows errors": r"except( Exception)?( as \w+)?:",
    "is unfinished": r"\b(TODO|FIXME|XXX|NotImplementedError)\b",
    "defers annotations": r"from __future__ import annotations",
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_source(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{named(path)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, f"no file of the packages {what}: {found}"


def test_no_python_file_is_over_400_lines() -> None:
    lines = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert lines
    assert not {name: count for name, count in lines.items() if count > 400}


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), "pytest imports tests by base name"


def unknown_names(path: Path) -> set[str]:
    """Names that code looks for in its module, where they are not: shape strings hide them from
    linters, which take those for names too."""
    known = {*dir(builtins), "__file__", "__path__"}
    top = symtable.symtable(path.read_text(encoding="utf-8"), str(path), "exec")
    mine = (name for name in top.get_symbols() if name.is_assigned() or name.is_imported())
    known |= {name.get_name() for name in mine}
    found, scopes = set(), [top]
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        found |= {name.get_name() for name in scope.get_symbols() if name.is_global()}
    return found - known


def test_every_name_is_known() -> None:
    unknown = {named(path): names for path in FILES if (names := unknown_names(path))}
    assert not unknown


def test_a_name_that_nobody_defined_is_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import re\n\ndef f(x: 'A 3') -> int:\n    return [re, x, len, missing]\n\nnowhere\n"
    )
    assert unknown_names(path) == {"missing", "nowhere"}
