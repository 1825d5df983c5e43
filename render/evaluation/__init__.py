"""Scores of a scene on held-out pictures and off the recorded path."""
