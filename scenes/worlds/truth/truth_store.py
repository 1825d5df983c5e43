"""Whole truth views on disk: NAME.json says what, NAME.npz holds numbers, NAME.webp is to look at.

Where edits of road users made the world, NAME.toml is the scenario that asks for the same.

Numbers are kept as they are (lossless); the picture is made of the linear radiance as it is kept.
A view is written aside and renamed, its JSON last: where there is a JSON, the view is whole.
"""

import io
import json
import os
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from scenes.edits import ActorEdit
from scenes.errors import OtherlaneError
from scenes.scenario.files import load_scenario, scenario_toml
from scenes.scenario.scenario import Scenario
from scenes.semantics import Semantic
from scenes.sensors.camera import Camera
from scenes.worlds.models.world import LaneLine
from scenes.worlds.trace.view import developed
from scenes.worlds.truth.truth_files import SweepTruth, TruthView
from scenes.worlds.truth.truth_objects import ObjectTruth

LAYOUT = 2
"""Version of these files."""
_IMAGES = ("range_m", "semantic", "linear", "normal", "albedo", "flow_px")
_FLAGS = ("stays", "shadow", "seen")
_BEFORE = ("linear_before", "instance_before")
_SWEEP = ("xyz_m", "offset_us", "semantic", "instance")
_DAMAGE = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, msgspec.ValidationError)


def picture_of(linear: np.ndarray) -> np.ndarray:
    """The sRGB picture at exposure 1 of radiance as it is kept (float16); uint8 `h w 3`."""
    shape = linear.shape
    return developed(linear.reshape(-1, 3).astype(np.float32)).reshape(shape)


def write_whole_view(folder: Path, name: str, view: TruthView) -> None:
    """Write one view; the same view is the same bytes.

    Raises:
        ValueError: Something is missing from the view.
    """
    from PIL import Image

    lines, objects, linear = view.lane_lines, view.objects, view.linear
    if lines is None or objects is None or linear is None or view.sweep is None:
        raise ValueError(f"view {name} is not whole")
    arrays = {field: getattr(view, field) for field in _IMAGES}
    arrays["flags"] = np.stack([getattr(view, field) for field in _FLAGS], axis=-1)
    arrays["instance"] = view.instance.astype(np.int16)
    arrays |= {f"sweep/{field}": getattr(view.sweep, field) for field in _SWEEP}
    arrays |= {f"line/{i}": line.points_m for i, line in enumerate(lines)}
    if view.edits:
        arrays |= {field: getattr(view, field) for field in _BEFORE}
        text = scenario_toml(Scenario(name=name, edits=view.edits))
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    aside = folder / f".{name}.npz"
    with aside.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(aside, folder / f"{name}.npz")
    Image.fromarray(view.rgb).save(folder / f"{name}.webp", lossless=True, quality=80, method=4)
    aside = folder / f".{name}.json"
    text = json.dumps(_page(view), indent=1, sort_keys=True)
    aside.write_text(text + "\n", encoding="utf-8")
    os.replace(aside, folder / f"{name}.json")


def _page(view: TruthView) -> dict[str, object]:
    assert view.camera is not None
    assert view.lane_lines is not None
    assert view.objects is not None
    plain = ("axis", "amount", "frame", "time_us", "shift_m", "path_m")
    return {
        "layout": LAYOUT,
        **{name: getattr(view, name) for name in plain},
        "camera": asdict(view.camera),
        "world_from_camera": view.world_from_camera.tolist(),
        "dashed": [line.dashed for line in view.lane_lines],
        "objects": [
            {
                "id": item.id,
                "kind": item.kind.name,
                "box2d_px": item.box2d_px,
                "whole2d_px": item.whole2d_px,
                "world_from_box": item.world_from_box.tolist(),
                "size_m": item.size_m.tolist(),
                "visible_px": item.visible_px,
                "alone_px": item.alone_px,
                "visible_share": round(item.visible_share, 6),
            }
            for item in view.objects
        ],
    }


def is_whole_view(page: Path) -> bool:
    """Whether a JSON file describes a view of this layout."""
    try:
        about = json.loads(page.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and about.get("layout") == LAYOUT and "axis" in about


def read_whole_view(folder: Path, name: str) -> TruthView:
    """What `write_whole_view` wrote.

    Raises:
        OtherlaneError: A file is missing or damaged.
    """
    try:
        about = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        numbers = io.BytesIO((folder / f"{name}.npz").read_bytes())
        with np.load(numbers, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        return replace(_view(about, arrays), **_before(folder / f"{name}.toml", arrays))
    except _DAMAGE as error:
        fix = "remove it and write the truth again"
        raise OtherlaneError(folder / name, f"is damaged ({error})", fix) from error


def _before(scenario: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """What a view holds whose world edits made; nothing for others."""
    if not set(_BEFORE) <= arrays.keys():
        return {}
    edits = tuple(edit for edit in load_scenario(scenario).edits if isinstance(edit, ActorEdit))
    return {"edits": edits, **{field: arrays[field] for field in _BEFORE}}


def _view(about: dict, arrays: dict[str, np.ndarray]) -> TruthView:
    flags = dict(zip(_FLAGS, np.moveaxis(arrays["flags"], -1, 0), strict=True))
    dashed = enumerate(about["dashed"])
    sweep = {field: arrays[f"sweep/{field}"] for field in _SWEEP}
    return TruthView(
        **{name: about[name] for name in ("axis", "amount", "frame", "time_us")},
        shift_m=about["shift_m"],
        path_m=about["path_m"],
        camera=msgspec.convert(about["camera"], Camera),
        world_from_camera=np.array(about["world_from_camera"]),
        rgb=picture_of(arrays["linear"]),
        **{name: arrays[name] for name in _IMAGES},
        instance=arrays["instance"].astype(np.int32),
        **flags,
        lane_lines=tuple(LaneLine(points_m=arrays[f"line/{i}"], dashed=d) for i, d in dashed),
        objects=tuple(map(_object, about["objects"])),
        sweep=SweepTruth(**sweep),
    )


def _object(item: dict) -> ObjectTruth:
    return ObjectTruth(
        id=item["id"],
        kind=Semantic[item["kind"]],
        box2d_px=None if item["box2d_px"] is None else tuple(item["box2d_px"]),
        whole2d_px=tuple(item["whole2d_px"]),
        world_from_box=np.array(item["world_from_box"]),
        size_m=np.array(item["size_m"]),
        visible_px=item["visible_px"],
        alone_px=item["alone_px"],
    )
