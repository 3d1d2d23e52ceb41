"""Schedulers: where trials are compared, and which of them go on. One file each."""

from automl_cl.events import Decision
from automl_cl.schedulers._scheduler import Arm, Scheduler, rungs_of

__all__ = ["Arm", "Decision", "Scheduler", "rungs_of"]
