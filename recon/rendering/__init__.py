"""From rays to buffers: sampling, marching, compositing."""
