// recon.training.adam.LazyAdam: moves the rows of the table whose gradient is not zero, and clears it.
#pragma once

#include <cmath>
#include <vector>

#include "engine.hpp"
#include "grid.hpp"
#include "pool.hpp"
#include "simd.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr float kBeta1 = 0.9f, kBeta2 = 0.99f, kEpsilon = 1e-15f;
constexpr int kSettled = 4096; // after so many steps the moments' bias is nothing in float

// What the n-th step of a row multiplies the learning rate by.
static const std::vector<float> &bias_corrections() {
    static const std::vector<float> values = [] {
        std::vector<float> found(kSettled + 1, 1.0f);
        for (int n = 1; n < kSettled; n++)
            found[n] = float(std::sqrt(1.0 - std::pow(0.99, n)) / (1.0 - std::pow(0.9, n)));
        return found;
    }();
    return values;
}

template <int n> static inline Floats<n> square_root(Floats<n> x) {
    for (int i = 0; i < n; i++) x[i] = std::sqrt(x[i]); // becomes one instruction
    return x;
}

// Rows [begin, end) of F numbers each; `gradient` is that of row `begin` on.
template <int F>
static void move_rows(Field &field, const Moments &state, float rate, long begin, long end,
                      float *gradient) {
    const std::vector<float> &corrections = bias_corrections();
    for (long row = begin; row < end; row++, gradient += F) {
        const auto g = load<Floats<F>>(gradient);
        bool touched = false;
        for (int f = 0; f < F; f++) touched |= g[f] != 0.0f;
        if (!touched) continue;
        const int n = ++state.count[row];
        const float step = rate * corrections[n < kSettled ? n : kSettled];
        const auto first = kBeta1 * load<Floats<F>>(state.first + row * F) + (1.0f - kBeta1) * g;
        const auto second =
            kBeta2 * load<Floats<F>>(state.second + row * F) + (1.0f - kBeta2) * (g * g);
        const auto moved = load<Floats<F>>(state.table + row * F) -
                           step * first / (square_root<F>(second) + kEpsilon);
        store(state.first + row * F, first), store(state.second + row * F, second);
        store(state.table + row * F, moved), store(gradient, Floats<F>{});
        store_half<F>(field.table.data() + row * F, moved);
    }
}

static void lazy_adam(Field &field, float *table, float *first, float *second, int32_t *count,
                      float rate, int threads) {
    if (field.table_gradient.empty()) return;
    const Moments state = {table, first, second, count};
    constexpr long chunk = 1 << 13;
    run_tasks(int((field.entries + chunk - 1) / chunk), threads, [&](int task, int) {
        const long begin = task * chunk, end = std::min(field.entries, begin + chunk);
        with_features(field, [&](auto features) {
            constexpr int F = decltype(features)::value;
            move_rows<F>(field, state, rate, begin, end, field.table_gradient.data() + begin * F);
        });
    });
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
