"""Rigid transforms, trajectories, and what bodies can do."""
