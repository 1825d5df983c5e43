"""An otherlane clip as data of nerfstudio, for every method: `ns-train nerfacto otherlane-clip`.

Pictures are split as `otherlane reconstruct` splits them. Poses are recorded ones, metric up to
the scale that nerfstudio notes in `dataparser_transforms.json`. Methods that read files get the
recorded pictures at full size; masks of moving actors are written beside the clip.
"""

# pyright: reportMissingImports=false

from dataclasses import dataclass, field, replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch
from nerfstudio.data.dataparsers.base_dataparser import (
    DataParser,
    DataParserConfig,
    DataparserOutputs,
)
from nerfstudio.data.scene_box import SceneBox
from nerfstudio.plugins.registry_dataparser import DataParserSpecification

from recon.adapters.nerfstudio_frames import HostFrame, Pictures, host_cameras, host_frame
from recon.config import ReconstructionConfig
from recon.data.holdout import select_frames
from recon.data.opened import hidden_pixels
from recon.data.training_data import blind_pixels, masked_pixels
from recon.reconstruct import ReconstructRequest, resolve
from scenes.clip import Clip
from scenes.storage.clip_files import load_clip

SOURCE = "otherlane"
"""Under this name the metadata of a data set holds its `ClipSource`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ClipSource:
    """Where a data set of nerfstudio came from."""

    folder: Path
    """Of the clip."""
    clip: Clip
    config: ReconstructionConfig
    pictures: Pictures
    frame: HostFrame


@dataclass
class ClipDataParserConfig(DataParserConfig):
    """A drive that `otherlane import` has read."""

    _target: type = field(default_factory=lambda: ClipDataParser)
    data: Path = Path()
    """Folder of the clip."""
    recipe: str = "standard"
    """Which reconstruction recipe (for the otherlane method)."""
    scale: float | None = None
    """Image size to train at, as a share of the recorded size (for the otherlane method)."""
    holdout: int = 8
    """Keep every n-th frame for evaluation; 0 keeps none, and evaluates on training pictures."""
    train_share: float | None = None
    """KITTI's 0.75, 0.5 or 0.25 of the frames train, instead of holdout."""
    masks: bool = True
    """Write masks of what does not count to CLIP.masks; the otherlane method has them without."""


class ClipDataParser(DataParser):
    """Says which pictures a clip has, and where they were taken."""

    config: ClipDataParserConfig

    def _generate_dataparser_outputs(self, split: str = "train", **_: object) -> DataparserOutputs:
        asked = self.config
        clip = load_clip(asked.data)
        request = ReconstructRequest(
            recipe=asked.recipe,
            scale=asked.scale,
            holdout=asked.holdout,
            train_share=asked.train_share,
        )
        # its hosts know nothing of what moves: those pixels are masked
        config = replace(resolve(clip, request), actors=None)
        pictures = split_pictures(clip, config, split)
        frame = host_frame(clip)
        source = ClipSource(
            folder=asked.data, clip=clip, config=config, pictures=pictures, frame=frame
        )
        numbers = list(zip(pictures.stream.tolist(), pictures.frame.tolist(), strict=True))
        masked = asked.masks and hides_pixels(clip, pictures)
        return DataparserOutputs(
            image_filenames=[clip.cameras[stream].files[index] for stream, index in numbers],
            cameras=host_cameras(clip, pictures, frame),
            scene_box=SceneBox(aabb=torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])),
            mask_filenames=write_masks(source) if masked else None,
            metadata={SOURCE: source},
            dataparser_transform=frame.transform(),
            dataparser_scale=frame.per_metre,
        )


def split_pictures(clip: Clip, config: ReconstructionConfig, split: str) -> Pictures:
    """The pictures that train, or those held out where there are any."""
    chosen = [select_frames(clip, config, stream) for stream in range(len(clip.cameras))]
    held = split != "train" and any(len(kept) for _, kept in chosen)
    frames = [kept if held else trained for trained, kept in chosen]
    return Pictures(
        stream=np.repeat(np.arange(len(frames)), [len(each) for each in frames]),
        frame=np.concatenate(frames),
    )


def hides_pixels(clip: Clip, pictures: Pictures) -> bool:
    """Whether some pixel does not count: it shows who moves, nothing, or is not opaque."""
    blind = any(blind_pixels(images.camera).any() for images in clip.cameras)
    return (
        blind
        or any(actor.is_moving for actor in clip.actors)
        or any(
            clip.cameras[stream].may_hide(frame)
            for stream, frame in zip(pictures.stream.tolist(), pictures.frame.tolist(), strict=True)
        )
    )


def write_masks(source: ClipSource) -> list[Path]:
    """One PNG a picture, at the recorded size: white may train, black may not."""
    folder = source.folder.with_name(f"{source.folder.name}.masks")
    folder.mkdir(exist_ok=True)
    paths = []
    pictures = source.pictures
    for stream, index in zip(pictures.stream.tolist(), pictures.frame.tolist(), strict=True):
        images = source.clip.cameras[stream]
        masked = masked_pixels(source.clip, stream, index, 1.0)
        masked |= hidden_pixels(images, index, images.camera)
        paths.append(folder / f"{source.clip.cameras[stream].name}_{index:06d}.png")
        iio.imwrite(paths[-1], np.where(masked, 0, 255).astype(np.uint8))
    return paths


clip_dataparser = DataParserSpecification(
    config=ClipDataParserConfig(), description="A recorded drive, as otherlane imports it."
)
