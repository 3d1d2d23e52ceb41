"""Meta-learning: learning from many small tasks how to learn the next one from a few examples.

Each module without an underscore is one algorithm; `_meta_learner.py` says what an algorithm is.
"""

from trainables.meta_learning._meta_learner import MetaLearner

__all__ = ["MetaLearner"]
