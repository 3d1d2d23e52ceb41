"""The algorithms of `curriculum`, one a file; the file's name is the algorithm's name."""
