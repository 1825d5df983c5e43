"""What lights a procedural world."""
