"""From a scene and a camera to a frame with all its labels."""
