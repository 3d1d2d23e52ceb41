"""The comparison on the sealed test: who is compared, and the statistics."""
