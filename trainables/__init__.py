"""The code that runs on the workers: learners, their data and parts, and the trial actor."""
