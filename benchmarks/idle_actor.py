"""A trial actor whose trials do nothing: it reports at once what a session may take for values."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from trainables.trials.trial_actor import TrialActor


class IdleActor(TrialActor):
    """As the real one, but for the training."""

    def setup(self, config: dict[str, Any], **data: Any) -> None:
        self.group = None
        self._take(config)

    def step(self) -> dict[str, Any]:
        from benchmarks.driver_scale import made_up
        from trainables.trials.trial_run import following

        if self.request is None:
            return super().step()
        report = made_up(self.request, self.request.from_rung)
        self.request = following(self.request, report)
        return {"report": json.dumps(asdict(report))}
