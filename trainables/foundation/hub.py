"""The Hugging Face hub: names of what is on it, and what to do where it cannot be reached."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

PREFIX = "hf:"
_SECONDS = 5.0


def located(address: str) -> str:
    """An address `hf:FOLDER` with the folder's absolute path; `hf:NAME` as it is."""
    place = address.removeprefix(PREFIX)
    folder = Path(place).expanduser()
    return f"{PREFIX}{folder.absolute()}" if place and os.path.exists(folder) else address


def use_what_is_here_if_offline(place: str) -> None:
    """Turns the hub's libraries to their cache at once if the hub is needed and out of reach.

    By themselves they would try for half a minute. Behind a proxy nothing can be told beforehand.

    Args:
        place: a name on the hub, or a folder, which needs no hub.
    """
    if os.path.exists(Path(place).expanduser()):
        return
    from huggingface_hub import constants

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    proxies = [name for name in os.environ if name.lower() in ("https_proxy", "all_proxy")]
    if constants.HF_HUB_OFFLINE or proxies:
        return
    parts = urlsplit(constants.ENDPOINT)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_SECONDS).close()
    except OSError:
        constants.HF_HUB_OFFLINE = True
