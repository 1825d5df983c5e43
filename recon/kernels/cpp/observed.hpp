// recon.training.observation: which ends of rays some training picture showed, for lenses that bend nothing.
#pragma once

#include <algorithm>
#include <cmath>

#include "engine.hpp"
#include "pool.hpp"
#include "simd.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr double kSide = 0.5, kFurther = 4.0, kWithin = 0.03, kWithinM = 0.15;
constexpr float kOneSurface = 1.5f, kFaintest = 1e-6f;

// Whether a place so far away is what the four pixels around it show.
static inline bool is_there(double range_m, const float (&nearness)[4]) {
    float near_m = INFINITY, far_m = 0.0f;
    const double slack_m = kWithin * range_m + kWithinM;
    bool on_one = false;
    for (const float each : nearness) {
        const float shown_m = 1.0f / std::max(each, kFaintest);
        near_m = std::min(near_m, shown_m), far_m = std::max(far_m, shown_m);
        on_one |= std::fabs(double(shown_m) - range_m) <= slack_m;
    }
    if (far_m <= kOneSurface * near_m)
        return range_m <= double(far_m) + slack_m && range_m >= double(near_m) - slack_m;
    return on_one;
}

// Whether a picture shows the end of a ray, from a comparable side and distance.
static inline bool shows(const KeptPicture &eye, const double *origin, const double *along,
                         double range_m) {
    const bool sky = std::isinf(range_m);
    const double *pose = eye.world_from_camera;
    double away[3], local[3];
    for (int a = 0; a < 3; a++)
        away[a] = sky ? along[a] : along[a] * range_m + (origin[a] - pose[4 * a + 3]);
    for (int a = 0; a < 3; a++)
        local[a] = away[0] * pose[a] + away[1] * pose[4 + a] + away[2] * pose[8 + a];
    if (!(local[2] > 0.0)) return false;
    const double u = local[0] / local[2] * eye.fx + eye.cx, v = local[1] / local[2] * eye.fy + eye.cy;
    if (!(u >= 0.0 && u <= double(eye.width) && v >= 0.0 && v <= double(eye.height))) return false;
    const double far_m = std::sqrt(away[0] * away[0] + away[1] * away[1] + away[2] * away[2]);
    const double facing = away[0] * along[0] + away[1] * along[1] + away[2] * along[2];
    if (!(facing >= kSide * far_m) || !(sky || far_m <= kFurther * range_m)) return false;
    const int left = (int)std::floor(u - 0.5), top = (int)std::floor(v - 0.5);
    float corner[4];
    for (int i = 0; i < 4; i++) {
        const int x = std::min(std::max(left + (i & 1), 0), eye.width - 1);
        const int y = std::min(std::max(top + (i >> 1), 0), eye.height - 1);
        corner[i] = eye.nearness[long(y) * eye.width + x];
    }
    const float least = *std::min_element(corner, corner + 4);
    return sky ? least == 0.0f : least >= 0.0f && is_there(far_m, corner);
}

static void observed(const std::vector<KeptPicture> &eyes, long count, const double *origins_m,
                     const double *directions, const double *range_m, uint8_t *found,
                     int threads) {
    constexpr long chunk = 1 << 12;
    run_tasks(int((count + chunk - 1) / chunk), threads, [&](int task, int) {
        const long end = std::min(count, (task + 1) * chunk);
        for (long i = task * chunk; i < end; i++)
            found[i] = std::any_of(eyes.begin(), eyes.end(), [&](const KeptPicture &eye) {
                return shows(eye, origins_m + 3 * i, directions + 3 * i, range_m[i]);
            });
    });
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
