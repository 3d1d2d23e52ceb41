"""Data sources, one a file; the file's name is the source's name."""
