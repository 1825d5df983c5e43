"""What rays, cameras and lidars see of a procedural world."""
