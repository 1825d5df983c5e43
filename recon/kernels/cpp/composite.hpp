// One ray at a time: from densities to weights and what they add up to, and the way back.
// recon.kernels.compositing and recon.rendering.march define it.
#pragma once

#include <cmath>
#include <limits>

#include "simd.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr float kOpaque = 0.5f; // recon.rendering.march.OPAQUE

// The samples of one ray, nearest first.
struct RaySamples {
    int count;
    const float *near_m, *far_m, *alpha, *through, *length_m; // absorbs, lets pass
    const int *owner;
    float *weight; // share of the pixel
    float *after;  // share of the light that is left behind the sample
    float middle(int i) const { return 0.5f * (near_m[i] + far_m[i]); }
};

struct RaySums {
    float opacity = 0.0f, left = 1.0f; // left is 1 - opacity, without its rounding
    float expected_m = 0.0f, range_m = std::numeric_limits<float>::infinity();
    int winner = 0;
    // where the winner's opacity reaches half of its sum
    int crossing = -1;
    float before = 0.0f, behind = 0.0f, threshold = 0.0f, share = 0.0f;
    bool half_is_free = true, partly = false;
};

static void weigh(const RaySamples &ray) {
    float light = 1.0f;
    for (int i = 0; i < ray.count; i++) {
        ray.weight[i] = light * ray.alpha[i];
        light *= ray.through[i];
        ray.after[i] = light;
    }
}

static void find_median(const RaySamples &ray, float of_winner, RaySums &sums) {
    const float half = 0.5f * of_winner;
    sums.threshold = std::min(std::max(half, 1e-6f), 1.0f - 1e-6f);
    sums.half_is_free = sums.threshold == half;
    float opacity = 0.0f;
    for (int i = 0; i < ray.count; i++) {
        if (ray.owner[i] != sums.winner) continue;
        const float before = opacity;
        opacity += ray.weight[i];
        if (opacity < sums.threshold) continue;
        sums.crossing = i, sums.before = 1.0f - before, sums.behind = 1.0f - opacity;
        sums.partly = sums.behind > 0.0f;
        sums.share = 0.0f;
        if (sums.partly) {
            const float a = std::log(sums.before), b = std::log(sums.behind);
            sums.share = (a - std::log1p(-sums.threshold)) / (a - b);
            sums.share = std::min(std::max(sums.share, 0.0f), 1.0f);
        }
        sums.range_m = ray.near_m[i] + (ray.far_m[i] - ray.near_m[i]) * sums.share;
        return;
    }
}

// `by_owner`, [owners], is filled with the share of the pixel of each.
static RaySums add_up(const RaySamples &ray, float *by_owner, int owners) {
    RaySums sums;
    float moment = 0.0f;
    for (int k = 0; k < owners; k++) by_owner[k] = 0.0f;
    for (int i = 0; i < ray.count; i++) {
        by_owner[ray.owner[i]] += ray.weight[i];
        sums.opacity += ray.weight[i];
        moment += ray.weight[i] * ray.middle(i);
    }
    if (ray.count) sums.left = ray.after[ray.count - 1];
    if (sums.opacity > 0.0f) sums.expected_m = moment / sums.opacity;
    if (sums.opacity < kOpaque) return sums;
    for (int k = 1; k < owners; k++)
        if (by_owner[k] > by_owner[sums.winner]) sums.winner = k;
    find_median(ray, by_owner[sums.winner], sums);
    return sums;
}

// Adds to `grad`, by weight, what the gradient of range_m comes to.
static void median_gradient(const RaySamples &ray, const RaySums &sums, float of_range,
                            float *grad) {
    if (sums.crossing < 0 || !sums.partly || of_range == 0.0f) return;
    const float a = std::log(sums.before), b = std::log(sums.behind);
    const float c = std::log1p(-sums.threshold), depth = a - b;
    const float of_share = of_range * (ray.far_m[sums.crossing] - ray.near_m[sums.crossing]);
    const float of_before = -of_share * (c - b) / (depth * depth) / sums.before;
    const float of_behind = -of_share * (a - c) / (depth * depth) / sums.behind;
    const float of_threshold =
        sums.half_is_free ? 0.5f * of_share / depth / (1.0f - sums.threshold) : 0.0f;
    for (int i = 0; i < ray.count; i++) {
        if (ray.owner[i] != sums.winner) continue;
        grad[i] += of_threshold;
        if (i < sums.crossing) grad[i] += of_before;
        if (i <= sums.crossing) grad[i] += of_behind;
    }
}

// Gradient by density from those by weight and by the light that is left at the end.
static void density_gradient(const RaySamples &ray, const float *of_weight, float of_left,
                             float *of_density) {
    float behind = ray.count ? of_left * ray.after[ray.count - 1] : 0.0f;
    for (int i = ray.count; i-- > 0;) {
        of_density[i] = ray.length_m[i] * (of_weight[i] * ray.after[i] - behind);
        behind += of_weight[i] * ray.weight[i];
    }
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
