"""What is refused before the first ray: formats and previews that could not be made afterwards."""

from collections.abc import Sequence

from render.exporters import check_format
from render.folders.frames import lacking
from render.pictures.preview import SHOWN
from scenes.errors import OtherlaneError
from scenes.sensors.camera import Camera


def check_door(
    camera: Camera, labels: Sequence[str], formats: Sequence[str], *, preview: bool
) -> None:
    """Refuse what could not be exported, or shown, once it is rendered.

    Args:
        camera: Of the pictures.
        labels: Names of the pixel labels that will be stored.
        formats: Names of the formats that are asked for.
        preview: Whether a preview is.

    Raises:
        OtherlaneError: A format cannot hold such pictures, or needs labels that will not be there.
    """
    for fmt in formats:
        check_format(fmt, camera, labels, "render")
    if preview and (lacks := [name for name in SHOWN if name not in labels]):
        error = lacking("render: the preview", labels, lacks)
        raise OtherlaneError(error.where, error.wrong, f"--no-preview, or {error.fix}")
