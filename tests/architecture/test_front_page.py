"""The front page of the documentation says what there is."""

import re
from pathlib import Path

import pytest

from render.cli import VERBS

DOCS = Path(__file__).parents[2] / "docs"
INDEX = (DOCS / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", VERBS)
def test_it_names_every_command(verb: str) -> None:
    assert f"`{verb}`" in INDEX


def test_it_shows_a_picture_that_is_there() -> None:
    (picture,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", INDEX)
    assert (DOCS / picture).stat().st_size > 10_000


def test_it_counts_no_commands() -> None:
    assert not re.search(r"(eight|nine|ten|eleven|twelve) (commands|verbs)", INDEX)
