"""Scores that `recon.evaluation.metrics` lacks: sharpness, geometry, overlaps of road users."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from recon.evaluation.metrics import ssim
from render.labels.objects import tight_box_px
from scenes.sensors.camera import Camera

MIN_OBJECT_PX = 40
"""Road users with fewer visible pixels than this, in truth at the scene's size, are not scored."""
SURFACE_M2 = 0.25
"""Normals are scored on surfaces larger than this: leaves and mirrors do not decide."""
SAME_NORMAL = np.cos(np.deg2rad(8.0))
"""Neighbouring pixels with normals this near (cosine) may be of one surface ..."""
SAME_RANGE = 1.15
"""... if their ranges differ by less than this factor: roads are seen at a grazing angle."""


def gradient_ssim(
    shown: Float[np.ndarray, "h w 3"],
    photo: Float[np.ndarray, "h w 3"],
    counts: Bool[np.ndarray, "h w"],
) -> float:
    """SSIM of the lengths of image gradients, per channel (after Chen, Yang and Xie 2006).

    PSNR rewards blur, because a soft edge is never far from a displaced one; this does not: where
    truth has an edge and the render a ramp, lengths differ.
    """
    return ssim(_gradient(shown), _gradient(photo), counts)


def _gradient(image: Float[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
    """Length of the Sobel gradient of each channel, over the largest there can be (0..1)."""
    wide = np.pad(image.clip(0, 1).astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    smooth_y = wide[:-2] + 2.0 * wide[1:-1] + wide[2:]
    smooth_x = wide[:, :-2] + 2.0 * wide[:, 1:-1] + wide[:, 2:]
    across = smooth_y[:, 2:] - smooth_y[:, :-2]
    down = smooth_x[2:] - smooth_x[:-2]
    return (np.hypot(across, down) / (4.0 * np.sqrt(2.0))).astype(np.float32)


def abs_rel_median(range_m: Float[np.ndarray, "n"], truth_m: Float[np.ndarray, "n"]) -> float:
    """Median absolute error of distance relative to truth; a missing surface is off by 1."""
    if len(truth_m) == 0:
        return float("nan")
    error = np.abs(range_m - truth_m) / truth_m
    return float(np.median(np.where(np.isfinite(range_m), error, 1.0)))


def normal_error_deg(
    normal: Float[np.ndarray, "n 3"], truth: Float[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n"]:
    """Angle between unit normals [degrees]; 90 where the render has none (length 0 or NaN)."""
    a, b = normal.astype(np.float64), truth.astype(np.float64)
    cosine = np.sum(a * b, axis=-1) / np.maximum(np.linalg.norm(a, axis=-1), 1e-9)
    cosine = cosine / np.maximum(np.linalg.norm(b, axis=-1), 1e-9)
    return np.rad2deg(np.arccos(np.clip(np.nan_to_num(cosine, nan=0.0), -1.0, 1.0)))


def large_surfaces(
    normal: Float[np.ndarray, "h w 3"], range_m: Float64[np.ndarray, "h w"], camera: Camera
) -> Bool[np.ndarray, "h w"]:
    """Pixels of truth that belong to smooth surfaces of more than `SURFACE_M2`.

    A surface is a connected set of pixels whose normals (world) turn little from one to the next.
    Its area is at least that which its pixels would cover if they faced the camera.
    """
    solid = np.isfinite(range_m) & (np.linalg.norm(normal, axis=-1) > 0.5)
    label = np.where(solid, np.arange(solid.size).reshape(solid.shape), -1)
    edges = []
    for a, b in (((slice(None, -1),), (slice(1, None),)), (np.s_[:, :-1], np.s_[:, 1:])):
        near = np.maximum(range_m[a], range_m[b]) < SAME_RANGE * np.minimum(range_m[a], range_m[b])
        flat = np.sum(normal[a] * normal[b], axis=-1) > SAME_NORMAL
        joined = solid[a] & solid[b] & near & flat
        edges.append(np.stack([label[a][joined], label[b][joined]]))
    part = _components(solid.size, np.concatenate(edges, axis=1))
    area = np.bincount(part, weights=_pixel_area_m2(range_m, camera).ravel() * solid.ravel())
    return (area[part] > SURFACE_M2).reshape(solid.shape) & solid


def _components(size: int, edges: Int64[np.ndarray, "2 e"]) -> Int64[np.ndarray, "size"]:
    """The smallest member of the connected set of each of `size` nodes."""
    part = np.arange(size)
    while True:
        low = np.minimum(part[edges[0]], part[edges[1]])
        before = part.copy()
        np.minimum.at(part, part[edges[0]], low)
        np.minimum.at(part, part[edges[1]], low)
        while not np.array_equal(part, part[part]):  # everyone asks whom its leader follows
            part = part[part]
        if np.array_equal(part, before):
            return part


def _pixel_area_m2(
    range_m: Float64[np.ndarray, "h w"], camera: Camera
) -> Float64[np.ndarray, "h w"]:
    """Area that each pixel covers of a surface that faces it [m2]; 0 for the sky."""
    solid_angle_sr = camera.solid_angle_sr(camera.pixel_centres())
    return np.where(np.isfinite(range_m), range_m, 0.0) ** 2 * np.nan_to_num(solid_angle_sr)


def mask_iou(truth: Bool[np.ndarray, "h w"], shown: Bool[np.ndarray, "h w"]) -> float:
    """Intersection over union of the pixels of a road user."""
    return float((truth & shown).sum() / max(int((truth | shown).sum()), 1))


def box_iou(truth: Bool[np.ndarray, "h w"], shown: Bool[np.ndarray, "h w"]) -> float:
    """Intersection over union of the tight 2D boxes of pixels; 0 where one is empty."""
    boxes = tight_box_px(truth), tight_box_px(shown)
    if None in boxes:
        return 0.0
    a, b = map(np.array, boxes)
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(sides.clip(0.0)))
    return shared / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)
