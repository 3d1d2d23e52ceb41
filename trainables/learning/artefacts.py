"""Files of a trial, tied to their maker by a hash of the content and by a note inside.

The hash is taken as a file is written, and noted by whoever notes the file. The same file says
inside of which run, trial, seed and config it is, so that one that lies in another's place can be
told from one that is damaged.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import IO, Any

from search_spaces import Config, InputError
from trainables.foundation.storage import Place, reading

CHUNK = 2**20


class Damaged(InputError):
    """A file that is not what was written."""


@dataclass(frozen=True)
class Maker:
    """The maker of a file.

    Attributes:
        run: identifies the run; empty where there is none.
        trial: the trial's number.
        seed: it was trained with.
        config: the digest of its config.
    """

    run: str
    trial: int
    seed: int
    config: str

    @classmethod
    def of(cls, run: str, trial: int, seed: int, config: Config) -> Maker:
        """The maker by its config."""
        text = json.dumps(config, sort_keys=True)
        return cls(run, trial, seed, hashlib.sha256(text.encode()).hexdigest()[:16])

    @classmethod
    def read(cls, text: object) -> Maker | None:
        """The maker that a file names; None if it names none."""
        try:
            return cls(**json.loads(text))  # type: ignore[arg-type]  # whatever it is
        except (TypeError, ValueError):
            return None

    def __str__(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    def unlike(self, other: Maker | None) -> str | None:
        """Describe the difference between a file that `other` made and one of this maker."""
        if other is None or other == self:
            return None
        if other.run != self.run:
            return "it is of another run"
        if other.trial != self.trial:
            return f"it is that of trial {other.trial}"
        return "it is of another config or seed"


class HashingFile:
    """A file to be written from its beginning to its end, hashed on the way.

    Args:
        file: where it goes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def write(self, content: Any) -> int:
        """Writes on."""
        self._hash.update(content)
        return self._file.write(content)

    def flush(self) -> None:
        """Hands on what is written."""
        self._file.flush()

    @property
    def digest(self) -> str:
        """The hash of what was written."""
        return self._hash.hexdigest()


def digest_of(path: Place) -> str:
    """The hash of a file.

    Raises:
        FileNotFoundError: if it is not there.
        StorageError: if the storage does not answer.
    """
    found = hashlib.sha256()
    with reading(path) as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()
