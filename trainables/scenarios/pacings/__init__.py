"""Pacing functions, one a file; the file's name is the pacing's name."""
