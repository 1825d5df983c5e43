"""Inputs that are far too large, or say that they are: refused soon, in little memory."""

import io
import json
import shutil
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tests.faults.stage import VERBS, Stage
from tests.faults.tally import Counted, Tally
from tests.faults.workbench import TIMEOUT_S
from tests.harm import sign_again

GIB = 1 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Big:
    """One input that is too large."""

    name: str
    verb: str
    place: str
    """File of the stage, or folder with a manifest."""
    file: str
    make: Callable[[Path], None]
    slow: bool = False
    """Takes seconds to make: only in the long form."""


def repeated(line: bytes, times: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        block, left = line * 10_000, times
        with path.open("wb") as file:
            while left > 0:
                file.write(block if left >= 10_000 else line * left)
                left -= 10_000

    return make


def zeros(size: int) -> Callable[[Path], None]:
    """A file of zeros that takes no room on the disk."""

    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return make


def bomb(path: Path) -> None:
    """An archive of a few megabytes whose first array unpacks to 4 GiB."""
    with np.load(path) as held:
        arrays = {name: held[name] for name in held.files}
    count = 4 * GIB // 8
    said = {"descr": "<f8", "fortran_order": False, "shape": (count,)}
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, said)
    packer, block = zlib.compressobj(9, zlib.DEFLATED, -15), bytes(1 << 20)
    first = packer.compress(head.getvalue()) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = first + one * (4 << 10) + packer.flush()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, value) in enumerate(sorted(arrays.items())):
            if number == 0:
                # stored as if it were packed already: the entry's header is mended below
                info = zipfile.ZipInfo(f"{name}.npy")
                archive.writestr(info, packed)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.file_size = len(head.getvalue()) + 4 * GIB
            else:
                entry = io.BytesIO()
                np.lib.format.write_array(entry, value)
                archive.writestr(f"{name}.npy", entry.getvalue())
    data = bytearray(buffer.getvalue())
    data[8:10] = (8).to_bytes(2, "little")  # the method in the entry's own header
    path.write_bytes(bytes(data))


def tensor_header(path: Path) -> None:
    path.write_bytes((2**60).to_bytes(8, "little") + path.read_bytes()[8:])


def long_list(path: Path) -> None:
    """JSON with a list of ten million numbers at its top."""
    text = path.read_text()
    value = json.loads(text.splitlines()[0] if path.suffix == ".jsonl" else text)
    said = json.dumps(value)[:-1] + ', "more": [' + "0," * 10_000_000 + "0]}\n"
    path.write_text(said)


LINE = b"0 3 Car 0 0 0.1 1 2 3 4 1.5 1.8 4.2 3 1.65 20 0\n"
POSE = b"1 0 0 0 0 1 0 0 0 0 1 0\n"
POINT = b"1 0 0 9 1 1 1 0.5 60 0\n"
LABELS, POSES, CALIB = "label_02/0007.txt", "poses/0007.txt", "calib/0007.txt"
BIG = (
    Big(name="10^6 lines of labels", verb="import", place="drive", file=LABELS,
        make=repeated(LINE, 10**6)),
    Big(name="10^7 poses", verb="import", place="drive", file=POSES,
        make=repeated(POSE, 10**7), slow=True),
    Big(name="10^7 times", verb="import odometry", place="odometry", file="sequences/04/times.txt",
        make=repeated(b"0.1\n", 10**7), slow=True),
    Big(name="10^7 points", verb="import", place="drive", file="colmap/points3D.txt",
        make=repeated(POINT, 10**7), slow=True),
    Big(name="999 MB of newlines as labels", verb="import", place="drive", file=LABELS,
        make=repeated(b"\n", 999_000_000), slow=True),
    Big(name="999 MB of newlines as poses", verb="import", place="drive", file=POSES,
        make=repeated(b"\n", 999_000_000), slow=True),
    Big(name="999 MB of newlines as a request", verb="perturb", place="left.toml", file="",
        make=repeated(b"\n", 999_000_000), slow=True),
    Big(name="a calibration of 8 GiB of zeros", verb="import", place="drive", file=CALIB,
        make=zeros(8 * GIB)),
    Big(name="a picture of 8 GiB of zeros", verb="import", place="drive",
        file="image_02/0007/000002.png", make=zeros(8 * GIB)),
    Big(name="a request of 8 GiB of zeros", verb="perturb", place="left.toml", file="",
        make=zeros(8 * GIB)),
    Big(name="a scenario of 8 GiB of zeros", verb="render a frame", place="scenarios",
        file="0000/scenario.toml", make=zeros(8 * GIB)),
    Big(name="a manifest of 8 GiB of zeros", verb="verify clip", place="clip",
        file="manifest.json", make=zeros(8 * GIB)),
    Big(name="arrays of a clip that unpack to 4 GiB", verb="perturb", place="clip",
        file="arrays.npz", make=bomb),
    Big(name="arrays of a scene that unpack to 4 GiB", verb="render a frame", place="scene",
        file="arrays.npz", make=bomb),
    Big(name="arrays of a frame that unpack to 4 GiB", verb="verify frames", place="frames",
        file="frames/front/000001.npz", make=bomb),
    Big(name="a tensor file with a header of 2^60 bytes", verb="render a frame", place="scene",
        file="field.safetensors", make=tensor_header),
    Big(name="clip.json with 10^7 more numbers", verb="perturb", place="clip", file="clip.json",
        make=long_list, slow=True),
    Big(name="config.json with 10^7 more numbers", verb="render a frame", place="scene",
        file="config.json", make=long_list, slow=True),
    Big(name="labels.jsonl with 10^7 more numbers", verb="export coco", place="frames",
        file="labels.jsonl", make=long_list, slow=True),
    Big(name="asset.json with 10^7 more numbers", verb="render an asset", place="asset",
        file="asset.json", make=long_list, slow=True),
)  # fmt: skip
"""All of them; where there is a manifest it is made to fit, but to files of more than 1 GiB."""


def big_inputs(stage: Stage, *, slow: bool) -> Counted:
    """Each of them once."""
    for big in BIG:
        if slow or not big.slow:
            yield f"big: {big.name}", partial(put_in, stage, big)


def put_in(stage: Stage, big: Big, tally: Tally) -> None:
    """Put one in the place of a file, run the verb, and put the file back."""
    place = stage.root / big.place
    path, aside = place / big.file if big.file else place, stage.root / "aside"
    shutil.copy2(path, aside)
    signed = place / "manifest.json"
    manifest = signed.read_bytes() if signed.is_file() else None
    try:
        big.make(path)
        if manifest is not None and path.stat().st_size < GIB and path != signed:
            sign_again(place)
        run = stage.run(VERBS[big.verb], stage.fresh(), timeout_s=2 * TIMEOUT_S)
    finally:
        path.unlink()
        shutil.move(aside, path)
        if manifest is not None:
            signed.write_bytes(manifest)
    if not tally.judge(run, big.name):
        tally.count("other")
