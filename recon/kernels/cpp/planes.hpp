// Planes fitted to the depth surface about each pixel, and the widest window that is flat, as
// recon.rendering.planes and recon.rendering.normals define them. In double precision, as there:
// residuals of exact planes are told from rounding at 1e-6 of the inverse range, whose square
// float does not resolve.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "engine.hpp"
#include "pool.hpp"
#include "simd.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr int kAbreast = 8; // pixels of a row at a time
typedef double Doubles __attribute__((vector_size(8 * kAbreast)));
typedef int64_t Longs __attribute__((vector_size(8 * kAbreast)));
typedef uint8_t Flags __attribute__((vector_size(kAbreast)));

constexpr int kReach = 2, kAcross = 2 * kReach + 1, kMinNeighbours = 6;
constexpr int kHalo = 2 * kReach; // links look further than windows
constexpr int kBandRows = 16;
constexpr double kEdgeShare = 0.03, kBetter = 16.0, kFloor = 1e-6, kRougher = 16.0;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

static inline Doubles all(double value) { return value - Doubles{}; }
static inline Doubles least(Doubles a, Doubles b) { return a < b ? a : b; }
static inline Doubles most(Doubles a, Doubles b) { return a > b ? a : b; }
static inline Doubles size(Doubles x) { return (Doubles)((Longs)x & INT64_MAX); }
static inline Doubles root(Doubles x) {
    for (int i = 0; i < kAbreast; i++) x[i] = std::sqrt(x[i]); // becomes one instruction
    return x;
}

// Every step-th pixel of a picture.
struct Sampled {
    const DepthPicture &of;
    long step;

    long rows() const { return (of.height - step / 2 + step - 1) / step; }
    long columns() const { return (of.width - step / 2 + step - 1) / step; }
    long at(long y, long x) const {
        return (y * step + step / 2) * of.width + x * step + step / 2;
    }
    double angle() const { return of.pixel_angle * double(step); }
    double inverse(long pixel) const { // 0 where there is no surface
        const float range = of.range_m[pixel];
        return range > 0.0f && std::isfinite(range) ? 1.0 / double(range) : 0.0;
    }
};

// Planes of some rows or of a whole picture; residual infinite where none fits.
struct FoundPlanes {
    long columns = 0, rows = 0;
    std::vector<double> per_m, residual; // [rows, columns, 3], [rows, columns]

    void resize(long height, long width) {
        rows = height, columns = width;
        per_m.resize(3 * height * width), residual.resize(height * width);
    }
};

// Some rows of a picture and those around them, component by component; zero beside the picture.
class Band {
  public:
    // Planes of rows [first, first + count) into `found`, from its row `to` on.
    void run(const Sampled &picture, long first, long count, FoundPlanes &found, long to) {
        read(picture, first, count);
        for (long y = 0; y < count; y++) {
            connect(y);
            for (long x = 0; x < columns_; x += kAbreast) fit(y, x, found, to + y);
        }
    }

  private:
    static constexpr long kMargin = 4; // columns before the first
    long columns_ = 0, stride_ = 0;
    std::vector<double> inverse_, point_[3], origin_[3], axis_[9];
    std::vector<uint8_t> along_x_, along_y_, reach_[kAcross][kAcross];

    double *row(std::vector<double> &of, long y) { return of.data() + y * stride_ + kMargin; }
    uint8_t *row(std::vector<uint8_t> &of, long y) { return of.data() + y * stride_ + kMargin; }

    void read(const Sampled &picture, long first, long count) {
        columns_ = picture.columns();
        stride_ = round_up((int)columns_, kAbreast) + kMargin + 2 * kAbreast;
        inverse_.assign(stride_ * (count + 2 * kHalo), 0.0);
        for (auto &part : point_) part.assign(stride_ * (count + 2 * kReach), 0.0);
        for (auto &part : origin_) part.assign(stride_ * count, 0.0);
        for (auto &part : axis_) part.assign(stride_ * count, 0.0);
        for (auto *links : {&along_x_, &along_y_}) links->assign(stride_ * (count + 2 * kReach), 0);
        for (auto &line : reach_)
            for (auto &part : line) part.assign(stride_, 0);
        for (long y = 0; y < count + 2 * kHalo; y++) {
            const long from = first + y - kHalo;
            if (from < 0 || from >= picture.rows()) continue;
            double *inverse = row(inverse_, y);
            for (long x = 0; x < columns_; x++) inverse[x] = picture.inverse(picture.at(from, x));
            const long inner = y - (kHalo - kReach), own = y - kHalo;
            if (inner >= 0 && inner < count + 2 * kReach) read_points(picture, from, inner, inverse);
            if (own >= 0 && own < count) read_axes(picture, from, own);
        }
        for (long y = 0; y < count + 2 * kReach; y++) link(y);
    }

    void read_points(const Sampled &picture, long from, long y, const double *inverse) {
        double *to[3] = {row(point_[0], y), row(point_[1], y), row(point_[2], y)};
        for (long x = 0; x < columns_; x++) {
            const long pixel = picture.at(from, x);
            const double range = inverse[x] > 0.0 ? double(picture.of.range_m[pixel]) : 1.0;
            for (int a = 0; a < 3; a++)
                to[a][x] = picture.of.origins_m[3 * pixel + a] +
                           picture.of.directions[3 * pixel + a] * range;
        }
    }

    // The ray and two axes across it, divided by the pixel's angle: all sums are then of order 1.
    void read_axes(const Sampled &picture, long from, long y) {
        const double scale = 1.0 / picture.angle();
        double *to[9], *origin[3];
        for (int k = 0; k < 9; k++) to[k] = row(axis_[k], y);
        for (int a = 0; a < 3; a++) origin[a] = row(origin_[a], y);
        for (long x = 0; x < columns_; x++) {
            const long pixel = picture.at(from, x);
            const double *d = picture.of.directions + 3 * pixel;
            for (int a = 0; a < 3; a++) origin[a][x] = picture.of.origins_m[3 * pixel + a];
            const bool level = std::fabs(d[2]) < 0.9; // aside is up, else forward
            const double c[3] = {level ? d[1] : 0.0, level ? -d[0] : d[2], level ? 0.0 : -d[1]};
            const double length = 1.0 / std::sqrt(c[0] * c[0] + c[1] * c[1] + c[2] * c[2]);
            const double b[3] = {c[0] * length, c[1] * length, c[2] * length};
            for (int a = 0; a < 3; a++) {
                const int n = (a + 1) % 3, m = (a + 2) % 3;
                to[a][x] = d[a], to[3 + a][x] = b[a] * scale;
                to[6 + a][x] = (d[n] * b[m] - d[m] * b[n]) * scale;
            }
        }
    }

    // Whether two neighbours lie on one surface: the inverse ranges `here` and `next`, and those
    // before and behind them, 0 where there is no surface.
    static Flags linked(Doubles before, Doubles here, Doubles next, Doubles behind) {
        const Doubles none{}, step = size(next - here);
        const Doubles from_here = before > none ? size(2.0 * here - before - next) : step;
        const Doubles from_next = behind > none ? size(2.0 * next - behind - here) : step;
        const Longs smooth = (Longs)(least(from_here, from_next) <= kEdgeShare * most(here, next)) &
                             (Longs)(here > none) & (Longs)(next > none);
        return __builtin_convertvector(smooth & 1, Flags);
    }

    void link(long y) { // of rows from kReach above the first on
        const double *above = row(inverse_, y + 1), *here = row(inverse_, y + 2);
        const double *below = row(inverse_, y + 3), *under = row(inverse_, y + 4);
        uint8_t *x_links = row(along_x_, y), *y_links = row(along_y_, y);
        for (long x = 0; x < columns_; x += kAbreast) {
            const auto at = [x](const double *line, long by) { return load<Doubles>(line + x + by); };
            store(x_links + x, linked(at(here, -1), at(here, 0), at(here, 1), at(here, 2)));
            store(y_links + x, linked(at(above, 0), at(here, 0), at(below, 0), at(under, 0)));
        }
    }

    // For each offset, which pixels of a row reach that neighbour without crossing a depth edge.
    void connect(long y) {
        const double *inverse = row(inverse_, y + kHalo);
        uint8_t *own = row(reach_[kReach][kReach], 0);
        for (long x = 0; x < columns_; x++) own[x] = inverse[x] > 0.0;
        for (int away = 1; away <= 2 * kReach; away++)
            for (int dy = -kReach; dy <= kReach; dy++)
                for (int dx = -kReach; dx <= kReach; dx++)
                    if (std::abs(dy) + std::abs(dx) == away) connect(y + kReach, dy, dx);
    }

    void connect(long y, int dy, int dx) {
        uint8_t *to = row(reach_[dy + kReach][dx + kReach], 0);
        const int to_x = dx > 0 ? 1 : dx < 0 ? -1 : 0, to_y = dy > 0 ? 1 : dy < 0 ? -1 : 0;
        const uint8_t *x_links = row(along_x_, y + dy) + dx - (to_x > 0);
        const uint8_t *y_links = row(along_y_, y + dy - (to_y > 0)) + dx;
        const uint8_t *beside = row(reach_[dy + kReach][dx - to_x + kReach], 0);
        const uint8_t *over = row(reach_[dy - to_y + kReach][dx + kReach], 0);
        for (long x = 0; x < columns_; x++)
            to[x] = (to_x ? beside[x] & x_links[x] : 0) | (to_y ? over[x] & y_links[x] : 0);
    }

    struct Sums { // normal equations: aa ab ac bb bc cc aw bw cw ww, and how many neighbours
        Doubles of[11];
        void add(const Sums &other) {
            for (int k = 0; k < 11; k++) of[k] += other.of[k];
        }
    };

    struct Plane {
        Doubles along[3], residual;
    };

    // What neighbours in one of the 3 x 3 parts of the window say, seen from the pixel's origin.
    template <int part_y, int part_x>
    void add_part(long y, long x, const Doubles *origin, const Doubles *axis, Sums &sums) {
        sums = Sums{};
        constexpr int dys = part_y ? kReach : 1, dxs = part_x ? kReach : 1;
        for (int j = 1; j <= dys; j++)
            for (int i = 1; i <= dxs; i++) {
                const int dy = part_y * j, dx = part_x * i;
                const auto there = load<Flags>(row(reach_[dy + kReach][dx + kReach], 0) + x);
                const Doubles connected = __builtin_convertvector(there, Doubles);
                Doubles offset[3];
                for (int a = 0; a < 3; a++)
                    offset[a] = load<Doubles>(row(point_[a], y + kReach + dy) + x + dx) - origin[a];
                const Doubles squared =
                    offset[0] * offset[0] + offset[1] * offset[1] + offset[2] * offset[2];
                const Doubles w = connected / root(most(squared, all(1e-18)));
                Doubles along[3];
                for (int k = 0; k < 3; k++)
                    along[k] = (axis[3 * k] * offset[0] + axis[3 * k + 1] * offset[1] +
                                axis[3 * k + 2] * offset[2]) * w;
                const Doubles a = along[0], b = along[1], c = along[2];
                const Doubles products[10] = {a * a, a * b, a * c, b * b, b * c,
                                              c * c, a * w, b * w, c * w, w * w};
                for (int k = 0; k < 10; k++) sums.of[k] += products[k];
                sums.of[10] += connected;
            }
    }

    // The plane of the neighbours; the pixel itself is left out, but must lie on it.
    static Plane solve(const Sums &sums, Doubles inverse) {
        const auto &[aa, ab, ac, bb, bc, cc, aw, bw, cw, ww, count] = sums.of;
        const Doubles c00 = bb * cc - bc * bc, c01 = ac * bc - ab * cc, c02 = ab * bc - ac * bb;
        const Doubles c11 = aa * cc - ac * ac, c12 = ab * ac - aa * bc, c22 = aa * bb - ab * ab;
        const Doubles determinant = aa * c00 + ab * c01 + ac * c02;
        // in these axes a window that spans a surface has a determinant of order 1 per pixel
        Longs fits = (Longs)(count + 1.0 >= all(kMinNeighbours)) &
                     (Longs)(determinant > 1e-3 * count);
        const Doubles over = 1.0 / (fits ? determinant : all(1.0)); // Cramer's rule
        Plane plane;
        plane.along[0] = (c00 * aw + c01 * bw + c02 * cw) * over;
        plane.along[1] = (c01 * aw + c11 * bw + c12 * cw) * over;
        plane.along[2] = (c02 * aw + c12 * bw + c22 * cw) * over;
        const Doubles explained =
            plane.along[0] * aw + plane.along[1] * bw + plane.along[2] * cw;
        const Doubles rounding = kFloor * inverse, off = plane.along[0] - inverse;
        Doubles residual = (ww - explained) / most(count, all(1.0));
        residual = most(residual, rounding * rounding);
        fits &= (Longs)(off * off <= kBetter * residual);
        plane.residual = fits ? residual : all(kInfinite);
        return plane;
    }

    void fit(long y, long x, FoundPlanes &found, long to) {
        const Doubles inverse = load<Doubles>(row(inverse_, y + kHalo) + x);
        Plane best{{Doubles{}, Doubles{}, Doubles{}}, all(kInfinite)};
        Doubles axis[9], origin[3];
        for (int k = 0; k < 9; k++) axis[k] = load<Doubles>(row(axis_[k], y) + x);
        for (int a = 0; a < 3; a++) origin[a] = load<Doubles>(row(origin_[a], y) + x);
        const auto solid = load<uint64_t>(row(reach_[kReach][kReach], 0) + x);
        if (solid) {
            Sums parts[3][3];
            add_part<-1, -1>(y, x, origin, axis, parts[0][0]);
            add_part<-1, 0>(y, x, origin, axis, parts[0][1]);
            add_part<-1, 1>(y, x, origin, axis, parts[0][2]);
            add_part<0, -1>(y, x, origin, axis, parts[1][0]);
            parts[1][1] = Sums{};
            add_part<0, 1>(y, x, origin, axis, parts[1][2]);
            add_part<1, -1>(y, x, origin, axis, parts[2][0]);
            add_part<1, 0>(y, x, origin, axis, parts[2][1]);
            add_part<1, 1>(y, x, origin, axis, parts[2][2]);
            best = solve(window(parts, 0, 2, 0, 2), inverse);
            for (int j = 0; j < 2; j++)
                for (int i = 0; i < 2; i++) {
                    const Plane one = solve(window(parts, j, j + 1, i, i + 1), inverse);
                    const Doubles weighed = kBetter * one.residual;
                    const Longs better = (Longs)(weighed < best.residual);
                    for (int a = 0; a < 3; a++)
                        best.along[a] = better ? one.along[a] : best.along[a];
                    best.residual = better ? weighed : best.residual;
                }
        }
        const long lanes = std::min<long>(kAbreast, columns_ - x), at = to * found.columns + x;
        for (int a = 0; a < 3; a++) {
            const Doubles world = best.along[0] * axis[a] + best.along[1] * axis[3 + a] +
                                  best.along[2] * axis[6 + a];
            for (long i = 0; i < lanes; i++) found.per_m[3 * (at + i) + a] = world[i];
        }
        for (long i = 0; i < lanes; i++) found.residual[at + i] = best.residual[i];
    }

    static Sums window(const Sums (&parts)[3][3], int top, int bottom, int left, int right) {
        Sums sums{};
        for (int j = top; j <= bottom; j++)
            for (int i = left; i <= right; i++) sums.add(parts[j][i]);
        return sums;
    }
};

// Normal of one pixel, given its own plane: the widest that it lies on and that is not much rougher.
static void widest_normal(const DepthPicture &picture, const std::vector<FoundPlanes> &wider,
                          long y, long x, const double *own, double residual, double *normal) {
    const long pixel = y * picture.width + x;
    const double *along = picture.directions + 3 * pixel;
    const double inverse = Sampled{picture, 1}.inverse(pixel);
    const double *plane = residual < kInfinite ? own : nullptr;
    for (size_t level = 0; level < wider.size() && inverse > 0.0; level++) {
        const FoundPlanes &wide = wider[level];
        const long step = 2L << level;
        const long at = std::min(y / step, wide.rows - 1) * wide.columns +
                        std::min(x / step, wide.columns - 1);
        const double *one = &wide.per_m[3 * at], rough = wide.residual[at];
        if (!(rough < kInfinite && rough <= kRougher * residual)) continue;
        const double off = one[0] * along[0] + one[1] * along[1] + one[2] * along[2] - inverse;
        if (!(off * off <= kBetter * rough)) continue;
        plane = one;
        if (residual == kInfinite) residual = rough; // else what counts stays its own
    }
    if (!plane) {
        std::fill_n(normal, 3, std::numeric_limits<double>::quiet_NaN());
        return;
    }
    const double faces = plane[0] * along[0] + plane[1] * along[1] + plane[2] * along[2];
    const double length =
        std::sqrt(plane[0] * plane[0] + plane[1] * plane[1] + plane[2] * plane[2]);
    for (int a = 0; a < 3; a++) normal[a] = (faces > 0.0 ? -plane[a] : plane[a]) / length;
}

static int bands(long rows) { return int((rows + kBandRows - 1) / kBandRows); }

// Normals of `of`'s pixels, [height, width, 3]; `levels` wider windows, each twice the last.
static void surface_normals(const DepthPicture &of, int levels, double *normal, int threads) {
    std::vector<FoundPlanes> wider(levels);
    for (int level = 0; level < levels; level++) {
        const Sampled every{of, 2L << level};
        FoundPlanes &found = wider[level];
        found.resize(every.rows(), every.columns());
        run_tasks(bands(found.rows), threads, [&](int task, int) {
            thread_local Band band;
            const long first = long(task) * kBandRows;
            band.run(every, first, std::min<long>(kBandRows, found.rows - first), found, first);
        });
    }
    run_tasks(bands(of.height), threads, [&](int task, int) {
        thread_local Band band;
        thread_local FoundPlanes own;
        const long first = long(task) * kBandRows;
        const long count = std::min<long>(kBandRows, of.height - first);
        own.resize(count, of.width);
        band.run({of, 1}, first, count, own, 0);
        for (long y = 0; y < count; y++)
            for (long x = 0; x < of.width; x++) {
                const long at = y * of.width + x;
                widest_normal(of, wider, first + y, x, &own.per_m[3 * at], own.residual[at],
                              normal + 3 * (first * of.width + at));
            }
    });
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
