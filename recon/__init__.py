"""Radiance fields: kernels, training, checkpoints and evaluation on torch."""
