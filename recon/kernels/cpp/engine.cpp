// One engine, compiled once for each instruction set.
#include "engine.hpp"

#include <atomic>
#include <memory>

#include "adam.hpp"
#include "losses.hpp"
#include "observed.hpp"
#include "planes.hpp"
#include "pool.hpp"
#include "query_backward.hpp"
#include "remember.hpp"
#include "reverse.hpp"

#define OTHERLANE_TEXT_(x) #x
#define OTHERLANE_TEXT(x) OTHERLANE_TEXT_(x)

namespace otherlane {
namespace OTHERLANE_ISA {
namespace {

constexpr int kLaneCount = 64;

struct Workspace { // one thread's
    Bundle bundle;
    Reverse reverse;
};

Workspace &workspace() {
    thread_local std::unique_ptr<Workspace> own;
    if (!own) own.reset(new Workspace);
    return *own;
}

// Calls run(bundle number, rays from, ray count, lane) for all rays; lanes in any order.
template <class Run> int for_bundles(long rays, int threads, Run run) {
    const long bundles = (rays + kBundle - 1) / kBundle;
    const int lanes = (int)std::min<long>(kLaneCount, bundles);
    run_tasks(lanes, threads, [&](int lane, int) {
        const long from = bundles * lane / lanes, to = bundles * (lane + 1) / lanes;
        for (long b = from; b < to; b++) {
            const long first = b * kBundle;
            run(first, (int)std::min<long>(kBundle, rays - first), lane);
        }
    });
    return lanes;
}

Losses march(const Scene &scene, const Sampling &sampling, const Rays &rays, const Outputs &out,
             int threads) {
    const Call call(scene, sampling, rays);
    std::vector<Losses> counts(kLaneCount);
    for_bundles(rays.count, threads, [&](long first, int count, int lane) {
        Bundle &bundle = workspace().bundle;
        bundle.evaluated = 0;
        bundle.run(call, first, count);
        const int channels = call.channels(), owners = call.owners();
        std::copy_n(bundle.linear.data(), count * channels, out.linear + first * channels);
        std::copy_n(bundle.by_owner.data(), count * owners, out.instance_weights + first * owners);
        for (int r = 0; r < count; r++) {
            const RaySums &sums = bundle.sums[r];
            out.opacity[first + r] = sums.opacity, out.range_m[first + r] = sums.range_m;
            out.expected_range_m[first + r] = sums.expected_m;
            out.instance[first + r] = sums.winner;
        }
        counts[lane].samples += bundle.total(), counts[lane].evaluated += bundle.evaluated;
    });
    Losses all;
    for (const Losses &lane : counts) all.samples += lane.samples, all.evaluated += lane.evaluated;
    return all;
}

// Adds up one level of a field's table over the lanes, and where it moves, moves it while the sums
// are in the nearest cache.
void gather_level(const Call &call, const std::vector<Lane> &lanes, int used, Field &field, size_t l,
                  const Moving &moving) {
    thread_local std::vector<float> here; // all zero between uses
    const Moments *moments = moving.of(&field);
    const long first = field.levels[l].offset, rows = field.levels[l].size, F = field.features;
    if (moments && (long)here.size() < rows * F) here.resize(rows * F);
    float *sums = moments ? here.data() : field.table_gradient.data() + first * F;
    for (int k = 0; k < call.owners(); k++) {
        if (call.fields[k].field != &field) continue;
        for (int i = 0; i < used; i++) lanes[i].owners[k].scatter_level(field, l, sums);
    }
    if (!moments) return;
    with_features(field, [&](auto features) {
        move_rows<decltype(features)::value>(field, *moments, moving.rate, first, first + rows,
                                             sums);
    });
}

// The same for the networks of a field.
void gather_networks(const Call &call, const std::vector<Lane> &lanes, int used, Field &field) {
    clear_gradient(field.density), clear_gradient(field.colour);
    for (int i = 0; i < used; i++)
        for (int k = 0; k < call.owners(); k++)
            if (call.fields[k].field == &field) lanes[i].owners[k].unpack(call.fields[k]);
}

// Adds the lanes up, always in the same order.
void gather(const Call &call, const std::vector<Lane> &lanes, int used, const Moving &moving,
            int threads) {
    std::vector<Field *> fields;
    for (const PackedField &each : call.fields)
        if (std::find(fields.begin(), fields.end(), each.field) == fields.end())
            fields.push_back(each.field);
    size_t levels = 0;
    for (Field *field : fields) {
        levels = std::max(levels, field->levels.size());
        if (!moving.of(field)) field->table_gradient.resize(field->entries * field->features);
    }
    const size_t count = fields.size(), tables = levels * count;
    run_tasks(int(tables + count + 1), threads, [&](int task, int) {
        const size_t at = task;
        if (at < tables) { // fine levels take longest
            const size_t l = levels - 1 - at / count;
            Field &field = *fields[at % count];
            if (l < field.levels.size()) gather_level(call, lanes, used, field, l, moving);
        } else if (at < tables + count) {
            gather_networks(call, lanes, used, *fields[at - tables]);
        } else {
            clear_gradient(*call.scene.sky);
            for (int i = 0; i < used; i++)
                unpack_gradient(call.sky, lanes[i].sky.data(), *call.scene.sky);
        }
    });
}

std::vector<Lane> &lanes_of_thread() { // kept, because they are large
    thread_local std::vector<Lane> lanes(kLaneCount);
    return lanes;
}

Losses total(const std::vector<Lane> &lanes, int used) {
    Losses all;
    for (int i = 0; i < used; i++) {
        const Losses &of = lanes[i].losses;
        all.photometric += of.photometric, all.distortion += of.distortion, all.sky += of.sky;
        all.depth += of.depth, all.empty += of.empty;
        all.samples += of.samples, all.evaluated += of.evaluated;
    }
    return all;
}

// Runs every bundle forward, lets `differentiate` fill its gradients, and runs it backward.
template <class Differentiate>
Losses there_and_back(const Call &call, const RayGradients &of_rays, const Moving &moving,
                      int threads, Differentiate differentiate) {
    std::vector<Lane> &lanes = lanes_of_thread();
    const long bundles = (call.rays.count + kBundle - 1) / kBundle;
    const int expected = (int)std::min<long>(kLaneCount, bundles);
    for (int i = 0; i < expected; i++) lanes[i].start(call);
    const int used = for_bundles(call.rays.count, threads, [&](long first, int count, int lane) {
        Workspace &own = workspace();
        own.bundle.evaluated = 0;
        own.bundle.run(call, first, count);
        own.reverse.start(call, own.bundle);
        differentiate(own.bundle, own.reverse, lanes[lane].losses);
        lanes[lane].losses.samples += own.bundle.total();
        lanes[lane].losses.evaluated += own.bundle.evaluated;
        own.reverse.run(call, own.bundle, lanes[lane], of_rays);
    });
    gather(call, lanes, used, moving, threads);
    return total(lanes, used);
}

Losses march_backward(const Scene &scene, const Sampling &sampling, const Rays &rays,
                      const OutputGradients &of, const RayGradients &of_rays, int threads) {
    const Call call(scene, sampling, rays);
    return there_and_back(call, of_rays, Moving(), threads,
                          [&](Bundle &bundle, Reverse &reverse, Losses &) {
        const int channels = call.channels(), owners = call.owners();
        for (int r = 0; r < bundle.rays; r++) {
            const long ray = bundle.first + r;
            std::copy_n(of.linear + ray * channels, channels, &reverse.of_linear[r * channels]);
            const RaySamples samples = bundle.samples(r);
            const RaySums &sums = bundle.sums[r];
            float *grad = reverse.of_weight.data() + bundle.ray_at[r];
            reverse.of_left[r] = -of.opacity[ray];
            const float mean = sums.opacity > 0.0f ? of.expected_range_m[ray] / sums.opacity : 0.0f;
            for (int i = 0; i < samples.count; i++) {
                grad[i] += mean * (samples.middle(i) - sums.expected_m);
                grad[i] += of.instance_weights[ray * owners + samples.owner[i]];
            }
            median_gradient(samples, sums, of.range_m[ray], grad);
        }
    });
}

// Logarithms that the losses need, for all samples of a bundle.
struct Logarithms {
    std::vector<float> near, far, middle;
    void fill(Bundle &bundle, float far_m) {
        const long n = bundle.total();
        for (auto *v : {&near, &far, &middle}) v->resize(std::max<size_t>(v->size(), n + kLanes));
        const float scale = 1.0f / std::log1p(far_m);
        for (long p = 0; p < n; p += kLanes) {
            const Vec a = load<Vec>(&bundle.o_near[p]), b = load<Vec>(&bundle.o_far[p]);
            store(&near[p], log(a + 1.0f) * scale), store(&far[p], log(b + 1.0f) * scale);
            store(&middle[p], log(larger(0.5f * (a + b), splat(1e-3f))));
        }
    }
};

Losses train(const Scene &scene, const Sampling &sampling, const Rays &rays, const Targets &targets,
             const Memory &memory, float *grad_exposure, const RayGradients &of_rays,
             const Moving &moving, int threads) {
    const Call call(scene, sampling, rays);
    const float all = (float)rays.count, pixels = (float)std::max<long>(targets.pixels, 1);
    const float known = (float)std::max<long>(rays.count - targets.pixels, 1);
    return there_and_back(call, of_rays, moving, threads,
                          [&](Bundle &bundle, Reverse &reverse, Losses &losses) {
        thread_local Logarithms logs;
        logs.fill(bundle, targets.far_m);
        for (int r = 0; r < bundle.rays; r++) {
            const long ray = bundle.first + r;
            const int at = bundle.ray_at[r];
            const RaySamples samples = bundle.samples(r);
            const float opacity = bundle.sums[r].opacity;
            float *grad = reverse.of_weight.data() + at;
            losses.distortion += distortion(samples, &logs.near[at], &logs.far[at],
                                            targets.distortion / all, grad) / all;
            if (ray >= targets.pixels) {
                depth_evidence(samples, bundle.sums[r], &logs.middle[at], targets,
                               targets.range_m[ray - targets.pixels], known, grad,
                               reverse.of_left[r], losses);
                continue;
            }
            losses.photometric += photometric(targets, ray, &bundle.linear[r * call.channels()],
                                              &reverse.of_linear[r * call.channels()],
                                              grad_exposure + 3 * ray);
            if (!targets.sky[ray]) continue;
            losses.sky += double(opacity) * opacity / pixels;
            reverse.of_left[r] -= 2.0f * opacity * targets.sky_opacity / pixels;
        }
        remember(call, bundle, memory);
    });
}

void transmittance(const Scene &scene, const Sampling &sampling, const Rays &rays,
                   const float *until_m, float *light, int threads) {
    const Call call(scene, sampling, rays);
    for_bundles(rays.count, threads, [&](long first, int count, int) {
        workspace().bundle.light_until(call, first, count, until_m, light);
    });
}

void query(const Field &from, long count, const float *unit, const float *footprint,
           const float *directions, float *density, float *linear, float *grad_unit, int threads) {
    const PackedField field(const_cast<Field &>(from)); // only read
    constexpr int chunk = 512;
    run_tasks(int((count + chunk - 1) / chunk), threads, [&](int task, int) {
        thread_local Places at;
        thread_local OwnerWork work;
        thread_local std::vector<float> scratch;
        const long first = long(task) * chunk;
        const int n = (int)std::min<long>(chunk, count - first);
        at.reserve(chunk), work.begin = 0, work.reserve(field, chunk);
        place_points(at, n, unit + 3 * first, footprint ? footprint + first : nullptr);
        query_points(field, at, work, scratch, n, directions ? directions + 3 * first : nullptr,
                     density + first, linear ? linear + first * from.channels : nullptr,
                     grad_unit ? grad_unit + 3 * first : nullptr);
    });
}

void halve(const float *from, uint16_t *to, long count, int threads) {
    constexpr long chunk = 1 << 16;
    run_tasks(int((count + chunk - 1) / chunk), threads, [&](int task, int) {
        const long end = std::min(count, (task + 1) * chunk);
        for (long i = task * chunk; i < end; i++) to[i] = to_half(from[i]);
    });
}

} // namespace

extern const Engine table;
const Engine table = {OTHERLANE_TEXT(OTHERLANE_ISA), march, march_backward, train,
                      transmittance, query, query_backward, halve, lazy_adam, observed, surface_normals};

} // namespace OTHERLANE_ISA
} // namespace otherlane
