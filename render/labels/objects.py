"""Labels of one road user: where its pixels are, how much of it is hidden, where its box is."""

import numpy as np
from jaxtyping import Bool, Float64

from render.json_value import Json
from render.labels.entry import Sighting
from render.labels.moment import Moment
from render.labels.surfaces import BOX_MARGIN_M, box_entry_m
from scenes.motion.geometry import invert

MIRRORED = 1
"""As `Moment.support` says."""
PARTLY_HIDDEN, LARGELY_HIDDEN = 0.9, 0.5
"""Visible fractions below which KITTI's occlusion level is 1, and 2."""


def tight_box_px(mask: Bool[np.ndarray, "h w"]) -> list[float] | None:
    """Left, top, right, bottom edges of the pixels of a mask [px]; None when it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return [float(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]


def box_2d(seen: Sighting) -> Json:
    """See the table."""
    return tight_box_px(seen.mask)


def visible_px(seen: Sighting) -> Json:
    """See the table."""
    return int(seen.mask.sum()) if seen.box.rendered else None


def visible_fraction(seen: Sighting) -> Json:
    """See the table."""
    if not seen.box.rendered:
        return None
    if not seen.mask.any():
        return 0.0
    over_box, unhidden = box_px(seen)
    return float(unhidden / over_box) if over_box else 1.0


def box_px(seen: Sighting) -> tuple[int, int]:
    """Pixels whose rays meet its box, and those of them in which nothing is in front of it.

    Only surfaces that training pictures showed hide anything: haze in front of a far car is made
    up, and says nothing about what is behind it.
    """
    outline = seen.box.outline_px
    (x0, y0), (x1, y1) = np.floor(outline.min(0)), np.ceil(outline.max(0))
    part = np.s_[int(y0) : int(y1), int(x0) : int(x1)]
    entry_m = box_entry_m(
        seen.moment.origins_m.numpy()[part],
        seen.moment.directions.numpy()[part],
        seen.box.world_from_box,
        seen.box.actor.size_m,
    )
    over_box = np.isfinite(entry_m) & np.isfinite(seen.moment.cosine.numpy()[part])
    # Boxes are grown by the margin for masks: only what is nearer than that is something else.
    blocked = over_box & (seen.pixels["range_m"][part] < entry_m - BOX_MARGIN_M)
    blocked &= seen.moment.observed.numpy()[part] & ~seen.mask[part]
    return int(over_box.sum()), int((over_box & ~blocked).sum())


def observed_share(seen: Sighting) -> Json:
    """See the table."""
    if not seen.mask.any():
        return None
    return float(seen.moment.observed.numpy()[seen.mask].mean())


def mirrored_share(seen: Sighting) -> Json:
    """See the table."""
    if not seen.box.own_field or not seen.mask.any():
        return None
    return float((seen.moment.support.numpy()[seen.mask] == MIRRORED).mean())


def occlusion(seen: Sighting) -> Json:
    """See the table."""
    fraction = visible_fraction(seen)
    if fraction is None:
        return 3
    return 0 if fraction >= PARTLY_HIDDEN else 1 if fraction >= LARGELY_HIDDEN else 2


def ego_from_box(seen: Sighting) -> Json:
    """See the table."""
    return (invert(world_from_ego(seen.moment)) @ seen.box.world_from_box).tolist()


def world_from_ego(moment: Moment) -> Float64[np.ndarray, "4 4"]:
    """Pose of the car that carries the camera, while the first line is exposed."""
    mounting = moment.clip.cameras[moment.stream].ego_from_camera
    return moment.world_from_camera @ invert(mounting)
