"""Readers of the text formats that drives come in: tables, KITTI's files, COLMAP's model."""
