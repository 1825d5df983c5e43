// Where samples lie: steps along rays, the contraction, the occupancy. recon.rendering.sampling, recon.field.space
// and recon.field.occupancy define them.
#pragma once

#include <algorithm>
#include <vector>

#include "engine.hpp"
#include "simd.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr float kFootprintStd = 0.28867513f; // of a point uniform across one pixel [pixels]

struct Vec3 {
    Vec x, y, z;
};

// World points [m] in the unit cube.
static inline Vec3 to_unit(const Scene &scene, Vec3 p) {
    const float inverse = 1.0f / scene.half_size_m;
    const Vec x = (p.x - scene.centre_m[0]) * inverse, y = (p.y - scene.centre_m[1]) * inverse,
              z = (p.z - scene.centre_m[2]) * inverse;
    const Vec reach = larger(larger(larger(magnitude(x), magnitude(y)), magnitude(z)), splat(1.0f));
    const Vec scale = (2.0f - 1.0f / reach) / reach * 0.25f;
    return {x * scale + 0.5f, y * scale + 0.5f, z * scale + 0.5f};
}

// Length of a metre in the unit cube.
static inline Vec unit_per_metre(const Scene &scene, Vec3 unit) {
    const Vec far = larger(larger(magnitude(unit.x - 0.5f), magnitude(unit.y - 0.5f)),
                           magnitude(unit.z - 0.5f)) * 4.0f;
    const Vec folded = clamped(far, 1.0f, 2.0f - 1e-4f);
    const Vec inverse = 2.0f - folded, side = folded * inverse;
    return exp(log(side * side * inverse * inverse) * (1.0f / 3.0f)) * (0.25f / scene.half_size_m);
}

static inline Ints cell(Vec3 unit, int side) {
    const Ints last = Ints{} + (side - 1);
    auto axis = [&](Vec x) {
        Ints i = __builtin_convertvector(x * (float)side, Ints);
        i = i > 0 ? i : Ints{};
        return i < last ? i : last;
    };
    return (axis(unit.z) * side + axis(unit.y)) * side + axis(unit.x);
}

// Gradient by world position from that by unit position: the contraction's Jacobian, transposed.
static inline void unit_to_world_gradient(const Scene &scene, const float *unit, const float *grad,
                                          float *out) {
    float folded[3], depth = 1.0f;
    int axis = -1;
    for (int a = 0; a < 3; a++) {
        folded[a] = (unit[a] - 0.5f) * 4.0f;
        if (std::fabs(folded[a]) > depth) depth = std::fabs(folded[a]), axis = a;
    }
    const float inverse = 1.0f / scene.half_size_m, reach = 1.0f / std::max(2.0f - depth, 1e-6f);
    const float scale = (2.0f - 1.0f / reach) / reach * 0.25f;
    float along = 0.0f; // d scale / d reach, times local position times gradient
    if (axis >= 0) {
        const float bend = (-2.0f / (reach * reach) + 2.0f / (reach * reach * reach)) * 0.25f;
        for (int a = 0; a < 3; a++) along += grad[a] * folded[a] / depth * reach;
        along *= bend * (folded[axis] < 0.0f ? -1.0f : 1.0f);
    }
    for (int a = 0; a < 3; a++) out[a] = (scale * grad[a] + (a == axis ? along : 0.0f)) * inverse;
}

// Samples of a bundle of rays, by number; arrays have room for kLanes more.
struct Places {
    std::vector<float> x, y, z, near_m, far_m, footprint;
    std::vector<int> ray, step;

    void reserve(long count) {
        if ((long)x.size() >= count + 2 * kLanes) return;
        const long room = count + count / 4 + 2 * kLanes;
        for (auto *v : {&x, &y, &z, &near_m, &far_m, &footprint}) v->resize(room);
        ray.resize(room), step.resize(room);
    }
    void copy(const Places &from, long i, long to) {
        x[to] = from.x[i], y[to] = from.y[i], z[to] = from.z[i];
        near_m[to] = from.near_m[i], far_m[to] = from.far_m[i];
        footprint[to] = from.footprint[i], ray[to] = from.ray[i], step[to] = from.step[i];
    }
};

// The steps of rays, padded so that vectors may be read past the end.
struct Steps {
    std::vector<float> edges_m;
    int count;

    explicit Steps(const Sampling &sampling)
        : edges_m(sampling.edges_m, sampling.edges_m + sampling.edges), count(sampling.edges - 2) {
        for (int i = 0; i < 2 * kLanes; i++) edges_m.push_back(2.0f * edges_m.back());
    }
    Vec edge(int i, float shift) const { // as torch.lerp rounds it
        const Vec a = load<Vec>(&edges_m[i]), b = load<Vec>(&edges_m[i + 1]);
        return shift < 0.5f ? a + (b - a) * shift : b - (b - a) * (1.0f - shift);
    }
};

static inline Vec3 ray_points(const Rays &rays, long ray, Vec t) {
    const float *o = rays.origins_m + 3 * ray, *d = rays.directions + 3 * ray;
    return {o[0] + d[0] * t, o[1] + d[1] * t, o[2] + d[2] * t};
}

// Beside what a lens shows, rays go nowhere: their direction is no number.
static inline bool goes_somewhere(const Rays &rays, long ray) {
    const float *o = rays.origins_m + 3 * ray, *d = rays.directions + 3 * ray;
    return std::isfinite(o[0] + o[1] + o[2] + d[0] + d[1] + d[2]);
}

// A ray in the unit cube of an instance, and where it crosses a box in there.
struct Crossing {
    float from[3], along[3], entry = 0.0f, leave = INFINITY;

    Crossing(const Instance &instance, const Rays &rays, long ray, const float *low,
             const float *high) {
        const float *m = instance.unit_from_world + 12 * rays.at(ray), *o = rays.origins_m + 3 * ray,
                    *d = rays.directions + 3 * ray;
        for (int a = 0; a < 3; a++) {
            const float *row = m + 4 * a;
            from[a] = row[0] * o[0] + row[1] * o[1] + row[2] * o[2] + row[3];
            along[a] = row[0] * d[0] + row[1] * d[1] + row[2] * d[2];
            const float safe = std::fabs(along[a]) < 1e-12f ? 1e-12f : along[a];
            const float first = (low[a] - from[a]) / safe, second = (high[a] - from[a]) / safe;
            entry = std::max(entry, std::min(first, second));
            leave = std::min(leave, std::max(first, second));
        }
    }
    bool meets() const { return leave > entry; }
};

constexpr float kLowest[3] = {0.0f, 0.0f, 0.0f}, kHighest[3] = {1.0f, 1.0f, 1.0f};

// Where along a ray the static scene has nothing: an instance is alone there, or hides it.
struct Alone {
    std::vector<float> from_m, to_m;

    Alone(const Scene &scene, const Rays &rays, long ray) {
        if (rays.at(ray) < 0) return;
        for (const Instance &instance : scene.instances) {
            if (!(instance.alone_above < 1.0f)) continue;
            const float low[3] = {0.0f, 0.0f, instance.alone_above};
            const Crossing found(instance, rays, ray, low, kHighest);
            if (!found.meets()) continue;
            const float *core = instance.core;
            const bool hides = core && Crossing(instance, rays, ray, core, core + 3).meets();
            from_m.push_back(found.entry), to_m.push_back(hides ? INFINITY : found.leave);
        }
    }
    bool at(float middle_m) const {
        for (size_t k = 0; k < from_m.size(); k++)
            if (middle_m > from_m[k] && middle_m < to_m[k]) return true;
        return false;
    }
};

// Appends the steps of ray `ray`, called `name`, that lie in occupied cells and where no
// instance is alone; returns the new count.
static long find_steps(const Scene &scene, const Steps &steps, const Rays &rays, long ray, int name,
                       Places &into, long at) {
    if (!goes_somewhere(rays, ray)) return at;
    alignas(64) float x[kLanes], y[kLanes], z[kLanes], near_m[kLanes], far_m[kLanes], foot[kLanes];
    alignas(64) int32_t cells[kLanes];
    const float width = rays.pixel_angle[ray] * kFootprintStd;
    const Alone alone(scene, rays, ray);
    for (int i = 0; i < steps.count; i += kLanes) {
        const Vec a = steps.edge(i, rays.shift[ray]), b = steps.edge(i + 1, rays.shift[ray]);
        const Vec middle = 0.5f * (a + b);
        const Vec3 unit = to_unit(scene, ray_points(rays, ray, middle));
        store(cells, cell(unit, scene.side));
        const int lanes = std::min(kLanes, steps.count - i);
        bool any = false;
        for (int k = 0; k < lanes; k++) any |= scene.occupied[cells[k]];
        if (!any) continue;
        store(x, unit.x), store(y, unit.y), store(z, unit.z);
        store(near_m, a), store(far_m, b);
        store(foot, middle * width * unit_per_metre(scene, unit));
        for (int k = 0; k < lanes; k++) {
            if (!scene.occupied[cells[k]] || alone.at(0.5f * (near_m[k] + far_m[k]))) continue;
            into.x[at] = x[k], into.y[at] = y[k], into.z[at] = z[k];
            into.near_m[at] = near_m[k], into.far_m[at] = far_m[k];
            into.footprint[at] = foot[k], into.ray[at] = name, into.step[at] = i + k;
            at++;
        }
    }
    return at;
}

// Appends the samples of a ray between entry to and exit from an instance's box, if it meets it.
static long find_instance(const Instance &instance, const Rays &rays, long ray,
                          int name, Places &into, long at) {
    if (rays.at(ray) < 0 || !goes_somewhere(rays, ray)) return at;
    const Crossing crossing(instance, rays, ray, kLowest, kHighest);
    const float *from = crossing.from, *along = crossing.along;
    const float entry = crossing.entry, leave = crossing.leave;
    if (!crossing.meets()) return at;
    const float *m = instance.unit_from_world + 12 * rays.at(ray);
    float volume = 1.0f;
    for (int a = 0; a < 3; a++) {
        const float *row = m + 4 * a;
        volume *= std::sqrt(row[0] * row[0] + row[1] * row[1] + row[2] * row[2]);
    }
    const float width = rays.pixel_angle[ray] * kFootprintStd * std::cbrt(volume);
    for (int i = 0; i < instance.samples; i++, at++) {
        const float a = entry + (leave - entry) * ((float)i / (float)instance.samples);
        const float b = entry + (leave - entry) * ((float)(i + 1) / (float)instance.samples);
        const float middle = 0.5f * (a + b);
        auto place = [&](int axis) {
            return std::min(std::max(from[axis] + along[axis] * middle, 0.0f), 1.0f);
        };
        into.x[at] = place(0), into.y[at] = place(1), into.z[at] = place(2);
        into.near_m[at] = a, into.far_m[at] = b, into.footprint[at] = middle * width;
        into.ray[at] = name, into.step[at] = -1;
    }
    return at;
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
