"""The algorithms of `continual`, one a file; the file's name is the algorithm's name."""
