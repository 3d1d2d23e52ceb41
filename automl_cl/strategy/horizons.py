"""Horizons that pay for what an algorithm does before its first step."""

from __future__ import annotations

import math

from search_spaces import Config, Space


def long_enough(space: Space, config: Config, least: float, cap: float) -> Config:
    """A config whose horizon pays for what comes before the first step, if it may be so long.

    Args:
        space: of the config's arm.
        config: what is proposed.
        least: the epochs that its algorithm needs.
        cap: the most that any trial may spend.

    Returns:
        The config with a longer horizon; the very same where it is long enough, or where the
        space allows no longer one.
    """
    training = config["training"]
    needed = min(cap, math.ceil(1000.0 * least) / 1000.0)
    longer = {**config, "training": {**training, "epochs": needed}}
    return longer if training["epochs"] < needed and space.contains(longer) else config
