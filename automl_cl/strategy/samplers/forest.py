"""A forest of randomised trees."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from automl_cl.strategy.sampler import Sampler, Told
from search_spaces import FlatSpace, Point

TREES = 40
CANDIDATES = 500
NEIGHBOURS = 100
SPREAD = 0.15


@final
@dataclass(frozen=True)
class Forest(Sampler):
    """Extremely randomised trees over standings; of many random points the most promising.

    A candidate is worth its mean prediction less one standard deviation over trees. Trials at
    work are believed to turn out as predicted but for their spread: the forest is fitted with
    them in the middle, so that nothing piles up around them.

    Source: Hutter et al. 2011 (SMAC) for forests as surrogates; Geurts et al. 2006 for the trees.
    """

    def ask(self, space: FlatSpace, told: Sequence[Told], seed: int) -> Point:
        import numpy as np
        from sklearn import config_context
        from sklearn.tree import ExtraTreeRegressor

        rng = random.Random(seed)
        known = np.array([space.features(each.point) for each in told], dtype=np.float32)
        standings = np.array([each.standing or 0.0 for each in told])
        with config_context(skip_parameter_validation=True):  # a third of what a small tree costs
            trees = [
                ExtraTreeRegressor(min_samples_leaf=2, random_state=(seed + tree) % 2**32).fit(
                    known, standings, check_input=False
                )
                for tree in range(TREES)
            ]
        best = sorted(told, key=lambda each: each.standing if each.standing is not None else 9.0)
        candidates = [space.draw(rng) for _ in range(CANDIDATES)]
        candidates += [
            space.near(best[index % min(5, len(best))].point, rng, SPREAD)
            for index in range(NEIGHBOURS)
        ]
        features = np.array([space.features(each) for each in candidates], dtype=np.float32)
        predicted = np.stack([tree.predict(features, check_input=False) for tree in trees])
        promise = predicted.mean(axis=0) - predicted.std(axis=0)
        return candidates[int(promise.argmin())]
