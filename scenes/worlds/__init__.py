"""Procedural worlds with exact truth: streets, described in numpy, traced by Mitsuba 3.

`world.street(seed)` describes one, `tracer.Tracer` and `light.Light` look at it, `view` takes
pictures through any camera, `recorder.record` drives through it, and `sample.sample_path()` is
the drive that comes with the package. Only tracing needs the extra `worlds`.
"""
