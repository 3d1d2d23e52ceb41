"""The lock of a run on an object store, which knows no locks: objects that have to stay fresh.

Each driver has an object of its own. It may work once it has seen no other that is fresh. Ages are
differences of times that the store itself gave, so that no two clocks need to agree.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from automl_cl.run.journal_medium import Overtaken
from search_spaces.errors import InputError
from trainables.foundation.storage import RemotePath

BEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
"""After so long without a sign of life a driver is dead, and its run may be taken over."""


@final
class RemoteLock:
    """Held from its making until `close`.

    Args:
        folder: where the drivers' objects are.
        run: the run, for messages.

    Attributes:
        owner: what tells this driver from all others.

    Raises:
        InputError: if another driver is at work.
    """

    def __init__(self, folder: RemotePath, run: str) -> None:
        self.owner = secrets.token_hex(4)
        self._run, self._mine = run, folder / f"{self.owner}.json"
        self._closed = threading.Event()
        self._lost = False
        self._mine.write_bytes(_about_us())
        self._beaten = time.monotonic()
        try:
            self._displace(folder)
        except BaseException:
            self._mine.unlink(missing_ok=True)
            raise
        threading.Thread(target=self._stay_fresh, name="run lock", daemon=True).start()

    def _displace(self, folder: RemotePath) -> None:
        """Removes the objects of dead drivers; refused if one is alive."""
        found = {each.base_name: each for each in folder.entries() if each.is_file}
        now = found.pop(self._mine.name).mtime
        for name, other in found.items():
            try:
                holder = json.loads((folder / name).read_bytes())
            except FileNotFoundError:
                continue
            age = (now - other.mtime).total_seconds()
            if age < STALE_SECONDS and not _is_dead(holder):
                raise InputError(
                    f"the run of {self._run} is in use by process {holder['pid']} on "
                    f"{holder['host']}; if that is dead, try again in {STALE_SECONDS - age:.0f} s."
                )
        for name in found:
            (folder / name).unlink(missing_ok=True)

    def _stay_fresh(self) -> None:
        while not self._closed.wait(BEAT_SECONDS):
            with suppress(OSError):  # the next append tells of it
                self._beat()

    def _beat(self) -> None:
        if not self._mine.exists():
            self._lost = True
            raise Overtaken(
                errno.EBUSY, "another driver has taken this run over; this one stops", self._run
            )
        self._mine.write_bytes(_about_us())
        self._beaten = time.monotonic()

    def require(self) -> None:
        """Refuses to go on if another driver may have taken the run over.

        Raises:
            Overtaken: if one has.
            StorageError: if that cannot be found out.
        """
        if self._lost or time.monotonic() - self._beaten > STALE_SECONDS - BEAT_SECONDS:
            self._beat()

    def close(self) -> None:
        """Gives the run back; closing twice does nothing."""
        if not self._closed.is_set():
            self._closed.set()
            with suppress(OSError):  # it grows stale by itself
                self._mine.unlink(missing_ok=True)


def _about_us() -> bytes:
    boot, space, started = _process(os.getpid())
    about = {"pid": os.getpid(), "host": socket.gethostname()}
    return json.dumps(about | {"boot": boot, "space": space, "started": started}).encode()


def _process(pid: int) -> tuple[str, str, str | None]:
    """This start of the machine, our name space of processes, and when a process began in it.

    Empty, or None, where that cannot be known.
    """
    boot, space, started = "", "", None
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink("/proc/self/ns/pid")
    with suppress(OSError):
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return boot, space, started


def _is_dead(holder: dict[str, Any]) -> bool:
    """True if a driver was a process of this machine that has ended, so that nobody waits."""
    boot, space, started = _process(holder["pid"])
    here = (holder["boot"], holder["space"]) == (boot, space) and space != ""
    return here and started != holder["started"]
