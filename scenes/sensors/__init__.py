"""Cameras, lenses, lidars, and the pictures and sweeps that they recorded."""
