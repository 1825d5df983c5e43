"""Exact truth of worlds off their recorded drives, on disk: write it, read it.

`write_truth` fills a folder with views of perturbed worlds, one by one; what is there is not made
again, so it can be killed, and asked for more axes later. `read_truth` reads what is there.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float16, Int32

from scenes.errors import InfeasibleError, OtherlaneError
from scenes.storage.files import write_json
from scenes.work.phases import counted
from scenes.work.suggestions import guess
from scenes.worlds.light.light import Light
from scenes.worlds.models.world import World
from scenes.worlds.record.recording import FRAME_US, Recording, ego_from_lidar
from scenes.worlds.trace.tracer import Tracer
from scenes.worlds.trace.visibility import Eye
from scenes.worlds.trace.workers import working
from scenes.worlds.truth.perturbations import AXES
from scenes.worlds.truth.truth_edits import recorded_picture, who_shows
from scenes.worlds.truth.truth_files import TruthView, read_view
from scenes.worlds.truth.truth_store import LAYOUT, is_whole_view, read_whole_view, write_whole_view
from scenes.worlds.truth.truth_view import Rig, Stage, is_clear, stage_of, view_at

ABOUT = "truth.json"
"""What was recorded; beside the views."""
NEWS = "tracing truth"


@dataclass(frozen=True, kw_only=True, slots=True)
class Want:
    """The views of one axis at one amount."""

    axis: str
    amount: float
    views: int

    def names(self) -> tuple[str, ...]:
        """Of their files, without an ending."""
        return tuple(f"{self.axis}_{self.amount:+g}_{slot}" for slot in range(self.views))


def wanted(axes: Sequence[str] | None, views: int) -> tuple[Want, ...]:
    """What `write_truth` makes of the same arguments.

    Args:
        axes: Names of axes, all of them when None; `lateral=0,3` takes only these amounts.
        views: Views of each amount.

    Raises:
        OtherlaneError: There is no such axis, or an amount is not a number.
    """
    wants = []
    for text in AXES if axes is None else axes:
        name, _, amounts = text.partition("=")
        if name not in AXES:
            raise OtherlaneError(name, "is not an axis", guess(name, sorted(AXES)))
        try:
            chosen = [float(amount) for amount in amounts.split(",")] if amounts else None
        except ValueError as error:
            raise OtherlaneError(text, "amounts are numbers", f"{name}=1,2") from error
        amounts_now = AXES[name].amounts if chosen is None else chosen
        wants += [Want(axis=name, amount=amount, views=views) for amount in amounts_now]
    return tuple(wants)


def write_truth(
    recording: Recording,
    out: Path,
    axes: Sequence[str] | None = None,
    views: int = 2,
    workers: int = 1,
    frames: Sequence[int] | None = None,
) -> tuple[str, ...]:
    """Write exact views of a recording's perturbed worlds into `out`; returns their names.

    The views of an amount are of `frames`; a place where a camera cannot be (in a parked
    car, in a wall), or from where one does not see the road user that was changed, gives way to
    the nearest frame that is better, or to no view at all, and its JSON says why. The result does
    not depend on `workers`.

    Args:
        recording: What was recorded: world, camera, frames.
        out: Folder of the truth of this recording.
        axes: As `wanted` takes them.
        views: Views of each amount.
        workers: Processes.
        frames: Whose moments are looked at first, one for each view; spread over the drive when
            left out.

    Raises:
        OtherlaneError: Mitsuba is not installed, `out` holds the truth of another recording, or
            there is no such axis.
    """
    wants = wanted(axes, views)
    asked = spread(recording.frames, views) if frames is None else tuple(frames)
    _claim(recording, out)
    left = [want for want in wants if not all(_is_there(out, name) for name in want.names())]
    if workers <= 1 or len(left) <= 1:
        _drain(counted(map(partial(_work, recording, out, asked), left), NEWS, len(left), "views"))
        _ready.cache_clear()
        _recorded.cache_clear()
    else:
        with working(workers) as pool:
            done = pool.map(partial(_work, recording, out, asked), left)
            _drain(counted(done, NEWS, len(left), "views"))
    names = (name for want in wants for name in want.names())
    return tuple(name for name in names if is_whole_view(out / f"{name}.json"))


def spread(frames: int, views: int) -> tuple[int, ...]:
    """The frames of so many views that are spread over a drive of `frames`."""
    return tuple(np.linspace(0, frames - 1, views + 2)[1:-1].round().astype(int).tolist())


def read_truth(folder: Path) -> tuple[TruthView, ...]:
    """Every view in a folder of truth, by axis, then amount, then time; also an older folder's.

    Raises:
        OtherlaneError: The folder holds no truth, or a view is damaged.
    """
    older = len(list(folder.glob("view_*.json")))
    found = [read_view(folder, index) for index in range(older)]
    order = {name: index for index, name in enumerate(AXES)}
    pages = [page for page in sorted(folder.glob("*_*.json")) if is_whole_view(page)]
    whole = [read_whole_view(folder, page.stem) for page in pages]
    found += sorted(whole, key=lambda v: (order.get(v.axis or "", 99), v.amount, v.time_us))
    if not found:
        raise OtherlaneError(folder, "holds no views", "write_truth, or a recorded street's truth")
    return tuple(found)


def rig_of(recording: Recording, world: World) -> Rig:
    """What recorded the world: its first camera takes the truth views, all of them saw."""
    time_us, mounts = recording.time_us(), recording.mounts()
    return Rig(
        camera=mounts[0].camera,
        ego_from_camera=mounts[0].ego_from_camera,
        lidar=recording.lidar(),
        ego_from_lidar=ego_from_lidar(),
        eyes=tuple(
            Eye(
                camera=mount.camera,
                path=world.ego.mounted(mount.ego_from_camera),
                time_us=time_us,
            )
            for mount in mounts
        ),
        time_us=time_us,
        frame_us=FRAME_US,
        seed=recording.seed,
    )


def _claim(recording: Recording, out: Path) -> None:
    about = json.loads(json.dumps({"layout": LAYOUT, "recording": asdict(recording)}))
    page = out / ABOUT
    if page.is_file():
        was = json.loads(page.read_text(encoding="utf-8"))
        if was != about:
            raise OtherlaneError(out, "holds the truth of another recording", "another folder")
        return
    out.mkdir(parents=True, exist_ok=True)
    write_json(page, about)


def _is_there(out: Path, name: str) -> bool:
    return (out / f"{name}.json").is_file()


def _drain(results: Iterable[None]) -> None:
    for _ in results:
        pass


@lru_cache(1)
def _ready(recording: Recording) -> tuple[Rig, Light]:
    """The recorded world, ready to be looked at; a worker makes it once."""
    world = recording.world()
    return rig_of(recording, world), Light(Tracer(world))


def _work(recording: Recording, out: Path, asked: tuple[int, ...], want: Want) -> None:
    """All views of one axis at one amount that are not there yet."""
    rig, light = _ready(recording)
    try:
        perturbed = AXES[want.axis].apply(light.tracer.world, want.amount)
    except InfeasibleError as error:
        for name in want.names():
            _skip(out, name, str(error))
        return
    _views(recording, stage_of(rig, light, perturbed), out, asked, want)


def _views(
    recording: Recording, stage: Stage, out: Path, asked: tuple[int, ...], want: Want
) -> None:
    frames = len(stage.rig.time_us)
    taken: set[int] = set()
    for name, wish in zip(want.names(), asked, strict=True):
        near = sorted(set(range(frames)) - taken, key=lambda i: (abs(i - wish), i))
        free = (i for i in near if is_clear(stage, int(stage.rig.time_us[i])))
        frame = next((i for i in free if who_shows(stage, i)), None)
        if frame is None:
            _skip(out, name, "no frame at which a camera has room, and sees who was changed")
            continue
        taken.add(frame)  # one frame, one view
        if not _is_there(out, name):
            write_whole_view(out, name, _view(recording, stage, frame))


def _view(recording: Recording, stage: Stage, frame: int) -> TruthView:
    """Everything about a view; where edits made the world, without them, too."""
    view, edits = view_at(stage, frame), stage.perturbed.edits
    if not edits:
        return view
    linear, instance = _recorded(recording, frame)
    return replace(view, edits=edits, linear_before=linear, instance_before=instance)


@lru_cache(4)
def _recorded(
    recording: Recording, frame: int
) -> tuple[Float16[np.ndarray, "h w 3"], Int32[np.ndarray, "h w"]]:
    """What edits of road users are compared with; most look at the same few frames."""
    return recorded_picture(*_ready(recording), frame)


def _skip(out: Path, name: str, why: str) -> None:
    write_json(out / f"{name}.json", {"layout": LAYOUT, "skipped": why})
