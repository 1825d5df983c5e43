"""Batches of pictures: the same bytes for any number of workers, order, or interruption."""
