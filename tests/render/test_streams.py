"""Standard streams that are closed, full, ASCII, or that nobody reads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from render.console.printing import as_json
from scenes.work.phases import say
from scenes.work.phases import write as write_words

OTHERLANE = [sys.executable, "-c", "import sys; from render.cli import main; sys.exit(main())"]
LATIN = os.fsdecode(b"caf\xe9")
"""The name of a folder from a system that did not know UTF-8."""


def run(*words: str, to: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A command, through a shell's redirections if there are any."""
    environ = {**os.environ, **environment}
    command = ["sh", "-c", f'exec "$@" {to}', "sh", *OTHERLANE, *words]
    return subprocess.run(command, capture_output=True, env=environ, check=False, timeout=120)


COMMANDS = {
    "version": (("--version",), 0),
    "help": (("--help",), 0),
    "help of a verb": (("render", "--help"), 0),
    "no such verb": (("rendre",), 2),
    "no such option": (("import", "--nothing"), 2),
    "an error": (("import", "/nowhere", "--out", "clip"), 2),
    "an error in JSON": (("import", "/nowhere", "--out", "clip", "--json"), 2),
}
every_command = pytest.mark.parametrize(("words", "code"), COMMANDS.values(), ids=COMMANDS.keys())


@every_command
@pytest.mark.parametrize("to", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing_else(words: tuple[str, ...], code: int, to: str) -> None:
    done = run(*words, to=to)
    assert done.returncode == code
    assert b"Traceback" not in done.stdout + done.stderr
    assert b"Exception ignored" not in done.stderr


@every_command
def test_a_pipe_that_nobody_reads_ends_in_silence(words: tuple[str, ...], code: int) -> None:
    for stream in ("stdout", "stderr"):
        reads, writes = os.pipe()
        os.close(reads)
        done = subprocess.run(
            [*OTHERLANE, *words],
            check=False,
            timeout=120,
            stdout=writes if stream == "stdout" else subprocess.PIPE,
            stderr=writes if stream == "stderr" else subprocess.PIPE,
        )
        os.close(writes)
        said = (done.stdout or b"") + (done.stderr or b"")
        assert b"Traceback" not in said
        assert b"Exception ignored" not in said
        # an error says nothing on standard output, unless in JSON
        silent = stream == "stderr" or (code == 2 and "--json" not in words)
        assert done.returncode == (code if silent else 141)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_standard_output_is_said() -> None:
    done = run("--help", to=">/dev/full")
    assert done.returncode == 2
    assert b"standard output: No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr
    done = run("--version", to="2>/dev/full")
    assert done.returncode == 0


@every_command
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_ascii_is_enough(words: tuple[str, ...], code: int, environment: dict[str, str]) -> None:
    done = run(*words, **environment)
    assert done.returncode == code
    said = done.stdout + done.stderr
    assert said.isascii()
    assert b"Traceback" not in said
    assert len(said) > 10


def test_errors_name_paths_that_are_not_utf8(tmp_path: Path) -> None:
    drive = str(tmp_path / LATIN)
    for environment in ({}, {"PYTHONIOENCODING": "ascii"}):
        done = run("import", drive, "--out", "clip", "--json", **environment)
        assert done.returncode == 2
        assert b"caf" in done.stderr
        where = json.loads(done.stdout)["error"]["where"]
        assert where == drive
        assert os.fsencode(where).endswith(b"caf\xe9")
        done = run("import", drive, "--out", "clip", **environment)
        assert done.returncode == 2
        assert b"caf\\udce9: does not exist" in done.stderr


def test_json_escapes_what_a_stream_cannot_show() -> None:
    result = {"out": Path(LATIN), "unit": "µs"}
    assert as_json({"unit": "µs"}) == '{"unit": "µs"}'
    assert as_json({"unit": "µs"}, "ascii") == '{"unit": "\\u00b5s"}'
    for encoding in ("utf-8", "ascii", "latin-1", None):
        text = as_json(result, encoding)
        assert json.loads(text.encode(encoding or "utf-8")) == {"out": LATIN, "unit": "µs"}


def test_words_to_nowhere_are_lost_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    write_words("nobody hears this\n")
    say("nor this")
