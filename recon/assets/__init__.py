"""Models of road users on disk, taken from scenes or made from exact pictures."""
