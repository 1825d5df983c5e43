"""The radiance field: its space, its networks, and what it remembers of where matter is."""
