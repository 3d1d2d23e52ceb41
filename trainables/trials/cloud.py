"""The base of every cloud: metadata that its machines can ask for on a link-local address."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from search_spaces import Part, option

VARIABLE = "AUTOML_CL_SPOT"
"""Environment variable that names the cloud to ask; set where a cloud's nodes are started."""
ANSWER_SECONDS = 1.0
NOT_FOUND = 404


@dataclass
class Cloud(Part):
    """A cloud whose spot machines are told before they are taken away.

    Attributes:
        address: where its metadata is.
        grace_seconds: how long a machine has left once it is told.
    """

    kind: ClassVar[str] = "cloud"
    options_in: ClassVar[str] = "trainables.trials.clouds"
    grace_seconds: ClassVar[int]

    address: str

    @abstractmethod
    def preempted(self) -> bool:
        """True if this machine is about to be taken away.

        Raises:
            OSError: there is no answer.
        """

    @final
    def ask(self, path: str, headers: Mapping[str, str], method: str = "GET") -> str | None:
        """The answer to a question; None where there is nothing at the path.

        Raises:
            OSError: there is none, or a refusal.
        """
        # A proxy is for the world outside, and this is about the machine itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        asked = urllib.request.Request(self.address + path, headers=dict(headers), method=method)
        try:
            with opener.open(asked, timeout=ANSWER_SECONDS) as answer:
                return str(answer.read(10_000), "utf-8", "replace")
        except urllib.error.HTTPError as error:
            if error.code != NOT_FOUND:
                raise
            return None


def cloud_here(environment: Mapping[str, str] = os.environ) -> Cloud | None:
    """The cloud that this node was told to ask, if any.

    Raises:
        InputError: it is unknown.
    """
    name = environment.get(VARIABLE)
    return None if not name else option(Cloud, name)()  # type: ignore[type-abstract, call-arg]
