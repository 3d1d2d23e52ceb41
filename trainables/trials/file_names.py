"""Names of what a trial leaves in its folder: attempt, kind and rung.

Attempts have seven digits, so that names in their order are in the order of attempts.
"""

from __future__ import annotations

INSIDE, RUNG = "inside", "rung"
"""Kinds of a checkpoint: on the way to a rung, or at one."""
WEIGHTS_ENDING = "-weights.safetensors"


def checkpoint_name(attempt: int, kind: str, rung: int) -> str:
    """The name of a checkpoint."""
    return f"{attempt:07d}{checkpoint_ending(kind, rung)}"


def checkpoint_ending(kind: str, rung: int) -> str:
    """How the names of all attempts' checkpoints of a kind end."""
    return f"-{kind}-{rung}.pt"


def weights_name(attempt: int) -> str:
    """The name of the final weights."""
    return f"{attempt:07d}{WEIGHTS_ENDING}"
