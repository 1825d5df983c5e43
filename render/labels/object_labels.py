"""The labels of road users and of whole pictures: what each is, and how it is computed."""

from render.json_value import Json
from render.labels import objects
from render.labels.entry import FrameLabel, ObjectLabel
from render.labels.gating import ignore_region, why_ignored
from render.labels.moment import Moment

ACCEPT, REJECT = "accept", "reject"
"""What a frame's `gate` may say."""


def _camera(moment: Moment) -> Json:
    camera = moment.camera
    names = ("width", "height", "fx", "fy", "cx", "cy", "lens", "readout_us", "readout")
    return {name: getattr(camera, name) for name in names} | {
        "distortion": list(camera.distortion),
        "name": moment.clip.cameras[moment.stream].name,
    }


def frame_observed(moment: Moment) -> float:
    """See the table."""
    looks = moment.cosine.isfinite()
    return float(moment.observed[looks].double().mean()) if bool(looks.any()) else 0.0


def frame_gate(moment: Moment) -> str:
    """See the table."""
    return ACCEPT if frame_observed(moment) >= moment.gate.min_observed else REJECT


OBJECT_LABELS: tuple[ObjectLabel, ...] = (
    ObjectLabel(
        name="track_id",
        definition="The drive's own id of the road user.",
        unit="id",
        dtype="int",
        shape="",
        compute=lambda seen: seen.box.actor.id,
    ),
    ObjectLabel(
        name="instance",
        definition="Its number in instance maps: its place among the clip's road users, from 1.",
        unit="id",
        dtype="int",
        shape="",
        compute=lambda seen: seen.box.index,
    ),
    ObjectLabel(
        name="class",
        definition="Name of its class in scenes.semantics.",
        unit="name",
        dtype="str",
        shape="",
        compute=lambda seen: seen.box.actor.kind.name,
    ),
    ObjectLabel(
        name="rendered",
        definition="Whether the picture shows it: it stands still, or has a field of its own. One "
        "that moves without a field gets no 2D label, only an ignore region.",
        unit="",
        dtype="bool",
        shape="",
        compute=lambda seen: seen.box.rendered,
    ),
    ObjectLabel(
        name="visible_px",
        definition="Number of pixels that show it; null when it is not rendered.",
        unit="px",
        dtype="int or null",
        shape="",
        compute=objects.visible_px,
        needs=("instance",),
    ),
    ObjectLabel(
        name="box_2d",
        definition="Tight box of its visible pixels: left, top, right, bottom edge, the image "
        "spanning 0..width, 0..height; null when no pixel shows it.",
        unit="px",
        dtype="float or null",
        shape="4",
        compute=objects.box_2d,
        needs=("instance",),
    ),
    ObjectLabel(
        name="truncation",
        definition="Share of the upright rectangle around its projected box (in front of the "
        "camera, lens distortion undone) that lies outside the image; of a wide lens, and of a "
        "lens that folds back beside the view, share of the solid angle that its box fills.",
        unit="1, 0 to 1",
        dtype="float",
        shape="",
        compute=lambda seen: seen.box.truncation,
    ),
    ObjectLabel(
        name="visible_fraction",
        definition="Estimate of the share of its part inside the image that nothing hides: of "
        "the pixels whose rays meet its box, those without an observed surface in front of the box "
        "(what no training picture showed hides nothing); 0 when no pixel shows it, null when it "
        "is not rendered.",
        unit="1, 0 to 1",
        dtype="float or null",
        shape="",
        compute=objects.visible_fraction,
        channels=("observed",),
        needs=("range_m", "instance"),
    ),
    ObjectLabel(
        name="observed_share",
        definition="Share of its visible pixels that are `observed`: of one that stands in the "
        "static scene, as that label says; of one with a field of its own, where some training "
        "picture showed that part of its surface, or one beside it (cells of 1/16 of its box); 1 "
        "for packaged assets; null when no pixel shows it.",
        unit="1, 0 to 1",
        dtype="float or null",
        shape="",
        compute=objects.observed_share,
        channels=("observed",),
        needs=("instance",),
    ),
    ObjectLabel(
        name="mirrored_share",
        definition="Share of its visible pixels whose surface none showed, but its mirror image "
        "across the box's middle; the rest of both shares is made up.",
        unit="1, 0 to 1",
        dtype="float or null",
        shape="",
        compute=objects.mirrored_share,
        channels=("support",),
        needs=("instance",),
    ),
    ObjectLabel(
        name="occlusion",
        definition="KITTI's level: 0 visible (fraction at least 0.9), 1 partly hidden (at least "
        "0.5), 2 largely hidden, 3 unknown (not rendered).",
        unit="level",
        dtype="int",
        shape="",
        compute=objects.occlusion,
        channels=("observed",),
        needs=("range_m", "instance"),
    ),
    ObjectLabel(
        name="size_m",
        definition="Length, width and height of its box.",
        unit="m",
        dtype="float",
        shape="3",
        compute=lambda seen: seen.box.actor.size_m.tolist(),
    ),
    ObjectLabel(
        name="world_from_box",
        definition="Pose of its box in the world; the box's origin is its centre, x along its "
        "length, y left, z up. One that stands still has one pose for all frames.",
        unit="m",
        dtype="float",
        shape="4 4",
        compute=lambda seen: seen.box.world_from_box.tolist(),
    ),
    ObjectLabel(
        name="ego_from_box",
        definition="Pose of its box in the frame of the recording car (x forward, y left, z up).",
        unit="m",
        dtype="float",
        shape="4 4",
        compute=objects.ego_from_box,
    ),
    ObjectLabel(
        name="camera_from_box",
        definition="Pose of its box in the camera (x right, y down, z forward) at the time of the "
        "line that shows its centre.",
        unit="m",
        dtype="float",
        shape="4 4",
        compute=lambda seen: seen.box.camera_from_box.tolist(),
    ),
    ObjectLabel(
        name="ignored",
        definition="Why it is an ignore region and no label, in words: it is not rendered; its own "
        "field does not show it as recorded (it explains its pixels by less than 1 dB better than "
        "the static scene, or is seen through, see `evaluate`); it should be seen and is not, or a "
        "fringe of it (less than 0.2 of the pixels in which no observed surface hides its box); "
        "training pictures showed too little of it (`render --min-observed`); or it shows too "
        "little (`--min-px`, `--min-visible`). Null when it is a label. Its other labels are said "
        "all the same.",
        unit="",
        dtype="str or null",
        shape="",
        compute=why_ignored,
        channels=("observed",),
        needs=("range_m", "instance"),
    ),
    ObjectLabel(
        name="ignore_region",
        definition="Convex outline of its projected box inside the image, and of its pixels, when "
        "it is `ignored`: detections and errors in there say nothing; null when it is not.",
        unit="px",
        dtype="float or null",
        shape="corners 2",
        compute=ignore_region,
        channels=("observed",),
        needs=("range_m", "instance"),
    ),
)

FRAME_LABELS: tuple[FrameLabel, ...] = (
    FrameLabel(
        name="time_us",
        definition="When the first line is exposed.",
        unit="µs",
        dtype="int",
        shape="",
        compute=lambda moment: moment.time_us,
    ),
    FrameLabel(
        name="observed_share",
        definition="Share of its pixels that are `observed`; those that the lens shows nothing in "
        "do not count.",
        unit="1, 0 to 1",
        dtype="float",
        shape="",
        compute=frame_observed,
        channels=("observed",),
    ),
    FrameLabel(
        name="gate",
        definition="accept, or reject where `observed_share` is below what the job asks for (0.5): "
        "exports leave a rejected picture out.",
        unit="name",
        dtype="str",
        shape="",
        compute=frame_gate,
        channels=("observed",),
    ),
    FrameLabel(
        name="camera",
        definition="Intrinsics (pixel centres at +0.5), model and numbers of the lens "
        "(`scenes.sensors.lens_models`), readout time and direction, and name of the camera.",
        unit="px, µs",
        dtype="object",
        shape="",
        compute=_camera,
    ),
    FrameLabel(
        name="world_from_camera",
        definition="Pose of the camera while the first line (a row or column, by `readout`) "
        "is exposed.",
        unit="m",
        dtype="float",
        shape="4 4",
        compute=lambda moment: moment.world_from_camera.tolist(),
    ),
    FrameLabel(
        name="world_from_camera_end",
        definition="Pose of the camera after the last line; the same when the shutter is global.",
        unit="m",
        dtype="float",
        shape="4 4",
        compute=lambda moment: moment.world_from_camera_end.tolist(),
    ),
    FrameLabel(
        name="world_from_ego",
        definition="Pose of the car that carries the camera, at the same time.",
        unit="m",
        dtype="float",
        shape="4 4",
        compute=lambda moment: objects.world_from_ego(moment).tolist(),
    ),
    FrameLabel(
        name="ignore_regions",
        definition="Regions in which the drive labelled nothing though road users may be there "
        "(KITTI's DontCare): convex polygons and the reason for each. In a recorded view they are "
        "the drive's own. In others they are carried along by the 3D box where the drive knows "
        "one, else by the depth of what the scene shows there in the recorded picture of the "
        "moment; what that picture does not show, nobody has labelled or marked.",
        unit="px",
        dtype="object",
        shape="regions",
        compute=lambda moment: [dict(region) for region in moment.ignore_regions],
    ),
)
