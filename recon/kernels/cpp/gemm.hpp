// Products of tall, thin matrices, kept in registers: rows are samples, columns are neurons.
#pragma once

#include "simd.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

// What happens to a product before it is stored.
enum class After { nothing, relu, mask };

// Vectors of a panel of columns, and rows that share one load of the weights, such that the sums
// fit the registers (32 of them with 512 bits, else 16).
constexpr int kPanel = kLanes == 16 ? 4 : 2;
constexpr int rows_for(int vectors) {
    return kLanes == 16 ? (vectors == 1 ? 16 : vectors == 2 ? 12 : vectors == 3 ? 8 : 6)
                        : (vectors == 1 ? 8 : 6);
}
constexpr int kMaxRows = 16; // buffers hold this many rows more than they say

// C[s, 0..V) = A[s, :] W[:, 0..V) for `n` rows and up to kMaxRows - 1 beyond.
template <int V, After after>
static inline void panel(const float *a, int a_stride, const float *w, int columns, int inner,
                         float *c, const float *act, int n) {
    constexpr int R = rows_for(V);
    for (int s = 0; s < n; s += R) {
        Vec sum[R][V] = {};
        for (int k = 0; k < inner; k++) {
            Vec row[V];
            for (int v = 0; v < V; v++) row[v] = load<Vec>(w + k * columns + kLanes * v);
#pragma GCC unroll 16
            for (int r = 0; r < R; r++) {
                const float x = a[(s + r) * a_stride + k];
                for (int v = 0; v < V; v++) sum[r][v] += x * row[v];
            }
        }
        for (int r = 0; r < R; r++) {
            for (int v = 0; v < V; v++) {
                Vec out = sum[r][v];
                const long at = (s + r) * columns + kLanes * v;
                if (after == After::relu) out = larger(out, Vec{});
                if (after == After::mask) out = load<Vec>(act + at) > Vec{} ? out : Vec{};
                store(c + at, out);
            }
        }
    }
}

// C = A W, [n, columns]; `columns` is a multiple of kLanes. With After::mask, C is 0 where `act`,
// of C's shape, is not positive.
template <After after>
static void multiply(const float *a, int a_stride, const float *w, int columns, int inner, float *c,
                     int n, const float *act = nullptr) {
    constexpr int step = kPanel * kLanes;
    int at = 0;
    for (; at + step <= columns; at += step)
        panel<kPanel, after>(a, a_stride, w + at, columns, inner, c + at, act ? act + at : act, n);
    for (; at + 2 * kLanes <= columns && kPanel > 2; at += 2 * kLanes)
        panel<2, after>(a, a_stride, w + at, columns, inner, c + at, act ? act + at : act, n);
    for (; at < columns; at += kLanes)
        panel<1, after>(a, a_stride, w + at, columns, inner, c + at, act ? act + at : act, n);
}

// One block of B rows and V vectors of G += A^T D.
template <int V, int B>
static inline void outer_block(const float *a, int a_stride, const float *d, int columns, float *g,
                               int n) {
    Vec sum[B][V] = {};
    for (int s = 0; s < n; s++) {
        Vec row[V];
        for (int v = 0; v < V; v++) row[v] = load<Vec>(d + s * columns + kLanes * v);
#pragma GCC unroll 16
        for (int b = 0; b < B; b++) {
            const float x = a[s * a_stride + b];
            for (int v = 0; v < V; v++) sum[b][v] += x * row[v];
        }
    }
    for (int b = 0; b < B; b++) {
        for (int v = 0; v < V; v++) {
            float *to = g + b * columns + kLanes * v;
            store(to, load<Vec>(to) + sum[b][v]);
        }
    }
}

template <int V>
static inline void outer_panel(const float *a, int a_stride, const float *d, int columns, int inner,
                               float *g, int n) {
    constexpr int B = kLanes == 16 ? (V == 1 ? 16 : V == 2 ? 8 : 4) : (V == 1 ? 8 : 6);
    int k = 0;
    for (; k + B <= inner; k += B)
        outer_block<V, B>(a + k, a_stride, d, columns, g + k * columns, n);
    for (; k + 2 <= inner; k += 2)
        outer_block<V, 2>(a + k, a_stride, d, columns, g + k * columns, n);
    for (; k < inner; k++) outer_block<V, 1>(a + k, a_stride, d, columns, g + k * columns, n);
}

// G += A^T D, [inner, columns], over exactly `n` rows.
static void accumulate_outer(const float *a, int a_stride, const float *d, int columns, int inner,
                             float *g, int n) {
    constexpr int step = kPanel * kLanes;
    int at = 0;
    for (; at + step <= columns; at += step)
        outer_panel<kPanel>(a, a_stride, d + at, columns, inner, g + at, n);
    for (; at + 2 * kLanes <= columns && kPanel > 2; at += 2 * kLanes)
        outer_panel<2>(a, a_stride, d + at, columns, inner, g + at, n);
    for (; at < columns; at += kLanes)
        outer_panel<1>(a, a_stride, d + at, columns, inner, g + at, n);
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
