"""A warm Ray Train group that trains one trial on several workers."""
