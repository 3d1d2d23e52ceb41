"""Class-incremental learning: tasks come one after another, each with classes of its own.

Each module without an underscore is one algorithm; `_continual.py` says what an algorithm is.
"""

from trainables.continual._continual import Continual

__all__ = ["Continual"]
