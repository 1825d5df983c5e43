"""Exact truth off the recorded path, and how exact it is."""
