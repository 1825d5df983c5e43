// Vectors of the widest kind that the instruction set has, and the functions that are missing.
//
// GCC and Clang vector extensions only: the compiler chooses the instructions. Everything lives in
// the namespace of its instruction set, so that no inline function of one leaks into another.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__F16C__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define OTHERLANE_LANES 16
#elif defined(__AVX2__)
#define OTHERLANE_LANES 8
#else
#define OTHERLANE_LANES 4
#endif

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr int kLanes = OTHERLANE_LANES;

template <int n> struct VectorOf {
    typedef float type __attribute__((vector_size(4 * n)));
};
template <int n> using Floats = typename VectorOf<n>::type;

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));
typedef uint32_t Words __attribute__((vector_size(4 * kLanes)));

template <class V> static inline V load(const void *from) {
    V value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class V> static inline void store(void *to, V value) {
    std::memcpy(to, &value, sizeof value);
}

static inline Vec splat(float value) { return value - Vec{}; }
static inline Vec smaller(Vec a, Vec b) { return a < b ? a : b; }
static inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }
static inline Vec clamped(Vec x, float low, float high) {
    return smaller(larger(x, splat(low)), splat(high));
}
static inline Vec magnitude(Vec x) { return (Vec)((Ints)x & 0x7fffffff); }

static inline int round_up(int n, int to) { return (n + to - 1) / to * to; }

// exp(x) and exp(x) - 1, both to about one unit in the last place (Cody and Waite's reduction,
// Cephes' polynomial).
struct Exponential {
    Vec whole, less_one;
};

static inline Exponential exponential(Vec x) {
    const float magic = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer
    x = clamped(x, -87.0f, 88.0f);
    const Vec turns = (x * 1.44269504f + magic) - magic;
    const Vec r = (x - turns * 0.693359375f) + turns * 2.12194440e-4f;
    Vec p = 1.9875691500e-4f * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r;
    const Vec power = (Vec)((__builtin_convertvector(turns, Ints) + 127) << 23);
    return {p * power + power, p * power + (power - 1.0f)};
}

static inline Vec exp(Vec x) { return exponential(x).whole; }

// Natural logarithm of positive, normal numbers (Cephes' polynomial).
static inline Vec log(Vec x) {
    const Ints bits = (Ints)x;
    Ints exponent = ((bits >> 23) & 0xff) - 126;
    Vec m = (Vec)((bits & 0x007fffff) | 0x3f000000); // in [0.5, 1)
    const Ints low = m < splat(0.707106781f);
    exponent += low; // true is -1
    m = m + (Vec)((Ints)m & low) - 1.0f;
    const Vec z = m * m;
    Vec p = 7.0376836292e-2f * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    const Vec e = __builtin_convertvector(exponent, Vec);
    return m + (p * m * z - e * 2.12194440e-4f - 0.5f * z) + e * 0.693359375f;
}

// Error function of non-negative numbers, to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
static inline Vec erf(Vec x) {
    const Vec t = 1.0f / (0.3275911f * x + 1.0f);
    Vec p = 1.061405429f * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    return 1.0f - p * t * exp(-x * x);
}

// `n` half-precision numbers as floats.
template <int n> static inline Floats<n> load_half(const uint16_t *from) {
#if defined(__F16C__)
    if constexpr (n == 8) return (Floats<8>)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
    if constexpr (n == 4) return (Floats<4>)_mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)from));
    if constexpr (n == 2) {
        const Floats<4> both = (Floats<4>)_mm_cvtph_ps(_mm_loadu_si32(from));
        return Floats<2>{both[0], both[1]};
    }
#else
    Floats<n> value;
    for (int i = 0; i < n; i++) {
        const uint32_t bits = uint32_t(from[i] & 0x7fff) << 13, sign = uint32_t(from[i] & 0x8000) << 16;
        float small;
        std::memcpy(&small, &bits, 4);
        small *= 0x1p112f; // moves the exponent's bias from 15 to 127; subnormals come out right
        uint32_t whole;
        std::memcpy(&whole, &small, 4);
        whole |= sign;
        std::memcpy(&small, &whole, 4);
        value[i] = small;
    }
    return value;
#endif
}

// Nearest half-precision number, ties to even; what is too large becomes the largest.
static inline uint16_t to_half(float value) {
    const float largest = 65504.0f;
    value = value > largest ? largest : value < -largest ? -largest : value;
#if defined(__F16C__)
    return (uint16_t)_cvtss_sh(value, 0);
#else
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    const uint32_t sign = (bits >> 16) & 0x8000;
    bits &= 0x7fffffff;
    if (bits < 0x38800000) { // subnormal in half precision: let the adder round
        float size;
        std::memcpy(&size, &bits, 4);
        size += 0.5f;
        std::memcpy(&bits, &size, 4);
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    bits += 0xc8000fff + ((bits >> 13) & 1);
    return (uint16_t)(sign | (bits >> 13));
#endif
}

// `n` floats, within half precision's range, as half-precision numbers.
template <int n> static inline void store_half(uint16_t *to, Floats<n> value) {
#if defined(__F16C__)
    if constexpr (n == 8) return _mm_storeu_si128((__m128i *)to, _mm256_cvtps_ph((__m256)value, 0));
    if constexpr (n == 4) return _mm_storel_epi64((__m128i *)to, _mm_cvtps_ph((__m128)value, 0));
#endif
    for (int i = 0; i < n; i++) to[i] = to_half(value[i]);
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
