"""From folders of frames to one data set in a format of others: the verb `export`."""

from collections.abc import Sequence
from pathlib import Path

from render.exporters import export, find_exporter, pictures_of
from render.folders.frames_laws import check_frames
from render.labels.gate import LabelGate
from render.labels.gating import is_ignored, is_labelled
from scenes.errors import OtherlaneError
from scenes.storage.folders import check_out, is_finished, writing
from scenes.storage.manifests import Provenance, finished, folder_hash
from scenes.work.phases import phase


def export_folders(
    folders: Sequence[Path], fmt: str, out: Path, gate: LabelGate, *, keep_rejected: bool = False
) -> dict[str, object]:
    """See `render.commands.export`."""
    find_exporter(fmt)  # before any folder is read
    if not folders:
        raise OtherlaneError("export", "names no folder of frames", "folders that render made")
    check_out(out, "export")
    with phase("comparing files with their hashes"):
        for folder in folders:
            check_frames(finished(folder, "frames"))
    inputs = {f"frames {i}": folder_hash(x, "frames") for i, x in enumerate(folders)}
    config = {"format": fmt, "gate": gate.config(), "keep_rejected": keep_rejected}
    provenance = Provenance(kind="export", inputs=inputs, config=config)
    pictures = pictures_of(folders, gate, keep_rejected=keep_rejected)
    if not pictures:
        wrong = "holds no frame that was accepted: training pictures showed too little of them"
        raise OtherlaneError(folders[0], wrong, "--keep-rejected, or another path of the ego")
    if not is_finished(out, provenance):
        with writing(out, provenance) as folder, phase(f"writing labels as {fmt}"):
            export(fmt, pictures, folder)
    items = [item for picture in pictures for item in picture.record["objects"]]
    return {
        "out": str(out),
        "format": fmt,
        "folders": len(folders),
        "pictures": len(pictures),
        "labelled_objects": sum(map(is_labelled, items)),
        "ignore_regions": sum(map(is_ignored, items)),
        "licences": list(dict.fromkeys(picture.dataset["licence"] for picture in pictures)),
    }
