"""Recorded drives, geometry, trajectories, edits and scenarios: numpy only, never torch."""
