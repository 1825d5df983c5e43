"""What stands in a procedural world: shapes and their surfaces."""
