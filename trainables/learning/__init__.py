"""Learners: a config and data made trainable, with measured compute and a whole state."""
