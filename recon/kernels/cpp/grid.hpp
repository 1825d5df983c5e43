// The hash grid: gathers forward, scatters back. recon.kernels.hash_grid defines it, and
// recon.kernels.footprint the weights of its levels.
#pragma once

#include <algorithm>
#include <type_traits>

#include "engine.hpp"
#include "simd.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

// run(std::integral_constant<int, F>()) for the number of features of a field.
template <class Run> static inline void with_features(const Field &field, Run run) {
    if (field.features == 2) run(std::integral_constant<int, 2>());
    if (field.features == 4) run(std::integral_constant<int, 4>());
    if (field.features == 8) run(std::integral_constant<int, 8>());
}

// Table entries and trilinear weights of the corners of kLanes points on one level.
struct Corners {
    alignas(64) uint32_t entry[8][kLanes]; // x first, then y, then z
    alignas(64) float of_yz[4][kLanes];
    alignas(64) float of_x[kLanes];
};

static inline Words in_level(Words entry, const Level &level) {
    if (!level.dense) return entry & (level.size - 1);
    entry = entry >= level.size ? entry - level.size : entry; // a vertex is below 2 size
    return entry < level.size ? entry : Words{};              // unless its point was no number
}

static inline void find_corners(const Level &level, const float *x, const float *y, const float *z,
                                Corners &corners) {
    const Vec px = load<Vec>(x) * level.scale + 0.5f, py = load<Vec>(y) * level.scale + 0.5f,
              pz = load<Vec>(z) * level.scale + 0.5f;
    const Ints ix = __builtin_convertvector(px, Ints), iy = __builtin_convertvector(py, Ints),
               iz = __builtin_convertvector(pz, Ints);
    const Vec wx = px - __builtin_convertvector(ix, Vec), wy = py - __builtin_convertvector(iy, Vec),
              wz = pz - __builtin_convertvector(iz, Vec);
    const Words x0 = (Words)ix, x1 = x0 + 1;
    const Words y0 = (Words)iy * level.step_y, y1 = y0 + level.step_y;
    const Words z0 = (Words)iz * level.step_z, z1 = z0 + level.step_z;
    const Words yz[4] = {level.dense ? y0 + z0 : y0 ^ z0, level.dense ? y1 + z0 : y1 ^ z0,
                         level.dense ? y0 + z1 : y0 ^ z1, level.dense ? y1 + z1 : y1 ^ z1};
    for (int c = 0; c < 4; c++) {
        store(corners.entry[2 * c], in_level(level.dense ? x0 + yz[c] : x0 ^ yz[c], level));
        store(corners.entry[2 * c + 1], in_level(level.dense ? x1 + yz[c] : x1 ^ yz[c], level));
    }
    store(corners.of_yz[0], (1.0f - wy) * (1.0f - wz));
    store(corners.of_yz[1], wy * (1.0f - wz));
    store(corners.of_yz[2], (1.0f - wy) * wz);
    store(corners.of_yz[3], wy * wz);
    store(corners.of_x, wx);
}

// How far one level of kLanes points may be used: erf(1 / sqrt(8 footprint^2 scale^2)).
static inline Vec level_weight(Vec footprint, float scale) {
    return erf(0.35355339f / larger(footprint * scale, splat(1e-3f)));
}

// Features of `n` points (padded to kLanes) into rows of `stride`; `weights`, [n, levels], are the
// levels' factors, or null.
template <int F>
static void encode(const Field &field, const float *x, const float *y, const float *z,
                   const float *footprint, int n, float *out, int stride, float *weights) {
    const int levels = (int)field.levels.size();
    Corners corners;
    alignas(64) float factor[kLanes];
    for (int s = 0; s < n; s += kLanes) {
        const int lanes = std::min(kLanes, n - s);
        for (int l = 0; l < levels; l++) {
            const Level &level = field.levels[l];
            const uint16_t *table = field.table.data() + long(level.offset) * F;
            find_corners(level, x + s, y + s, z + s, corners);
            if (footprint) store(factor, level_weight(load<Vec>(footprint + s), level.scale));
            for (int k = 0; k < lanes; k++) {
                Floats<F> low = {}, high = {};
                for (int c = 0; c < 4; c++) {
                    const float w = corners.of_yz[c][k];
                    low += w * load_half<F>(table + long(corners.entry[2 * c][k]) * F);
                    high += w * load_half<F>(table + long(corners.entry[2 * c + 1][k]) * F);
                }
                Floats<F> value = low + corners.of_x[k] * (high - low);
                if (footprint) value *= factor[k], weights[(s + k) * levels + l] = factor[k];
                store(out + long(s + k) * stride + l * F, value);
            }
        }
    }
}

// Adds what `n` points contribute to the gradient of one level's table; `d`, [n, F], is that of
// the level's features, its factor included.
template <int F>
static void scatter(const Level &level, const float *x, const float *y, const float *z,
                    const float *d, long n, float *gradient) {
    Corners corners;
    float *table = gradient + long(level.offset) * F;
    for (long s = 0; s < n; s += kLanes) {
        const int lanes = (int)std::min<long>(kLanes, n - s);
        find_corners(level, x + s, y + s, z + s, corners);
        for (int k = 0; k < lanes; k++) {
            const Floats<F> whole = load<Floats<F>>(d + (s + k) * F);
            const Floats<F> high = whole * corners.of_x[k], low = whole - high;
            for (int c = 0; c < 4; c++) {
                const float w = corners.of_yz[c][k];
                float *to = table + long(corners.entry[2 * c][k]) * F;
                store(to, load<Floats<F>>(to) + w * low);
                to = table + long(corners.entry[2 * c + 1][k]) * F;
                store(to, load<Floats<F>>(to) + w * high);
            }
        }
    }
}

// Derivative of the weighted features, contracted with `d`, by the position of each point in the
// unit cube, [n, 3]. The levels' factors are held constant.
template <int F>
static void position_gradient(const Field &field, const float *x, const float *y, const float *z,
                              const float *weights, const float *d, int stride, int n, float *out) {
    const int levels = (int)field.levels.size();
    Corners corners;
    for (int s = 0; s < n; s += kLanes) {
        const int lanes = std::min(kLanes, n - s);
        for (int k = 0; k < lanes; k++) std::fill_n(out + (s + k) * 3, 3, 0.0f);
        for (int l = 0; l < levels; l++) {
            const Level &level = field.levels[l];
            const uint16_t *table = field.table.data() + long(level.offset) * F;
            find_corners(level, x + s, y + s, z + s, corners);
            for (int k = 0; k < lanes; k++) {
                const Floats<F> of = load<Floats<F>>(d + long(s + k) * stride + l * F);
                float value[8]; // of the corners, as `entry`
                for (int c = 0; c < 8; c++) {
                    const auto row = load_half<F>(table + long(corners.entry[c][k]) * F) * of;
                    value[c] = 0.0f;
                    for (int f = 0; f < F; f++) value[c] += row[f];
                }
                const float scale = level.scale * (weights ? weights[(s + k) * levels + l] : 1.0f);
                const float wx = corners.of_x[k];
                const float wy = corners.of_yz[1][k] + corners.of_yz[3][k];
                const float wz = corners.of_yz[2][k] + corners.of_yz[3][k];
                float *to = out + (s + k) * 3, along_x[4];
                for (int c = 0; c < 4; c++) {
                    to[0] += scale * corners.of_yz[c][k] * (value[2 * c + 1] - value[2 * c]);
                    along_x[c] = value[2 * c] + wx * (value[2 * c + 1] - value[2 * c]);
                }
                to[1] += scale * ((along_x[1] - along_x[0]) * (1.0f - wz) +
                                  (along_x[3] - along_x[2]) * wz);
                to[2] += scale * ((along_x[2] - along_x[0]) * (1.0f - wy) +
                                  (along_x[3] - along_x[1]) * wy);
            }
        }
    }
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
