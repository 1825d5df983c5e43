// A few rays at a time, so that everything about them stays in the cache nearest to the core:
// which samples they have, what the fields say there, how that adds up.
#pragma once

#include <algorithm>
#include <array>
#include <numeric>

#include "composite.hpp"
#include "engine.hpp"
#include "grid.hpp"
#include "mlp.hpp"
#include "space.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr int kHarmonics = 16;
constexpr float kMaxLogDensity = 9.0f, kMaxLogRadiance = 4.0f, kInitialLogRadiance = -1.5f;
constexpr int kBundle = 16; // rays
constexpr int kAtOnce = 64; // samples that are evaluated together, at least

// The first `count` of sixteen real spherical harmonics of a unit vector (recon.kernels.spherical_harmonics).
static inline void harmonics(float x, float y, float z, float *out, int count = kHarmonics) {
    const float xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
    const float values[kHarmonics] = {
        0.28209479177387814f, -0.48860251190291987f * y, 0.48860251190291987f * z,
        -0.48860251190291987f * x, 1.0925484305920792f * xy, -1.0925484305920792f * yz,
        0.94617469575755997f * zz - 0.31539156525251999f, -1.0925484305920792f * xz,
        0.54627421529603959f * (xx - yy), 0.59004358992664352f * y * (yy - 3.0f * xx),
        2.8906114426405538f * xy * z, 0.45704579946446572f * y * (1.0f - 5.0f * zz),
        0.3731763325901154f * z * (5.0f * zz - 3.0f), 0.45704579946446572f * x * (1.0f - 5.0f * zz),
        1.4453057213202769f * z * (xx - yy), 0.59004358992664352f * x * (3.0f * yy - xx)};
    std::memcpy(out, values, sizeof(float) * count);
}

// A field ready to be evaluated.
struct PackedField {
    Field *field;
    PackedMlp density, colour;
    int enc_stride, geo_stride, in_stride; // of features, geometry, and the second network's input

    explicit PackedField(Field &from) : field(&from) {
        const int columns = (int)from.levels.size() * from.features + from.latents;
        enc_stride = round_up(columns, kPad), geo_stride = round_up(from.geometry, kPad);
        in_stride = round_up(geo_stride + from.look, kPad);
        density = pack(from.density);
        colour = pack(from.colour, from.geometry, geo_stride - from.geometry);
    }
    int levels() const { return (int)field->levels.size(); }
    int latents_at() const { return levels() * field->features; } // their first column
    void encode_rows(const Places &at, long first, int n, float *out, float *weights) const {
        const float *x = &at.x[first], *y = &at.y[first], *z = &at.z[first],
                    *foot = &at.footprint[first];
        auto run = [&](auto features) {
            encode<decltype(features)::value>(*field, x, y, z, foot, n, out, enc_stride, weights);
        };
        with_features(*field, run);
    }
};

// What was computed of one owner's samples in a bundle: row = sample - begin.
struct OwnerWork {
    long begin = 0, end = 0;
    std::vector<float> features, level_weights;
    Activations density, colour;
    std::vector<int> shown;          // samples whose radiance counts
    std::vector<float> inputs, rgb;  // of those; rgb has the stride of the network's output

    void reserve(const PackedField &field, long rows) {
        features.resize(std::max(features.size(), size_t(rows + kMaxRows) * field.enc_stride));
        level_weights.resize(std::max(level_weights.size(), size_t(rows + kMaxRows) * field.levels()));
        density.reserve(field.density, rows);
    }
    const float *geometry(const PackedField &field, long sample) {
        return density.row(field.density, field.density.layers.size() - 1, sample - begin);
    }
};

// All of a call that does not change while it runs.
struct Call {
    const Scene &scene;
    const Sampling &sampling;
    const Rays &rays;
    Steps steps;
    std::vector<PackedField> fields; // the static scene, then each instance
    PackedMlp sky;

    Call(const Scene &scene, const Sampling &sampling, const Rays &rays)
        : scene(scene), sampling(sampling), rays(rays), steps(sampling), sky(pack(*scene.sky)) {
        fields.emplace_back(*scene.field);
        for (const Instance &instance : scene.instances) fields.emplace_back(*instance.field);
    }
    int owners() const { return (int)fields.size(); }
    const Instance *instance(int owner) const { return owner ? &scene.instances[owner - 1] : nullptr; }
    int channels() const { return scene.field->channels; }
    int most_latents() const {
        int most = 0;
        for (const Instance &each : scene.instances) most = std::max(most, each.field->latents);
        return most;
    }
};

struct Bundle {
    long first = 0;
    int rays = 0;
    Places found, places; // steps in occupied cells; samples that count
    std::vector<OwnerWork> owners;
    std::vector<float> sigma, alpha, through, length; // by sample
    std::vector<int> ray_at, order;              // samples of each ray, nearest first
    std::vector<float> o_near, o_far, o_alpha, o_through, o_length, o_weight, o_after; // in that order
    std::vector<int> o_owner, o_shown;           // o_shown: row of rgb, or -1
    std::vector<float> by_owner, linear;         // [rays, owners], [rays, channels]
    std::vector<RaySums> sums;
    std::vector<float> sky_inputs, sky_rgb;
    Activations sky;
    long evaluated = 0;

    void run(const Call &call, long first_ray, int ray_count);
    // Share of light that the static scene lets through as far as `until_m`, by ray.
    void light_until(const Call &call, long first_ray, int ray_count, const float *until_m,
                     float *light);
    RaySamples samples(int ray) {
        const int at = ray_at[ray];
        return {ray_at[ray + 1] - at, &o_near[at], &o_far[at], &o_alpha[at], &o_through[at], &o_length[at],
                &o_owner[at], &o_weight[at], &o_after[at]};
    }
    long total() const { return owners.back().end; }

  private:
    void evaluate(const Call &call, int owner, long at, int n);
    void add_latents(const Call &call, int owner, long at, int n, float *features);
    void walk(const Call &call);
    void visit_instances(const Call &call);
    void sort(const Call &call);
    void colour(const Call &call, int owner);
    void show_sky(const Call &call);
    void finish(const Call &call);
};

// exp of the network's outputs, in place; `n` rows of `stride`.
static inline void to_radiance(float *raw, long n) {
    for (long i = 0; i < n; i += kLanes)
        store(raw + i, exp(smaller(load<Vec>(raw + i) + kInitialLogRadiance, splat(kMaxLogRadiance))));
}

// The columns behind the features of each sample: what the instance is like at the ray's moment.
inline void Bundle::add_latents(const Call &call, int owner, long at, int n, float *features) {
    const PackedField &field = call.fields[owner];
    const Instance *instance = call.instance(owner);
    const int count = field.field->latents;
    for (int s = 0; s < n; s++) {
        float *to = features + long(s) * field.enc_stride + field.latents_at();
        const long moment = call.rays.at(first + places.ray[at + s]);
        if (instance && instance->latent && moment >= 0)
            std::copy_n(instance->latent + moment * count, count, to);
        else
            std::fill_n(to, count, 0.0f);
    }
}

// Density, length and opacity of samples [at, at + n) of one owner.
inline void Bundle::evaluate(const Call &call, int owner, long at, int n) {
    const PackedField &field = call.fields[owner];
    OwnerWork &work = owners[owner];
    const long row = at - work.begin;
    float *features = work.features.data() + row * field.enc_stride;
    field.encode_rows(places, at, n, features, work.level_weights.data() + row * field.levels());
    if (field.field->latents) add_latents(call, owner, at, n, features);
    forward(field.density, features, field.enc_stride, work.density, row, n);
    const float *geometry = work.geometry(field, at);
    for (int s = 0; s < n; s += kLanes) {
        alignas(64) float raw[kLanes] = {};
        for (int k = 0; k < std::min(kLanes, n - s); k++)
            raw[k] = geometry[long(s + k) * field.geo_stride];
        const Vec sigma = exp(smaller(load<Vec>(raw) + field.field->log_initial, splat(kMaxLogDensity)));
        const Vec metres = load<Vec>(&places.far_m[at + s]) - load<Vec>(&places.near_m[at + s]);
        store(&this->sigma[at + s], sigma);
        store(&length[at + s], metres);
        const Exponential passes = exponential(-sigma * metres);
        store(&alpha[at + s], -passes.less_one), store(&through[at + s], passes.whole);
    }
    evaluated += n;
}

// The static scene, a few samples of every ray at a time, until its light is gone.
inline void Bundle::walk(const Call &call) {
    const PackedField &field = call.fields[0];
    OwnerWork &work = owners[0];
    std::array<int, kBundle + 1> begin{};
    std::array<int, kBundle> next{};
    std::array<float, kBundle> light;
    light.fill(1.0f);
    found.reserve(long(rays) * (call.steps.count + kLanes));
    for (int r = 0; r < rays; r++)
        begin[r + 1] = (int)find_steps(call.scene, call.steps, call.rays, first + r, r, found, begin[r]);
    long room = begin[rays];
    for (const Instance &instance : call.scene.instances) room += long(rays) * instance.samples;
    places.reserve(room);
    for (auto *v : {&sigma, &alpha, &through, &length}) v->resize(std::max(v->size(), size_t(room + 2 * kLanes)));
    work.begin = 0, work.reserve(field, begin[rays]);
    std::array<int, kBundle> active;
    int lit = 0;
    for (int r = 0; r < rays; r++) {
        next[r] = begin[r];
        if (begin[r] < begin[r + 1]) active[lit++] = r;
    }
    long kept = 0;
    while (lit > 0) {
        const int each = std::max(kAtOnce / kBundle, kAtOnce / lit);
        long at = kept;
        for (int a = 0; a < lit; a++) {
            const int r = active[a], until = std::min(next[r] + each, begin[r + 1]);
            for (int i = next[r]; i < until; i++) places.copy(found, i, at++);
            next[r] = until;
        }
        evaluate(call, 0, kept, (int)(at - kept));
        const long end = at;
        at = kept;
        for (long i = kept; i < end; i++) {
            const int r = places.ray[i];
            if (!(light[r] > call.sampling.termination)) continue;
            light[r] *= through[i];
            if (at != i) {
                places.copy(places, i, at);
                sigma[at] = sigma[i], alpha[at] = alpha[i];
                through[at] = through[i], length[at] = length[i];
                std::memcpy(&work.features[at * field.enc_stride], &work.features[i * field.enc_stride],
                            4 * field.enc_stride);
                std::memcpy(&work.level_weights[at * field.levels()],
                            &work.level_weights[i * field.levels()], 4 * field.levels());
                for (size_t l = 0; l < field.density.layers.size(); l++)
                    std::memcpy(work.density.row(field.density, l, at),
                                work.density.row(field.density, l, i),
                                4 * field.density.layers[l].out_stride);
            }
            at++;
        }
        kept = at;
        int still = 0;
        for (int a = 0; a < lit; a++) {
            const int r = active[a];
            if (next[r] < begin[r + 1] && light[r] > call.sampling.termination) active[still++] = r;
        }
        lit = still;
    }
    work.end = kept;
}

inline void Bundle::visit_instances(const Call &call) {
    for (int k = 1; k < call.owners(); k++) {
        OwnerWork &work = owners[k];
        work.begin = work.end = owners[k - 1].end;
        for (int r = 0; r < rays; r++)
            work.end = find_instance(call.scene.instances[k - 1], call.rays, first + r, r, places, work.end);
        work.reserve(call.fields[k], work.end - work.begin);
        if (work.end > work.begin)
            evaluate(call, k, work.begin, int(work.end - work.begin));
    }
}

// The samples of each ray by distance; the static scene goes first where two are equally far.
inline void Bundle::sort(const Call &call) {
    const long count = total();
    ray_at.assign(rays + 1, 0), order.resize(count);
    for (long i = 0; i < count; i++) ray_at[places.ray[i] + 1]++;
    for (int r = 0; r < rays; r++) ray_at[r + 1] += ray_at[r];
    std::array<int, kBundle> at{};
    std::copy_n(ray_at.begin(), rays, at.begin());
    for (long i = 0; i < count; i++) order[at[places.ray[i]]++] = (int)i;
    if (owners[0].end < count)
        for (int r = 0; r < rays; r++)
            std::stable_sort(order.begin() + ray_at[r], order.begin() + ray_at[r + 1],
                             [&](int a, int b) {
                                 return places.near_m[a] + places.far_m[a] <
                                        places.near_m[b] + places.far_m[b];
                             });
    for (auto *v : {&o_near, &o_far, &o_alpha, &o_through, &o_length, &o_weight, &o_after})
        v->resize(std::max(v->size(), size_t(count + 2 * kLanes)));
    o_owner.resize(count), o_shown.assign(count, -1);
    for (int k = 0; k < call.owners(); k++) owners[k].shown.clear();
    for (long p = 0; p < count; p++) {
        const int i = order[p];
        o_near[p] = places.near_m[i], o_far[p] = places.far_m[i];
        o_alpha[p] = alpha[i], o_through[p] = through[i], o_length[p] = length[i];
        int k = 0;
        while (i >= owners[k].end) k++;
        o_owner[p] = k;
    }
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
