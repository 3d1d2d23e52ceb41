"""Amazon EC2."""

from __future__ import annotations

import time
import urllib.error
from dataclasses import dataclass, field
from typing import ClassVar, final

from trainables.trials.cloud import Cloud

TOKEN_SECONDS = 21_600


@final
@dataclass
class Aws(Cloud):
    """EC2's metadata hold an `instance-action` from two minutes before a spot instance ends.

    Source: Amazon EC2 User Guide, "Spot Instance interruption notices"; tokens as IMDSv2 has them.
    """

    grace_seconds: ClassVar[int] = 120

    address: str = "http://169.254.169.254"
    _token: str = field(default="", init=False)
    _good_until: float = field(default=0.0, init=False)

    def preempted(self) -> bool:
        if time.monotonic() >= self._good_until:
            asked = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
            self._token = self.ask("/latest/api/token", asked, "PUT") or ""
            self._good_until = time.monotonic() + TOKEN_SECONDS / 2
        token = {"X-aws-ec2-metadata-token": self._token}
        try:
            return self.ask("/latest/meta-data/spot/instance-action", token) is not None
        except urllib.error.HTTPError:
            self._good_until = 0.0  # the token may no longer be good
            raise
