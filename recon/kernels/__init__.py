"""Kernels: the few operations that decide speed, each with a definition.

For every operation there is a fast, differentiable function and a slow, obvious `*_reference`;
what the reference computes is the specification that any other implementation must meet, in
values and in gradients.

| module | operation |
|---|---|
| hash_grid | features of points from a multi-resolution table; layout of tiny-cuda-nn |
| hash_grid_torch | how hash_grid is made fast in PyTorch |
| footprint | weights of the levels, from how large a sample is |
| spherical_harmonics | sixteen smooth functions of direction |
| mlp | bias-free perceptrons |
| compositing | densities to weights, transmittance, median and expected distance, distortion |

They are composed into three operations, which is all that a renderer may ask of a field:

- march: rays to channels. Points on each ray, their footprints and directions; per point
  hash_grid with level weights, mlp for density; spherical_harmonics and mlp for channels where
  weight is left; compositing sums channels by `render_weights`, and `median_distance` places the
  surface.
- query: density and channels at points, and their derivatives there.
- transmittance: how much light passes along a ray, from density alone.

`backend` names the implementations that exist and chooses one.
"""
