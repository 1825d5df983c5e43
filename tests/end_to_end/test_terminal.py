"""Every verb as a person runs it: on a terminal, narrow and wide, with colours and without.

What comes of it is looked at (`tests.terminal.problems`), not only that it came.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from render.console.interruption import CODE, LINE
from tests.end_to_end.test_verbs import REQUEST, VERBS
from tests.kitti_maker import make_tracking
from tests.scene_maker import save_drive
from tests.terminal import Session, nobody_left_in, problems
from tests.terminal_host import Host, hosting

EVERY = {
    **VERBS,
    "render": (*VERBS["render"], "--workers", "2"),
    "doctor": (),
    "demo": ("--out", "demo"),
}
FIRST_WORDS = {
    "import": "frames  ",
    "reconstruct": "planned: ",
    "evaluate": "dB PSNR on 1 picture of",
    "perturb": "accepted ",
    "render": "rendering, 6 frames",
    "export": "pictures  ",
    "verify": "Whole and sound: ",
    "doctor": "otherlane needs works here",
    "demo": "5 of 5: checking the labels",
}
"""What a person must find among what each verb says."""
PROVE = ("--quick", "--worlds", "street", "--axes", "lateral", "--recipe", "tiny")
MANY = REQUEST.replace('"left"', '"left"\ncount = 4000')
worlds = pytest.mark.skipif(find_spec("mitsuba") is None, reason="needs the extra `worlds`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminal:
    """The verbs, run one after the other on one kind of terminal."""

    host: Host
    folder: Path
    columns: int
    colour: bool

    def run(self, *words: str, **how: object) -> Session:
        """One command there."""
        how = {"folder": str(self.folder), "columns": self.columns, "colour": self.colour, **how}
        return self.host.run(*words, **how)

    def keeps_the_laws(self, session: Session) -> None:
        """What holds of all that is ever shown."""
        found = list(problems(session, colour=self.colour))
        assert not found, f"{found}\n{session.text}"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as process:
        yield process


@pytest.fixture(scope="module", params=[(80, True), (200, False)], ids=["narrow", "wide-no-colour"])
def terminal(
    request: pytest.FixtureRequest, host: Host, tmp_path_factory: pytest.TempPathFactory
) -> Terminal:
    columns, colour = request.param
    folder = tmp_path_factory.mktemp("terminal")
    make_tracking(folder / "DRIVE")
    (folder / "left.toml").write_text(REQUEST)
    (folder / "many.toml").write_text(MANY)
    return Terminal(host=host, folder=folder, columns=columns, colour=colour)


@pytest.fixture(scope="module")
def sessions(terminal: Terminal) -> dict[str, Session]:
    """What came of every verb, each building on those before."""
    return {verb: terminal.run(verb, *words) for verb, words in EVERY.items()}


@pytest.mark.slow
@pytest.mark.parametrize("verb", EVERY)
def test_a_verb_shows_itself_well(
    verb: str, sessions: dict[str, Session], terminal: Terminal
) -> None:
    session = sessions[verb]
    assert session.code == 0, session.text
    terminal.keeps_the_laws(session)
    assert FIRST_WORDS[verb] in session.text
    assert session.longest_silence_s() < 3.0, session.times_s


@pytest.mark.slow
def test_prove_shows_itself_well(terminal: Terminal) -> None:
    session = terminal.run("prove", "--out", "proof", *PROVE, plain=True)
    assert session.code == 0, session.text
    assert "stage 4 of 4" in session.text
    terminal.keeps_the_laws(session)


@pytest.mark.slow
def test_an_asset_is_taken_out_or_said_why_not(
    sessions: dict[str, Session], terminal: Terminal
) -> None:
    assert sessions["demo"].code == 0
    session = terminal.run("extract-actor", "demo/scene", "999", "--out", "asset")
    assert session.code == 2
    assert "try:" in session.text
    terminal.keeps_the_laws(session)


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--help",), 0, "Turn a recorded drive"),
        (("prove", "--help"), 0, "--quick"),
        (("reconstrct",), 2, "try: otherlane reconstruct"),
        (("render", "x", "--nope", "1"), 2, "--out"),
        (("verify",), 2, "FOLDER"),
        (("verify", "nowhere"), 2, "try:"),
        (("--version",), 0, "otherlane 0."),
    ],
)
def test_short_answers(
    words: tuple[str, ...], code: int, said: str, columns: int, colour: bool, host: Host
) -> None:
    session = host.run(*words, columns=columns, colour=colour)
    assert session.code == code
    assert said in session.text
    found = list(problems(session, colour=colour))
    assert not found, f"{found}\n{session.text}"


def test_the_program_itself_on_a_terminal(host: Host) -> None:
    session = host.run("doctor", fresh=True)
    assert session.code == 0
    assert not list(problems(session, colour=True)), session.text
    assert session.longest_silence_s() < 3.0, "it loads torch, and has to show that it does"


API = """
import recon.recipes
from pathlib import Path
from recon.commands import reconstruct
from tests.scene_maker import tiny_config
recon.recipes.RECIPES["tiny"] = lambda _: tiny_config(steps=200)
print(reconstruct(Path("{clip}"), out=Path("{out}"), recipe="tiny")["steps"], "steps")
"""


@pytest.mark.slow
def test_the_verbs_as_functions_on_a_terminal(host: Host, tmp_path: Path) -> None:
    code = API.format(clip=save_drive(tmp_path), out=tmp_path / "scene")
    session = host.run("-c", code, python=True)
    assert session.code == 0, session.text
    assert not list(problems(session, colour=True)), session.text
    assert re.search("training.* 200/200 steps|training, 200 steps", session.raw)
    assert "200 steps" in session.lines[-2:][0]


INTERRUPTED = {
    "reconstruct": (("reconstruct", "clip", "--out", "cut"), "measuring|training|gather", False),
    "evaluate": (("evaluate", "scene", "--out", "cut"), "loading", True),
    "perturb": (
        ("perturb", "clip", "--request", "many.toml", "--out", "cut", "--workers", "2"),
        r"drawing scenarios",
        False,
    ),
    "render": (
        ("render", "scene", "--out", "cut", "--size", "32x12", "--workers", "2"),
        "rendering",
        False,
    ),
    "verify": (("verify", "frames"), "loading", True),
    "extract-actor": (("extract-actor", "scene", "1", "--out", "cut"), "loading", True),
    "doctor": (("doctor",), "loading|looking", True),
    "demo": (("demo", "--out", "cut-demo"), "reading pictures|gathering", False),
}
"""Words, what is on the screen when Ctrl-C is pressed, and whether the program is a fresh one.

Importing so small a drive is over in a quarter of a second, before anybody can press anything."""


@pytest.mark.slow
@pytest.mark.parametrize("verb", INTERRUPTED)
def test_ctrl_c_is_one_line(verb: str, sessions: dict[str, Session], terminal: Terminal) -> None:
    if terminal.columns == 200:
        pytest.skip("the same on every terminal")
    assert sessions["render"].code == 0
    words, shown, fresh = INTERRUPTED[verb]
    session = terminal.run(*words, interrupt_at=shown, fresh=fresh)
    assert_interrupted(session, terminal)
    assert not (terminal.folder / "cut").exists()


@worlds
@pytest.mark.slow
def test_ctrl_c_in_prove(terminal: Terminal) -> None:
    if terminal.columns == 200:
        pytest.skip("the same on every terminal")
    session = terminal.run("prove", "--out", "cut-proof", *PROVE, interrupt_at=r"tracing")
    assert_interrupted(session, terminal)


def assert_interrupted(session: Session, terminal: Terminal) -> None:
    assert nobody_left_in(session.group), "a process goes on"
    assert session.code == CODE, session.text
    terminal.keeps_the_laws(session)
    assert session.text.count(LINE) == 1
    assert session.text.rstrip().endswith(LINE)
    assert not re.search(r"Exception|Process .*:|resource_tracker", session.text), session.text


@pytest.mark.slow
def test_ctrl_c_pressed_twice_ends_at_once(
    sessions: dict[str, Session], terminal: Terminal
) -> None:
    assert sessions["render"].code == 0
    words = ("reconstruct", "clip", "--out", "cut")
    session = terminal.run(*words, interrupt_at="measuring|training", presses=3)
    assert_interrupted(session, terminal)
