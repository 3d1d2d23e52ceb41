"""Meta-learning: learning from many small tasks how to learn the next one from a few examples.

`meta_learner.py` says what an algorithm is; `algorithms/` holds them, one a file.
"""

from trainables.scenarios.meta_learning.meta_learner import MetaLearner

__all__ = ["MetaLearner"]
