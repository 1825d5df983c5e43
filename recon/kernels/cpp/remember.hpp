// What training keeps beside the gradients: occupancy and support, as recon.field.occupancy and
// recon.training.observation_grid define them; and the field at single points.
#pragma once

#include <atomic>

#include "radiance.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr float kHitWeight = 0.05f, kSeenThrough = 0.5f;
constexpr int kSeenStride = 8;

// Several threads may meet in one cell; maxima, minima and whole numbers do not mind the order.
template <class Change> static inline void change(float *cell, Change change) {
    auto *shared = reinterpret_cast<std::atomic<uint32_t> *>(cell);
    uint32_t old = shared->load(std::memory_order_relaxed);
    for (;;) {
        float value;
        std::memcpy(&value, &old, 4);
        const float next = change(value);
        if (next == value) return;
        uint32_t bits;
        std::memcpy(&bits, &next, 4);
        if (shared->compare_exchange_weak(old, bits, std::memory_order_relaxed)) return;
    }
}

static inline void raise(float *cell, float to) {
    change(cell, [=](float old) { return std::max(old, to); });
}
static inline void count(float *cell) {
    change(cell, [](float old) { return old + 1.0f; });
}

static inline int cell_of(const float *unit, int side) {
    int at = 0;
    for (int a = 3; a-- > 0;)
        at = at * side + std::min(std::max(int(unit[a] * (float)side), 0), side - 1);
    return at;
}

static void remember_hits(Bundle &bundle, const Memory &memory, int r) {
    for (int p = bundle.ray_at[r]; p < bundle.ray_at[r + 1]; p++) {
        if (bundle.o_owner[p] != 0 || !(bundle.o_weight[p] >= kHitWeight)) continue;
        const int i = bundle.order[p];
        const float unit[3] = {bundle.places.x[i], bundle.places.y[i], bundle.places.z[i]};
        count(memory.hits + cell_of(unit, memory.support_side));
    }
}

// Every kSeenStride-th step that light passes, also where the occupancy knew it to be empty.
static void remember_passed(const Call &call, Bundle &bundle, const Memory &memory, int r) {
    const long ray = bundle.first + r;
    int p = bundle.ray_at[r];
    float taken = 0.0f;
    for (int s = 0; s < call.steps.count; s += kSeenStride) {
        float here = 0.0f;
        const float shift = call.rays.shift[ray];
        const float both = call.steps.edge(s, shift)[0] + call.steps.edge(s + 1, shift)[0];
        for (; p < bundle.ray_at[r + 1]; p++) {
            const int step = bundle.places.step[bundle.order[p]]; // negative: an instance's
            if (step < 0 ? !(bundle.o_near[p] + bundle.o_far[p] < both) : step > s) break;
            taken += bundle.o_weight[p];
            if (step == s) here = bundle.o_weight[p];
        }
        if (!(1.0f - taken > kSeenThrough)) return;
        if (!(here < kHitWeight)) continue;
        const float t = 0.5f * both;
        const Vec3 unit = to_unit(call.scene, ray_points(call.rays, ray, splat(t)));
        const float at[3] = {unit.x[0], unit.y[0], unit.z[0]};
        count(memory.seen_through + cell_of(at, memory.support_side));
    }
}

static void remember(const Call &call, Bundle &bundle, const Memory &memory) {
    if (memory.density) {
        for (long i = 0; i < bundle.owners[0].end; i++) {
            const float unit[3] = {bundle.places.x[i], bundle.places.y[i], bundle.places.z[i]};
            raise(memory.density + cell_of(unit, call.scene.side), bundle.sigma[i]);
        }
    }
    if (!memory.hits) return;
    for (int r = 0; r < bundle.rays; r++) {
        remember_hits(bundle, memory, r);
        remember_passed(call, bundle, memory, r);
    }
}

// The first `n` places: points of the unit cube, [n, 3], as wide as `footprint`, or none.
static void place_points(Places &at, int n, const float *unit, const float *footprint) {
    for (int i = 0; i < n; i++) {
        at.x[i] = unit[3 * i], at.y[i] = unit[3 * i + 1], at.z[i] = unit[3 * i + 2];
        at.footprint[i] = footprint ? footprint[i] : 0.0f;
    }
}

// Density at `n` <= 512 points; radiance and the density's derivative where asked for.
static void query_points(const PackedField &field, const Places &at, OwnerWork &work,
                         std::vector<float> &scratch, int n, const float *directions,
                         float *density, float *linear, float *grad_unit) {
    field.encode_rows(at, 0, n, work.features.data(), work.level_weights.data());
    for (int i = 0; i < n && field.field->latents; i++)
        std::fill_n(&work.features[long(i) * field.enc_stride + field.latents_at()],
                    field.field->latents, 0.0f);
    forward(field.density, work.features.data(), field.enc_stride, work.density, 0, n);
    alignas(64) float one[kLanes];
    for (int s = 0; s < n; s += kLanes) {
        const int lanes = std::min(kLanes, n - s);
        for (int k = 0; k < lanes; k++) one[k] = *work.geometry(field, s + k);
        const Vec raw = smaller(load<Vec>(one) + field.field->log_initial, splat(kMaxLogDensity));
        store(one, exp(raw));
        std::copy_n(one, lanes, density + s);
    }
    if (linear) {
        const int stride = field.colour.out_stride();
        work.inputs.resize(std::max(work.inputs.size(), size_t(n + kMaxRows) * field.in_stride));
        work.colour.reserve(field.colour, n);
        for (int i = 0; i < n; i++) {
            float *row = &work.inputs[long(i) * field.in_stride];
            const float *d = directions + 3 * i;
            std::memcpy(row, work.geometry(field, i), 4 * field.geo_stride);
            harmonics(d[0], d[1], d[2], row + field.geo_stride, field.field->look);
        }
        forward(field.colour, work.inputs.data(), field.in_stride, work.colour, 0, n);
        float *raw = work.colour.row(field.colour, field.colour.layers.size() - 1, 0);
        to_radiance(raw, long(n) * stride);
        for (int i = 0; i < n; i++)
            std::copy_n(raw + long(i) * stride, field.field->channels, linear + i * field.field->channels);
    }
    if (!grad_unit) return;
    const long geo = long(n + kMaxRows) * field.geo_stride;
    scratch.assign(geo + long(n + kMaxRows) * field.enc_stride + field.density.gradient_size, 0.0f);
    for (int i = 0; i < n; i++)
        scratch[long(i) * field.geo_stride] =
            density[i] < std::exp(kMaxLogDensity) ? density[i] : 0.0f;
    float *of_features = scratch.data() + geo;
    backward(field.density, work.features.data(), field.enc_stride, work.density, scratch.data(),
             of_features, scratch.data() + scratch.size() - field.density.gradient_size, 0, n);
    auto run = [&](auto features) {
        position_gradient<decltype(features)::value>(
            *field.field, at.x.data(), at.y.data(), at.z.data(), work.level_weights.data(),
            of_features, field.enc_stride, n, grad_unit);
    };
    with_features(*field.field, run);
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
