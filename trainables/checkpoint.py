"""Learner states in storage: written whole or not at all, and read without running anything."""

from __future__ import annotations

import zipfile

import torch

from search_spaces import InputError
from trainables.learner import State
from trainables.storage import Place, StorageError, reading, writing


def write_checkpoint(path: Place, state: State) -> None:
    """Writes a state; when this returns, it is under its name for good."""
    with writing(path, parents=True) as file:
        torch.save(state, file)


def read_checkpoint(path: Place, device: torch.device) -> State:
    """Reads a state onto a device.

    Raises:
        InputError: if the file is missing or damaged.
        StorageError: if the storage does not answer.
    """
    try:
        with reading(path) as file:
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()  # torch reads past wrong checksums without a word
            if damaged is not None:
                raise zipfile.BadZipFile(damaged)
            file.seek(0)
            state: State = torch.load(file, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"the checkpoint {path} is missing.") from error
    except StorageError:
        raise
    except Exception as error:
        # Whatever the damaged byte leads to: BadZipFile, RuntimeError, UnpicklingError.
        raise InputError(f"the checkpoint {path} is damaged ({type(error).__name__}).") from error
    return state
