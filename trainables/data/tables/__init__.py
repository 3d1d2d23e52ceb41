"""Tables of columns: reading cells, types and texts into numbers."""
