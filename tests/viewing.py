"""One picture of anything that can be rendered, for tests of labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from recon.lighting.daylight import Daylight
from recon.rendering.renderer import FieldRenderer
from recon.rendering.shot import Renderer, Shot
from recon.scene import Scene
from render.labels.gate import LabelGate
from render.labels.table import PIXEL_NAMES
from render.views.frame import Frame, render_frame
from scenes.actor import Actor
from scenes.motion.trajectory import Trajectory
from scenes.road.ground import Ground
from scenes.safety.encounters import Ego
from scenes.sensors.camera import Camera
from scenes.sensors.camera_look import NEUTRAL, CameraLook


def renderer_of(scene: Scene | Renderer) -> Renderer:
    """A scene as the renderer that it is rendered by."""
    return FieldRenderer(scene=scene) if isinstance(scene, Scene) else scene


def render_view(
    scene: Scene | Renderer,
    camera: Camera,
    world_from_camera: np.ndarray | Trajectory,
    *,
    time_us: int,
    stream: int = 0,
    camera_look: CameraLook = NEUTRAL,
    actors: Sequence[Actor] | None = None,
    assets: Mapping[int, str] | None = None,
    light: Daylight | None = None,
    ground: Ground | None = None,
    ego: Ego | None = None,
    gate: LabelGate | None = None,
    labels: Sequence[str] = PIXEL_NAMES,
) -> Frame:
    """A picture with all its labels; road users and light are the recorded ones unless told."""
    renderer = renderer_of(scene)
    shot = Shot(
        camera=camera,
        stream=stream,
        world_from_camera=world_from_camera,
        time_us=time_us,
        actors=renderer.clip.actors if actors is None else tuple(actors),
        assets=assets or {},
        light=renderer.light if light is None else light,
        camera_look=camera_look,
    )
    return render_frame(renderer, shot, ground=ground, ego=ego, gate=gate, labels=labels)
