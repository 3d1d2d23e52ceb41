"""What Ray Tune's OptunaSearch and AsyncHyperBandScheduler do, one trial after another, no Ray."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna

from search_spaces import Categorical, Config, Float, Int, Range, Space, coordinates
from search_spaces.space import Choice, Fixed, Group, Leaf, Node


class AsShipped:
    """OptunaSearch, defined by run over a conditional space, with ASHA; all at their defaults.

    Optuna 5's default is a multivariate TPE. A trial that ends early is told COMPLETE with its
    last value; one that is not a number is left running. ASHA compares all trials whatever their
    algorithm, stops for good, and lets the first at each rung pass.

    Args:
        space: the whole conditional space, the algorithm a choice in it.
        seed: of the sampler.
        cap: ASHA's `max_t`, in epochs.
        grace: its `grace_period`.
        eta: its `reduction_factor`.
    """

    def __init__(
        self, space: Space, seed: int, cap: float, grace: float = 1.0, eta: float = 4.0
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.TPESampler(seed=seed)
        self.space, self.eta = space, eta
        self.shared = coordinates(space)
        self.study = optuna.create_study(sampler=sampler, direction="maximize")
        self.rungs: dict[float, list[float]] = {}
        while grace < cap:
            self.rungs[grace] = []
            grace *= eta
        self.trial: optuna.trial.Trial | None = None

    def suggest(self) -> Config:
        """The next config."""
        self.trial = self.study.ask()
        found: Config = self._value(self.space.root, (), "", _suggester(self.trial))
        return self.space.in_effect(found)

    def levels(self, horizon: float) -> list[float]:
        """Where a trial reports: at the rungs below its end, and there."""
        return [*(rung for rung in self.rungs if rung < horizon), horizon]

    def goes_on(self, level: float, value: float) -> bool:
        """Whether a trial passes a rung, where values are better the higher they are."""
        recorded = self.rungs[level]
        cutoff = np.quantile(recorded, 1 - 1 / self.eta) if recorded else -math.inf
        recorded.append(value)
        return bool(value >= cutoff)

    def complete(self, value: float) -> None:
        """Tells the sampler the last value of the trial, whatever its rung."""
        assert self.trial is not None
        if math.isfinite(value):
            self.study.tell(self.trial, value)

    def _value(
        self, node: Node, path: tuple[str, ...], option: str, suggest: Callable[[str, Range], Any]
    ) -> Any:
        """A node's value. A field that alternatives share is one parameter if their ranges agree.

        That is how one would write it by hand: one `optimizer.lr`, or one for each optimizer.
        """
        match node:
            case Leaf():
                name = ".".join(path)
                shared = self.shared.get(name) == node.allowed
                return suggest(name if shared else f"{name}:{option}", node.allowed)
            case Fixed():
                return node.value
            case Group():
                return {
                    name: self._value(field, (*path, name), option, suggest)
                    for name, field in node.fields.items()
                }
            case Choice():
                chosen = next(iter(node.options))
                if len(node.options) > 1:
                    name = ".".join(path) + ":" + option + ":name"
                    chosen = suggest(name, Categorical(sorted(node.options)))
                below = self._value(node.options[chosen], path, f"{option}/{chosen}", suggest)
                return {"name": chosen, **below}


def _suggester(trial: optuna.trial.Trial) -> Callable[[str, Range], Any]:
    def suggest(name: str, allowed: Range) -> Any:
        if isinstance(allowed, Categorical):
            return trial.suggest_categorical(name, allowed.choices)
        if isinstance(allowed, Int):
            return trial.suggest_int(name, allowed.low, allowed.high, log=allowed.log)
        assert isinstance(allowed, Float)
        return trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log)

    return suggest
