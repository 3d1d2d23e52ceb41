"""What a search in this scenario sets besides data and space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import Categorical, Int
from trainables.meta_learning._episodes import EpisodeShape


@dataclass(frozen=True)
class Settings:
    """The tasks: their size, and how many there are to validate and to test on.

    Attributes:
        ways: classes in a task.
        shots: labelled examples of each class; of a sinusoid, its labelled points.
        queries: examples of each class (points of a sinusoid) to predict.
        validation_episodes: fixed tasks of validation classes.
        test_episodes: fixed tasks of sealed test classes, the items of the verdict.
        training_classes: at most so many classes to train on; 0 for all.
        rotations: whether images turned by 90, 180 and 270 degrees are three classes more:
            `omniglot` does so for Omniglot alone.
    """

    ways: Annotated[int, Int(2, 100)] = 5
    shots: Annotated[int, Int(1, 100)] = 1
    queries: Annotated[int, Int(1, 100)] = 15
    validation_episodes: Annotated[int, Int(10, 10_000)] = 100
    test_episodes: Annotated[int, Int(10, 10_000)] = 600
    training_classes: Annotated[int, Int(0, 1_000_000)] = 0
    rotations: Annotated[str, Categorical(["omniglot", "always", "never"])] = "omniglot"

    @property
    def shape(self) -> EpisodeShape:
        """The size of a task of classes."""
        return EpisodeShape(self.ways, self.shots, self.queries)
