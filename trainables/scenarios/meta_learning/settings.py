"""The settings of a search in this scenario besides data and space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import Categorical, Int
from trainables.scenarios.meta_learning.episodes import EpisodeShape


@dataclass(frozen=True)
class Settings:
    """The tasks: their size, and how many there are to validate and to test on.

    Attributes:
        ways: classes in a task.
        shots: labelled examples of each class.
        queries: examples of each class to predict.
        validation_episodes: fixed tasks of validation classes.
        test_episodes: fixed tasks of sealed test classes, the items of the verdict.
        training_classes: at most so many classes to train on; 0 for all.
        split: how classes are divided: by the name of a published split that the data has, by
            whole groups of classes under the data's word for them, or by `classes`; `default`
            is the first of these that there is.
        rotations: whether images turned by 90, 180 and 270 degrees are three classes more;
            `default` as is the custom with the data.
    """

    ways: Annotated[int, Int(2, 100)] = 5
    shots: Annotated[int, Int(1, 100)] = 1
    queries: Annotated[int, Int(1, 100)] = 15
    validation_episodes: Annotated[int, Int(10, 10_000)] = 100
    test_episodes: Annotated[int, Int(10, 10_000)] = 600
    training_classes: Annotated[int, Int(0, 1_000_000)] = 0
    split: str = "default"
    rotations: Annotated[str, Categorical(["default", "always", "never"])] = "default"

    @property
    def shape(self) -> EpisodeShape:
        """The size of a task of classes."""
        return EpisodeShape(self.ways, self.shots, self.queries)


@dataclass(frozen=True)
class SinusoidSettings:
    """The same of sinusoids, which have no classes; K = 10 as in Finn et al. (ICML 2017).

    Attributes:
        shots: a sinusoid's labelled points.
        queries: its points to predict.
        validation_episodes: fixed sinusoids to validate on.
        test_episodes: other fixed ones, the items of the verdict.
    """

    shots: Annotated[int, Int(1, 100)] = 10
    queries: Annotated[int, Int(1, 100)] = 10
    validation_episodes: Annotated[int, Int(10, 10_000)] = 100
    test_episodes: Annotated[int, Int(10, 10_000)] = 600

    @property
    def shape(self) -> EpisodeShape:
        """The size of a task of points."""
        return EpisodeShape(1, self.shots, self.queries)
