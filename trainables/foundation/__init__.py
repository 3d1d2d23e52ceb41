"""Files, seeds and user code: what every other room builds on. Knows no learning."""
