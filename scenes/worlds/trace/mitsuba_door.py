"""The one door to Mitsuba 3: which triangle does a ray hit first?

Rays come as arrays, from any camera. `llvm_ad_rgb` traces them together where a libLLVM is
installed; `scalar_rgb` works everywhere and takes them one by one. Both answer with a triangle;
distances are then recomputed in float64, so the choice does not show.
"""

from functools import cache
from types import ModuleType

import numpy as np
from jaxtyping import Bool, Float64, Int32

from scenes.errors import OtherlaneError
from scenes.worlds.models.mesh import Mesh

_CHUNK = 1 << 20
"""Rays handed over at once; bounds the memory of a call."""


@cache
def load_mitsuba() -> tuple[ModuleType, bool]:
    """Mitsuba with a variant chosen, and whether that variant takes arrays.

    Raises:
        OtherlaneError: Mitsuba is not installed.
    """
    try:
        import drjit  # pyright: ignore[reportMissingImports]
        import mitsuba  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        fix = 'pip install "otherlane[worlds]"'
        raise OtherlaneError("mitsuba", f"cannot be imported ({error})", fix) from error
    arrays = bool(drjit.has_backend(drjit.JitBackend.LLVM))
    mitsuba.set_variant("llvm_ad_rgb" if arrays else "scalar_rgb")
    return mitsuba, arrays


def limit_threads(count: int) -> None:
    """Trace with so many threads in this process, its own one included; for workers that share."""
    load_mitsuba()
    import drjit  # pyright: ignore[reportMissingImports]

    drjit.set_thread_count(count - 1)


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What `np.cross` says of vectors in rows, in half the time."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)


class Triangles:
    """The triangles of one mesh, ready to be hit."""

    def __init__(self, mesh: Mesh) -> None:
        """Build the hierarchy; takes about a second for half a million triangles."""
        self._mitsuba, self._arrays = load_mitsuba()
        corners_m = mesh.corners_m()
        self._a = corners_m[:, 0].copy()
        self._ab, self._ac = corners_m[:, 1] - self._a, corners_m[:, 2] - self._a
        shape = self._mitsuba.Mesh("triangles", len(mesh.vertices_m), len(mesh.faces))
        parameters = self._mitsuba.traverse(shape)
        parameters["vertex_positions"] = mesh.vertices_m.astype(np.float32).ravel()
        parameters["faces"] = mesh.faces.astype(np.uint32).ravel()
        parameters.update()
        self._scene = self._mitsuba.load_dict({"type": "scene", "shape": shape})

    def first_hit(
        self, origins_m: Float64[np.ndarray, "n 3"], directions: Float64[np.ndarray, "n 3"]
    ) -> Int32[np.ndarray, "n"]:
        """Index of the triangle that each ray hits first, -1 for none."""
        if not self._arrays:
            rays = zip(origins_m.tolist(), directions.tolist(), strict=True)
            found = map(self._first_hit_of_one, rays)
            return np.fromiter(found, np.int32, len(origins_m))
        found = np.empty(len(origins_m), np.int32)
        for part in _chunks(len(origins_m)):
            rays = self._rays(origins_m[part], directions[part])
            hit = self._scene.ray_intersect_preliminary(rays, coherent=True)
            # One result, because each array that is fetched traces all rays again.
            face = self._mitsuba.Int32(hit.prim_index)
            face[~hit.is_valid()] = -1
            found[part] = np.array(face)
        return found

    def blocked(
        self,
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
        reach_m: Float64[np.ndarray, "n"] | None = None,
    ) -> Bool[np.ndarray, "n"]:
        """Whether each ray hits any triangle, within `reach_m`; faster than asking which."""
        reach_m = np.full(len(origins_m), np.inf) if reach_m is None else reach_m
        if not self._arrays:
            rays = zip(origins_m.tolist(), directions.tolist(), reach_m.tolist(), strict=True)
            ray, test = self._mitsuba.Ray3f, self._scene.ray_test
            found = (test(ray(origin, towards, reach, 0.0, [])) for origin, towards, reach in rays)
            return np.fromiter(found, bool, len(origins_m))
        found = np.empty(len(origins_m), bool)
        for part in _chunks(len(origins_m)):
            rays = self._rays(origins_m[part], directions[part])
            rays.maxt = self._mitsuba.Float(reach_m[part].astype(np.float32))
            found[part] = np.array(self._scene.ray_test(rays, coherent=True))
        return found

    def _rays(self, origins_m: np.ndarray, directions: np.ndarray):
        mi = self._mitsuba
        origin = mi.Point3f(np.ascontiguousarray(origins_m.T, np.float32))
        return mi.Ray3f(origin, mi.Vector3f(np.ascontiguousarray(directions.T, np.float32)))

    def _first_hit_of_one(self, ray: tuple[list[float], list[float]]) -> int:
        hit = self._scene.ray_intersect_preliminary(self._mitsuba.Ray3f(*ray))
        return hit.prim_index if hit.is_valid() else -1

    def meet(
        self,
        face: Int32[np.ndarray, "n"],
        origins_m: Float64[np.ndarray, "n 3"],
        directions: Float64[np.ndarray, "n 3"],
    ) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n 3"]]:
        """Distance [m] to each ray's triangle in float64, and weights of its three corners."""
        ab, ac, to_a = self._ab[face], self._ac[face], origins_m - self._a[face]
        p, q = _cross(directions, ac), _cross(to_a, ab)
        volume = np.einsum("ni,ni->n", ab, p)
        volume = np.where(np.abs(volume) < 1e-14, 1e-14, volume)
        v = np.clip(np.einsum("ni,ni->n", to_a, p) / volume, 0.0, 1.0)
        w = np.clip(np.einsum("ni,ni->n", directions, q) / volume, 0.0, 1.0)
        range_m = np.einsum("ni,ni->n", ac, q) / volume
        return range_m, np.stack([1.0 - v - w, v, w], axis=1)
