"""What nerfstudio hands to our method: a clip's evidence, and pictures to be judged by.

Training sees what `otherlane reconstruct` sees (`recon.data.training_data`): nothing of a drive is
lost on the way, neither depth evidence nor sky nor rolling shutter. Pictures for evaluation are
averaged down in linear light, as `otherlane evaluate` has them; of a rolling shutter, nerfstudio
shows the pose of the middle line.
"""

# pyright: reportMissingImports=false

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from nerfstudio.data.datamanagers.base_datamanager import (
    VanillaDataManager,
    VanillaDataManagerConfig,
)
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.datasets.base_dataset import InputDataset

from recon.adapters.nerfstudio_dataparser import SOURCE, ClipDataParserConfig, ClipSource
from recon.adapters.nerfstudio_frames import host_cameras
from recon.data.opened import hidden_pixels
from recon.data.training_data import load_data, masked_pixels, scaled_camera
from recon.training.state import FIRST_RAYS
from scenes.errors import OtherlaneError
from scenes.sensors.images import resize_linear, srgb_from_linear


def clip_source(metadata: dict[str, Any]) -> ClipSource:
    """Where data came from.

    Raises:
        OtherlaneError: From somewhere else than a clip.
    """
    source = metadata.get(SOURCE)
    if not isinstance(source, ClipSource):
        wrong = "trains on clips, and got other data"
        raise OtherlaneError("ns-train otherlane", wrong, "--data CLIP (see otherlane import)")
    return source


class ClipDataset(InputDataset):
    """Pictures of a clip at training resolution, with masks of what does not count."""

    def __init__(self, dataparser_outputs: DataparserOutputs, scale_factor: float = 1.0) -> None:
        if scale_factor != 1.0:
            fix = "--pipeline.datamanager.dataparser.scale"
            raise OtherlaneError("camera-res-scale-factor", "is not for the otherlane method", fix)
        super().__init__(dataparser_outputs, scale_factor)
        self.source = clip_source(self.metadata)
        source = self.source
        self.cameras = host_cameras(source.clip, source.pictures, source.frame, source.config.scale)

    def get_numpy_image(self, image_idx: int) -> UInt8[np.ndarray, "h w 3"]:
        """One picture, averaged down in linear light."""
        stream, frame = self._picture(image_idx)
        camera = self.cameras[image_idx]
        recorded = self.source.clip.cameras[stream].read(frame)
        small = resize_linear(recorded, int(camera.width), int(camera.height))
        return np.round(srgb_from_linear(small).clip(0, 1) * 255).astype(np.uint8)

    def get_metadata(self, data: dict[str, Any]) -> dict[str, Any]:
        """The mask: true where the picture counts."""
        source, (stream, frame) = self.source, self._picture(data["image_idx"])
        masked = masked_pixels(source.clip, stream, frame, source.config.scale)
        images = source.clip.cameras[stream]
        masked |= hidden_pixels(images, frame, scaled_camera(images.camera, source.config.scale))
        return {"mask": torch.from_numpy(~masked)[..., None]}

    def _picture(self, index: int) -> tuple[int, int]:
        pictures = self.source.pictures
        return int(pictures.stream[index]), int(pictures.frame[index])


@dataclass
class ClipDataManagerConfig(VanillaDataManagerConfig):
    """A clip; the number of rays of a step follows from the recipe."""

    _target: type = field(default_factory=lambda: ClipDataManager)
    dataparser: ClipDataParserConfig = field(
        default_factory=lambda: ClipDataParserConfig(masks=False)
    )


class ClipDataManager(VanillaDataManager[ClipDataset]):
    """Holds what trains; the pipeline draws from it."""

    config: ClipDataManagerConfig

    def setup_train(self) -> None:
        """Open the training pictures and the depth evidence."""
        self.source = clip_source(self.train_dataset.metadata)
        self.evidence = load_data(self.source.clip, self.source.config)
        self.rays = FIRST_RAYS

    def get_train_rays_per_batch(self) -> int:
        """Rays of the next step."""
        return self.rays
