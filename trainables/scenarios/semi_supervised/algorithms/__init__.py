"""The algorithms of `semi_supervised`, one a file; the file's name is the algorithm's name."""
