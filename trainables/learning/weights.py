"""Weights in storage, as safetensors: whole or not at all, and known again by their hash."""

from __future__ import annotations

import hashlib
import json

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from search_spaces import InputError
from trainables.foundation.storage import Place, StorageError, writing
from trainables.learning.artefacts import Damaged, HashingFile, Maker

MAKER = "made by"
"""Under which name the text is by which weights say what made them."""


def write_weights(
    path: Place, weights: dict[str, Tensor], metadata: dict[str, str] | None = None
) -> str:
    """Writes weights as safetensors, whole or not at all, with text about them.

    Returns:
        The hash of the file. The order of several texts is not always the same, nor is it then.
    """
    plain = {name: value.detach().contiguous().cpu() for name, value in weights.items()}
    with writing(path, parents=True) as file:
        hashing = HashingFile(file)
        hashing.write(save(plain, metadata))
    return hashing.digest


def read_weights(
    path: Place, device: torch.device, digest: str | None = None
) -> dict[str, Tensor]:
    """Reads weights onto a device.

    Args:
        path: the file.
        device: where to.
        digest: the hash of the file when it was written; None if that is not known.

    Raises:
        InputError: if the file is missing, damaged or another.
    """
    try:
        content = path.read_bytes()
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            raise Damaged(f"the weights {path} are not what was written.")
        return {name: value.to(device) for name, value in load(content).items()}
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read the weights {path}: {error}.") from error


def damage_of(path: Place, digest: str | None, maker: Maker) -> str | None:
    """Describe the damage of weights that a trial left; None if there is none.

    Args:
        path: the file.
        digest: the hash of the file when it was written; None in runs of earlier versions, of
            whose weights nobody can say whether they are what was written.
        maker: what made them.

    Raises:
        StorageError: if the storage does not answer.
    """
    if digest is None:
        return "no hash of it was noted"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        return f"it cannot be read ({error.strerror})"
    if hashlib.sha256(content).hexdigest() == digest:
        return None
    return maker.unlike(_made_by(content)) or "it is damaged"


def _made_by(weights: bytes) -> Maker | None:
    """Read the maker that weights name themselves; None if that cannot be read."""
    try:
        header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
        return Maker.read(header["__metadata__"][MAKER])
    except (ValueError, KeyError, TypeError):
        return None
