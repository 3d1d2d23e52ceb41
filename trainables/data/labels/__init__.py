"""Labels: reading them, and what is done to them (few labels, noise, imbalance)."""
