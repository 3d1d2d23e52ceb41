"""Learner states in storage: written whole or not at all, and read without running anything."""

from __future__ import annotations

import zipfile
from typing import IO

import torch

from trainables.foundation.storage import Place, StorageError, reading, writing
from trainables.learning.artefacts import Damaged, HashingFile, Maker, digest_of
from trainables.learning.learner import State

_MAKER = "made by"


def write_checkpoint(path: Place, state: State, maker: Maker | None = None) -> str:
    """Writes a state, and what made it; when this returns, it is under its name for good.

    Returns:
        The hash of the file.
    """
    with writing(path, parents=True) as file:
        hashing = HashingFile(file)
        torch.save(state if maker is None else {**state, _MAKER: str(maker)}, hashing)  # type: ignore[arg-type]
    return hashing.digest


def read_checkpoint(
    path: Place, device: torch.device, digest: str | None = None, maker: Maker | None = None
) -> State:
    """Reads a state onto a device.

    Args:
        path: the file.
        device: where to.
        digest: the hash of the file when it was written; None if that is not known.
        maker: what the file has to be made by, where it says that of itself.

    Raises:
        Damaged: if the file is missing, damaged or another.
        StorageError: if the storage does not answer.
    """
    try:
        if digest is not None and digest_of(path) != digest:
            raise Damaged(f"the checkpoint {path} is not what was written.")
        with reading(path) as file:
            if digest is None:
                _require_undamaged(file)
            state: State = torch.load(file, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise Damaged(f"the checkpoint {path} is missing.") from error
    except (StorageError, Damaged):
        raise
    except Exception as error:
        # Whatever the damaged byte leads to: BadZipFile, RuntimeError, UnpicklingError.
        raise Damaged(f"the checkpoint {path} is damaged ({type(error).__name__}).") from error
    made_by = Maker.read(state.pop(_MAKER, None))
    other = None if maker is None else maker.unlike(made_by)
    if other is not None:
        raise Damaged(f"the checkpoint {path} is another: {other}.")
    return state


def _require_undamaged(file: IO[bytes]) -> None:
    """Checks what torch reads past without a word."""
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(damaged)
    file.seek(0)
