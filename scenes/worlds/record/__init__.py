"""Recording a drive through a procedural world."""
