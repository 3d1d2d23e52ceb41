"""The algorithms of `meta_learning`, one a file; the file's name is the algorithm's name."""
