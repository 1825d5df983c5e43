"""How well a scene shows what it was not trained on."""
