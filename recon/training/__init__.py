"""The training loop, its state, its losses and its checkpoints."""
