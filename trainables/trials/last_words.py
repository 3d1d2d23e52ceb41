"""The reason that a worker process leaves about its trial when it ends itself.

Its driver learns from Ray that it ended, and not why. The words wait in the cluster's key-value
store, which is there when a disk is not.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from trainables.trials.trial_run import TrialRequest

NAMESPACE = b"automl_cl"
STATUS = 75
"""`EX_TEMPFAIL` of sysexits.h: it may well succeed if tried again."""
PATIENCE = 10.0


def leave(request: TrialRequest | None, cause: str, words: str) -> NoReturn:
    """Ends this process, whatever its threads do, so that its trial goes on in another one.

    Args:
        request: what it works on, if anything.
        cause: `hung` or `preempted`.
        words: the reason in words.
    """
    say = (lambda: None) if request is None else lambda: _write_down(request, cause, words)
    end_process(words, say)


def end_process(words: str, say: Callable[[], object]) -> NoReturn:
    """Ends this process after a line in its log, and after others were told.

    Args:
        words: the reason.
        say: tells them; if that hangs too, it is not waited for.
    """
    print(f"process {os.getpid()} ends itself: {words}", file=sys.stderr, flush=True)
    telling = threading.Thread(target=say, daemon=True)
    telling.start()
    telling.join(PATIENCE)
    os._exit(STATUS)


def last_words(request: TrialRequest) -> tuple[str, str] | None:
    """Cause and reason with which the process that had a request has left, if it has; once."""
    from ray.experimental import internal_kv

    found = internal_kv._internal_kv_get(_key(request), namespace=NAMESPACE)
    if found is None:
        return None
    internal_kv._internal_kv_del(_key(request), namespace=NAMESPACE)
    cause, words = json.loads(found)
    return cause, words


def _write_down(request: TrialRequest, cause: str, words: str) -> None:
    from ray.experimental import internal_kv

    said = json.dumps([cause, words]).encode()
    internal_kv._internal_kv_put(_key(request), said, overwrite=True, namespace=NAMESPACE)


def _key(request: TrialRequest) -> bytes:
    return f"{request.folder}/{request.attempt}".encode()
