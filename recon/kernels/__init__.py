"""Kernels: the few operations that decide speed, each with a definition.

For every operation there is a fast, differentiable function and a slow, obvious `*_reference`;
what the reference computes is the specification that any other implementation must meet, in
values and in gradients: max |a - b| / max |b| <= 1e-4 on the same table, rounded to half
precision, with termination and colour thresholds off.

| module | operation |
|---|---|
| hash_grid | features of points from a multi-resolution table; layout of tiny-cuda-nn |
| hash_grid_torch | how hash_grid is made fast in PyTorch |
| footprint | weights of the levels, from how large a sample is |
| spherical_harmonics | sixteen smooth functions of direction |
| mlp | bias-free perceptrons, widths 16 to 128 |
| compositing | densities to weights, transmittance, median and expected distance, distortion |

They are composed into three operations, which is all that a renderer may ask of a field. Each is
written out in PyTorch in `recon.rendering.march`, and that is its definition:

- march: rays to channels. A ray is cut into steps (`recon.rendering.sampling`); a step is looked at
  where the occupancy says so (`recon.field.occupancy`) and where the static scene has left more
  than `termination` of the light. Per look: the contraction (`recon.field.space`), the footprint,
  hash_grid with level weights, mlp for density. Samples of instances, equal intervals between entry
  to and exit from their boxes, merge with them by distance, the static scene first where two are
  equally far. spherical_harmonics (the field's first `look_harmonics`) and mlp give the channels of
  samples that weigh more than `colour_threshold`; compositing sums them, the instances' weights,
  opacity and the expected distance; what is left shows the sky. The range is the median distance of
  the winning instance.
- query: density and channels at points, and the density's derivative there.
- transmittance: how much light passes along a ray, from density alone.

A step of training (`recon.training.step`) is march, the losses of `recon.training.losses`, and
their gradients; `recon.training.adam` moves the rows of the table that were touched, each by its
own count of steps.

Implementations, chosen by `backend`, never swapped silently:

| backend | where | what it replaces |
|---|---|---|
| torch | CPU | nothing: the functions above |
| native | CPU | march, query and the step as a whole: C++ in `cpp/`, behind `native` |
| triton | CUDA | hash_grid, mlp and compositing (`primitives`) |
| tcnn | CUDA | hash_grid and mlp, by tiny-cuda-nn |
"""
