// The way back from the field at single points: what `query` computes, then the gradients of the
// field's parameters by density and radiance.
#pragma once

#include "pool.hpp"
#include "remember.hpp"
#include "reverse.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

// One thread's room for a chunk of points.
struct QueryWork {
    Places at;
    OwnerWork own;
    std::vector<float> scratch, density, linear;
    std::vector<float> of_rgb, of_inputs, of_geometry, of_features;

    void reserve(const PackedField &field, int n) {
        const size_t rows = size_t(n) + kMaxRows;
        at.reserve(n), own.begin = 0, own.reserve(field, n);
        density.resize(rows), linear.resize(rows * field.field->channels);
        of_rgb.resize(rows * field.colour.out_stride()), of_inputs.resize(rows * field.in_stride);
        of_geometry.resize(rows * field.geo_stride), of_features.resize(rows * field.enc_stride);
    }
};

// Gradients of the networks' outputs, from those of what becomes of them: both are exponentials.
static void through_exponentials(const PackedField &field, QueryWork &work, int n,
                                 const float *of_linear) {
    const int channels = field.field->channels, stride = field.colour.out_stride();
    const float brightest = std::exp(kMaxLogRadiance);
    std::fill(work.of_rgb.begin(), work.of_rgb.end(), 0.0f);
    for (int i = 0; i < n; i++) {
        for (int c = 0; c < channels; c++) {
            const float rgb = work.linear[i * channels + c];
            work.of_rgb[i * stride + c] = rgb < brightest ? of_linear[i * channels + c] * rgb : 0.0f;
        }
    }
}

// Adds to a lane what the `n` points in `work` contribute.
static void query_points_backward(const PackedField &field, QueryWork &work, int n,
                                  const float *directions, const float *of_density,
                                  const float *of_linear, Lane::OfOwner &lane) {
    OwnerWork &own = work.own;
    query_points(field, work.at, own, work.scratch, n, directions, work.density.data(),
                 work.linear.data(), nullptr);
    through_exponentials(field, work, n, of_linear);
    backward(field.colour, own.inputs.data(), field.in_stride, own.colour, work.of_rgb.data(),
             work.of_inputs.data(), lane.colour.data(), 0, n);
    const float densest = std::exp(kMaxLogDensity);
    for (int i = 0; i < n; i++) {
        float *to = &work.of_geometry[long(i) * field.geo_stride];
        std::memcpy(to, &work.of_inputs[long(i) * field.in_stride], 4 * field.geo_stride);
        if (work.density[i] < densest) to[0] += of_density[i] * work.density[i];
    }
    backward(field.density, own.features.data(), field.enc_stride, own.density,
             work.of_geometry.data(), work.of_features.data(), lane.density.data(), 0, n);
    lane.x.insert(lane.x.end(), &work.at.x[0], &work.at.x[n]);
    lane.y.insert(lane.y.end(), &work.at.y[0], &work.at.y[n]);
    lane.z.insert(lane.z.end(), &work.at.z[0], &work.at.z[n]);
    const int F = field.field->features, levels = field.levels();
    for (int l = 0; l < levels; l++) {
        const size_t start = lane.levels[l].size();
        lane.levels[l].resize(start + size_t(n) * F);
        float *to = lane.levels[l].data() + start;
        for (int i = 0; i < n; i++) {
            const float factor = own.level_weights[long(i) * levels + l];
            const float *from = &work.of_features[long(i) * field.enc_stride + l * F];
            for (int f = 0; f < F; f++) *to++ = factor * from[f];
        }
    }
}

static void start_lane(const PackedField &field, Lane::OfOwner &lane) {
    lane.density.assign(field.density.gradient_size, 0.0f);
    lane.colour.assign(field.colour.gradient_size, 0.0f);
    lane.x.clear(), lane.y.clear(), lane.z.clear();
    lane.levels.resize(field.levels());
    for (auto &level : lane.levels) level.clear();
}

// Adds the lanes up, always in the same order; levels at a time, so that threads never meet.
static void add_lanes(const PackedField &field, const std::vector<Lane::OfOwner> &lanes,
                      int threads) {
    Field &of = *field.field;
    run_tasks(field.levels(), threads, [&](int task, int) {
        const int l = field.levels() - 1 - task; // fine levels take longest
        auto run = [&](auto features) {
            for (const Lane::OfOwner &lane : lanes)
                scatter<decltype(features)::value>(of.levels[l], lane.x.data(), lane.y.data(),
                                                   lane.z.data(), lane.levels[l].data(),
                                                   (long)lane.x.size(), of.table_gradient.data());
        };
        if (of.features == 2) run(std::integral_constant<int, 2>());
        if (of.features == 4) run(std::integral_constant<int, 4>());
        if (of.features == 8) run(std::integral_constant<int, 8>());
    });
    for (const Lane::OfOwner &lane : lanes) {
        unpack_gradient(field.density, lane.density.data(), of.density);
        unpack_gradient(field.colour, lane.colour.data(), of.colour);
    }
}

static void query_backward(Field &of, long count, const float *unit, const float *footprint,
                           const float *directions, const float *of_density,
                           const float *of_linear, int threads) {
    constexpr int kLanesOfPoints = 64, kChunk = 256;
    const PackedField field(of);
    of.table_gradient.resize(of.entries * of.features);
    for (auto *layers : {&of.density, &of.colour})
        for (Layer &layer : *layers) layer.gradient.assign(layer.weight.size(), 0.0f);
    thread_local std::vector<Lane::OfOwner> lanes(kLanesOfPoints); // kept, because they are large
    std::vector<Lane::OfOwner> &mine = lanes; // of the calling thread, for all of them
    run_tasks(kLanesOfPoints, threads, [&](int task, int) {
        thread_local QueryWork work;
        work.reserve(field, kChunk);
        start_lane(field, mine[task]);
        const long end = count * (task + 1) / kLanesOfPoints;
        for (long first = count * task / kLanesOfPoints; first < end; first += kChunk) {
            const int n = (int)std::min<long>(kChunk, end - first);
            for (int i = 0; i < n; i++) {
                const float *p = unit + 3 * (first + i);
                work.at.x[i] = p[0], work.at.y[i] = p[1], work.at.z[i] = p[2];
                work.at.footprint[i] = footprint ? footprint[first + i] : 0.0f;
            }
            query_points_backward(field, work, n, directions + 3 * first, of_density + first,
                                  of_linear + first * of.channels, mine[task]);
        }
    });
    add_lanes(field, mine, threads);
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
