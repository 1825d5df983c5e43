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
                                  const float *of_linear, FieldLane &lane) {
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
    lane.take(field, work.at, 0, n, work.of_features.data(), own.level_weights.data());
}

static void query_backward(Field &of, long count, const float *unit, const float *footprint,
                           const float *directions, const float *of_density,
                           const float *of_linear, int threads) {
    constexpr int kLanesOfPoints = 64, kChunk = 256;
    const PackedField field(of);
    clear_gradient(of.density), clear_gradient(of.colour);
    of.table_gradient.resize(of.entries * of.features);
    thread_local std::vector<FieldLane> lanes(kLanesOfPoints); // kept, because they are large
    std::vector<FieldLane> &mine = lanes; // of the calling thread, for all of them
    run_tasks(kLanesOfPoints, threads, [&](int task, int) {
        thread_local QueryWork work;
        work.reserve(field, kChunk);
        mine[task].start(field);
        const long end = count * (task + 1) / kLanesOfPoints;
        for (long first = count * task / kLanesOfPoints; first < end; first += kChunk) {
            const int n = (int)std::min<long>(kChunk, end - first);
            place_points(work.at, n, unit + 3 * first, footprint ? footprint + first : nullptr);
            query_points_backward(field, work, n, directions + 3 * first, of_density + first,
                                  of_linear + first * of.channels, mine[task]);
        }
    });
    run_tasks(field.levels(), threads, [&](int task, int) {
        const int level = field.levels() - 1 - task; // fine levels take longest
        float *sums = of.table_gradient.data() + long(of.levels[level].offset) * of.features;
        for (const FieldLane &lane : mine) lane.scatter_level(of, level, sums);
    });
    for (const FieldLane &lane : mine) lane.unpack(field);
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
