// Bias-free perceptrons on rows of samples; recon.kernels.mlp defines them.
//
// Matrices are repacked once a call: [inputs, outputs] for the way forward, [outputs, inputs] for
// the way back, columns padded with zeros to whole vectors. Inputs of the first layer may have
// a gap (a block of them starts at a padded column).
#pragma once

#include <vector>

#include "engine.hpp"
#include "gemm.hpp"

namespace otherlane {
namespace OTHERLANE_ISA {

constexpr int kPad = kLanes < 16 ? 8 : 16; // columns are padded to this

struct PackedLayer {
    int inputs, outputs;               // inputs counts the columns of the input's buffer
    int in_stride, out_stride;         // padded
    std::vector<float> forward, back;  // [inputs, out_stride], [outputs, in_stride]
};

struct PackedMlp {
    std::vector<PackedLayer> layers;
    int split = 0, gap = 0; // inputs from `split` on lie `gap` columns further right
    long gradient_size = 0;

    int input(int j) const { return j < split ? j : j + gap; }
    int out_stride() const { return layers.back().out_stride; }
    int width() const { return layers.front().out_stride; }
};

static PackedMlp pack(const std::vector<Layer> &layers, int split = 1 << 30, int gap = 0) {
    PackedMlp packed;
    packed.split = split, packed.gap = gap;
    for (size_t i = 0; i < layers.size(); i++) {
        const Layer &from = layers[i];
        if (i > 0) packed.split = 1 << 30, packed.gap = 0;
        PackedLayer to;
        to.inputs = packed.input(from.inputs - 1) + 1, to.outputs = from.outputs;
        to.in_stride = round_up(to.inputs, kPad), to.out_stride = round_up(to.outputs, kPad);
        to.forward.assign(size_t(to.inputs) * to.out_stride, 0.0f);
        to.back.assign(size_t(to.outputs) * to.in_stride, 0.0f);
        for (int o = 0; o < from.outputs; o++) {
            for (int j = 0; j < from.inputs; j++) {
                const float w = from.weight[o * from.inputs + j];
                to.forward[packed.input(j) * to.out_stride + o] = w;
                to.back[o * to.in_stride + packed.input(j)] = w;
            }
        }
        packed.gradient_size += long(to.inputs) * to.out_stride;
        packed.layers.push_back(std::move(to));
    }
    packed.split = split, packed.gap = gap;
    return packed;
}

// Outputs of every layer for up to `rows` samples; the last one is the result.
struct Activations {
    std::vector<std::vector<float>> of_layer;

    void reserve(const PackedMlp &mlp, long rows) {
        of_layer.resize(mlp.layers.size());
        for (size_t i = 0; i < mlp.layers.size(); i++) {
            const size_t need = size_t(rows + kMaxRows) * mlp.layers[i].out_stride;
            if (of_layer[i].size() < need) of_layer[i].resize(need + need / 4);
        }
    }
    float *row(const PackedMlp &mlp, size_t layer, long at) {
        return of_layer[layer].data() + at * mlp.layers[layer].out_stride;
    }
};

// Rows [at, at + n) of every layer, from `inputs` (the rows' own start).
static void forward(const PackedMlp &mlp, const float *inputs, int stride, Activations &act,
                    long at, int n) {
    const float *x = inputs;
    for (size_t i = 0; i < mlp.layers.size(); i++) {
        const PackedLayer &layer = mlp.layers[i];
        float *out = act.row(mlp, i, at);
        const bool last = i + 1 == mlp.layers.size();
        (last ? multiply<After::nothing> : multiply<After::relu>)(
            x, stride, layer.forward.data(), layer.out_stride, layer.inputs, out, n, nullptr);
        x = out, stride = layer.out_stride;
    }
}

// Gradients of the weights (added to `gradient`, packed as `forward` is) and of the inputs
// (written to `grad_inputs`, padded rows), from those of the outputs, which are overwritten along
// with everything in `act` but the inputs.
static void backward(const PackedMlp &mlp, const float *inputs, int stride, Activations &act,
                     float *grad_out, float *grad_inputs, float *gradient, long at, int n) {
    long end = mlp.gradient_size;
    float *d = grad_out;
    for (size_t i = mlp.layers.size(); i-- > 0;) {
        const PackedLayer &layer = mlp.layers[i];
        const float *x = i ? act.row(mlp, i - 1, at) : inputs;
        const int x_stride = i ? mlp.layers[i - 1].out_stride : stride;
        end -= long(layer.inputs) * layer.out_stride;
        accumulate_outer(x, x_stride, d, layer.out_stride, layer.inputs, gradient + end, n);
        if (i) { // the activations of this layer have done their part: their place is reused
            float *below = act.row(mlp, i - 1, at);
            multiply<After::mask>(d, layer.out_stride, layer.back.data(), layer.in_stride,
                                  layer.outputs, below, n, below);
            d = below;
        } else if (grad_inputs) {
            multiply<After::nothing>(d, layer.out_stride, layer.back.data(), layer.in_stride,
                                     layer.outputs, grad_inputs, n);
        }
    }
}

// Adds a packed gradient to [outputs, inputs] gradients of the layers.
static void unpack_gradient(const PackedMlp &mlp, const float *packed, std::vector<Layer> &layers) {
    for (size_t i = 0; i < layers.size(); i++) {
        const PackedLayer &from = mlp.layers[i];
        Layer &to = layers[i];
        for (int o = 0; o < to.outputs; o++)
            for (int j = 0; j < to.inputs; j++)
                to.gradient[o * to.inputs + j] +=
                    packed[(i ? j : mlp.input(j)) * from.out_stride + o];
        packed += long(from.inputs) * from.out_stride;
    }
}

} // namespace OTHERLANE_ISA
} // namespace otherlane
