// The way back through a bundle: from gradients by weight and by radiance to those of parameters.
#pragma once

#include "radiance.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

// What one lane of samples adds up about one field. A lane is always worked through in order by one
// thread, and lanes are added up in order, so that sums do not depend on the number of threads.
struct FieldLane {
    std::vector<float> density, colour;     // gradients of the networks, packed
    std::vector<float> x, y, z;             // of the samples
    std::vector<std::vector<float>> levels; // gradients of their features, [samples, features]

    void start(const PackedField &field) {
        density.assign(field.density.gradient_size, 0.0f);
        colour.assign(field.colour.gradient_size, 0.0f);
        x.clear(), y.clear(), z.clear();
        levels.resize(field.levels());
        for (auto &level : levels) level.clear();
    }
    // Samples [begin, begin + n) of `at`; rows of `of_features` and `level_weights` begin at 0.
    void take(const PackedField &field, const Places &at, long begin, int n,
              const float *of_features, const float *level_weights) {
        x.insert(x.end(), &at.x[begin], &at.x[begin + n]);
        y.insert(y.end(), &at.y[begin], &at.y[begin + n]);
        z.insert(z.end(), &at.z[begin], &at.z[begin + n]);
        const int F = field.field->features, count = field.levels();
        for (int l = 0; l < count; l++) {
            const size_t start = levels[l].size();
            levels[l].resize(start + size_t(n) * F);
            float *to = levels[l].data() + start;
            for (int i = 0; i < n; i++) {
                const float factor = level_weights[long(i) * count + l];
                const float *from = of_features + long(i) * field.enc_stride + l * F;
                for (int f = 0; f < F; f++) *to++ = factor * from[f];
            }
        }
    }
    // Adds one level's gradients to `of_level`, the level's part of a table.
    void scatter_level(const Field &field, size_t level, float *of_level) const {
        Level alone = field.levels[level];
        alone.offset = 0;
        with_features(field, [&](auto features) {
            scatter<decltype(features)::value>(alone, x.data(), y.data(), z.data(),
                                               levels[level].data(), (long)x.size(), of_level);
        });
    }
    void unpack(const PackedField &field) const {
        unpack_gradient(field.density, density.data(), field.field->density);
        unpack_gradient(field.colour, colour.data(), field.field->colour);
    }
};

static void clear_gradient(std::vector<Layer> &layers) {
    for (Layer &layer : layers) layer.gradient.assign(layer.weight.size(), 0.0f);
}

// What one lane of bundles adds up.
struct alignas(128) Lane { // apart, so that threads do not fight for a cache line
    std::vector<FieldLane> owners;
    std::vector<float> sky;
    Losses losses;

    void start(const Call &call) {
        owners.resize(call.owners());
        for (int k = 0; k < call.owners(); k++) owners[k].start(call.fields[k]);
        sky.assign(call.sky.gradient_size, 0.0f);
        losses = Losses();
    }
};

// Gradients of one bundle's rays, filled by whoever knows the loss.
struct Reverse {
    std::vector<float> of_linear; // [rays, channels]
    std::vector<float> of_left;   // [rays]: by the light that nothing absorbed
    std::vector<float> of_weight; // by sample, nearest first
    std::vector<float> of_density, of_geometry, of_inputs, of_rgb, of_features, of_position;

    void start(const Call &call, Bundle &bundle) {
        of_linear.assign(bundle.rays * call.channels(), 0.0f);
        of_left.assign(bundle.rays, 0.0f);
        of_weight.assign(bundle.total() + kLanes, 0.0f);
    }
    // From `of_linear`, `of_left` and `of_weight` to everything else.
    void run(const Call &call, Bundle &bundle, Lane &lane, const RayGradients &of_rays);

  private:
    void through_radiance(const Call &call, Bundle &bundle);
    void colour(const Call &call, Bundle &bundle, int owner, Lane &lane);
    void density(const Call &call, Bundle &bundle, int owner, Lane &lane);
    void find_positions(const Call &call, Bundle &bundle, int owner);
    void rays(const Call &call, Bundle &bundle, const RayGradients &of_rays);
    void places(const Call &call, Bundle &bundle, int owner, const RayGradients &of_rays);
    void latents(const Call &call, Bundle &bundle, int owner, float *of_latents);
    void sky(const Call &call, Bundle &bundle, Lane &lane);
};

// Weights also decide how much radiance is seen; what they leave, how much of the sky.
inline void Reverse::through_radiance(const Call &call, Bundle &bundle) {
    const int channels = call.channels();
    of_density.resize(std::max(of_density.size(), of_weight.size()));
    for (int r = 0; r < bundle.rays; r++) {
        const float *g = &of_linear[r * channels];
        const float *behind = &bundle.sky_rgb[r * call.sky.out_stride()];
        for (int c = 0; c < channels; c++) of_left[r] += g[c] * behind[c];
        for (int p = bundle.ray_at[r]; p < bundle.ray_at[r + 1]; p++) {
            if (bundle.o_shown[p] < 0) continue;
            const int k = bundle.o_owner[p];
            const float *rgb =
                &bundle.owners[k].rgb[long(bundle.o_shown[p]) * call.fields[k].colour.out_stride()];
            for (int c = 0; c < channels; c++) of_weight[p] += g[c] * rgb[c];
        }
        const int at = bundle.ray_at[r];
        density_gradient(bundle.samples(r), &of_weight[at], of_left[r], &of_density[at]);
    }
}

inline void Reverse::colour(const Call &call, Bundle &bundle, int owner, Lane &lane) {
    const PackedField &field = call.fields[owner];
    OwnerWork &work = bundle.owners[owner];
    const int n = (int)work.shown.size(), channels = call.channels();
    const int stride = field.colour.out_stride();
    if (n == 0) return;
    of_rgb.assign(size_t(n + kMaxRows) * stride, 0.0f);
    of_inputs.resize(std::max(of_inputs.size(), size_t(n + kMaxRows) * field.in_stride));
    const float brightest = std::exp(kMaxLogRadiance);
    for (int p = 0; p < (int)bundle.total(); p++) {
        if (bundle.o_shown[p] < 0 || bundle.o_owner[p] != owner) continue;
        const long row = long(bundle.o_shown[p]) * stride;
        const float *g = &of_linear[bundle.places.ray[bundle.order[p]] * channels];
        for (int c = 0; c < channels; c++) {
            const float rgb = work.rgb[row + c];
            of_rgb[row + c] = rgb < brightest ? g[c] * bundle.o_weight[p] * rgb : 0.0f;
        }
    }
    backward(field.colour, work.inputs.data(), field.in_stride, work.colour, of_rgb.data(),
             of_inputs.data(), lane.owners[owner].colour.data(), 0, n);
    for (int i = 0; i < n; i++) {
        float *to = &of_geometry[(work.shown[i] - work.begin) * field.geo_stride];
        const float *from = &of_inputs[long(i) * field.in_stride];
        for (int j = 0; j < field.geo_stride; j++) to[j] += from[j];
    }
}

inline void Reverse::density(const Call &call, Bundle &bundle, int owner, Lane &lane) {
    const PackedField &field = call.fields[owner];
    OwnerWork &work = bundle.owners[owner];
    const int n = int(work.end - work.begin);
    if (n == 0) return;
    of_features.resize(std::max(of_features.size(), size_t(n + kMaxRows) * field.enc_stride));
    backward(field.density, work.features.data(), field.enc_stride, work.density,
             of_geometry.data(), of_features.data(), lane.owners[owner].density.data(), 0, n);
    lane.owners[owner].take(field, bundle.places, work.begin, n, of_features.data(),
                            work.level_weights.data());
}

// Gradients by the positions of one owner's samples in its unit cube, from those of its features.
inline void Reverse::find_positions(const Call &call, Bundle &bundle, int owner) {
    const PackedField &field = call.fields[owner];
    OwnerWork &work = bundle.owners[owner];
    const Places &at = bundle.places;
    const long from = work.begin, n = work.end - from;
    of_position.resize(std::max(of_position.size(), size_t(n + kLanes) * 3));
    auto run = [&](auto features) {
        position_gradient<decltype(features)::value>(
            *field.field, &at.x[from], &at.y[from], &at.z[from], work.level_weights.data(),
            of_features.data(), field.enc_stride, (int)n, of_position.data());
    };
    with_features(*field.field, run);
}

// Gradients by the rays, through the positions of the static scene's samples alone.
inline void Reverse::rays(const Call &call, Bundle &bundle, const RayGradients &of_rays) {
    const Places &at = bundle.places;
    find_positions(call, bundle, 0);
    for (int i = 0; i < (int)bundle.owners[0].end; i++) {
        const float unit[3] = {at.x[i], at.y[i], at.z[i]};
        float world[3];
        unit_to_world_gradient(call.scene, unit, &of_position[3 * i], world);
        const float middle = 0.5f * (at.near_m[i] + at.far_m[i]);
        const long ray = bundle.first + at.ray[i];
        for (int a = 0; a < 3; a++) {
            of_rays.origins[3 * ray + a] += world[a];
            of_rays.directions[3 * ray + a] += middle * world[a];
        }
    }
}

// Gradients by where each ray starts and points in an instance's unit cube: its entry and exit, and
// the direction that its look depends on, are held.
inline void Reverse::places(const Call &call, Bundle &bundle, int owner,
                            const RayGradients &of_rays) {
    const Places &at = bundle.places;
    const OwnerWork &work = bundle.owners[owner];
    if (work.begin == work.end) return;
    find_positions(call, bundle, owner);
    for (long i = work.begin; i < work.end; i++) {
        const float middle = 0.5f * (at.near_m[i] + at.far_m[i]);
        const long row = (bundle.first + at.ray[i]) * (call.owners() - 1) + owner - 1;
        const float unit[3] = {at.x[i], at.y[i], at.z[i]};
        for (int a = 0; a < 3; a++) {
            if (!(unit[a] > 0.0f && unit[a] < 1.0f)) continue; // held at the face
            const float of = of_position[3 * (i - work.begin) + a];
            of_rays.starts[3 * row + a] += of, of_rays.alongs[3 * row + a] += middle * of;
        }
    }
}

inline void Reverse::latents(const Call &call, Bundle &bundle, int owner, float *of_latents) {
    const PackedField &field = call.fields[owner];
    const OwnerWork &work = bundle.owners[owner];
    const int most = call.most_latents(), count = field.field->latents;
    for (long i = work.begin; i < work.end; i++) {
        const long row = (bundle.first + bundle.places.ray[i]) * (call.owners() - 1) + owner - 1;
        const float *from = &of_features[(i - work.begin) * field.enc_stride + field.latents_at()];
        for (int j = 0; j < count; j++) of_latents[row * most + j] += from[j];
    }
}

inline void Reverse::sky(const Call &call, Bundle &bundle, Lane &lane) {
    const int channels = call.channels(), stride = call.sky.out_stride();
    of_rgb.assign(size_t(bundle.rays + kMaxRows) * stride, 0.0f);
    const float brightest = std::exp(kMaxLogRadiance);
    for (int r = 0; r < bundle.rays; r++) {
        const float left = bundle.sums[r].left;
        for (int c = 0; c < channels; c++) {
            const float rgb = bundle.sky_rgb[r * stride + c];
            of_rgb[r * stride + c] =
                rgb < brightest ? of_linear[r * channels + c] * left * rgb : 0.0f;
        }
    }
    backward(call.sky, bundle.sky_inputs.data(), kHarmonics, bundle.sky, of_rgb.data(), nullptr,
             lane.sky.data(), 0, bundle.rays);
}

inline void Reverse::run(const Call &call, Bundle &bundle, Lane &lane,
                         const RayGradients &of_rays) {
    through_radiance(call, bundle);
    sky(call, bundle, lane);
    const float densest = std::exp(kMaxLogDensity);
    for (int k = 0; k < call.owners(); k++) {
        const PackedField &field = call.fields[k];
        OwnerWork &work = bundle.owners[k];
        of_geometry.assign(size_t(work.end - work.begin + kMaxRows) * field.geo_stride, 0.0f);
        for (long p = 0; p < bundle.total(); p++) {
            if (bundle.o_owner[p] != k) continue;
            const int i = bundle.order[p];
            const float sigma = bundle.sigma[i];
            if (sigma < densest)
                of_geometry[(i - work.begin) * field.geo_stride] = of_density[p] * sigma;
        }
        colour(call, bundle, k, lane);
        density(call, bundle, k, lane);
        if (k == 0 && of_rays.origins) rays(call, bundle, of_rays);
        if (k > 0 && of_rays.starts) places(call, bundle, k, of_rays);
        if (k > 0 && of_rays.latents) latents(call, bundle, k, of_rays.latents);
    }
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
