"""The ground, where one can drive, and what stands in the way."""
