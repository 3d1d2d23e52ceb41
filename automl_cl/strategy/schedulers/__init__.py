"""Schedulers, one a file: where trials are compared, and which of them go on."""
