"""The application: command line, Python API, search driver, verdict, export and reuse."""
