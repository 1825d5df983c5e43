"""What a recorded drive says: pixels with rays, masks, depth evidence."""
