"""Learner states on disk: written whole or not at all, and read without running anything."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import torch

from search_spaces import InputError
from trainables.learner import State


def write_checkpoint(path: Path, state: State) -> None:
    """Writes a state; when this returns, it is on disk under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the file's own fsync does not save its name
    finally:
        os.close(folder)


def read_checkpoint(path: Path, device: torch.device) -> State:
    """Reads a state onto a device.

    Raises:
        InputError: if the file is missing or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch reads past wrong checksums without a word
        if damaged is not None:
            raise zipfile.BadZipFile(damaged)
        state: State = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"the checkpoint {path} is missing.") from error
    except Exception as error:
        # Whatever the damaged byte leads to: BadZipFile, RuntimeError, UnpicklingError.
        raise InputError(f"the checkpoint {path} is damaged ({type(error).__name__}).") from error
    return state
