"""COCO's run-length encoding of masks: runs down the columns, beginning with zeros.

The compact text form writes each run (from the third on, its difference to the run before last)
as little-endian groups of five bits; bit 0x20 says that another group follows, the top bit of the
last group is the sign, and 48 is added to make printable characters. See the COCO API's maskApi.
"""

import numpy as np
from jaxtyping import Bool, Int64


def run_lengths(mask: Bool[np.ndarray, "h w"]) -> Int64[np.ndarray, "runs"]:
    """Lengths of the runs of equal pixels, zeros first."""
    line = mask.T.ravel()
    changes = np.flatnonzero(line[1:] != line[:-1]) + 1
    edges = np.concatenate([[0], changes, [len(line)]])
    runs = np.diff(edges)
    starts_with_one = len(line) > 0 and bool(line[0])
    return np.concatenate([[0], runs]) if starts_with_one else runs


def mask_of_runs(
    runs: Int64[np.ndarray, "runs"], height: int, width: int
) -> Bool[np.ndarray, "h w"]:
    """The inverse of `run_lengths`."""
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def encode(mask: Bool[np.ndarray, "h w"]) -> dict[str, object]:
    """A mask as COCO's `segmentation` in its compact form."""
    runs = run_lengths(mask).tolist()
    deltas = [run - (runs[i - 2] if i > 2 else 0) for i, run in enumerate(runs)]
    text = "".join(_characters(delta) for delta in deltas)
    return {"size": list(mask.shape), "counts": text}


def _characters(value: int) -> str:
    groups = []
    while True:
        group, value = value & 0x1F, value >> 5
        finished = value == (-1 if group & 0x10 else 0)
        groups.append(chr((group if finished else group | 0x20) + 48))
        if finished:
            return "".join(groups)


def decode(text: str) -> Int64[np.ndarray, "runs"]:
    """The run lengths of the compact form."""
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        group = ord(character) - 48
        value |= (group & 0x1F) << shift
        shift += 5
        if not group & 0x20:
            if group & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    return np.array(runs, dtype=np.int64)
