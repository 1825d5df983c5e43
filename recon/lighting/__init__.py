"""The light of a drive, and what it does to actors that were moved."""
