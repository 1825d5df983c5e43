"""Triangles that know what they are: shape, surface, class and instance.

`rest_m` are the coordinates in which surfaces are painted: a street is built straight, painted
there, and then bent, so that the paint follows the bend. Triangles wind counter-clockwise seen
from outside. Lengths are metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, UInt8

from scenes.motion.geometry import transform_points
from scenes.semantics import Semantic
from scenes.work.short_repr import short_repr


class Surface(IntEnum):
    """How a triangle is painted; one function of `scenes.worlds.models.paint` each."""

    PLAIN = 0
    ROAD = 1
    PAVEMENT = 2
    GRASS = 3
    PLASTER = 4
    BRICK = 5
    STONE = 6
    ROOF = 7
    GLASS = 8
    CAR_PAINT = 9
    CAR_GLASS = 10
    LEAF = 11
    BARK = 12
    SIGN = 13
    DISTANT = 14


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mesh:
    """Triangles with a surface, a colour, a class and an instance each."""

    vertices_m: Float64[np.ndarray, "v 3"]
    """Where the corners are [m]."""
    rest_m: Float64[np.ndarray, "v 3"]
    """Where they are painted [m]."""
    faces: Int32[np.ndarray, "f 3"]
    """Corners of each triangle."""
    surface: UInt8[np.ndarray, "f"]
    """A `Surface` each."""
    colour: Float32[np.ndarray, "f 3"]
    """Linear base colour, 0 to 1."""
    semantic: UInt8[np.ndarray, "f"]
    """A `Semantic` each."""
    instance: Int32[np.ndarray, "f"]
    """Id of the actor it belongs to; -1 for none."""

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.faces)

    def corners_m(self) -> Float64[np.ndarray, "f 3 3"]:
        """The three corners of each triangle [m]."""
        return self.vertices_m[self.faces]

    def normals(self) -> Float64[np.ndarray, "f 3"]:
        """Outward unit normals."""
        a, b, c = np.moveaxis(self.corners_m(), 1, 0)
        normal = np.cross(b - a, c - a)
        return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)

    def extent_m(self) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
        """Smallest and largest coordinates [m]."""
        return self.vertices_m.min(axis=0), self.vertices_m.max(axis=0)

    def moved(self, a_from_b: Float64[np.ndarray, "4 4"]) -> "Mesh":
        """The same mesh elsewhere, painted as it was."""
        return replace(self, vertices_m=transform_points(a_from_b, self.vertices_m))

    def placed(self, a_from_b: Float64[np.ndarray, "4 4"]) -> "Mesh":
        """The same mesh elsewhere, and painted there."""
        moved = transform_points(a_from_b, self.vertices_m)
        return replace(self, vertices_m=moved, rest_m=moved)

    def labelled(self, semantic: Semantic, instance: int = -1) -> "Mesh":
        """The same mesh as one class and one instance."""
        count = len(self)
        return replace(
            self,
            semantic=np.full(count, int(semantic), np.uint8),
            instance=np.full(count, instance, np.int32),
        )


def join(meshes: Sequence[Mesh]) -> Mesh:
    """All triangles of all meshes, in order."""
    first = np.cumsum([0, *(len(mesh.vertices_m) for mesh in meshes)])
    faces = [mesh.faces + np.int32(start) for mesh, start in zip(meshes, first, strict=False)]
    return Mesh(
        vertices_m=np.concatenate([mesh.vertices_m for mesh in meshes]),
        rest_m=np.concatenate([mesh.rest_m for mesh in meshes]),
        faces=np.concatenate(faces).astype(np.int32),
        surface=np.concatenate([mesh.surface for mesh in meshes]),
        colour=np.concatenate([mesh.colour for mesh in meshes]),
        semantic=np.concatenate([mesh.semantic for mesh in meshes]),
        instance=np.concatenate([mesh.instance for mesh in meshes]),
    )


def triangles(
    vertices_m: Float[np.ndarray, "v 3"],
    faces: np.ndarray,
    surface: Surface,
    colour: Float[np.ndarray, "*f 3"] | Sequence[float],
    semantic: Semantic = Semantic.UNKNOWN,
) -> Mesh:
    """A mesh of one surface; `colour` is one for all or one a triangle."""
    count = len(faces)
    vertices_m = np.asarray(vertices_m, np.float64)
    return Mesh(
        vertices_m=vertices_m,
        rest_m=vertices_m,
        faces=np.asarray(faces, np.int32).reshape(count, 3),
        surface=np.full(count, int(surface), np.uint8),
        colour=np.broadcast_to(np.asarray(colour, np.float32), (count, 3)).copy(),
        semantic=np.full(count, int(semantic), np.uint8),
        instance=np.full(count, -1, np.int32),
    )


def quads(
    corners_m: Float[np.ndarray, "q 4 3"],
    surface: Surface,
    colour: Float[np.ndarray, "*q 3"] | Sequence[float],
    semantic: Semantic = Semantic.UNKNOWN,
) -> Mesh:
    """Two triangles for each quadrilateral, given counter-clockwise."""
    start = 4 * np.arange(len(corners_m))[:, None]
    faces = (start + np.array([0, 1, 2, 0, 2, 3])).reshape(-1, 3)
    colour = np.asarray(colour, np.float32)
    if colour.ndim == 2:
        colour = np.repeat(colour, 2, axis=0)
    return triangles(np.reshape(corners_m, (-1, 3)), faces, surface, colour, semantic)


def patch(
    along_m: Float[np.ndarray, "n 3"],
    across_m: Float[np.ndarray, "m 3"],
    surface: Surface,
    colour: Sequence[float],
    semantic: Semantic = Semantic.UNKNOWN,
) -> Mesh:
    """The grid of all sums of `along_m` and `across_m`; its normal is along x across."""
    n, m = len(along_m), len(across_m)
    vertices = (along_m[:, None] + across_m[None]).reshape(-1, 3)
    corner = (np.arange(n - 1)[:, None] * m + np.arange(m - 1)).reshape(-1, 1)
    faces = (corner + np.array([0, m, m + 1, 0, m + 1, 1])).reshape(-1, 3)
    return triangles(vertices, faces, surface, colour, semantic)


def boxes(
    low_m: Float[np.ndarray, "*n 3"],
    high_m: Float[np.ndarray, "*n 3"],
    surface: Surface,
    colour: Float[np.ndarray, "*n 3"] | Sequence[float],
    semantic: Semantic = Semantic.UNKNOWN,
) -> Mesh:
    """Axis-aligned boxes between two corners."""
    low_m, high_m = np.reshape(low_m, (-1, 3)), np.reshape(high_m, (-1, 3))
    pick = np.array([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)])
    corners = np.where(pick[None], high_m[:, None], low_m[:, None])
    order = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]
    colour = np.asarray(colour, np.float32)
    if colour.ndim == 2:
        colour = np.repeat(colour, 6, axis=0)
    return quads(corners[:, order].reshape(-1, 4, 3), surface, colour, semantic)


def tube(
    centres_m: Float[np.ndarray, "n 3"],
    radii_m: Float[np.ndarray, "n"],
    surface: Surface,
    colour: Sequence[float],
    sides: int = 10,
) -> Mesh:
    """A round tube through `centres_m`, closed at its end; for poles, trunks and branches."""
    axis = np.gradient(centres_m, axis=0)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    helper = np.where(np.abs(axis[:, 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    side = np.cross(helper, axis)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(axis, side)
    turn = 2.0 * np.pi * np.arange(sides) / sides
    ring = (
        np.cos(turn)[None, :, None] * side[:, None] + np.sin(turn)[None, :, None] * other[:, None]
    )
    rings = centres_m[:, None] + radii_m[:, None, None] * ring
    n = len(centres_m)
    here = (np.arange(n - 1)[:, None] * sides + np.arange(sides)).ravel()
    beside = (np.arange(n - 1)[:, None] * sides + (np.arange(sides) + 1) % sides).ravel()
    walls = np.stack([here, beside, beside + sides, here, beside + sides, here + sides], axis=1)
    last = (n - 1) * sides + np.arange(sides)
    cap = np.stack([last, np.roll(last, -1), np.full(sides, n * sides)], axis=1)
    vertices = np.concatenate([rings.reshape(-1, 3), centres_m[-1:]])
    return triangles(vertices, np.concatenate([walls.reshape(-1, 3), cap]), surface, colour)
