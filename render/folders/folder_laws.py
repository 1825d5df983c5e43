"""The laws of what verbs other than `render` write: whether a reader could use it.

Each kind of folder is opened as whoever reads it would, and its parts have to agree in number and
in what they say. `render.folders.frames_laws` has those of frames.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from xml.etree import ElementTree

import msgspec
import numpy as np

from render.console.problem import Problem
from render.evaluation.evaluate import SCORES
from render.exporters import installed_exporter
from scenes.errors import OtherlaneError
from scenes.motion.geometry import rigid_problem
from scenes.scenario.files import load_scenario
from scenes.scenario.folder import COVERAGE, OPENSCENARIO, RESOLVED, SCENARIO, SUMMARY
from scenes.semantics import ACTOR_KINDS
from scenes.storage.clip_files import ARRAYS, HEADER, read_clip
from scenes.storage.manifests import MANIFEST, Finished

Whole = Annotated[int, msgspec.Meta(ge=0)]
Wrong = Iterator[tuple[str, str]]
KINDS = frozenset(kind.name for kind in ACTOR_KINDS)


def clip_laws(held: Finished) -> Wrong:
    """Its parts fit each other."""
    clip = read_clip(held)
    listed = [path for stream in (*clip.cameras, *clip.lidars) for path in stream.files]
    if len(set(listed)) < len(listed):
        yield HEADER, "names a picture or sweep twice"
    if more := sorted(held.files.keys() & {HEADER, ARRAYS} ^ {HEADER, ARRAYS}):
        yield more[0], "is missing"


def scene_laws(held: Finished) -> Wrong:
    """It can be opened."""
    from recon.scene import load_scene

    load_scene(held.folder)
    yield from ()


def asset_laws(held: Finished) -> Wrong:
    """Its look can be opened, and its description read."""
    from recon.assets.asset_files import load_actor_model
    from recon.kernels.backend import choose_backend
    from scenes.edits.assets import load_asset

    load_asset(held.folder)
    load_actor_model(str(held.folder), choose_backend(None))
    yield from ()


class _Summary(msgspec.Struct):
    requested: Annotated[int, msgspec.Meta(ge=1)]
    accepted: Annotated[int, msgspec.Meta(ge=1)]
    refused: dict[str, Whole]
    overlapping: Whole
    ttc_error_s_max: float | None = None


class _Drawn(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(ge=1)]


def scenarios_laws(held: Finished) -> Wrong:
    """As many scenarios as the summary says, each with its files, which agree."""
    said = held.parsed(SUMMARY, _Summary)
    try:
        count = msgspec.convert(held.config, _Drawn).count
    except msgspec.ValidationError as error:
        raise OtherlaneError(held.folder / MANIFEST, f"its config is damaged ({error})",
                             "otherlane perturb ... to make one") from error  # fmt: skip
    if said.requested != count:
        yield SUMMARY, f"says {said.requested} were requested, the manifest {count}"
    if said.accepted + sum(said.refused.values()) != said.requested:
        yield SUMMARY, "accepted and refused are not all that were requested"
    beside = {SUMMARY} | (set(COVERAGE) if said.ttc_error_s_max is not None else set())
    folders = sorted({Path(name).parts[0] for name in held.files if len(Path(name).parts) > 1})
    wanted = {f"{x}/{y}" for x in folders for y in (SCENARIO, RESOLVED, OPENSCENARIO)} | beside
    for name in sorted(wanted ^ held.files.keys()):
        yield name, "is missing" if name in wanted else "belongs to no scenario"
    if len(folders) != said.accepted:
        yield SUMMARY, f"says {said.accepted} were accepted, here are {len(folders)}"
    overlapping = 0
    for folder in folders:
        if not (folder.isdecimal() and folder == f"{int(folder):04d}" and int(folder) < count):
            yield folder, "is no number of a scenario"
        if {f"{folder}/{x}" for x in (SCENARIO, RESOLVED, OPENSCENARIO)} <= held.files.keys():
            resolved = held.parsed(f"{folder}/{RESOLVED}", _Resolved)
            overlapping += bool(resolved.overlaps)
            yield from _scenario(held, folder, resolved)
    if overlapping != said.overlapping:
        yield SUMMARY, f"says {said.overlapping} scenarios overlap, these are {overlapping}"


class _RoadUser(msgspec.Struct):
    size_m: tuple[float, float, float]
    time_us: Annotated[list[int], msgspec.Meta(min_length=1)]
    world_from_body: list[list[list[float]]]
    kind: str = msgspec.field(name="class")
    id: int = -1


class _Overlap(msgspec.Struct):
    actor: int
    time_us: int


class _Resolved(msgspec.Struct):
    actors: list[_RoadUser]
    ego: _RoadUser
    overlaps: list[_Overlap]
    requested: dict[str, Any]
    window_us: tuple[int, int]


def _scenario(held: Finished, folder: str, resolved: _Resolved) -> Wrong:
    scenario, name = load_scenario(held.folder / folder / SCENARIO), f"{folder}/{RESOLVED}"
    for key in ("name", "seed"):
        said = resolved.requested.get(key)
        if said is not None and said != getattr(scenario, key):
            yield name, f"is of {key} {said!r}, {SCENARIO} of {getattr(scenario, key)!r}"
    ids = [actor.id for actor in resolved.actors]
    if len(set(ids)) < len(ids):
        yield name, "holds a road user twice"
    if strange := {overlap.actor for overlap in resolved.overlaps} - set(ids):
        yield name, f"the ego overlaps {min(strange)}, who is not there"
    if resolved.window_us[0] > resolved.window_us[1]:
        yield name, "its window ends before it begins"
    for user in (*resolved.actors, resolved.ego):
        if wrong := _road_user_problem(user):
            yield name, f"road user {user.id}: {wrong}"
    try:
        ElementTree.fromstring(held.read(f"{folder}/{OPENSCENARIO}"))  # noqa: S314 a file of our own
    except ElementTree.ParseError as error:
        yield f"{folder}/{OPENSCENARIO}", f"is no XML ({error})"


def _road_user_problem(user: _RoadUser) -> str | None:
    if user.kind not in KINDS:
        return f"its class is {user.kind!r}"
    if not all(0.0 < side < 1e3 for side in user.size_m):
        return f"its size is {user.size_m}"
    if user.time_us != sorted(set(user.time_us)):
        return "its times do not increase"
    try:
        poses = np.array(user.world_from_body, dtype=np.float64)
    except ValueError:
        return "its poses are no matrices"
    if poses.shape != (len(user.time_us), 4, 4):
        return f"has {len(user.time_us)} times, its poses are {poses.shape}"
    return rigid_problem(poses)


class _Exported(msgspec.Struct):
    format: str


def export_laws(held: Finished) -> Wrong:
    """What its format's exporter says it keeps."""
    try:
        fmt = msgspec.convert(held.config, _Exported).format
    except msgspec.ValidationError as error:
        raise OtherlaneError(held.folder / MANIFEST, f"its config is damaged ({error})",
                             "otherlane export ... to make one") from error  # fmt: skip
    exporter = installed_exporter(fmt)
    if exporter is not None and exporter.laws is not None:
        yield from exporter.laws(held.folder, held.files, None)


class _Scores(msgspec.Struct):
    frames: Annotated[int, msgspec.Meta(ge=1)]
    per_frame: Annotated[list["_Score"], msgspec.Meta(min_length=1)]


class _Score(msgspec.Struct):
    camera: str
    frame: Whole


def evaluation_laws(held: Finished) -> Wrong:
    """A picture for each score."""
    said = held.parsed(SCORES, _Scores)
    names = [f"{score.camera}_{score.frame:06d}.png" for score in said.per_frame]
    for name in sorted({x for x in names if names.count(x) > 1}):
        yield name, "is scored twice"
    for name in sorted(set(names) - held.files.keys()):
        yield name, "is scored, but not there"
    for name in sorted(held.files.keys() - {*names, SCORES}):
        if not name.startswith("off_path_"):
            yield name, "belongs to no score"


LAWS: Mapping[str, Callable[[Finished], Wrong]] = {
    "clip": clip_laws,
    "scene": scene_laws,
    "asset": asset_laws,
    "scenarios": scenarios_laws,
    "export": export_laws,
    "evaluation": evaluation_laws,
}
"""Kind of a folder -> what it keeps."""


def kind_problems(held: Finished) -> Iterator[Problem]:
    """Laws that a folder of its kind breaks; of a kind without laws, none."""
    for name, wrong in LAWS.get(held.kind, lambda _: iter(()))(held):
        yield Problem(where=name, wrong=wrong)
