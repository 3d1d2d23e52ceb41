"""How often a trial begins again that broke off: lost, refused memory, or damaged."""

from __future__ import annotations

from automl_cl.run.events import Cause
from automl_cl.run.trial import CRASHED, HUNG, NODE_LOST, Trial
from search_spaces import Config
from trainables.parts.sections.computing import Computing

MOST_LOST = {CRASHED: 3, HUNG: 2, NODE_LOST: 20}
"""With so many losses of a kind a trial has failed. That nodes are taken away is never its fault;
a node that is lost without a notice may be, since it may take all of the node's memory."""
MOST_DAMAGED = 3
"""With so many weights that were not what it had left a trial is not trained again."""
PARTS = 8
"""Into how many parts a batch is divided for which there was not enough memory."""


def failed_by_loss(trial: Trial, cause: Cause, reason: str) -> str | None:
    """With which words a trial fails that has now been lost; None if it goes on.

    Args:
        trial: as it was before the loss.
        cause: why it was lost; it decides how often the trial may go on.
        reason: what happened, in words.
    """
    times, most = trial.losses.get(cause, 0) + 1, MOST_LOST.get(cause)
    if most is None or times < most:
        return None
    return reason if cause == HUNG else f"lost its process {times} times: {reason}"


def infeasible_for_memory(trial: Trial, batch_size: int | None, whole: str | None) -> str | None:
    """Why a trial that was refused memory does not begin again; None if it does.

    Args:
        trial: as it was before.
        batch_size: of the batches for which there was not enough.
        whole: why they cannot be in parts; None if they can.
    """
    if trial.out_of_memory:
        return "for the second time"
    if (batch_size or 1) < 2:
        return "such a batch has no parts"
    return None if whole is None else f"the batch cannot be computed in parts: {whole}"


def in_parts(config: Config) -> Config:
    """The config with batches computed in parts."""
    return Computing.of(config).divided(PARTS).in_config(config)
