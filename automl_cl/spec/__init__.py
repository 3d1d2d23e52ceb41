"""The request of a user: one validated object, and the data and space it leads to."""
