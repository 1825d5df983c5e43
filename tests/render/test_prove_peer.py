"""nerfacto on the proving ground: the same scores as ours, for a method that sees exactly."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.nerfacto_peer import Nerfacto, Peer, PeerRays, PeerView, Spent
from benchmarks.prove_peer import Settings, measure_world, write_scores
from render.prove.peers import read_peer
from render.prove.run import prove_folder
from scenes.errors import OtherlaneError
from scenes.sensors.images import srgb_from_linear
from tests.render.test_prove_run import REQUEST, counted  # noqa: F401
from tests.scene_maker import CAMERA_HEIGHT_M, radiance

SETTINGS = Settings(preset="small", rays=64, seed=0, cpu_seconds=0.0)


class Oracle:
    """Sees the striped plain as it is, or `off_m` to the left; its space is what it was told."""

    def __init__(self, off_m: float = 0.0, may_train: bool = True) -> None:
        self.off_m, self.may_train, self.spent = off_m, may_train, Spent()
        self.height = self.first = self.last = 0.0

    def train_until(self, rays: PeerRays, batch: int, cpu_seconds: float) -> None:
        assert self.may_train
        assert len(rays.srgb) > batch
        # The training pixels say how its space lies in the world: cameras in [-1, 1], level.
        self.height = rays.origins[:, 2].mean().item()
        self.first, self.last = rays.origins[:, 0].min().item(), rays.origins[:, 0].max().item()
        self.spent.steps += 1
        self.spent.cpu_seconds = cpu_seconds

    def world(self, origins: torch.Tensor) -> np.ndarray:
        """Metres: pictures were taken 1 m apart from x = 1 m on; the 5th of 6 did not train."""
        metre = (self.last - self.first) / 5.0
        x = (origins[:, 0] - self.first) / metre + 1.0
        up = (origins[:, 2] - self.height) / metre + CAMERA_HEIGHT_M
        return torch.stack([x, origins[:, 1] / metre + self.off_m, up], dim=-1).double().numpy()

    def render(
        self, origins: torch.Tensor, directions: torch.Tensor, pixel_angle: torch.Tensor
    ) -> PeerView:
        assert (pixel_angle > 0).all()
        start, along = self.world(origins), directions.double().numpy()
        down = along[:, 2] < -1e-3
        range_m = np.where(down, -start[:, 2] / np.where(down, along[:, 2], 1.0), 1.0)
        metre = (self.last - self.first) / 5.0
        return PeerView(
            srgb=torch.from_numpy(srgb_from_linear(radiance(start, along))).float(),
            opacity=torch.from_numpy(down).float(),
            distance=torch.from_numpy(range_m * metre).float(),
        )

    def save(self, path: Path) -> None:
        state = [self.height, self.first, self.last, self.spent.steps, self.spent.cpu_seconds]
        path.write_text(json.dumps(state))

    def load(self, path: Path) -> None:
        self.height, self.first, self.last, steps, seconds = json.loads(path.read_text())
        self.spent = Spent(steps=steps, cpu_seconds=seconds)


def making(peer: Peer) -> Callable[[str, int, int], Peer]:
    def make(preset: str, pictures: int, seed: int) -> Peer:
        assert (preset, seed) == ("small", 0)
        assert pictures == 5
        return peer

    return make


@pytest.fixture
def proved(tmp_path: Path, counted: dict[str, int]) -> Path:  # noqa: F811
    del counted
    prove_folder(tmp_path / "ours", REQUEST)
    return tmp_path / "ours"


def test_who_sees_exactly_is_scored_as_exact(proved: Path, tmp_path: Path) -> None:
    folder, settings = proved / "worlds/street-101", replace(SETTINGS, cpu_seconds=5.0)
    world = measure_world(folder, tmp_path / "exact", settings, making(Oracle()))
    off = measure_world(folder, tmp_path / "off", settings, making(Oracle(off_m=1.0)))
    write_scores(tmp_path / "peer.json", settings, [world])
    peer = read_peer(tmp_path / "peer.json")
    rows = {(row.amount, row.region): row for row in peer.rows({"street-101"})}
    ours = json.loads((proved / "prove.json").read_bytes())["worlds"][0]
    assert set(rows) == {(row["amount"], row["region"]) for row in ours["rows"]}
    for row in rows.values():
        assert (row.numbers["psnr_db"] or 0.0) > 50.0  # 8 bits
        assert (row.numbers["depth_abs_rel"] or 0.0) < 1e-4
        assert (row.numbers["normal_deg"] or 0.0) < 0.1
    assert rows[3.0, "seen"].distance_m == pytest.approx(3.0)
    held_out = peer.held_out("psnr_db")["street-101"]
    assert (held_out or 0.0) > 45.0
    (wrong,) = [r for r in off["rows"] if (r["amount"], r["region"]) == (3.0, "seen")]  # pyright: ignore
    assert wrong["numbers"]["psnr_db"] < 30.0
    assert wrong["numbers"]["depth_abs_rel"] < 1e-4


def test_what_is_done_is_not_done_again(proved: Path, tmp_path: Path) -> None:
    folder, work = proved / "worlds/street-101", tmp_path / "work"
    settings = replace(SETTINGS, cpu_seconds=300.0)
    first = measure_world(folder, work, settings, making(Oracle()))
    assert first["cpu_seconds"] == 300.0
    assert first["steps"] == 3  # saved every 120 s
    page = work / "world.json"
    page.unlink()  # killed while it scored: the training is there
    assert measure_world(folder, work, settings, making(Oracle(may_train=False))) == first
    assert measure_world(folder, work, settings, making(Oracle(may_train=False))) == first
    page.unlink()
    more = replace(settings, cpu_seconds=400.0)
    with pytest.raises(OtherlaneError, match="made with another"):
        measure_world(folder, work, more, making(Oracle()))


def test_the_budget_is_what_ours_cost(proved: Path, tmp_path: Path) -> None:
    folder = proved / "worlds/street-101"
    cost = json.loads((folder / "processor.json").read_bytes())["reconstruct"]
    world = measure_world(
        folder, tmp_path / "work", replace(SETTINGS, cpu_seconds=None), making(Oracle())
    )
    assert world["cpu_seconds"] == pytest.approx(cost, abs=0.1)
    (folder / "processor.json").unlink()
    with pytest.raises(OtherlaneError, match="--cpu-seconds"):
        measure_world(
            folder, tmp_path / "more", replace(SETTINGS, cpu_seconds=None), making(Oracle())
        )
    with pytest.raises(OtherlaneError, match="no scores of otherlane's"):
        measure_world(tmp_path / "nothing", tmp_path / "more", SETTINGS, making(Oracle()))


def test_it_is_not_asked_for_edits(proved: Path, tmp_path: Path) -> None:
    folder = proved / "worlds/street-101"
    shutil.copytree(folder / "scores/lateral", folder / "scores/actor-moved")
    world = measure_world(folder, tmp_path, replace(SETTINGS, cpu_seconds=5.0), making(Oracle()))
    rows = world["rows"]
    assert isinstance(rows, list)
    assert {row["axis"] for row in rows} == {"lateral"}
    assert "movers" not in {row["region"] for row in rows}


def test_it_stands_beside_ours(proved: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, cpu_seconds=5.0)
    folder = proved / "worlds/street-101"
    world = measure_world(folder, tmp_path / "work", settings, making(Oracle()))
    write_scores(tmp_path / "peer.json", settings, [world])
    prove_folder(proved, replace(REQUEST, peers=(tmp_path / "peer.json",)))
    content = json.loads((proved / "prove.json").read_bytes())
    (peer,) = content["peers"]
    assert peer["worlds"] == ["street-101"]
    assert peer["on_path_held_out"]["psnr_db"] > 45.0
    assert {line["score"] for line in peer["summary"]} >= {"psnr_db", "psnr_drop_db"}
    page = (proved / "index.html").read_text(encoding="utf-8")
    assert "mean over 1" in page
    assert "as many processor seconds" not in page
    assert "the same processor seconds: 5 to 5" in page


@pytest.mark.skipif(find_spec("nerfstudio") is None, reason="nerfstudio is not installed")
def test_nerfacto_itself_is_trained_and_scored(proved: Path, tmp_path: Path) -> None:
    folder = proved / "worlds/street-101"
    settings = replace(SETTINGS, cpu_seconds=1.0)
    world = measure_world(folder, tmp_path / "work", settings, Nerfacto)
    assert float(str(world["cpu_seconds"])) >= 1.0
    peer_file = tmp_path / "peer.json"
    write_scores(peer_file, settings, [world])
    rows = read_peer(peer_file).rows({"street-101"})
    assert all((row.numbers["psnr_db"] or 0.0) > 3.0 for row in rows)
