"""Learning-rate schedules, one a file; the file's name is the schedule's name."""
