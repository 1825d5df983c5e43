// The losses of one ray and their gradients by its weights and its radiance. recon.training.losses defines
// them; means over rays become factors here.
#pragma once

#include "composite.hpp"
#include "engine.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr float kClipped = 254.5f / 255.0f, kDepthMargin = 0.03f, kDepthMarginM = 0.1f;

struct Response {
    float value, slope;
};

static inline Response srgb(float linear) {
    if (linear <= 0.0031308f) return {12.92f * linear, 12.92f};
    const float root = std::pow(linear, 1.0f / 2.4f);
    return {1.055f * root - 0.055f, 1.055f / 2.4f * root / linear};
}

// Of pixel `pixel`; fills the gradients by radiance and by exposure, [3] each.
static double photometric(const Targets &targets, long pixel, const float *linear, float *of_linear,
                          float *of_exposure) {
    double loss = 0.0;
    const float factor = 1.0f / (3.0f * (float)targets.pixels);
    for (int c = 0; c < 3; c++) {
        const float exposure = targets.exposure[3 * pixel + c];
        const float recorded = targets.srgb[3 * pixel + c];
        const Response shown = srgb(linear[c] * exposure);
        float error = shown.value - recorded;
        if (recorded >= kClipped && shown.value >= recorded) error = 0.0f;
        const float slope = 2.0f * error * shown.slope * factor;
        of_linear[c] = slope * exposure, of_exposure[c] = slope * linear[c];
        loss += double(error) * error;
    }
    return loss * factor;
}

// How spread out the weights are; `near` and `far` are on the scale of the loss.
static double distortion(const RaySamples &ray, const float *near, const float *far, float factor,
                         float *grad) {
    float before = 0.0f, moment = 0.0f, all = 0.0f, all_moment = 0.0f;
    double loss = 0.0;
    for (int i = 0; i < ray.count; i++) {
        const float middle = 0.5f * (near[i] + far[i]);
        all += ray.weight[i], all_moment += ray.weight[i] * middle;
    }
    for (int i = 0; i < ray.count; i++) {
        const float middle = 0.5f * (near[i] + far[i]), w = ray.weight[i];
        const float others = middle * before - moment; // nearer ones, then farther ones too
        before += w, moment += w * middle;
        const float apart = others + (all_moment - moment) - middle * (all - before);
        const float length = far[i] - near[i];
        grad[i] += factor * (2.0f * apart + 2.0f / 3.0f * w * length);
        loss += double(w) * apart + double(w) * w * length / 3.0;
    }
    return loss;
}

static void depth_evidence(const RaySamples &ray, const RaySums &sums, const float *log_middle,
                           const Targets &targets, float evidence_m, float rays, float *grad, float &of_left,
                           Losses &losses) {
    float moment = 0.0f;
    for (int i = 0; i < ray.count; i++) moment += ray.weight[i] * log_middle[i];
    const float total = std::max(sums.opacity, 0.1f), mean = moment / total;
    const float miss = mean - std::log(evidence_m), off = std::min(std::max(miss, -2.0f), 2.0f);
    const float slope = off == miss ? 2.0f * off * targets.depth / rays / total : 0.0f;
    const float of_total = sums.opacity >= 0.1f ? mean : 0.0f;
    const float surface = evidence_m - std::max(evidence_m * kDepthMargin, kDepthMarginM);
    const float passed = sums.left, empty = 2.0f * targets.empty / rays;
    double in_front = 0.0;
    for (int i = 0; i < ray.count; i++) {
        const bool early = ray.far_m[i] < surface;
        if (early) in_front += double(ray.weight[i]) * ray.weight[i];
        grad[i] += slope * (log_middle[i] - of_total);
        if (early) grad[i] += empty * ray.weight[i];
    }
    of_left += empty * passed;
    losses.depth += double(off) * off / rays;
    losses.empty += (in_front + double(passed) * passed) / rays;
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
