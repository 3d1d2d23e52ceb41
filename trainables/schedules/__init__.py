"""Learning-rate schedules, one a file; the file's name is the schedule's name."""

from trainables.schedules._schedule import Schedule, ScheduleOverSteps

__all__ = ["Schedule", "ScheduleOverSteps"]
