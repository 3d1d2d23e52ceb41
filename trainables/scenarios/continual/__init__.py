"""Class-incremental learning: tasks come one after another, each with classes of its own.

`continual.py` says what an algorithm is; `algorithms/` holds them, one a file.
"""

from trainables.scenarios.continual.continual import Continual

__all__ = ["Continual"]
