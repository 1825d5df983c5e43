"""Scenarios and requests: as files, as values, and resolved against a clip."""
