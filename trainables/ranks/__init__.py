"""One training on several workers: collectives, divided models, and layers that agree."""
