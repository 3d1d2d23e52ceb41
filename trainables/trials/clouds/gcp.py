"""Google Compute Engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from trainables.trials.cloud import Cloud


@final
@dataclass
class Gcp(Cloud):
    """Compute Engine's metadata say `preempted` from 30 seconds before a spot machine ends.

    Source: Google Cloud documentation, "Spot VMs", detecting preemption.
    """

    grace_seconds: ClassVar[int] = 30

    address: str = "http://metadata.google.internal"

    def preempted(self) -> bool:
        answer = self.ask("/computeMetadata/v1/instance/preempted", {"Metadata-Flavor": "Google"})
        return (answer or "").strip() == "TRUE"
