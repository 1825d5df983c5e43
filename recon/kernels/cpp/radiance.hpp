// The second half of a bundle: radiance of the samples that weigh enough, of the sky, and the sums.
#pragma once

#include "bundle.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

// Radiance of one owner's samples that weigh enough.
inline void Bundle::colour(const Call &call, int owner) {
    const PackedField &field = call.fields[owner];
    OwnerWork &work = owners[owner];
    const int n = (int)work.shown.size();
    work.inputs.resize(std::max(work.inputs.size(), size_t(n + kMaxRows) * field.in_stride));
    work.colour.reserve(field.colour, n);
    alignas(64) float turned[kHarmonics];
    int of = -1;
    for (int i = 0; i < n; i++) {
        const int sample = work.shown[i], r = places.ray[sample];
        if (r != of) {
            const float *d = call.rays.directions + 3 * (first + r);
            float along[3] = {d[0], d[1], d[2]};
            if (owner > 0) { // the look of an instance turns with it
                const float *m = call.instance(owner)->unit_from_world +
                                 12 * call.rays.at(first + r);
                for (int a = 0; a < 3; a++, m += 4) {
                    const float size = std::sqrt(m[0] * m[0] + m[1] * m[1] + m[2] * m[2]);
                    along[a] = (m[0] * d[0] + m[1] * d[1] + m[2] * d[2]) / size;
                }
            }
            harmonics(along[0], along[1], along[2], turned, field.field->look), of = r;
        }
        float *row = &work.inputs[long(i) * field.in_stride];
        std::memcpy(row, work.geometry(field, sample), 4 * field.geo_stride);
        std::memcpy(row + field.geo_stride, turned, sizeof(float) * field.field->look);
    }
    forward(field.colour, work.inputs.data(), field.in_stride, work.colour, 0, n);
    const long size = long(n) * field.colour.out_stride();
    work.rgb.resize(std::max(work.rgb.size(), size_t(size + kLanes)));
    if (n) std::memcpy(work.rgb.data(), work.colour.row(field.colour, field.colour.layers.size() - 1, 0), 4 * size);
    to_radiance(work.rgb.data(), size);
}

inline void Bundle::show_sky(const Call &call) {
    sky_inputs.resize((kBundle + kMaxRows) * kHarmonics);
    sky.reserve(call.sky, kBundle);
    for (int r = 0; r < rays; r++) {
        const float *d = call.rays.directions + 3 * (first + r);
        harmonics(d[0], d[1], d[2], &sky_inputs[r * kHarmonics]);
    }
    forward(call.sky, sky_inputs.data(), kHarmonics, sky, 0, rays);
    const long size = long(rays) * call.sky.out_stride();
    sky_rgb.resize(long(kBundle) * call.sky.out_stride() + kLanes);
    std::memcpy(sky_rgb.data(), sky.row(call.sky, call.sky.layers.size() - 1, 0), 4 * size);
    to_radiance(sky_rgb.data(), size);
}

inline void Bundle::finish(const Call &call) {
    const int channels = call.channels();
    linear.assign(rays * channels, 0.0f);
    for (int r = 0; r < rays; r++) {
        const float left = sums[r].left;
        float *to = &linear[r * channels];
        for (int c = 0; c < channels; c++) to[c] = left * sky_rgb[r * call.sky.out_stride() + c];
        for (int p = ray_at[r]; p < ray_at[r + 1]; p++) {
            if (o_shown[p] < 0) continue;
            const int k = o_owner[p];
            const float *rgb = &owners[k].rgb[long(o_shown[p]) * call.fields[k].colour.out_stride()];
            for (int c = 0; c < channels; c++) to[c] += o_weight[p] * rgb[c];
        }
    }
}

inline void Bundle::run(const Call &call, long first_ray, int ray_count) {
    first = first_ray, rays = ray_count;
    owners.resize(call.owners());
    walk(call);
    visit_instances(call);
    sort(call);
    by_owner.resize(rays * call.owners()), sums.resize(rays);
    for (int r = 0; r < rays; r++) {
        const RaySamples ray = samples(r);
        weigh(ray);
        sums[r] = add_up(ray, &by_owner[r * call.owners()], call.owners());
    }
    for (int p = 0; p < (int)total(); p++) {
        if (!(o_weight[p] > call.sampling.colour_threshold)) continue;
        if (!call.fields[o_owner[p]].field->emits) continue;
        std::vector<int> &shown = owners[o_owner[p]].shown;
        o_shown[p] = (int)shown.size(), shown.push_back(order[p]);
    }
    for (int k = 0; k < call.owners(); k++) colour(call, k);
    show_sky(call);
    finish(call);
}

inline void Bundle::light_until(const Call &call, long first_ray, int ray_count,
                                const float *until_m, float *light) {
    first = first_ray, rays = ray_count;
    owners.resize(call.owners());
    walk(call);
    std::array<float, kBundle> depth{};
    for (long i = 0; i < owners[0].end; i++) {
        const int r = places.ray[i];
        const float metres = std::min(places.far_m[i], until_m[first + r]) - places.near_m[i];
        depth[r] += sigma[i] * std::max(metres, 0.0f);
    }
    for (int r = 0; r < rays; r++) light[first + r] = std::exp(-depth[r]);
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
