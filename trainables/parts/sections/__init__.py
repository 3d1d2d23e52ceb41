"""The sections of a config that have no alternatives: training, length, computing."""
