// What the engine is given and what it gives back; the same for every instruction set.
//
// Arrays are borrowed, row-major and float unless said otherwise. Their meaning, and the
// mathematics, are defined by the Python modules of recon.kernels and recon.rendering.march.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace otherlane {

struct Level { // as recon.kernels.hash_grid_torch.LevelLayout
    float scale;
    uint32_t offset, size, step_y, step_z;
    bool dense;
};

struct Layer { // weight [outputs, inputs]
    int inputs, outputs;
    std::vector<float> weight;
    std::vector<float> gradient; // of the last call that was asked for one
};

struct Field { // recon.field.field.GridField
    std::vector<Level> levels;
    int features, geometry, channels;
    int look; // harmonics of direction that colour depends on
    int latents; // inputs of the density network besides the features
    float log_initial;
    bool emits; // fields of materials do not: their colour network says albedo
    long entries;
    std::vector<uint16_t> table; // [entries, features], half precision
    std::vector<float> table_gradient; // [entries, features]; empty until it is needed
    std::vector<Layer> density, colour;
};

struct Instance { // recon.field.field.Instance
    Field *field;
    const float *unit_from_world; // [moments, 3, 4]
    const float *latent;          // [moments, latents], or null: all 0
    int samples;                  // between entry and exit
    float alone_above;            // share of the cube's height above which nothing else is in it
    const float *core;            // [2, 3] corners of what hides the static scene, or null
};

struct Scene {
    Field *field;
    std::vector<Layer> *sky;
    std::vector<Instance> instances;
    float centre_m[3], half_size_m;
    const uint8_t *occupied; // [side^3]; 0 is empty
    int side;
};

struct Sampling {
    const float *edges_m; // ends of the unshifted steps
    int edges;
    float termination, colour_threshold;
};

struct Rays {
    long count;
    const float *origins_m, *directions, *pixel_angle; // [count, 3], [count, 3], [count]
    const float *shift;                                // [count] share of a step
    const int64_t *moment; // [count] of the instances; negative: none is there. Null: all 0
    long at(long ray) const { return moment ? (long)moment[ray] : 0; }
};

struct RayGradients { // by rays and by what they meet; any pointer may be null
    float *origins, *directions; // [count, 3]
    float *starts, *alongs;      // [count, instances, 3]: of rays in each unit cube
    float *latents;              // [count, instances, most latents of any]
};

struct Outputs { // recon.rendering.march.MarchOutput
    float *linear, *opacity, *range_m, *expected_range_m; // [count, channels], [count] ...
    int64_t *instance;                                    // [count]
    float *instance_weights;                              // [count, 1 + instances]
};

struct OutputGradients { // of the same
    const float *linear, *opacity, *range_m, *expected_range_m, *instance_weights;
};

struct Targets { // of one step of training: recon.training.losses
    long pixels;                    // the first so many rays are pixels; the others have depth
    const float *exposure, *srgb;   // [pixels, 3]
    const uint8_t *sky;             // [pixels]
    const float *range_m;           // [count - pixels]
    float far_m;
    float depth, empty, distortion, sky_opacity; // weights of the losses
};

struct Memory { // what training remembers; any pointer may be null
    float *density;          // [side^3], raised to what was seen
    int support_side;
    float *hits, *seen_through; // recon.training.observation_grid.ObservationGrid
};

struct DepthPicture { // what recon.rendering.normals is given
    const double *origins_m, *directions; // [height, width, 3]
    const float *range_m;                 // [height, width]
    long height, width;
    double pixel_angle;
};

struct KeptPicture { // what recon.training.observation keeps of a training picture
    const double *world_from_camera; // [3, 4]
    double fx, fy, cx, cy;
    int width, height;
    const float *nearness; // [height, width]
};

struct Moments { // recon.training.adam.LazyAdam, and the table that it moves
    float *table, *first, *second;
    int32_t *count;
};

struct Moving { // tables that a step of training moves at once; the others' gradients add up
    std::vector<std::pair<const Field *, Moments>> tables;
    float rate = 0.0f;

    const Moments *of(const Field *field) const {
        for (const auto &[known, moments] : tables)
            if (known == field) return &moments;
        return nullptr;
    }
};

struct Losses {
    double photometric = 0, distortion = 0, sky = 0, depth = 0, empty = 0;
    long samples = 0;   // that had a part in the rays
    long evaluated = 0; // densities that were computed to find them
};

// The whole interface; `threads` never changes a bit of any result.
struct Engine {
    const char *name;
    Losses (*march)(const Scene &, const Sampling &, const Rays &, const Outputs &, int threads);
    Losses (*march_backward)(const Scene &, const Sampling &, const Rays &,
                             const OutputGradients &, const RayGradients &, int threads);
    Losses (*train)(const Scene &, const Sampling &, const Rays &, const Targets &, const Memory &,
                    float *grad_exposure, const RayGradients &, const Moving &, int threads);
    // Light that gets as far as `until_m` through the static scene (recon.rendering.march.transmittance).
    void (*transmittance)(const Scene &, const Sampling &, const Rays &, const float *until_m,
                          float *light, int threads);
    // Density, and where asked for radiance and the density's derivative, at points of the cube.
    void (*query)(const Field &, long count, const float *unit, const float *footprint,
                  const float *directions, float *density, float *linear, float *grad_unit,
                  int threads);
    // Gradients of the field's parameters, from those of the density and radiance at points.
    void (*query_backward)(Field &, long count, const float *unit, const float *footprint,
                           const float *directions, const float *of_density,
                           const float *of_linear, int threads);
    void (*to_half)(const float *from, uint16_t *to, long count, int threads);
    // Lazy Adam (recon.training.adam): moves the touched rows of `table`, clears the gradient.
    void (*adam)(Field &, float *table, float *first, float *second, int32_t *count, float rate,
                 int threads);
    // recon.training.observation.Observation.observed: 1 where one of the pictures shows the end of a ray.
    void (*observed)(const std::vector<KeptPicture> &, long count, const double *origins_m,
                     const double *directions, const double *range_m, uint8_t *found, int threads);
    // recon.rendering.normals.surface_normals: [height, width, 3], with `levels` wider windows.
    void (*normals)(const DepthPicture &, int levels, double *normal, int threads);
};

const Engine &engine(); // the best one for this processor

} // namespace otherlane
