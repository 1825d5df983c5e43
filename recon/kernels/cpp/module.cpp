// The Python face of the engine. Arrays come as anything with DLPack (torch tensors do), are
// borrowed for the call and checked for shape; the GIL is free while the engine runs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "engine.hpp"

namespace nb = nanobind;

namespace otherlane {

namespace baseline {
extern const Engine table;
}
#ifdef __x86_64__
namespace avx2 {
extern const Engine table;
}
namespace avx512 {
extern const Engine table;
}
#endif

namespace {

std::vector<const Engine *> usable() { // slowest first
    std::vector<const Engine *> found{&baseline::table};
#ifdef __x86_64__
    // every processor with these two also has f16c, which Clang cannot ask for
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi2");
    if (v3) found.push_back(&avx2::table);
    if (v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        found.push_back(&avx512::table);
#endif
    return found;
}

const Engine *&chosen() {
    static const Engine *engine = usable().back();
    return engine;
}

} // namespace

const Engine &engine() { return *chosen(); }

namespace {

template <class T> using Array = nb::ndarray<T, nb::device::cpu, nb::c_contig>;
using In = Array<const float>;
using Out = Array<float>;

template <class A> auto *sized(const A &array, size_t size, const char *name) {
    if (array.size() != size)
        throw nb::value_error((std::string(name) + " has " + std::to_string(array.size()) +
                               " numbers, not " + std::to_string(size)).c_str());
    return array.data();
}

template <class A> auto *sized(const std::optional<A> &array, size_t size, const char *name) {
    return array ? sized(*array, size, name) : nullptr;
}

// Where the matrices of networks, and their gradients, lie in Python.
struct Bound {
    std::vector<In> weights;
    std::vector<Out> gradients;
};

// Owns what the engine borrows between calls: the table's half copy, weights, gradients.
struct NativeField {
    Field field;
    Bound bound; // density, then colour
};

struct NativeSky {
    std::vector<Layer> layers;
    Bound bound;
};

void fill(std::vector<Layer> &layers, const std::vector<In> &weights) {
    layers.resize(weights.size());
    for (size_t i = 0; i < weights.size(); i++) {
        if (weights[i].ndim() != 2) throw nb::value_error("weights must be matrices");
        Layer &layer = layers[i];
        layer.outputs = (int)weights[i].shape(0), layer.inputs = (int)weights[i].shape(1);
        if (i > 0 && layer.inputs != layers[i - 1].outputs)
            throw nb::value_error("weights do not fit each other");
        layer.weight.assign(weights[i].data(), weights[i].data() + weights[i].size());
    }
}

void read_gradient(const std::vector<Layer> &layers, const std::vector<Out> &into) {
    if (into.size() != layers.size()) throw nb::value_error("as many gradients as weights");
    for (size_t i = 0; i < layers.size(); i++) {
        float *to = sized(into[i], layers[i].weight.size(), "gradient");
        if (layers[i].gradient.size() == layers[i].weight.size())
            std::memcpy(to, layers[i].gradient.data(), 4 * layers[i].gradient.size());
        else
            std::memset(to, 0, 4 * layers[i].weight.size());
    }
}

using Networks = std::vector<std::vector<Layer> *>;

void bind(Bound &bound, const Networks &networks, const std::vector<In> &weights,
          const std::vector<Out> &gradients) {
    size_t at = 0;
    for (auto *layers : networks)
        for (const Layer &layer : *layers) {
            if (at >= weights.size() || at >= gradients.size())
                throw nb::value_error("as many weights and gradients as layers");
            sized(weights[at], layer.weight.size(), "weight");
            sized(gradients[at], layer.weight.size(), "gradient"), at++;
        }
    if (at != weights.size() || at != gradients.size())
        throw nb::value_error("as many weights and gradients as layers");
    bound = {weights, gradients};
}

void take_weights(const Bound &bound, const Networks &networks) {
    size_t at = 0;
    for (auto *layers : networks)
        for (Layer &layer : *layers) {
            if (at == bound.weights.size()) throw nb::value_error("bind weights first");
            std::copy_n(bound.weights[at++].data(), layer.weight.size(), layer.weight.data());
        }
}

void give_gradients(const Bound &bound, const Networks &networks) {
    size_t at = 0;
    for (auto *layers : networks)
        for (const Layer &layer : *layers) {
            if (at == bound.gradients.size()) throw nb::value_error("bind gradients first");
            if (layer.gradient.size() == layer.weight.size())
                std::copy(layer.gradient.begin(), layer.gradient.end(), bound.gradients[at].data());
            else
                std::fill_n(bound.gradients[at].data(), layer.weight.size(), 0.0f);
            at++;
        }
}

struct NativeScene {
    Scene scene;
    Sampling sampling;
    std::vector<float> edges;
    long moments = 1; // of every instance
};

using Moments = std::optional<Array<const int64_t>>;

Rays rays_of(const NativeScene &scene, const In &origins, const In &directions, const In &angle,
             const In &shift, const Moments &moment) {
    const long n = (long)angle.size();
    const int64_t *at = sized(moment, n, "moment");
    if (at && n && *std::max_element(at, at + n) >= scene.moments)
        throw nb::value_error("a ray is of a moment that the instances do not have");
    return {n, sized(origins, 3 * n, "origins_m"), sized(directions, 3 * n, "directions"),
            angle.data(), sized(shift, n, "shift"), at};
}

using Gradients = std::vector<std::optional<Out>>;

// Of origins, directions; of rays' starts and directions in unit cubes; of latents.
RayGradients gradients_of(const NativeScene &scene, const Gradients &into, size_t rays) {
    if (into.size() != 5) throw nb::value_error("five gradients by rays, or None for each");
    const size_t parts = scene.scene.instances.size();
    size_t latents = 0;
    for (const Instance &each : scene.scene.instances)
        latents = std::max(latents, (size_t)each.field->latents);
    const RayGradients of = {sized(into[0], 3 * rays, "of origins"),
                             sized(into[1], 3 * rays, "of directions"),
                             sized(into[2], 3 * rays * parts, "of starts"),
                             sized(into[3], 3 * rays * parts, "of alongs"),
                             sized(into[4], latents * rays * parts, "of latents")};
    if (!of.origins != !of.directions || !of.starts != !of.alongs)
        throw nb::value_error("gradients of starts and directions go together");
    return of;
}

// A field, its table, first and second moments, and counts of steps.
using Tables = std::vector<std::tuple<NativeField *, Out, Out, Out, Array<int32_t>>>;

Moving moving_of(const Tables &tables, float rate) {
    Moving moving;
    moving.rate = rate;
    for (const auto &[of, table, first, second, count] : tables) {
        const size_t n = of->field.table.size();
        moving.tables.push_back({&of->field, {sized(table, n, "table"), sized(first, n, "first"),
                                              sized(second, n, "second"),
                                              sized(count, of->field.entries, "count")}});
    }
    return moving;
}

nb::dict as_dict(const Losses &losses) {
    nb::dict found;
    found["photometric"] = losses.photometric, found["distortion"] = losses.distortion;
    found["sky"] = losses.sky, found["depth"] = losses.depth, found["empty"] = losses.empty;
    found["samples"] = losses.samples, found["evaluated"] = losses.evaluated;
    return found;
}

void bind_field(nb::module_ &m) {
    nb::class_<NativeField>(m, "Field", "A grid field: half-precision table and two networks.")
        .def("__init__", [](NativeField *self, const std::vector<std::tuple<float, uint32_t, uint32_t,
                            uint32_t, uint32_t, bool>> &levels, int features, float log_initial,
                            int latents, bool emits) {
            new (self) NativeField;
            Field &field = self->field;
            if (latents < 0) throw nb::value_error("latents must not be negative");
            field.latents = latents, field.features = features, field.log_initial = log_initial;
            field.emits = emits, field.entries = 0;
            if (features != 2 && features != 4 && features != 8)
                throw nb::value_error("features must be 2, 4 or 8");
            for (const auto &[scale, offset, size, step_y, step_z, dense] : levels) {
                field.levels.push_back({scale, offset, size, step_y, step_z, dense});
                field.entries += size;
            }
            field.table.resize(field.entries * features);
        }, nb::arg("levels"), nb::arg("features"), nb::arg("log_initial"), nb::arg("latents") = 0,
           nb::arg("emits") = true)
        .def("set_table", [](NativeField &self, const In &table, int threads) {
            const float *from = sized(table, self.field.table.size(), "table");
            nb::gil_scoped_release free;
            engine().to_half(from, self.field.table.data(), (long)self.field.table.size(), threads);
        }, nb::arg("table"), nb::arg("threads"))
        .def("set_networks", [](NativeField &self, const std::vector<In> &density,
                                const std::vector<In> &colour) {
            Field &field = self.field;
            fill(field.density, density), fill(field.colour, colour);
            if (field.density.empty() || field.colour.empty())
                throw nb::value_error("a field needs both networks");
            field.geometry = field.density.back().outputs;
            field.channels = field.colour.back().outputs;
            field.look = field.colour.front().inputs - field.geometry;
            const int columns = (int)field.levels.size() * field.features + field.latents;
            if (field.density.front().inputs != columns ||
                !(field.look == 1 || field.look == 4 || field.look == 9 || field.look == 16))
                throw nb::value_error("networks do not fit the grid or each other");
        }, nb::arg("density"), nb::arg("colour"))
        .def("read_gradients", [](NativeField &self, const std::optional<Out> &table,
                                  const std::vector<Out> &density, const std::vector<Out> &colour) {
            read_gradient(self.field.density, density), read_gradient(self.field.colour, colour);
            std::vector<float> &from = self.field.table_gradient;
            if (!table) return;
            float *to = sized(*table, self.field.table.size(), "table");
            if (from.empty()) std::memset(to, 0, 4 * self.field.table.size());
            else std::memcpy(to, from.data(), 4 * from.size());
            std::fill(from.begin(), from.end(), 0.0f);
        }, nb::arg("table").none(), nb::arg("density"), nb::arg("colour"))
        .def("bind", [](NativeField &self, const std::vector<In> &weights,
                        const std::vector<Out> &gradients) {
            bind(self.bound, {&self.field.density, &self.field.colour}, weights, gradients);
        }, nb::arg("weights"), nb::arg("gradients"),
           "Keep where the networks' matrices and their gradients are, density first.")
        .def("take_weights", [](NativeField &self) {
            take_weights(self.bound, {&self.field.density, &self.field.colour});
        }, "Networks as they are now where they were bound.")
        .def("give_gradients", [](NativeField &self) {
            give_gradients(self.bound, {&self.field.density, &self.field.colour});
        }, "Gradients of the last call to where they were bound.")
        .def("write_table_gradient", [](NativeField &self, const In &from) {
            const float *g = sized(from, self.field.table.size(), "gradient");
            self.field.table_gradient.assign(g, g + self.field.table.size());
        }, nb::arg("from"))
        .def("adam", [](NativeField &self, const Out &table, const Out &first, const Out &second,
                        const Array<int32_t> &count, float rate, int threads) {
            const size_t n = self.field.table.size();
            float *t = sized(table, n, "table"), *a = sized(first, n, "first");
            float *b = sized(second, n, "second");
            int32_t *c = sized(count, self.field.entries, "count");
            nb::gil_scoped_release free;
            engine().adam(self.field, t, a, b, c, rate, threads);
        }, nb::arg("table"), nb::arg("first"), nb::arg("second"), nb::arg("count"), nb::arg("rate"),
           nb::arg("threads"))
        .def("query", [](NativeField &self, const In &unit, const std::optional<In> &footprint,
                         const std::optional<In> &directions, const Out &density,
                         const std::optional<Out> &linear, const std::optional<Out> &gradient,
                         int threads) {
            const size_t n = density.size();
            const float *p = sized(unit, 3 * n, "unit"), *f = sized(footprint, n, "footprint"),
                        *d = sized(directions, 3 * n, "directions");
            float *l = sized(linear, n * self.field.channels, "linear");
            float *g = sized(gradient, 3 * n, "gradient");
            if (l && !d) throw nb::value_error("radiance needs directions");
            nb::gil_scoped_release free;
            engine().query(self.field, (long)n, p, f, d, density.data(), l, g, threads);
        }, nb::arg("unit"), nb::arg("footprint").none(), nb::arg("directions").none(),
           nb::arg("density"), nb::arg("linear").none(), nb::arg("gradient").none(),
           nb::arg("threads"))
        .def("query_backward", [](NativeField &self, const In &unit,
                                  const std::optional<In> &footprint, const In &directions,
                                  const In &of_density, const In &of_linear, int threads) {
            const size_t n = of_density.size();
            const float *p = sized(unit, 3 * n, "unit"), *f = sized(footprint, n, "footprint"),
                        *d = sized(directions, 3 * n, "directions");
            const float *l = sized(of_linear, n * self.field.channels, "of_linear");
            nb::gil_scoped_release free;
            engine().query_backward(self.field, (long)n, p, f, d, of_density.data(), l, threads);
        }, nb::arg("unit"), nb::arg("footprint").none(), nb::arg("directions"),
           nb::arg("of_density"), nb::arg("of_linear"), nb::arg("threads"),
           "Gradients of the parameters (see read_gradients), the table's added up.");
    nb::class_<NativeSky>(m, "Sky", "Radiance by direction alone.")
        .def(nb::init<>())
        .def("set_network", [](NativeSky &self, const std::vector<In> &weights) {
            fill(self.layers, weights);
            if (self.layers.empty() || self.layers.front().inputs != 16)
                throw nb::value_error("the sky's network has sixteen inputs");
        }, nb::arg("weights"))
        .def("bind", [](NativeSky &self, const std::vector<In> &weights,
                        const std::vector<Out> &gradients) {
            bind(self.bound, {&self.layers}, weights, gradients);
        }, nb::arg("weights"), nb::arg("gradients"))
        .def("take_weights", [](NativeSky &self) { take_weights(self.bound, {&self.layers}); })
        .def("give_gradients", [](NativeSky &self) { give_gradients(self.bound, {&self.layers}); })
        .def("read_gradients", [](NativeSky &self, const std::vector<Out> &into) {
            read_gradient(self.layers, into);
        }, nb::arg("into"));
}

// A scene as one call sees it. Keeps its arrays alive through the objects that Python holds.
void bind_scene(nb::module_ &m) {
    using Placed = std::vector<std::tuple<NativeField *, In, std::optional<In>, int, float, std::optional<In>>>;
    nb::class_<NativeScene>(m, "Scene", "Fields, where they are, and how rays are cut into steps.")
        .def("__init__", [](NativeScene *self, NativeField &field, NativeSky &sky,
                            const Placed &instances, const std::vector<float> &centre_m,
                            float half_size_m, const Array<const uint8_t> &occupied, int side,
                            const std::vector<float> &edges_m, float termination,
                            float colour_threshold) {
            new (self) NativeScene;
            self->edges = edges_m;
            if (edges_m.size() < 3 || centre_m.size() != 3)
                throw nb::value_error("need three edges and a centre");
            if (sky.layers.empty() || field.field.density.empty())
                throw nb::value_error("networks first");
            if (sky.layers.back().outputs != field.field.channels)
                throw nb::value_error("the sky has another number of channels");
            Scene &scene = self->scene;
            scene.field = &field.field, scene.sky = &sky.layers;
            if (!instances.empty()) self->moments = (long)std::get<1>(instances[0]).size() / 12;
            for (const auto &[of, affine, latent, samples, alone_above, core] : instances) {
                const size_t moments = self->moments;
                if (of->field.density.empty() || of->field.channels != field.field.channels)
                    throw nb::value_error("an instance has another number of channels");
                Instance instance;
                instance.field = &of->field;
                instance.unit_from_world = sized(affine, 12 * moments, "unit_from_world");
                instance.latent = sized(latent, moments * of->field.latents, "latent");
                instance.samples = samples, instance.alone_above = alone_above;
                instance.core = sized(core, 6, "core");
                scene.instances.push_back(instance);
            }
            std::copy_n(centre_m.data(), 3, scene.centre_m);
            scene.half_size_m = half_size_m, scene.side = side;
            scene.occupied = sized(occupied, size_t(side) * side * side, "occupied");
            self->sampling = {self->edges.data(), (int)edges_m.size(), termination,
                              colour_threshold};
        }, nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(), nb::keep_alive<1, 4>(),
           nb::keep_alive<1, 7>(), nb::arg("field"), nb::arg("sky"), nb::arg("instances"),
           nb::arg("centre_m"), nb::arg("half_size_m"), nb::arg("occupied"), nb::arg("side"),
           nb::arg("edges_m"), nb::arg("termination"), nb::arg("colour_threshold"))
        .def("march", [](NativeScene &self, const In &origins, const In &directions, const In &angle,
                         const In &shift, const Moments &moment, const Out &linear,
                         const Out &opacity, const Out &range_m, const Out &expected_m,
                         const Array<int64_t> &instance, const Out &weights, int threads) {
            const Rays rays = rays_of(self, origins, directions, angle, shift, moment);
            const size_t n = rays.count, owners = self.scene.instances.size() + 1;
            const Outputs out = {sized(linear, n * self.scene.field->channels, "linear"),
                                 sized(opacity, n, "opacity"), sized(range_m, n, "range_m"),
                                 sized(expected_m, n, "expected_range_m"),
                                 sized(instance, n, "instance"),
                                 sized(weights, n * owners, "instance_weights")};
            Losses counts;
            {
                nb::gil_scoped_release free;
                counts = engine().march(self.scene, self.sampling, rays, out, threads);
            }
            return as_dict(counts);
        }, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(),
           nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg())
        .def("transmittance", [](NativeScene &self, const In &origins, const In &directions,
                                 const In &angle, const In &shift, const In &until_m,
                                 const Out &light, int threads) {
            const Rays rays = rays_of(self, origins, directions, angle, shift, std::nullopt);
            const float *until = sized(until_m, rays.count, "until_m");
            float *to = sized(light, rays.count, "light");
            nb::gil_scoped_release free;
            engine().transmittance(self.scene, self.sampling, rays, until, to, threads);
        })
        .def("march_backward", [](NativeScene &self, const In &origins, const In &directions,
                                  const In &angle, const In &shift, const Moments &moment,
                                  const In &linear, const In &opacity, const In &range_m,
                                  const In &expected_m, const In &weights, const Gradients &into,
                                  int threads) {
            const Rays rays = rays_of(self, origins, directions, angle, shift, moment);
            const size_t n = rays.count, owners = self.scene.instances.size() + 1;
            const OutputGradients of = {sized(linear, n * self.scene.field->channels, "linear"),
                                        sized(opacity, n, "opacity"), sized(range_m, n, "range_m"),
                                        sized(expected_m, n, "expected_range_m"),
                                        sized(weights, n * owners, "instance_weights")};
            const RayGradients of_rays = gradients_of(self, into, n);
            nb::gil_scoped_release free;
            engine().march_backward(self.scene, self.sampling, rays, of, of_rays, threads);
        }, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(),
           nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg())
        .def("train", [](NativeScene &self, const In &origins, const In &directions, const In &angle,
                         const In &shift, const Moments &moment, const In &exposure, const In &srgb,
                         const Array<const uint8_t> &sky, const In &range_m, float far_m,
                         const std::vector<float> &loss_weights, const Out &grad_exposure,
                         const std::optional<Out> &density, int support_side,
                         const std::optional<std::vector<Out>> &support, const Gradients &into,
                         const Tables &tables, float rate, int threads) {
            const Rays rays = rays_of(self, origins, directions, angle, shift, moment);
            const long pixels = (long)sky.size();
            if (pixels > rays.count || self.scene.field->channels != 3 || loss_weights.size() != 4)
                throw nb::value_error("need three channels, four loss weights, pixels among the rays");
            const Targets targets = {pixels, sized(exposure, 3 * pixels, "exposure"),
                                     sized(srgb, 3 * pixels, "srgb"), sky.data(),
                                     sized(range_m, rays.count - pixels, "range_m"), far_m,
                                     loss_weights[0], loss_weights[1], loss_weights[2],
                                     loss_weights[3]};
            const size_t cells = size_t(self.scene.side) * self.scene.side * self.scene.side;
            Memory memory = {sized(density, cells, "density"), support_side, nullptr, nullptr};
            if (support) {
                const size_t voxels = size_t(support_side) * support_side * support_side;
                if (support->size() != 2) throw nb::value_error("support has two arrays");
                memory.hits = sized((*support)[0], voxels, "hits");
                memory.seen_through = sized((*support)[1], voxels, "seen_through");
            }
            float *grad = sized(grad_exposure, 3 * pixels, "grad_exposure");
            const RayGradients of_rays = gradients_of(self, into, rays.count);
            const Moving moving = moving_of(tables, rate);
            Losses losses;
            {
                nb::gil_scoped_release free;
                losses = engine().train(self.scene, self.sampling, rays, targets, memory, grad,
                                        of_rays, moving, threads);
            }
            return as_dict(losses);
        }, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(),
           nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(),
           nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
}

void bind_labels(nb::module_ &m) {
    m.def("observed", [](const std::vector<Array<const double>> &poses,
                         const std::vector<std::vector<double>> &lenses,
                         const std::vector<In> &nearness, const Array<const double> &origins,
                         const Array<const double> &along, const Array<const double> &range_m,
                         const Array<uint8_t> &found, int threads) {
        const size_t rays = range_m.size(), count = poses.size();
        if (lenses.size() != count || nearness.size() != count)
            throw nb::value_error("as many poses as lenses and pictures");
        std::vector<KeptPicture> eyes;
        for (size_t i = 0; i < count; i++) {
            if (nearness[i].ndim() != 2 || nearness[i].size() == 0 || lenses[i].size() != 4)
                throw nb::value_error("a picture and four numbers of its lens");
            const std::vector<double> &lens = lenses[i];
            eyes.push_back({sized(poses[i], 12, "world_from_camera"), lens[0], lens[1], lens[2],
                            lens[3], (int)nearness[i].shape(1), (int)nearness[i].shape(0),
                            nearness[i].data()});
        }
        const double *from = sized(origins, 3 * rays, "origins_m");
        const double *to = sized(along, 3 * rays, "directions");
        uint8_t *seen = sized(found, rays, "found");
        nb::gil_scoped_release free;
        engine().observed(eyes, (long)rays, from, to, range_m.data(), seen, threads);
    }, nb::arg("poses"), nb::arg("lenses"), nb::arg("nearness"), nb::arg("origins_m"),
       nb::arg("directions"), nb::arg("range_m"), nb::arg("found"), nb::arg("threads"));
    m.def("surface_normals", [](const Array<const double> &origins, const Array<const double> &along,
                                const Array<const float> &range_m, double pixel_angle, int levels,
                                const Array<double> &normal, int threads) {
        if (range_m.ndim() != 2) throw nb::value_error("range_m must be a picture");
        const long height = (long)range_m.shape(0), width = (long)range_m.shape(1);
        const size_t pixels = range_m.size();
        const DepthPicture picture = {sized(origins, 3 * pixels, "origins_m"),
                                      sized(along, 3 * pixels, "directions"), range_m.data(),
                                      height, width, pixel_angle};
        if (levels < 0 || (levels > 0 && (1L << (levels - 1)) >= std::min(height, width)))
            throw nb::value_error("the widest windows must have pixels");
        double *to = sized(normal, 3 * pixels, "normal");
        nb::gil_scoped_release free;
        engine().normals(picture, levels, to, threads);
    }, nb::arg("origins_m"), nb::arg("directions"), nb::arg("range_m"), nb::arg("pixel_angle"),
       nb::arg("levels"), nb::arg("normal"), nb::arg("threads"));
}

} // namespace
} // namespace otherlane

NB_MODULE(_native, m) {
    nb::set_leak_warnings(false); // objects that live until the interpreter ends are no leak
    using namespace otherlane;
    m.doc() = "The native engine of recon.kernels; recon.kernels.native is its door.";
    m.def("instruction_set", [] { return std::string(engine().name); });
    m.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (const Engine *each : usable()) names.push_back(each->name);
        return names;
    });
    m.def("use_instruction_set", [](const std::string &name) {
        for (const Engine *each : usable()) {
            if (name != each->name) continue;
            chosen() = each;
            return;
        }
        throw nb::value_error(("this processor has no " + name).c_str());
    }, nb::arg("name"), "For tests and benchmarks: the choice holds for the whole process.");
    bind_field(m);
    bind_scene(m);
    bind_labels(m);
}
