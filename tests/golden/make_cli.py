"""Write what `otherlane --help` and each command's help say to tests/golden/cli/.

Run `.venv/bin/python tests/golden/make_cli.py` after a change of the command line that is meant;
docs/cli.md shows these files.
"""

import contextlib
import io
import os
from pathlib import Path

FOLDER = Path(__file__).parent / "cli"


def help_texts() -> dict[str, str]:
    """File name -> help text, 80 columns wide and without colour."""
    from render.cli import VERBS, main

    texts: dict[str, str] = {}
    for verb in ("", *VERBS):
        words = [verb, "--help"] if verb else ["--help"]
        said = io.StringIO()
        # tyro widens itself to the terminal's width, and colours what goes to one.
        os.environ |= {"COLUMNS": "80", "NO_COLOR": "1"}
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            main(words)
        lines = [line.rstrip() for line in said.getvalue().strip().splitlines()]
        texts[f"{verb or 'otherlane'}.txt"] = "\n".join(lines) + "\n"
    return texts


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for name, text in help_texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
