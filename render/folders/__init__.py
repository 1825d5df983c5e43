"""Folders of frames: written, read, and checked against laws."""
